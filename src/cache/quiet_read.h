// SPDX-License-Identifier: Apache-2.0
// read_quietly(): reads a file and leaves the page cache as it was, so that a check of all
// content does not push out what clients pull.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/error.h"

namespace fairlead::cache {

// Fills `buffer` from `offset` on; how much there was: less only at the end of the file. Pages
// that were in memory before stay there. Blocks.
Result<std::size_t> read_quietly(int fd, MutableByteView buffer, std::uint64_t offset);

}  // namespace fairlead::cache
