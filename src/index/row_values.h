// SPDX-License-Identifier: Apache-2.0
// Values as they stand in rows of index.db. What is read back may be anything: nullopt is a value
// that nobody wrote.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "index/digest_list.h"
#include "oci/digest.h"

namespace fairlead::index {

// Microseconds since 1970.
inline std::int64_t to_row(WallTime time) {
  return std::chrono::floor<std::chrono::microseconds>(time.time_since_epoch()).count();
}

inline std::optional<WallTime> time_from_row(std::int64_t microseconds) {
  constexpr std::int64_t kLimit =
      std::chrono::duration_cast<std::chrono::microseconds>(WallTime::duration::max()).count();
  if (microseconds > kLimit || microseconds < -kLimit) return std::nullopt;
  return WallTime(std::chrono::microseconds(microseconds));
}

inline std::int64_t to_row(std::uint64_t size) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::min(size, kMost));
}

inline std::optional<std::uint64_t> size_from_row(std::int64_t size) {
  if (size < 0) return std::nullopt;
  return static_cast<std::uint64_t>(size);
}

// One digest a line.
inline std::string to_row(const DigestList& digests) {
  std::string text;
  for (const oci::Digest& digest : digests) text.append(digest.str()).append("\n");
  return text;
}

inline std::optional<std::vector<oci::Digest>> digests_from_row(std::string_view text) {
  std::vector<oci::Digest> digests;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    auto digest = oci::Digest::parse(text.substr(0, end));
    if (!digest) return std::nullopt;
    digests.push_back(*std::move(digest));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return digests;
}

}  // namespace fairlead::index
