// SPDX-License-Identifier: Apache-2.0
#include "control/token_issue.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "auth/access_claim.h"
#include "auth/jwk_signature.h"
#include "auth/jwt.h"
#include "auth/jwt_claims.h"
#include "auth/policy.h"
#include "config/problem.h"
#include "config/quantity.h"
#include "oci/name.h"

namespace fairlead::control {
namespace {

namespace json = boost::json;
using auth::Access;
using auth::JwtIssuerOptions;
using auth::JwtKey;
using auth::SignatureKey;
using config::in_quotes;
using std::chrono::seconds;

std::unexpected<std::string> refuse(std::string why) { return std::unexpected(std::move(why)); }

std::expected<seconds, std::string> read_lifetime(const std::string& text) {
  const auto lifetime = config::parse_duration(text);
  if (!lifetime) return refuse("--lifetime " + lifetime.error());
  if (*lifetime < seconds(1)) return refuse("--lifetime is below a second");
  if (*lifetime > kMaxTokenLifetime) return refuse("--lifetime is above ten years (3650d)");
  return std::chrono::floor<seconds>(*lifetime);
}

std::expected<auth::Actions, std::string> read_actions(std::string_view text) {
  auth::Actions actions;
  for (bool is_more = true; is_more;) {
    const auto comma = text.find(',');
    is_more = comma != std::string_view::npos;
    const std::string_view word = text.substr(0, comma);
    const auto action = auth::parse_action(word);
    if (!action) return refuse("--actions: " + in_quotes(word) + " is none of pull, push, delete");
    actions = actions | *action;
    if (is_more) text.remove_prefix(comma + 1);
  }
  return actions;
}

std::expected<Access, std::string> read_repository(std::string_view text, auth::Actions actions) {
  if (text == "**") return Access{.reach = Access::Reach::All, .name = {}, .actions = actions};
  std::string_view name = text;
  auto reach = Access::Reach::Exact;
  if (name.ends_with("/**") || name.ends_with('/')) {
    reach = Access::Reach::Subtree;
    name = name.substr(0, name.rfind('/'));
  }
  if (!oci::is_repository_name(name)) {
    return refuse("--repository " + in_quotes(text) +
                  " is no name of a repository: write team/app, team/** for team and all below it, "
                  "or ** for everything");
  }
  return Access{.reach = reach, .name = std::string(name), .actions = actions};
}

std::expected<void, std::string> check_who(const TokenWish& wish) {
  if (wish.subject.empty() && wish.repositories.empty()) {
    return refuse("name whom it is for (--subject), what it gives (--repository), or both");
  }
  const auto is_usable = [](char c) { return c >= ' ' && c < 0x7f; };
  if (wish.subject == auth::kAnonymousName || wish.subject.size() > 256 ||
      !std::ranges::all_of(wish.subject, is_usable)) {
    return refuse("--subject " + in_quotes(wish.subject) + " is no usable name");
  }
  return {};
}

// The claim in the form that is wished for, or in the one that can say it.
std::expected<json::value, std::string> write_access(const auth::AccessList& list,
                                                     const std::string& form) {
  const auto& entries = list.entries();
  const bool is_exact = std::ranges::all_of(
      entries, [](const Access& entry) { return entry.reach == Access::Reach::Exact; });
  if (form == "distribution" && !is_exact) {
    return refuse("--form distribution holds exact names only, not team/** or **: leave it out");
  }
  if (form == "repositories" && is_exact) {
    return refuse("--form repositories gives all below a name as well: write " +
                  entries.front().name + "/** if that is meant, or leave --form out");
  }
  auto claim = auth::write_access_claim(list);
  if (claim) return *std::move(claim);
  return refuse(
      "no form of a JWT's access holds both exact names and subtrees (team/**): issue two tokens, "
      "or one that is --sealed");
}

struct Signer {
  JwtKey key;
  const JwtIssuerOptions* entry = nullptr;  // of the configuration; nullptr: none has the key
};

// The entry that would accept what `key` signs.
const JwtIssuerOptions* find_entry(const std::vector<JwtIssuerOptions>& issuers,
                                   const SignatureKey& key, const TokenWish& wish) {
  constexpr std::string_view kProbe = "which entry has this key?";
  const auto signature = key.sign(kProbe);
  if (!signature) return nullptr;
  const auto verifies = [&](const JwtKey& other) {
    if (other.algorithm != key.algorithm()) return false;
    const auto read = SignatureKey::read(other);
    return read && read->verifies(kProbe, *signature) &&
           (wish.kid.empty() || other.kid.empty() || other.kid == wish.kid);
  };
  const auto found = std::ranges::find_if(issuers, [&](const JwtIssuerOptions& entry) {
    return std::ranges::any_of(entry.keys, verifies) &&
           (wish.issuer.empty() || entry.issuer.empty() || wish.issuer == entry.issuer);
  });
  return found == issuers.end() ? nullptr : &*found;
}

std::expected<Signer, std::string> sign_with_own(const TokenWish& wish,
                                                 const std::vector<JwtIssuerOptions>& issuers,
                                                 const Secret& material) {
  if (wish.algorithm.empty()) return refuse("--key needs --algorithm: each key is for one");
  const auto algorithm = auth::parse_jwt_algorithm(wish.algorithm);
  Signer signer{.key = {.algorithm = *algorithm, .material = material, .kid = wish.kid}};
  const auto key = SignatureKey::read(signer.key);
  if (!key) return refuse("--key: " + key.error().context);
  if (const auto can = key->sign("can it?"); !can) return refuse("--key: " + can.error().context);
  signer.entry = find_entry(issuers, *key, wish);
  return signer;
}

// The first key of the configuration that can sign, and is not another than the wish names.
std::expected<Signer, std::string> sign_with_configured(
    const TokenWish& wish, const std::vector<JwtIssuerOptions>& issuers) {
  bool has_any = false;
  for (const JwtIssuerOptions& entry : issuers) {
    for (const JwtKey& key : entry.keys) {
      const auto read = SignatureKey::read(key);
      if (!read || !read->sign("can it?")) continue;
      has_any = true;
      const bool is_named =
          (wish.algorithm.empty() || wish.algorithm == to_string(key.algorithm)) &&
          (wish.kid.empty() || key.kid.empty() || wish.kid == key.kid) &&
          (wish.issuer.empty() || entry.issuer.empty() || wish.issuer == entry.issuer);
      if (!is_named) continue;
      Signer signer{.key = key, .entry = &entry};
      if (!wish.kid.empty()) signer.key.kid = wish.kid;
      return signer;
    }
  }
  return refuse(has_any ? "no secret of auth.jwt has that --algorithm, --kid and --issuer"
                        : "the configuration has no secret to sign with (auth.jwt with HS256, "
                          "HS384 or HS512): name a private key (--key, --algorithm), or make a "
                          "token of the gateway's own (--sealed)");
}

std::string warning_for(const TokenWish& wish, const Signer& signer,
                        const std::vector<JwtIssuerOptions>& issuers) {
  const auto* entry = signer.entry;
  if (issuers.empty()) return "the configuration has no auth.jwt: no gateway with it accepts this";
  if (entry == nullptr) {
    const bool has_url =
        std::ranges::any_of(issuers, [](const auto& one) { return !one.jwks_url.empty(); });
    return std::string("no entry of auth.jwt has this key") +
           (has_url ? ", unless it is published at a URL, which was not fetched" : "");
  }
  if (!wish.audience.empty() && !entry->audience.empty() && wish.audience != entry->audience) {
    return "the entry of auth.jwt that has this key wants the audience " +
           in_quotes(entry->audience);
  }
  return {};
}

std::int64_t seconds_of(WallTime time) {
  return std::chrono::floor<seconds>(time.time_since_epoch()).count();
}

void add_text(json::object& claims, std::string_view name, const std::string& wished,
              const std::string& of_entry) {
  const std::string& text = wished.empty() ? of_entry : wished;
  if (!text.empty()) claims.emplace(name, text);
}

}  // namespace

std::expected<std::optional<auth::AccessList>, std::string> read_wanted_access(
    const TokenWish& wish) {
  if (wish.repositories.empty()) {
    if (wish.actions.empty()) return std::nullopt;
    return refuse("--actions is for the --repository that it goes with, and there is none");
  }
  const auto actions = read_actions(wish.actions.empty() ? "pull" : wish.actions);
  if (!actions) return std::unexpected(actions.error());
  std::vector<Access> entries;
  for (const std::string& text : wish.repositories) {
    auto entry = read_repository(text, *actions);
    if (!entry) return std::unexpected(std::move(entry.error()));
    if (std::ranges::count(entries, *entry) == 0) entries.push_back(*std::move(entry));
  }
  if (entries.size() > auth::AccessList::kMaxEntries) {
    return refuse("more than 1000 repositories: name a subtree (team/**)");
  }
  const bool has_all = std::ranges::any_of(
      entries, [](const Access& entry) { return entry.reach == Access::Reach::All; });
  if (has_all && entries.size() > 1) {
    return refuse("--repository \"**\" is everything: leave the others out");
  }
  return auth::AccessList(std::move(entries));
}

Issued issue_sealed_token(const TokenWish& wish, const auth::SealedTokens& tokens, WallTime now) {
  for (const auto& [name, text] : {std::pair{"--algorithm", wish.algorithm},
                                   {"--kid", wish.kid},
                                   {"--issuer", wish.issuer},
                                   {"--audience", wish.audience},
                                   {"--form", wish.form}}) {
    if (!text.empty()) return refuse(std::string(name) + " is of JWTs, and --sealed makes none");
  }
  if (auto who = check_who(wish); !who) return std::unexpected(std::move(who.error()));
  const auto lifetime = read_lifetime(wish.lifetime);
  if (!lifetime) return std::unexpected(lifetime.error());
  auto access = read_wanted_access(wish);
  if (!access) return std::unexpected(std::move(access.error()));
  auth::Caller caller;
  caller.kind = auth::Caller::Kind::Issued;
  caller.name = wish.subject;
  caller.access = *std::move(access);
  auto token = tokens.seal(caller, now, now + *lifetime);
  if (!token) return refuse(std::move(token.error().context));
  if (token->size() > kMaxIssuedToken) {
    return refuse("the token would not fit into a request: name fewer repositories");
  }
  return IssuedToken{.token = *std::move(token), .warning = {}};
}

Issued issue_jwt(const TokenWish& wish, const std::vector<JwtIssuerOptions>& issuers,
                 const std::optional<Secret>& own_key, WallTime now) {
  if (auto who = check_who(wish); !who) return std::unexpected(std::move(who.error()));
  if (!wish.algorithm.empty() && !auth::parse_jwt_algorithm(wish.algorithm)) {
    return refuse("--algorithm " + in_quotes(wish.algorithm) +
                  " is none of HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384");
  }
  const auto lifetime = read_lifetime(wish.lifetime);
  if (!lifetime) return std::unexpected(lifetime.error());
  const auto access = read_wanted_access(wish);
  if (!access) return std::unexpected(access.error());
  if (!wish.form.empty() && !*access) return refuse("--form is of --repository, and there is none");
  const auto signer =
      own_key ? sign_with_own(wish, issuers, *own_key) : sign_with_configured(wish, issuers);
  if (!signer) return std::unexpected(signer.error());

  const JwtIssuerOptions of_nobody;
  const JwtIssuerOptions& entry = signer->entry == nullptr ? of_nobody : *signer->entry;
  json::object claims;
  add_text(claims, "iss", wish.issuer, entry.issuer);
  add_text(claims, "aud", wish.audience, entry.audience);
  add_text(claims, "sub", wish.subject, {});
  claims.emplace("iat", seconds_of(now));
  claims.emplace("exp", seconds_of(now) + lifetime->count());
  if (*access) {
    auto claim = write_access(**access, wish.form);
    if (!claim) return std::unexpected(std::move(claim.error()));
    claims.emplace("access", *std::move(claim));
  }
  auto token = auth::sign_jwt(claims, signer->key);
  if (!token) return refuse(std::move(token.error().context));
  // Nobody is to find out at the gateway.
  const auto jwt = auth::read_jwt(*token);
  if (!jwt) return refuse(jwt.error().context);
  if (const auto read = auth::read_claims(jwt->claims, {}, now); !read) {
    return refuse(read.error().context);
  }
  return IssuedToken{.token = *std::move(token), .warning = warning_for(wish, *signer, issuers)};
}

}  // namespace fairlead::control
