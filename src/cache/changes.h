// SPDX-License-Identifier: Apache-2.0
// Changes: what a push or a deletion that went through us, and that the registry has confirmed,
// alters in what the cache knows. It takes effect before the client has its answer: who pulls then
// gets what was pushed, and what was deleted is not there.
//
//   manifest pushed    kept (write-through), linked; its tags mean it, for all who may ask; the
//                      list of tags and, where it has a subject, that one's referrers name it
//   tag deleted        forgotten, in the list of tags as well
//   manifest deleted   unlinked; tags that mean it are forgotten; its subject's referrers as well
//   blob pushed        linked; kept where its bytes passed through here (kept_uploads.h)
//   blob deleted       unlinked
//
// A check of a tag that was under way meanwhile does not bring back what it was. Nor does the late
// answer to a push: of two changes of one thing that overlap nobody here knows which came last. The
// tag is forgotten then, so that the registry is asked, and what was deleted is not linked.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "async/task.h"
#include "cache/services.h"
#include "cache/source.h"
#include "index/index.h"
#include "oci/digest.h"

namespace fairlead::cache {

struct PushedManifest {
  oci::Digest digest;
  std::string media_type;  // as the client sent it, without parameters
  std::shared_ptr<const std::string> text;
  std::vector<std::string> tags;  // that mean it from now on; none: pushed by digest
};

// One a worker. Of a push, the Source's `asked` is of before the registry had it; without it,
// nothing overlaps. Its `accept` is not looked at: tags change for all variants.
class Changes {
 public:
  explicit Changes(Services& services) : services_(services) {}

  async::Task<> manifest_pushed(Source source, PushedManifest manifest);
  async::Task<> manifest_deleted(Source source, oci::Digest digest);
  async::Task<> tag_deleted(Source source, std::string tag);

  // Also for what was mounted.
  void blob_pushed(const Source& source, const oci::Digest& digest);
  void blob_deleted(const Source& source, const oci::Digest& digest);

 private:
  void move_tag(const Source& source, const std::string& tag, const index::TagInfo* meaning);

  Services& services_;
};

}  // namespace fairlead::cache
