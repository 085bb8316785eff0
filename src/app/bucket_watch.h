// SPDX-License-Identifier: Apache-2.0
// BucketWatch: asks the buckets of registries at the start, and those in trouble every kEvery until
// they are well, so that what is wrong shows before anybody pulls, and ends by itself.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "async/broadcast.h"
#include "async/task_group.h"
#include "s3/bucket.h"
#include "s3/objects.h"
#include "telemetry/log.h"

namespace fairlead::app {

// Must outlive its task.
class BucketWatch {
 public:
  static constexpr std::chrono::seconds kEvery{15};

  explicit BucketWatch(telemetry::Log& log) : log_(log) {}

  // Before start(). `objects` are of the worker that start() is for. Both must outlive it.
  void add(s3::Bucket& bucket, s3::ObjectReader& objects) {
    watched_.push_back({&bucket, &objects});
  }

  void start(const async::Executor& executor, async::TaskGroup& tasks);

  // Its task ends soon. From any thread.
  void stop();

 private:
  struct Watched {
    s3::Bucket* bucket;
    s3::ObjectReader* objects;
  };

  async::Task<> watch();
  async::Task<> ask(Watched watched, bool is_first);

  telemetry::Log& log_;
  std::vector<Watched> watched_;
  std::atomic<bool> is_stopped_{false};
  async::Broadcast stopped_;
};

}  // namespace fairlead::app
