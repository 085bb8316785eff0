// SPDX-License-Identifier: Apache-2.0
// How a TokenReport is shown.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <chrono>

#include "config/problem.h"
#include "control/token_inspect.h"

namespace fairlead::control {
namespace {

namespace json = boost::json;
using auth::Access;
using auth::Caller;
using Kind = TokenReport::Kind;

constexpr std::size_t kMaxShown = 400;  // bytes of one thing

// The attack: a name that moves the cursor, or turns the colour, and so writes over the verdict.
// Terminals obey some of what is beyond ASCII as well.
std::string shown(std::string_view text) {
  std::string out = config::printable(text, kMaxShown);
  std::ranges::replace_if(out, [](char c) { return static_cast<unsigned char>(c) >= 0x7f; }, '?');
  return out;
}

std::string_view word_for(Caller::Kind kind) {
  constexpr std::array<std::string_view, 4> kWords{"anonymous", "user", "issued", "relayed"};
  return kWords.at(static_cast<std::size_t>(kind));
}

std::string_view word_for(Access::Reach reach) {
  constexpr std::array<std::string_view, 3> kWords{"exact", "subtree", "all"};
  return kWords.at(static_cast<std::size_t>(reach));
}

std::string words_for(auth::Actions actions) {
  const std::string text = to_string(actions);
  return text.empty() ? "nothing" : text;
}

std::string describe(const Access& access) {
  std::string text = "everything";
  if (access.reach != Access::Reach::All) text = shown(access.name);
  if (access.reach == Access::Reach::Subtree) text += " and all below it";
  text += ": " + words_for(access.actions);
  if (!access.refused.empty())
    text += " (asked for and refused: " + to_string(access.refused) + ")";
  return text;
}

std::string describe(const Caller& caller) {
  const std::string name = caller.name.empty() ? "without a name" : shown(caller.name);
  switch (caller.kind) {
    case Caller::Kind::Anonymous:
      return "anonymous";
    case Caller::Kind::User:
      return name + ", a user of the gateway";
    case Caller::Kind::Issued:
      return name + ", by an issuer's word";
    case Caller::Kind::Relayed:
      return name + ", known to an upstream";
  }
  return {};
}

// "2 h 5 min", in the two largest units.
std::string span_text(std::chrono::seconds span) {
  struct Unit {
    std::int64_t seconds;
    std::string_view name;
  };
  constexpr std::array<Unit, 4> kUnits{{{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}}};
  const std::int64_t all = span.count();
  for (std::size_t i = 0; i < kUnits.size(); ++i) {
    if (all < kUnits[i].seconds && i + 1 < kUnits.size()) continue;
    std::string text = fmt::format("{} {}", all / kUnits[i].seconds, kUnits[i].name);
    const std::int64_t rest = all % kUnits[i].seconds;
    if (i + 1 < kUnits.size() && rest >= kUnits[i + 1].seconds) {
      text += fmt::format(" {} {}", rest / kUnits[i + 1].seconds, kUnits[i + 1].name);
    }
    return text;
  }
  return {};
}

std::string time_text(WallTime time, WallTime now) {
  const auto span = std::chrono::floor<std::chrono::seconds>(now) -
                    std::chrono::floor<std::chrono::seconds>(time);
  if (span.count() < 0) return utc_text(time) + " (in " + span_text(-span) + ")";
  return utc_text(time) + " (" + span_text(span) + " ago)";
}

class Lines {
 public:
  void add(std::string_view key, const std::string& value) {
    if (value.empty()) return;
    text_ += fmt::format("{:<12}{}\n", key, value);
  }
  void add(std::string_view key, const std::optional<WallTime>& time, WallTime now) {
    if (time) add(key, time_text(*time, now));
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string_view word_for(Kind kind) {
  constexpr std::array<std::string_view, 3> kWords{"neither", "sealed", "jwt"};
  return kWords.at(static_cast<std::size_t>(kind));
}

std::string member_text(const json::object& object, std::string_view name) {
  const auto* member = object.if_contains(name);
  if (member == nullptr) return {};
  return shown(member->is_string() ? std::string(member->get_string()) : json::serialize(*member));
}

void add_jwt(const TokenReport& report, Lines& lines) {
  lines.add("algorithm", member_text(report.header, "alg"));
  lines.add("key id", shown(report.key_id));
  for (const auto& member : report.header) {
    const std::string_view name = member.key();
    if (name == "alg" || name == "kid" || name == "typ") continue;
    lines.add("header", shown(name) + " " + shown(json::serialize(member.value())));
  }
  lines.add("issuer", member_text(report.claims, "iss"));
  lines.add("audience", member_text(report.claims, "aud"));
}

void add_other_claims(const TokenReport& report, Lines& lines) {
  constexpr std::array<std::string_view, 7> kKnown{"iss", "aud", "sub",   "iat",
                                                   "nbf", "exp", "access"};
  for (const auto& member : report.claims) {
    if (std::ranges::count(kKnown, std::string_view(member.key())) > 0) continue;
    lines.add("claim", shown(member.key()) + " " + shown(json::serialize(member.value())));
  }
}

void add_rights(const TokenReport& report, Lines& lines) {
  const Caller& caller = report.caller;
  if (!report.access_problem.empty()) {
    lines.add("gives", report.access_problem);
  } else if (!caller.access) {
    lines.add("gives", "what the gateway's rules give to this name");
  } else if (caller.access->entries().empty()) {
    lines.add("gives", "nothing");
  } else {
    for (const Access& access : caller.access->entries()) lines.add("gives", describe(access));
  }
  for (const auto& login : caller.relayed) {
    lines.add("relays", shown(login.registry) + "/" + shown(login.repository) + ": " +
                            words_for(login.actions) + ", as " + std::string(Secret::kRedacted));
  }
}

json::array access_list(const auth::AccessList& access) {
  json::array list;
  for (const Access& entry : access.entries()) {
    list.push_back(json::object{{"reach", word_for(entry.reach)},
                                {"name", entry.name},
                                {"actions", to_string(entry.actions)},
                                {"refused", to_string(entry.refused)}});
  }
  return list;
}

json::array relayed_list(const std::vector<auth::RelayedLogin>& relayed) {
  json::array list;
  for (const auto& login : relayed) {
    list.push_back(json::object{{"registry", login.registry},
                                {"repository", login.repository},
                                {"actions", to_string(login.actions)},
                                {"authorization", Secret::kRedacted}});
  }
  return list;
}

json::value time_value(const std::optional<WallTime>& time) {
  return time ? json::value(utc_text(*time)) : json::value();
}

}  // namespace

std::string to_text(const TokenReport& report, WallTime now) {
  Lines lines;
  switch (report.kind) {
    case Kind::Neither:
      break;
    case Kind::Sealed:
      lines.add("kind", "sealed token of a Fairlead gateway");
      lines.add("key id", shown(report.key_id));
      break;
    case Kind::Jwt:
      lines.add("kind", "JWT");
      add_jwt(report, lines);
      break;
  }
  if (report.is_readable) {
    lines.add("who", describe(report.caller));
    add_rights(report, lines);
    add_other_claims(report, lines);
  }
  lines.add("issued", report.issued, now);
  lines.add("not before", report.not_before, now);
  lines.add("expires", report.expires, now);
  lines.add("accepted", report.is_accepted ? "yes" : "no: " + report.why_not);
  return lines.text();
}

std::string to_json(const TokenReport& report) {
  json::object out{{"kind", word_for(report.kind)},
                   {"accepted", report.is_accepted},
                   {"why_not", report.why_not},
                   {"key_id", report.key_id}};
  if (report.kind == Kind::Jwt) {
    out["header"] = report.header;
    out["claims"] = report.claims;
  }
  if (report.is_readable) {
    out["caller"] =
        json::object{{"kind", word_for(report.caller.kind)}, {"name", report.caller.name}};
    out["access"] =
        report.caller.access ? json::value(access_list(*report.caller.access)) : nullptr;
    out["access_problem"] = report.access_problem;
    out["relayed"] = relayed_list(report.caller.relayed);
    out["issued"] = time_value(report.issued);
    out["not_before"] = time_value(report.not_before);
    out["expires"] = time_value(report.expires);
  }
  return json::serialize(out);
}

}  // namespace fairlead::control
