// SPDX-License-Identifier: Apache-2.0
// fingerprint(): the first 64 bits of a digest, for sets of a million that must stay small. Equal
// digests have equal fingerprints; two others have so by chance once in 10^19, or when somebody
// spent 2^32 hashes on it: never decide by it who may have content, nor that content is right.
#pragma once

#include <charconv>
#include <cstdint>
#include <string_view>

#include "oci/digest.h"

namespace fairlead::cache {

inline std::uint64_t fingerprint(const oci::Digest& digest) {
  constexpr int kHex = 16;
  const std::string_view head = digest.hex().substr(0, kHex);
  std::uint64_t bits = 0;
  std::from_chars(head.data(), head.data() + head.size(), bits, kHex);
  return bits;
}

}  // namespace fairlead::cache
