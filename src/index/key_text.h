// SPDX-License-Identifier: Apache-2.0
// Several names as one key: "registry\nrepository\ntag\nvariant". No part can hold a line feed:
// registry names are configured, the others follow a grammar or are header values.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace fairlead::index {

inline std::string join(std::initializer_list<std::string_view> parts) {
  std::string key;
  std::size_t size = 0;
  for (const std::string_view part : parts) size += part.size() + 1;
  key.reserve(size);
  for (const std::string_view part : parts) key.append(part).append("\n");
  key.pop_back();
  return key;
}

// "a\nb\nc" -> its parts, views of `key`.
template <std::size_t N>
std::array<std::string_view, N> split(std::string_view key) {
  std::array<std::string_view, N> parts;
  for (std::string_view& part : parts) {
    const auto end = std::min(key.find('\n'), key.size());
    part = key.substr(0, end);
    key.remove_prefix(std::min(end + 1, key.size()));
  }
  return parts;
}

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
template <class T>
using TextMap = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

}  // namespace fairlead::index
