// SPDX-License-Identifier: Apache-2.0
// PartUpload: one file, uploaded in parts: two on their way at a time, all or nothing.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "base/error.h"
#include "oci/digest.h"
#include "s3/blocking_objects.h"
#include "s3/upload_journal.h"

namespace fairlead::s3 {

struct PartUpload {
  oci::Digest digest;  // of the file, as it was when it was verified
  std::string key;
  std::string media_type;
  std::string writing;  // see ObjectWriter
  int file = -1;
  std::uint64_t size = 0;
  std::uint64_t part_size = 0;
};

// Of a part, at least `least`: S3 takes 10,000 of them, and we send 9,000 at most.
std::uint64_t part_size_for(std::uint64_t size, std::uint64_t least);

// What a file is told to be that has rotted since it was verified: Corrupt.
std::unexpected<Error> not_its_digest(const oci::Digest& digest);

// What was uploaded is aborted when it fails, `stop` is requested (Cancelled) or the bytes that
// were sent are not those of the digest (not_its_digest()); what cannot be aborted stays in the
// journal. Blocks; holds two parts in memory.
Result<void> upload_in_parts(BlockingObjects& objects, UploadJournal& journal,
                             const PartUpload& upload, const std::stop_token& stop);

}  // namespace fairlead::s3
