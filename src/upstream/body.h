// SPDX-License-Identifier: Apache-2.0
// Body: bytes that come in order, whenever they come: of an answer, or of a request that is being
// sent.
#pragma once

#include "async/task.h"
#include "base/bytes.h"
#include "base/error.h"

namespace fairlead::upstream {

class Body {
 public:
  virtual ~Body() = default;  // cancels what has not been read

  // The next piece, at most 256 KiB, valid until the next read; empty at the end. An error is
  // final. One read at a time; the Body must outlive it.
  virtual async::Task<Result<ByteView>> read() = 0;
};

}  // namespace fairlead::upstream
