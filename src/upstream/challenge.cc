// SPDX-License-Identifier: Apache-2.0
#include "upstream/challenge.h"

#include <algorithm>
#include <optional>

#include "upstream/ascii.h"

namespace fairlead::upstream {
namespace {

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// RFC 9110, 5.6.2
bool is_token_char(char c) {
  return is_alphanumeric(c) || std::string_view("!#$%&'*+-.^_`|~").contains(c);
}

// RFC 9110, 11.2
bool is_token68_char(char c) {
  return is_alphanumeric(c) || std::string_view("-._~+/").contains(c);
}

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  std::vector<Challenge> parse() {
    std::vector<Challenge> challenges;
    for (;;) {
      skip(" \t,");
      if (rest_.empty()) return challenges;
      const std::string_view name = take_while(is_token_char);
      if (name.empty()) return challenges;
      const bool ok = begins_parameter() && !challenges.empty() && challenges.back().token68.empty()
                          ? parse_parameter(ascii_lower(name), challenges.back())
                          : parse_scheme(ascii_lower(name), challenges);
      if (!ok) return challenges;
    }
  }

 private:
  void skip(std::string_view set) {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(set), rest_.size()));
  }

  template <class Predicate>
  std::string_view take_while(Predicate predicate) {
    const auto end = std::ranges::find_if_not(rest_, predicate);
    const auto taken = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(taken.size());
    return taken;
  }

  [[nodiscard]] bool begins_parameter() const {
    const auto next = rest_.find_first_not_of(" \t");
    return next != std::string_view::npos && rest_[next] == '=';
  }

  bool parse_scheme(std::string scheme, std::vector<Challenge>& challenges) {
    const bool ends_here = rest_.empty() || rest_.front() == ',';
    const bool has_space = !ends_here && (rest_.front() == ' ' || rest_.front() == '\t');
    if (!ends_here && !has_space) return false;
    if (challenges.size() == kMaxChallenges) return false;
    challenges.push_back({.scheme = std::move(scheme), .token68 = {}, .parameters = {}});
    skip(" \t");
    challenges.back().token68 = take_token68();
    return true;
  }

  // A token68 is all there is up to the next comma; otherwise nothing is consumed.
  std::string take_token68() {
    const std::string_view before = rest_;
    take_while(is_token68_char);
    take_while([](char c) { return c == '='; });
    const std::string_view token = before.substr(0, before.size() - rest_.size());
    skip(" \t");
    const bool is_whole = rest_.empty() || rest_.front() == ',';
    if (is_whole && !token.empty() && token.front() != '=') return std::string(token);
    rest_ = before;
    return {};
  }

  bool parse_parameter(std::string name, Challenge& challenge) {
    skip(" \t");
    rest_.remove_prefix(1);  // '='
    skip(" \t");
    auto value = take_value();
    if (!value || challenge.parameters.size() == kMaxChallengeParameters) return false;
    challenge.parameters.emplace_back(std::move(name), *std::move(value));
    skip(" \t");
    return rest_.empty() || rest_.front() == ',';
  }

  std::optional<std::string> take_value() {
    if (rest_.empty() || rest_.front() != '"') {
      // Some registries forget the quotes around a URL: take all but separators.
      return std::string(
          take_while([](char c) { return c > ' ' && c != 0x7f && c != ',' && c != '"'; }));
    }
    rest_.remove_prefix(1);
    std::string value;
    while (!rest_.empty()) {
      char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return value;
      if (c == '\\') {
        if (rest_.empty()) return std::nullopt;
        c = rest_.front();
        rest_.remove_prefix(1);
      }
      value.push_back(c);
    }
    return std::nullopt;  // no closing quote
  }

  std::string_view rest_;
};

}  // namespace

std::string_view Challenge::parameter(std::string_view name) const {
  const auto found =
      std::ranges::find(parameters, name, &std::pair<std::string, std::string>::first);
  return found == parameters.end() ? std::string_view() : std::string_view(found->second);
}

std::vector<Challenge> parse_challenges(std::string_view header) {
  if (header.size() > kMaxChallengeHeader) return {};
  return Parser(header).parse();
}

std::optional<Challenge> choose_challenge(const std::vector<std::string>& headers) {
  std::optional<Challenge> chosen;
  for (const std::string& header : headers) {
    for (Challenge& challenge : parse_challenges(header)) {
      const bool is_bearer = challenge.scheme == "bearer" && !challenge.parameter("realm").empty();
      if (is_bearer) return std::move(challenge);
      if (challenge.scheme == "basic" && !chosen) chosen = std::move(challenge);
    }
  }
  return chosen;
}

}  // namespace fairlead::upstream
