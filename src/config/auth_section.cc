// SPDX-License-Identifier: Apache-2.0
// Reads `auth`: who may.
#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "auth/htpasswd.h"
#include "auth/jwks.h"
#include "auth/jwt.h"
#include "auth/token_keys.h"
#include "config/endpoint.h"
#include "config/nearest.h"
#include "config/schema.h"
#include "oci/glob.h"

namespace fairlead::config {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxKeys = 16;
constexpr std::size_t kMaxIssuers = 64;
constexpr std::size_t kMaxRules = 1000;
constexpr std::size_t kMaxNames = 1000;
constexpr std::size_t kMaxGlobs = 1000;
constexpr std::size_t kMaxActions = 16;
constexpr std::size_t kMaxPem = 64 * 1024;

void read_keys(const Value& keys, std::vector<Secret>& out) {
  for (const Value& item : keys.items(kMaxKeys)) {
    auto key = item.secret();
    if (!key) continue;
    if (const auto parsed = auth::TokenKeys::parse({&*key, 1}); !parsed) {
      item.problem(parsed.error().context);
      continue;
    }
    out.push_back(*std::move(key));
  }
  if (keys.is_empty_list()) {
    keys.problem("must name at least one key; leave it out to have one made");
  }
}

// The users, where they can be known.
std::optional<auth::HtpasswdFile> read_users(const Value& users, std::string& out) {
  const auto text = users.file_text(auth::HtpasswdFile::kMaxBytes);
  if (const auto path = users.text()) out = *path;
  if (!text) return std::nullopt;
  auto file = auth::HtpasswdFile::parse(*text);
  if (!file) {
    for (const auto& problem : file.error()) users.problem(auth::to_string(problem));
    return std::nullopt;
  }
  for (const auto& warning : file->warnings()) users.warning(auth::to_string(warning));
  if (file->size() == 0) users.warning("holds no users yet");
  return *std::move(file);
}

std::optional<auth::JwtAlgorithm> read_algorithm(Section& issuer) {
  const auto value = issuer.find("algorithm");
  const auto name = value ? value->text() : std::nullopt;
  if (!name) return std::nullopt;
  auto algorithm = auth::parse_jwt_algorithm(*name);
  if (!algorithm) {
    value->problem(in_quotes(*name) +
                   " is none of HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384");
  }
  return algorithm;
}

// The key that the entry itself holds, if it is good.
void read_key(Section& issuer, const std::string& kid, auth::JwtIssuerOptions& out) {
  const auto secret = issuer.find("secret");
  const auto pem = issuer.find("key");
  if (!secret && !pem) return;
  const Value& given = secret ? *secret : *pem;
  if (secret && pem) return pem->problem("and secret exclude each other");
  if (!out.algorithm) {
    if (!issuer.find("algorithm")) issuer.self().problem("needs algorithm: each key is for one");
    return;
  }
  if (auth::is_symmetric(*out.algorithm) != secret.has_value()) {
    return given.problem(secret ? "is for HS256, HS384 and HS512; name a key: a PEM file"
                                : "is for RS and ES algorithms; HS ones have a secret");
  }
  std::optional<Secret> material;
  if (secret) {
    material = secret->secret();
  } else if (auto text = pem->file_text(kMaxPem)) {
    if (text->contains("PRIVATE KEY")) {
      pem->warning(
          "is a private key: the public one is enough here, and whoever gets this file "
          "makes tokens");
    }
    material = Secret(*std::move(text));
  }
  if (!material) return;
  auth::JwtKey key{.algorithm = *out.algorithm, .material = *std::move(material), .kid = kid};
  if (const auto checked = auth::check_key(key); !checked) {
    return given.problem(checked.error().context);
  }
  out.keys.push_back(std::move(key));
}

void read_jwks(const Value& jwks, auth::JwtIssuerOptions& out) {
  const auto text = jwks.text();
  if (!text) return;
  if (text->starts_with("https://") || text->starts_with("http://")) {
    out.jwks_url = *text;
    if (text->starts_with("http://")) {
      jwks.warning("comes over http: whoever is on the way can put their own keys there");
    }
    return;
  }
  const auto document = jwks.file_text(auth::kMaxJwks);
  if (!document) return;
  auto keys = auth::parse_jwks(*document, out.algorithm);
  if (!keys) return jwks.problem(keys.error().context);
  if (keys->empty()) jwks.problem("holds no key that can be used");
  std::ranges::move(*keys, std::back_inserter(out.keys));
}

void read_issuer(Section& issuer, auth::JwtIssuerOptions& out) {
  out.algorithm = read_algorithm(issuer);
  std::string kid;
  issuer.text("kid", kid);
  issuer.text("issuer", out.issuer);
  issuer.text("audience", out.audience);
  std::chrono::milliseconds skew = out.skew;
  issuer.duration("skew", skew, 0ms, 10min);
  out.skew = std::chrono::duration_cast<std::chrono::seconds>(skew);
  read_key(issuer, kid, out);
  const auto jwks = issuer.find("jwks");
  if (jwks) read_jwks(*jwks, out);
  const bool has_one = issuer.find("secret") || issuer.find("key");
  if (!has_one && !jwks) issuer.self().problem("needs one of secret, key and jwks");
  if (has_one && jwks) jwks->problem("and a key of its own exclude each other: write two entries");
  if (jwks && !kid.empty()) issuer.self().problem("has kid, but each key of a JWKS has its own");
}

std::vector<std::string> read_names(const Value& list) {
  std::vector<std::string> names = list.texts(kMaxNames);
  if (list.is_empty_list()) list.problem("must name at least one caller");
  return names;
}

void read_rule(Section& section, auth::Rule& out) {
  out.line = section.self().line();
  if (const auto who = section.find("who")) out.who = read_names(*who);
  if (const auto globs = section.find("repositories")) out.repositories = read_globs(*globs);
  if (const auto actions = section.find("actions")) {
    out.actions = read_actions(*actions).value_or(auth::Actions{});
  }
  for (const std::string_view key : {"who", "repositories", "actions"}) {
    if (!section.find(key)) section.self().problem("has no " + std::string(key));
  }
}

bool is_for_somebody(std::string_view who) { return who != "*" && who != auth::kAnonymousName; }

// A misspelt name in a rule that is to shut something shuts nothing.
void check_names(const Section& section, const auth::AuthOptions& out,
                 const std::optional<auth::HtpasswdFile>& users) {
  if (!users || !out.jwt.empty() || !out.policy.rules) return;
  for (const auth::Rule& rule : *out.policy.rules) {
    for (const std::string& who : rule.who) {
      if (!is_for_somebody(who) || users->find(who) != nullptr) continue;
      section.self().warning("the rule on line " + std::to_string(rule.line) +
                             ": there is no user " + in_quotes(who));
    }
  }
}

// What can never come to anything, though each part of it is right; and what shuts less than it
// seems to.
void check_reach(const Section& section, const auth::AuthOptions& out) {
  const bool has_rules = out.policy.rules.has_value();
  if (out.is_open_by_default && (out.knows_callers() || has_rules)) {
    section.self().warning(
        "says who callers are, but who shows nothing may pull everything as well: write "
        "anonymous: [] to require a caller, or anonymous: [pull] if that is meant");
  }
  if (out.policy.anonymous.empty() && !out.knows_callers() && !has_rules) {
    section.self().warning(
        "lets in nobody: anonymous is empty, and there are neither users nor jwt; only routes "
        "with capability, anonymous, or a registry with credentials: relay can be used");
  }
  if (!has_rules) return;
  const auto is_about_somebody = [](const auth::Rule& rule) {
    return std::ranges::any_of(rule.who,
                               [](const std::string& who) { return who != auth::kAnonymousName; });
  };
  if (!out.knows_callers() && std::ranges::any_of(*out.policy.rules, is_about_somebody)) {
    section.self().warning("has rules for callers, but neither users nor jwt to know them by");
  }
}

}  // namespace

