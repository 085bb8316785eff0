// SPDX-License-Identifier: Apache-2.0
// KeptLists: the lists of tags and of referrers that upstreams made, kept for when they are away,
// and so that they are not asked again for what they said not long ago.
//
// Every page that passes through is merged into what is known of its list, so that the kept list
// can be paged as any client asks, whoever asked for what before. Serving fresh and stale follows
// the same policy as for tags; only what an upstream gave whole is ever fresh.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/task.h"
#include "cache/fresh_lists.h"
#include "cache/freshness.h"
#include "cache/services.h"
#include "cache/source.h"
#include "oci/digest.h"
#include "oci/tag_list.h"

namespace fairlead::cache {

// One a worker.
class KeptLists {
 public:
  using Generation = FreshLists::Generation;

  explicit KeptLists(Services& services) : services_(services) {}

  // To be taken before the upstream is asked, for what is kept of its answer.
  [[nodiscard]] Generation asking_for_tags(const Source& source) const;
  [[nodiscard]] Generation asking_for_referrers(const Source& source,
                                                const oci::Digest& subject) const;

  // `page` was the upstream's answer to `query`. One that a change through us has overtaken is not
  // kept.
  async::Task<> keep_tags(Source source, oci::TagQuery query, oci::TagPage page, Generation asked);

  // The list, sorted; nullopt: none is known, or it is too old for `policy`.
  async::Task<std::optional<std::vector<std::string>>> tags(Source source, FreshnessPolicy policy);
  // nullopt: the upstream is to be asked.
  async::Task<std::optional<std::vector<std::string>>> fresh_tags(Source source,
                                                                  FreshnessPolicy policy);

  // `list` is a part of the referrers of `subject`, or all of them.
  async::Task<> keep_referrers(Source source, oci::Digest subject, std::string list,
                               bool is_complete, Generation asked);
  async::Task<std::optional<std::string>> referrers(Source source, oci::Digest subject,
                                                    FreshnessPolicy policy);
  async::Task<std::optional<std::string>> fresh_referrers(Source source, oci::Digest subject,
                                                          FreshnessPolicy policy);

  // What a push or a deletion through us makes of a list that is known; of one that is not it makes
  // none. A list is never fresh after it: the next request asks the upstream again.
  async::Task<> add_tag(Source source, std::string tag);
  async::Task<> remove_tag(Source source, std::string tag);
  // Whether the tag is there, nobody here knows.
  async::Task<> doubt_tag(Source source, std::string tag);
  // `manifest` is the text of a manifest with a subject.
  async::Task<> add_referrer(Source source, oci::Digest subject, oci::Digest digest,
                             std::string media_type, std::shared_ptr<const std::string> manifest);
  async::Task<> remove_referrer(Source source, oci::Digest subject, oci::Digest digest);
  // A manifest is deleted, and nobody here knows which subject it had.
  void doubt_referrers(const Source& source);

 private:
  // nullopt: leave it as it is.
  using Alter = std::function<std::optional<std::string>(const std::string& known)>;

  [[nodiscard]] Generation generation(const Source& source, const std::string& name) const;
  // Blocks. `known` is empty where nothing is. Keeps what `merge` makes of it.
  void keep(const Source& source, const std::string& name, bool is_whole, Generation asked,
            const Alter& merge);
  async::Task<> change(Source source, std::string name, Alter alter);
  async::Task<> change_referrers_behind(Source source, std::string tag);
  async::Task<std::optional<std::string>> find(Source source, std::string name,
                                               FreshnessPolicy policy);
  async::Task<std::optional<std::string>> find_fresh(Source source, std::string name,
                                                     FreshnessPolicy policy);
  Services& services_;
};

}  // namespace fairlead::cache
