// SPDX-License-Identifier: Apache-2.0
// walk_blobs(): every file of a cache directory that is a blob by its place and name.
//
// Reads one fan-out directory after the other, in the order in which the kernel has the entries,
// and holds none of them: a million blobs take seconds and no memory. Files may come and go
// meanwhile. What is no blob's name, or no regular file, is passed over. Blocks.
#pragma once

#include <string>

#include "store/blob_store.h"

namespace fairlead::store {

// An error when `directory`, the cache directory, is not there or a part of it cannot be read. A
// part that is not there is empty.
Result<void> walk_blobs(const std::string& directory, const BlobManager::BlobVisitor& visit);

}  // namespace fairlead::store
