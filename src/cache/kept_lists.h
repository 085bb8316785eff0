// SPDX-License-Identifier: Apache-2.0
// KeptLists: the lists of tags and of referrers that upstreams made, kept for when they are away.
//
// Every page that passes through is merged into what is known of its list, so that the kept list
// can be paged as any client asks, whoever asked for what before. Serving stale follows the same
// policy as for tags.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/task.h"
#include "cache/freshness.h"
#include "cache/services.h"
#include "cache/source.h"
#include "oci/digest.h"
#include "oci/tag_list.h"

namespace fairlead::cache {

// One a worker.
class KeptLists {
 public:
  explicit KeptLists(Services& services) : services_(services) {}

  // `page` was the upstream's answer to `query`.
  async::Task<> keep_tags(Source source, oci::TagQuery query, oci::TagPage page);

  // The list, sorted; nullopt: none is known, or it is too old for `policy`.
  async::Task<std::optional<std::vector<std::string>>> tags(Source source, FreshnessPolicy policy);

  // `list` is a part of the referrers of `subject`, or all of them.
  async::Task<> keep_referrers(Source source, oci::Digest subject, std::string list,
                               bool is_complete);
  async::Task<std::optional<std::string>> referrers(Source source, oci::Digest subject,
                                                    FreshnessPolicy policy);

  // What a push or a deletion through us makes of a list that is known; of one that is not it makes
  // none. A list is never fresh after it: the next request asks the upstream again.
  async::Task<> add_tag(Source source, std::string tag);
  async::Task<> remove_tag(Source source, std::string tag);
  // `manifest` is the text of a manifest with a subject.
  async::Task<> add_referrer(Source source, oci::Digest subject, oci::Digest digest,
                             std::string media_type, std::shared_ptr<const std::string> manifest);
  async::Task<> remove_referrer(Source source, oci::Digest subject, oci::Digest digest);

 private:
  async::Task<std::optional<std::string>> find(Source source, std::string name,
                                               FreshnessPolicy policy);
  Services& services_;
};

}  // namespace fairlead::cache
