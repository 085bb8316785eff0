// SPDX-License-Identifier: Apache-2.0
#include "oci/glob.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace fairlead::oci {
namespace {

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_punctuation(char c) { return c == '.' || c == '_' || c == '-'; }

// One step of a pattern: a character, `*` or `**`.
struct Step {
  enum class Kind { One, Star, Any } kind;
  char character = 0;  // of One

  [[nodiscard]] bool repeats() const { return kind != Kind::One; }
  [[nodiscard]] bool takes(char c) const {
    if (kind == Kind::One) return c == character;
    return kind == Kind::Any || c != '/';
  }
};

std::vector<Step> steps_of(std::string_view pattern) {
  std::vector<Step> steps;
  for (std::size_t p = 0; p < pattern.size(); ++p) {
    if (pattern[p] != '*') {
      steps.push_back({.kind = Step::Kind::One, .character = pattern[p]});
    } else if (pattern.substr(p).starts_with("**")) {
      steps.push_back({.kind = Step::Kind::Any});
      ++p;
    } else {
      steps.push_back({.kind = Step::Kind::Star});
    }
  }
  return steps;
}

}  // namespace

bool matches_glob(std::string_view pattern, std::string_view text) {
  // ends[i]: what was read of the pattern so far matches the first i characters.
  std::string ends(text.size() + 1, '\0');
  ends[0] = 1;
  for (std::size_t p = 0; p < pattern.size(); ++p) {
    const bool is_star = pattern[p] == '*';
    const bool is_any = is_star && pattern.substr(p).starts_with("**");
    if (is_any) ++p;
    if (is_star) {
      for (std::size_t i = 0; i < text.size(); ++i) {
        if (ends[i] != 0 && (is_any || text[i] != '/')) ends[i + 1] = 1;
      }
      continue;
    }
    for (std::size_t i = text.size(); i > 0; --i) {
      ends[i] = ends[i - 1] != 0 && text[i - 1] == pattern[p] ? 1 : 0;
    }
    ends[0] = 0;
  }
  return ends.back() != 0;
}

bool globs_overlap(std::string_view a, std::string_view b) {
  const std::vector<Step> first = steps_of(a);
  const std::vector<Step> second = steps_of(b);
  // meets[i][j]: some text is read by the first i steps of one and the first j of the other. Each
  // way onwards leads to a later i or j, so one pass sees all.
  std::vector<std::string> meets(first.size() + 1, std::string(second.size() + 1, '\0'));
  meets[0][0] = 1;
  for (std::size_t i = 0; i <= first.size(); ++i) {
    for (std::size_t j = 0; j <= second.size(); ++j) {
      if (meets[i][j] == 0) continue;
      const Step* x = i < first.size() ? &first[i] : nullptr;
      const Step* y = j < second.size() ? &second[j] : nullptr;
      // A star may stand for nothing; else it takes what the other has, and stays.
      if (x != nullptr && x->repeats()) meets[i + 1][j] = 1;
      if (y != nullptr && y->repeats()) meets[i][j + 1] = 1;
      if (x == nullptr || y == nullptr) continue;
      if (!y->repeats() && x->takes(y->character)) meets[x->repeats() ? i : i + 1][j + 1] = 1;
      if (!x->repeats() && y->takes(x->character)) meets[i + 1][y->repeats() ? j : j + 1] = 1;
    }
  }
  return meets[first.size()][second.size()] != 0;
}

bool is_repository_glob(std::string_view pattern) {
  return !pattern.empty() && !pattern.starts_with('/') && !pattern.ends_with('/') &&
         !pattern.contains("//") && std::ranges::all_of(pattern, [](char c) {
           return is_lower_or_digit(c) || is_punctuation(c) || c == '/' || c == '*';
         });
}

bool is_tag_glob(std::string_view pattern) {
  return !pattern.empty() && std::ranges::all_of(pattern, [](char c) {
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || is_punctuation(c) || c == '*';
  });
}

}  // namespace fairlead::oci
