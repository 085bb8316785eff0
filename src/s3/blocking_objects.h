// SPDX-License-Identifier: Apache-2.0
// BlockingObjects: a bucket for threads that may block: Objects on a thread of its own.
#pragma once

#include <functional>
#include <memory>

#include "async/task.h"
#include "s3/bucket.h"
#include "s3/objects.h"

namespace fairlead::s3 {

// Thread-safe.
class BlockingObjects {
 public:
  // Makes the Objects that are used, on the thread that uses them.
  using Make = std::function<std::unique_ptr<Objects>(const async::Executor&)>;
  explicit BlockingObjects(Make make);
  // With an HttpTransport of its own. `bucket` must outlive it.
  explicit BlockingObjects(Bucket& bucket);
  ~BlockingObjects();  // close()s

  // Runs `ask` on the objects, and waits for what comes of it. `ask` is called on the thread of the
  // objects. Cancelled once closed.
  template <class T>
  Result<T> run(std::function<async::Task<Result<T>>(Objects&)> ask);

  // Calls under way, and later ones, end with Cancelled.
  void close();

 private:
  // To be filled in by whoever builds it.
};

}  // namespace fairlead::s3
