// SPDX-License-Identifier: Apache-2.0
#include "auth/token_payload.h"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "oci/name.h"

namespace fairlead::auth {
namespace {

namespace json = boost::json;
using std::chrono::seconds;

constexpr std::size_t kMaxDepth = 3;

// One table for both ways.
template <class Value>
struct Word {
  Value value;
  std::string_view text;
};
constexpr Word<Caller::Kind> kKinds[] = {{Caller::Kind::Anonymous, "anonymous"},
                                         {Caller::Kind::User, "user"},
                                         {Caller::Kind::Issued, "issued"},
                                         {Caller::Kind::Relayed, "relayed"}};
constexpr Word<Access::Reach> kReaches[] = {{Access::Reach::Exact, "exact"},
                                            {Access::Reach::Subtree, "subtree"},
                                            {Access::Reach::All, "all"}};

template <class Value, std::size_t kSize>
json::string text_of(const Word<Value> (&words)[kSize], Value value) {
  const std::string_view text = std::ranges::find(words, value, &Word<Value>::value)->text;
  return json::string(text.begin(), text.end());
}

template <class Value, std::size_t kSize>
std::optional<Value> value_of(const Word<Value> (&words)[kSize], std::string_view text) {
  const auto* const word = std::ranges::find(words, text, &Word<Value>::text);
  if (word == std::end(words)) return std::nullopt;
  return word->value;
}

std::int64_t seconds_of(WallTime time) {
  return std::chrono::floor<seconds>(time.time_since_epoch()).count();
}

std::optional<std::string> read_text(const json::value& value, std::size_t max) {
  const auto* text = value.if_string();
  if (text == nullptr || text->size() > max) return std::nullopt;
  return std::string(text->data(), text->size());
}

std::optional<WallTime> read_time(const json::value& value) {
  constexpr std::int64_t kLast =
      std::chrono::floor<seconds>(WallTime::max().time_since_epoch()).count();
  const auto* number = value.if_int64();
  if (number == nullptr || *number < 0 || *number > kLast) return std::nullopt;
  return WallTime(seconds(*number));
}

// As to_string(Actions) writes them, not otherwise.
std::optional<Actions> read_actions(const json::value& value) {
  constexpr std::size_t kMaxActions = 64;
  const auto text = read_text(value, kMaxActions);
  if (!text) return std::nullopt;
  Actions actions;
  for (std::string_view rest = *text; !rest.empty();) {
    const auto comma = std::min(rest.find(','), rest.size());
    const auto action = parse_action(rest.substr(0, comma));
    if (!action) return std::nullopt;
    actions = actions | *action;
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  if (to_string(actions) != *text) return std::nullopt;
  return actions;
}

// The array that is one entry of a list, if it has four elements.
const json::array* read_entry(const json::value& value) {
  const auto* entry = value.if_array();
  return entry != nullptr && entry->size() == 4 ? entry : nullptr;
}

std::optional<AccessList> read_access(const json::value& value) {
  const auto* list = value.if_array();
  if (list == nullptr || list->size() > AccessList::kMaxEntries) return std::nullopt;
  std::vector<Access> entries;
  entries.reserve(list->size());
  for (const auto& item : *list) {
    const auto* entry = read_entry(item);
    if (entry == nullptr) return std::nullopt;
    const auto reach_text = read_text((*entry)[0], kMaxQualifiedName);
    const auto reach = reach_text ? value_of(kReaches, *reach_text) : std::nullopt;
    auto name = read_text((*entry)[1], kMaxQualifiedName);
    const auto actions = read_actions((*entry)[2]);
    const auto refused = read_actions((*entry)[3]);
    if (!reach || !name || !actions || !refused) return std::nullopt;
    // The attack: "team" cut to "" would reach everything.
    if (name->empty() != (*reach == Access::Reach::All)) return std::nullopt;
    entries.push_back(
        {.reach = *reach, .name = *std::move(name), .actions = *actions, .refused = *refused});
  }
  return AccessList(std::move(entries));
}

// The attack: a line feed in it would add headers to the request to the upstream.
bool is_header_value(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; });
}

std::optional<std::vector<RelayedLogin>> read_relayed(const json::value& value) {
  const auto* list = value.if_array();
  if (list == nullptr || list->size() > kMaxRelayedLogins) return std::nullopt;
  std::vector<RelayedLogin> logins;
  logins.reserve(list->size());
  for (const auto& item : *list) {
    const auto* entry = read_entry(item);
    if (entry == nullptr) return std::nullopt;
    auto registry = read_text((*entry)[0], kMaxRegistryName);
    auto repository = read_text((*entry)[1], oci::kMaxRepositoryLength);
    const auto actions = read_actions((*entry)[2]);
    auto authorization = read_text((*entry)[3], kMaxAuthorization);
    if (!registry || registry->empty() || !repository || !actions || !authorization ||
        !is_header_value(*authorization)) {
      return std::nullopt;
    }
    logins.push_back({*std::move(registry), *std::move(repository), *actions,
                      Secret(*std::move(authorization))});
  }
  return logins;
}

// Sets `out` from the member `name`, and counts it.
template <class Read, class Out>
bool take(const json::object& object, std::string_view name, Read read, Out& out,
          std::size_t& taken) {
  const auto* member = object.if_contains(json::string_view(name.data(), name.size()));
  if (member == nullptr) return false;
  auto value = read(*member);
  if (!value) return false;
  out = *std::move(value);
  ++taken;
  return true;
}

std::unexpected<Error> malformed(std::string_view what) {
  return client_error(Code::Unauthorized,
                      "the token's " + std::string(what) + " is missing, malformed or too large");
}

}  // namespace

