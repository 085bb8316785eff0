// SPDX-License-Identifier: Apache-2.0
// Input: a WWW-Authenticate value. What is read is bounded, and written again reads the same.
// Modules: upstream oci telemetry async base
#include <algorithm>
#include <string>

#include "fuzz/property.h"
#include "upstream/challenge.h"

using fairlead::fuzz::check;
using namespace fairlead::upstream;

namespace {

bool is_word(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return c > ' ' && c < 0x7f && (c < 'A' || c > 'Z') && c != ',' && c != '=' && c != '"';
  });
}

std::string write(const std::vector<Challenge>& challenges) {
  std::string text;
  for (const Challenge& challenge : challenges) {
    if (!text.empty()) text += ", ";
    text += challenge.scheme + " " + challenge.token68;
    bool is_first = true;
    for (const auto& [name, value] : challenge.parameters) {
      text += (is_first ? "" : ",") + name + "=\"";
      is_first = false;
      for (const char c : value) (text += c == '"' || c == '\\' ? "\\" : "") += c;
      text += '"';
    }
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto challenges = parse_challenges(fairlead::fuzz::as_text(data, size));
  check(challenges.size() <= kMaxChallenges);
  for (const Challenge& challenge : challenges) {
    check(is_word(challenge.scheme));
    check(challenge.parameters.size() <= kMaxChallengeParameters);
    check(challenge.token68.empty() || challenge.parameters.empty());
    for (const auto& [name, value] : challenge.parameters) check(is_word(name));
  }
  const std::string text = write(challenges);
  if (text.size() > kMaxChallengeHeader) return 0;
  const auto again = parse_challenges(text);
  check(again.size() == challenges.size());
  for (std::size_t i = 0; i < again.size(); ++i) {
    check(again[i].scheme == challenges[i].scheme && again[i].token68 == challenges[i].token68);
    check(again[i].parameters == challenges[i].parameters);
  }
  return 0;
}
