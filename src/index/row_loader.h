// SPDX-License-Identifier: Apache-2.0
// Fills a mirror from index.db: contents and links merged in digest order, in several threads
// over parts of the digests, each with a connection of its own.
#pragma once

#include <cstdint>
#include <string>

#include "index/memory_index.h"
#include "index/sqlite.h"

namespace fairlead::index {

// How many rows were skipped because they say nothing that could have been written. `mode` is
// that of the connections, not ReadWrite. An error of code Corrupt: the file is damaged.
Result<std::uint64_t> load_rows(const std::string& path, Database::Mode mode, MemoryIndex& mirror);

}  // namespace fairlead::index
