// SPDX-License-Identifier: Apache-2.0
// Bytes that are not text, and the two ways across: no copy, no ownership.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace fairlead {

using ByteView = std::span<const std::byte>;
using MutableByteView = std::span<std::byte>;

inline ByteView as_byte_view(std::string_view text) { return std::as_bytes(std::span(text)); }

inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace fairlead
