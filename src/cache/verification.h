// SPDX-License-Identifier: Apache-2.0
// verify_all(): reads all stored content once, as fast as it goes, and has removed what is damaged.
// Blocks.
#pragma once

#include <functional>
#include <stop_token>

#include "base/error.h"
#include "cache/bookkeeper.h"
#include "cache/content_check.h"
#include "cache/scrubber.h"
#include "index/index.h"
#include "store/blob_store.h"
#include "telemetry/log.h"

namespace fairlead::cache {

// Has what a check found damaged removed, by whoever may do that.
using RemoveDamaged = std::function<Result<void>(const ContentCheck&)>;
RemoveDamaged remove_with(Bookkeeper& bookkeeper, telemetry::Log& log);

// `progress` hears of the state after every MiB and every content. An error: the store cannot be
// listed.
Result<ScrubCounts> verify_all(const index::Index& index, store::BlobManager& store,
                               const RemoveDamaged& remove, telemetry::Log& log,
                               const std::function<void(const ScrubCounts&)>& progress = {},
                               const std::stop_token& stop = {});

}  // namespace fairlead::cache
