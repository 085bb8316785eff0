// SPDX-License-Identifier: Apache-2.0
// UploadJournal: the uploads in parts that this process has begun and not ended, on the local
// disk: who starts after a crash aborts those, for S3 keeps, and bills, the parts for ever.
//
//   <directory>/uploads/<writing>   "<key>\n<upload id>\n"; <writing> is 32 hexadecimal digits
//
// Written, and lasting, before the first part goes; removed when the upload is completed or
// aborted. Files with other names are nobody's business here.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"

namespace fairlead::s3 {

struct JournaledUpload {
  std::string writing;
  std::string key;
  std::string id;  // empty: its entry was cut short, and no part was sent
};

// Thread-safe. Blocks.
class UploadJournal {
 public:
  // `directory` is used by this process alone.
  explicit UploadJournal(std::string directory) : directory_(std::move(directory)) {}

  // Lasting when it returns. Code::NoSpace when the disk is full.
  Result<void> add(const JournaledUpload& upload);

  // The upload was completed or aborted. One that cannot be removed is aborted again at the next
  // start, which does no harm.
  void remove(const JournaledUpload& upload);

  // The upload could not be aborted: its entry stays, and nobody in this process goes on with it.
  void leave(const JournaledUpload& upload);

  // Those that nobody goes on with, of a process before this one for the most part.
  Result<std::vector<JournaledUpload>> interrupted() const;

  // Whether this process began it and has not ended it.
  [[nodiscard]] bool is_under_way(const std::string& id) const;

 private:
  [[nodiscard]] std::string path_of(const std::string& writing) const;

  const std::string directory_;
  mutable std::mutex mutex_;
  std::set<std::string> under_way_;  // ids
};

}  // namespace fairlead::s3
