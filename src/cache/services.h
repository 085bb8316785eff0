// SPDX-License-Identifier: Apache-2.0
// Services: what the cache works with. One for all workers; everything in it is thread-safe.
#pragma once

#include "async/blocking_pool.h"
#include "async/task_group.h"
#include "base/clock.h"
#include "cache/bookkeeper.h"
#include "cache/bucket_keeper.h"
#include "cache/fill_table.h"
#include "cache/fresh_lists.h"
#include "cache/kept_uploads.h"
#include "cache/repository_names.h"
#include "cache/space_signal.h"
#include "cache/tag_checks.h"
#include "index/index.h"
#include "store/blob_store.h"
#include "telemetry/log.h"

namespace fairlead::cache {

struct Services {
  store::BlobStore& store;
  index::Index& index;
  Bookkeeper& bookkeeper;
  FillTable& fills;
  async::BlockingPool& pool;
  TagChecks& checks;
  SpaceSignal& space;
  async::TaskGroup& tasks;  // fills and checks run here; joined before any of these goes away
  const Clock& clock;
  telemetry::Log& log;
  BucketKeeper* bucket = nullptr;           // null: there is no cache.s3
  KeptUploads* uploads = nullptr;           // null: what is pushed is not kept
  FreshLists* lists = nullptr;              // null: no list is ever fresh
  RepositoryNames* repositories = nullptr;  // null: there is no catalog
};

}  // namespace fairlead::cache
