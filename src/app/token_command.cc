// SPDX-License-Identifier: Apache-2.0
#include "app/token_command.h"

#include <unistd.h>

#include <cstdio>
#include <optional>
#include <utility>
#include <vector>

#include "auth/jwt.h"
#include "auth/paseto.h"
#include "auth/token_key_file.h"
#include "base/clock.h"
#include "base/whole_file.h"
#include "control/token_inspect.h"

namespace fairlead::app {
namespace {

constexpr std::size_t kMaxKeyFile = 64 * 1024;

int fail(const std::string& reason) {
  std::fprintf(stderr, "fairlead: %s\n", reason.c_str());
  return 1;
}

// The keys of sealed tokens that a gateway of this configuration has.
Result<std::vector<Secret>> read_keys(const config::Config& config) {
  if (!config.auth.keys.empty()) return config.auth.keys;
  auto key = auth::read_token_key(config.cache.directory + "/token.key");
  if (!key) return std::unexpected(std::move(key.error()));
  return std::vector<Secret>{*std::move(key)};
}

control::Issued issue_sealed(const config::Config& config, const TokenCommand& command) {
  if (!command.key_file.empty()) {
    return std::unexpected("--key is of JWTs: sealed tokens have the keys of the configuration");
  }
  const auto keys = read_keys(config);
  if (!keys) return std::unexpected(keys.error().context);
  auto parsed = auth::TokenKeys::parse(*keys);
  if (!parsed) return std::unexpected(parsed.error().context);
  return control::issue_sealed_token(command.wish, auth::SealedTokens(*std::move(parsed)),
                                     SystemClock().wall());
}

// As the configuration reads secrets: an editor's line feed at the end is not part of it.
Result<Secret> read_key_file(const TokenCommand& command) {
  auto text = read_whole_file(command.key_file, kMaxKeyFile);
  if (!text) return std::unexpected(std::move(text.error()).within("--key " + command.key_file));
  const auto algorithm = auth::parse_jwt_algorithm(command.wish.algorithm);
  if (algorithm && auth::is_symmetric(*algorithm)) {
    if (text->ends_with('\n')) text->pop_back();
    if (text->ends_with('\r')) text->pop_back();
  }
  return Secret(*std::move(text));
}

control::Issued issue_jwt(const config::Config& config, const TokenCommand& command) {
  std::optional<Secret> key;
  if (!command.key_file.empty()) {
    auto held = read_key_file(command);
    if (!held) return std::unexpected(held.error().context);
    key = *std::move(held);
  }
  return control::issue_jwt(command.wish, config.auth.jwt, key, SystemClock().wall());
}

int issue(const config::Config& config, const TokenCommand& command) {
  const auto issued =
      command.wish.is_sealed ? issue_sealed(config, command) : issue_jwt(config, command);
  if (!issued) return fail(issued.error());
  if (!issued->warning.empty()) {
    std::fprintf(stderr, "fairlead: warning: %s\n", issued->warning.c_str());
  }
  std::puts(issued->token.c_str());
  return 0;
}

// Without the white space around it; a little more than any token has at most.
std::string read_token(const std::string& given) {
  std::string text = given;
  if (given == "-") {
    if (::isatty(STDIN_FILENO) == 1) std::fputs("token: ", stderr);
    text.clear();
    for (int c = std::fgetc(stdin); c != EOF && text.size() < 2 * auth::paseto::kMaxToken;
         c = std::fgetc(stdin)) {
      text += static_cast<char>(c);
    }
  }
  constexpr std::string_view kSpace = " \t\r\n";
  text.erase(0, std::min(text.find_first_not_of(kSpace), text.size()));
  text.erase(text.find_last_not_of(kSpace) + 1);
  return text;
}

int inspect(const config::Config& config, const TokenCommand& command) {
  const std::string token = read_token(command.token);
  if (token.empty()) return fail("there is no token to inspect");
  auto keys = read_keys(config);
  control::TokenChecks checks{.keys = {}, .why_no_keys = {}, .issuers = config.auth.jwt};
  if (keys) {
    checks.keys = *std::move(keys);
  } else {
    checks.why_no_keys = std::move(keys.error().context);
  }
  const SystemClock clock;
  const auto report = control::inspect_token(token, std::move(checks), clock);
  const std::string text =
      command.is_json ? control::to_json(report) + "\n" : control::to_text(report, clock.wall());
  std::fputs(text.c_str(), stdout);
  return report.is_accepted ? 0 : 1;
}

}  // namespace

int run_token_command(const config::Config& config, const TokenCommand& command) {
  return command.verb == TokenVerb::Issue ? issue(config, command) : inspect(config, command);
}

}  // namespace fairlead::app
