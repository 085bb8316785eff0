// SPDX-License-Identifier: Apache-2.0
// Opening: what must have been read before anything is served.
#pragma once

#include <memory>
#include <optional>

#include "app/buckets.h"
#include "auth/jwt_issuers.h"
#include "auth/sealed_token.h"
#include "auth/upload_sessions.h"
#include "base/clock.h"
#include "config/config.h"
#include "index/sqlite_index.h"
#include "store/disk_blob_store.h"
#include "telemetry/log.h"

namespace fairlead::app {

struct Opened {
  std::unique_ptr<store::DiskBlobStore> store;
  std::unique_ptr<index::SqliteIndex> index;
  std::unique_ptr<auth::SealedTokens> sealed;
  std::unique_ptr<auth::UploadSessions> uploads;
  std::unique_ptr<auth::JwtIssuers> issuers;
  std::unique_ptr<Buckets> buckets;
};

// nullopt: something cannot be used; the log tells. `clock` and `log` must outlive what is opened.
std::optional<Opened> open_all(const config::Config& config, const Clock& clock,
                               telemetry::Log& log);

}  // namespace fairlead::app