std::optional<auth::Actions> read_actions(const Value& list, std::string_view hint) {
  static constexpr std::array<std::string_view, 3> kWords = {"pull", "push", "delete"};
  if (list.kind() == Node::Kind::Null || list.kind() == Node::Kind::Mapping) {
    std::ignore = list.items(0);  // tells
    return std::nullopt;
  }
  auth::Actions actions;
  bool is_good = true;
  for (const Value& item : list.items(kMaxActions)) {
    const auto word = item.text();
    const auto action = word ? auth::parse_action(*word) : std::nullopt;
    if (word && !action) {
      const std::string_view nearest = nearest_of(kWords, *word);
      item.problem(
          in_quotes(*word) + " is none of pull, push, delete" +
          (nearest.empty() ? std::string(hint) : "; did you mean " + std::string(nearest) + "?"));
    }
    is_good = is_good && action;
    actions = actions | action.value_or(auth::Actions{});
  }
  return is_good ? std::optional(actions) : std::nullopt;
}

std::vector<std::string> read_globs(const Value& list) {
  std::vector<std::string> globs;
  for (const Value& item : list.items(kMaxGlobs)) {
    auto text = item.text();
    if (!text) continue;
    if (!oci::is_repository_glob(*text)) {
      item.problem(in_quotes(*text) +
                   (text->contains(':')
                        ? " is no pattern of repository names: leave address and port out"
                        : " is no pattern of repository names: lower case, digits, / . _ - and * "
                          "or **"));
      continue;
    }
    globs.push_back(*std::move(text));
  }
  if (list.is_empty_list()) list.problem("must name at least one repository");
  return globs;
}

void read_auth(Section& section, auth::AuthOptions& out) {
  if (const auto keys = section.find("keys")) read_keys(*keys, out.keys);
  section.duration("token_ttl", out.token_ttl, 60s, 24h);
  if (const auto anonymous = section.find("anonymous")) {
    out.policy.anonymous = read_actions(*anonymous).value_or(auth::Actions{});
    out.is_open_by_default = false;
  }
  std::optional<auth::HtpasswdFile> users;
  if (const auto value = section.find("users")) users = read_users(*value, out.users);
  if (const auto jwt = section.find("jwt")) {
    for (const Value& item : jwt->items(kMaxIssuers)) {
      item.section([&](Section& issuer) { read_issuer(issuer, out.jwt.emplace_back()); });
    }
  }
  if (const auto rules = section.find("rules")) {
    out.policy.rules.emplace();
    for (const Value& item : rules->items(kMaxRules)) {
      item.section([&](Section& rule) { read_rule(rule, out.policy.rules->emplace_back()); });
    }
  }
  const auto is_about_strangers = [](const auth::Rule& rule) {
    return rule.is_for(auth::Caller());
  };
  if (out.policy.rules && std::ranges::any_of(*out.policy.rules, is_about_strangers)) {
    out.is_open_by_default = false;
  }
  check_names(section, out, users);
  check_reach(section, out);
}

}  // namespace fairlead::config
