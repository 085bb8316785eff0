// SPDX-License-Identifier: Apache-2.0
// EmptyPages: who walks a listing gives it up when it brings nothing for long, and goes on and on.
#pragma once

#include "base/error.h"

namespace fairlead::s3 {

// One for each walk.
class EmptyPages {
 public:
  static constexpr int kMax = 100;  // in a row

  // What came of a page behind which there are more; Corrupt: that was one too many.
  Result<void> note(bool is_empty) {
    in_a_row_ = is_empty ? in_a_row_ + 1 : 0;
    if (in_a_row_ < kMax) return {};
    return upstream_error(Code::Corrupt, Retry::No, "the bucket's list does not come to an end");
  }

 private:
  int in_a_row_ = 0;
};

}  // namespace fairlead::s3
