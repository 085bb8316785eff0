// SPDX-License-Identifier: Apache-2.0
// What several sections of the schema have in common about buckets and delivery.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "config/buckets.h"
#include "config/section.h"
#include "routing/delivery.h"
#include "upstream/options.h"

namespace fairlead::config {

void read_registry_bucket(Section& in, RegistryBucket& out);
void read_cache_bucket(Section& in, CacheBucketOptions& out);
void read_presign_expiry(Section& in, std::chrono::seconds& out);
void read_proxy(Section& in, std::string& out);
void read_timeouts(Section& in, upstream::Timeouts& out);

// `deliver`: a word, or one for blobs and one for manifests.
std::optional<routing::Ways> read_ways(const Value& value);
routing::StreamTo read_stream_to(const Value& value);

}  // namespace fairlead::config