std::string write_token_payload(const Caller& caller, WallTime issued, WallTime expires) {
  json::object payload{{"kind", text_of(kKinds, caller.kind)},
                       {"sub", caller.name},
                       {"iat", seconds_of(issued)},
                       {"exp", seconds_of(expires)}};
  if (caller.access) {
    json::array list;
    list.reserve(caller.access->entries().size());
    for (const Access& entry : caller.access->entries()) {
      list.push_back(json::array{text_of(kReaches, entry.reach), entry.name,
                                 to_string(entry.actions), to_string(entry.refused)});
    }
    payload["access"] = std::move(list);
  }
  if (!caller.relayed.empty()) {
    json::array list;
    list.reserve(caller.relayed.size());
    for (const RelayedLogin& login : caller.relayed) {
      list.push_back(json::array{login.registry, login.repository, to_string(login.actions),
                                 login.authorization.reveal()});
    }
    payload["relayed"] = std::move(list);
  }
  return json::serialize(payload);
}

Result<TokenPayload> read_token_payload(std::string_view text) {
  boost::system::error_code ec;
  const auto document = json::parse(json::string_view(text.data(), text.size()), ec, {},
                                    json::parse_options{.max_depth = kMaxDepth});
  const auto* object = ec ? nullptr : document.if_object();
  if (object == nullptr) return malformed("payload");

  TokenPayload payload;
  Caller& caller = payload.caller;
  std::size_t taken = 0;
  const auto read_kind = [](const json::value& value) {
    const auto word = read_text(value, kMaxCallerName);
    return word ? value_of(kKinds, *word) : std::nullopt;
  };
  const auto read_name = [](const json::value& value) { return read_text(value, kMaxCallerName); };
  if (!take(*object, "kind", read_kind, caller.kind, taken)) return malformed("kind");
  if (!take(*object, "sub", read_name, caller.name, taken)) return malformed("sub");
  if (!take(*object, "iat", read_time, payload.issued, taken)) return malformed("iat");
  if (!take(*object, "exp", read_time, caller.expires, taken)) return malformed("exp");
  if (object->contains("access") && !take(*object, "access", read_access, caller.access, taken)) {
    return malformed("access");
  }
  if (object->contains("relayed") &&
      !take(*object, "relayed", read_relayed, caller.relayed, taken)) {
    return malformed("relayed");
  }
  // What is not understood could have been a restriction.
  if (taken != object->size()) return malformed("payload");
  caller.is_sealed = true;
  return payload;
}

}  // namespace fairlead::auth
