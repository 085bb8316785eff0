// SPDX-License-Identifier: Apache-2.0
#include "config/nearest.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

namespace fairlead::config {
namespace {

constexpr std::size_t kMaxEdits = 2;
constexpr std::size_t kMinShared = 3;
constexpr std::size_t kMaxWord = 64;  // bounds the work; no known word is so long

// Levenshtein's, one row at a time.
std::size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row.back();
}

// The one candidate that begins like the word; empty: none, or several.
std::string_view one_that_begins_like(std::span<const std::string_view> known,
                                      std::string_view word) {
  std::string_view best;
  for (const auto candidate : known) {
    const auto shared =
        static_cast<std::size_t>(std::ranges::mismatch(candidate, word).in1 - candidate.begin());
    const bool is_alike = shared == word.size() || shared + 1 >= candidate.size();
    if (shared < kMinShared || !is_alike) continue;
    if (!best.empty()) return {};
    best = candidate;
  }
  return best;
}

}  // namespace

std::string_view nearest_of(std::span<const std::string_view> known, std::string_view word) {
  if (word.size() > kMaxWord) return {};
  std::string_view best;
  std::size_t fewest = std::min(kMaxEdits + 1, word.size());
  for (const auto candidate : known) {
    if (candidate.size() > kMaxWord) continue;
    if (const auto edits = edits_between(word, candidate); edits < fewest) {
      fewest = edits;
      best = candidate;
    }
  }
  return best.empty() ? one_that_begins_like(known, word) : best;
}

}  // namespace fairlead::config
