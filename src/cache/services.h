// SPDX-License-Identifier: Apache-2.0
// Services: what the cache works with. One for all workers; everything in it is thread-safe.
#pragma once

#include "async/blocking_pool.h"
#include "async/task_group.h"
#include "cache/fill_table.h"
#include "index/index.h"
#include "store/blob_store.h"
#include "telemetry/log.h"

namespace fairlead::cache {

struct Services {
  store::BlobStore& store;
  index::Index& index;
  FillTable& fills;
  async::BlockingPool& pool;
  async::TaskGroup& tasks;  // fills run here; joined before any of these goes away
  telemetry::Log& log;
};

}  // namespace fairlead::cache
