// SPDX-License-Identifier: Apache-2.0
// NamelessFile: a file that no directory knows: its space is free again when its last descriptor
// is closed, whatever happens.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "base/unique_fd.h"

namespace fairlead::s3 {

// Used by one owner; others may read what was appended. All calls block. Code::NoSpace when the
// disk is full.
class NamelessFile {
 public:
  // On the file system of `directory`, which must be there.
  static Result<NamelessFile> make(const std::string& directory);

  // So that a full disk shows at the start.
  Result<void> reserve(std::uint64_t size);
  Result<void> append(ByteView bytes);
  // Gives back what was reserved and not needed.
  Result<void> finish();

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] UniqueFd release() && { return std::move(fd_); }

 private:
  explicit NamelessFile(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
  std::uint64_t size_ = 0;
};

// `size` bytes of `file` from `offset` on; an error of code Io when there are fewer. Blocks.
Result<std::string> read_piece(int file, std::uint64_t offset, std::uint64_t size);

}  // namespace fairlead::s3
