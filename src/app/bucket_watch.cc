// SPDX-License-Identifier: Apache-2.0
#include "app/bucket_watch.h"

namespace fairlead::app {

void BucketWatch::start(const async::Executor& executor, async::TaskGroup& tasks) {
  if (!watched_.empty()) tasks.spawn(executor, watch());
}

void BucketWatch::stop() {
  is_stopped_ = true;
  stopped_.notify_all();
}

async::Task<> BucketWatch::watch() {
  for (const Watched watched : watched_) co_await ask(watched, true);
  for (;;) {
    const auto seen = stopped_.version();
    if (is_stopped_) co_return;
    co_await stopped_.wait(seen, std::chrono::steady_clock::now() + kEvery);
    if (is_stopped_) co_return;
    for (const Watched watched : watched_) {
      if (watched.bucket->health().trouble()) co_await ask(watched, false);
    }
  }
}

// What comes of it, its health tells.
async::Task<> BucketWatch::ask(Watched watched, bool is_first) {
  const s3::BucketOptions& options = watched.bucket->options();
  const std::string prefix = options.root.empty() ? "" : options.root + "/";
  const auto listed = co_await watched.objects->list({.prefix = prefix, .max_keys = 1});
  if (!is_first || !listed || !listed->objects.empty()) co_return;
  log_.warn("a registry's bucket holds nothing; check its name and `root`",
            {{"bucket", options.name}, {"root", options.root}});
}

}  // namespace fairlead::app
