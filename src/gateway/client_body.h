// SPDX-License-Identifier: Apache-2.0
// ClientBody: what a client sends, as an upstream takes it: piece by piece, as it comes.
//
// Nothing is read before the first read(): only then is a client that waits for it told to go on
// (100 Continue).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "http/connection.h"
#include "http/request.h"
#include "upstream/body.h"

namespace fairlead::gateway {

class ClientBody final : public upstream::Body {
 public:
  // `responder` must outlive every read(). `deadline`: of the whole body.
  explicit ClientBody(http::Responder& responder, std::optional<SteadyTime> deadline = std::nullopt)
      : responder_(responder), deadline_(deadline) {}

  // Errors: as Responder::read_body.
  async::Task<Result<ByteView>> read() override;

 private:
  http::Responder& responder_;
  std::optional<SteadyTime> deadline_;
  std::vector<std::byte> piece_;
};

// Bytes, where the request tells; nullopt: as many as come. 0: it has no body.
[[nodiscard]] std::optional<std::uint64_t> body_length(const http::Request& request);

}  // namespace fairlead::gateway
