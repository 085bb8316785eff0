// SPDX-License-Identifier: Apache-2.0
// The heads of answers about one object. Pure; they are hostile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "s3/objects.h"
#include "upstream/http_message.h"

namespace fairlead::s3 {

// Where an object tells one writing of it from another.
inline constexpr std::string_view kWritingHeader = "x-amz-meta-fairlead-writing";

// Of an answer that is the whole object, or would be. Corrupt without a length.
Result<ObjectHead> read_object_head(const upstream::Headers& headers);

// From `offset` to the end, or `length` (> 0) bytes of it.
struct AskedPart {
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length{};

  [[nodiscard]] bool is_whole() const { return offset == 0 && !length; }
};

// The value of Range; of what is not the whole.
std::string range_header(const AskedPart& part);

struct PartHead {
  ObjectHead object;
  std::uint64_t count = 0;  // bytes that follow
};

// Of a GET. Corrupt unless it is the part that was asked for: bytes of another place would be taken
// for those.
Result<PartHead> read_part_head(int status, const upstream::Headers& headers,
                                const AskedPart& asked);

}  // namespace fairlead::s3
