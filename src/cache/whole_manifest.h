// SPDX-License-Identifier: Apache-2.0
// A manifest fetched whole by its tag, for upstreams that do not tell by HEAD what a tag means.
#pragma once

#include <memory>
#include <string>

#include "async/task.h"
#include "base/error.h"
#include "cache/services.h"
#include "cache/source.h"
#include "oci/digest.h"

namespace fairlead::cache {

struct WholeManifest {
  oci::Digest digest;
  std::string media_type;
  std::shared_ptr<const std::string> text;
};

// By GET; verified against what the upstream calls it, linked, and kept where the disk takes it.
async::Task<Result<WholeManifest>> fetch_by_tag(Services& services, const Source& source,
                                                const std::string& tag);

}  // namespace fairlead::cache
