// SPDX-License-Identifier: Apache-2.0
// UploadFeed: the body of a request that is sent as it comes, between who makes it (a Body) and
// who sends it (libcurl, which asks for bytes whenever it has room).
//
//   Body --> piece_ (lent by the Body) --> libcurl's own buffer
//
// Nothing is read before bytes are asked for: only then does the server want them. From then on the
// next piece is read while the one before goes out. Where the length is known, the last piece is
// given away only once the Body has ended there: what is too long must not look complete.
// One worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "async/task.h"
#include "base/bytes.h"
#include "base/error.h"
#include "upstream/body.h"

namespace fairlead::upstream {

class UploadFeed {
 public:
  UploadFeed(std::shared_ptr<Body> body, std::optional<std::uint64_t> length)
      : body_(std::move(body)), left_(length) {}

  // Copies the next bytes to `room`; how many, 0 at the end, nullopt: none are here.
  std::optional<std::size_t> take(std::span<char> room);

  // All bytes that are here have been taken, and there may be more.
  [[nodiscard]] bool wants_piece() const { return wants_piece_; }
  // Reads them. Errors: the Body's own; InvalidArgument (Client) where it is not of its length.
  async::Task<Result<void>> read_piece();

  // Whether anything was asked of the Body: then it cannot be sent again.
  [[nodiscard]] bool is_begun() const { return is_begun_; }
  // Everything was given away.
  [[nodiscard]] bool is_finished() const { return has_ended_ && piece_.empty(); }
  // Bytes that the Body has given.
  [[nodiscard]] std::uint64_t received() const { return received_; }

 private:
  const std::shared_ptr<Body> body_;
  std::optional<std::uint64_t> left_;  // bytes that the Body still owes
  ByteView piece_;                     // what is left of the last one
  std::vector<std::byte> last_;        // a copy of the very last
  std::uint64_t received_ = 0;
  bool wants_piece_ = false;
  bool is_begun_ = false;
  bool has_ended_ = false;
};

}  // namespace fairlead::upstream
