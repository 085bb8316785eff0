// SPDX-License-Identifier: Apache-2.0
// Resolver: tag -> digest.
//
//   known, and confirmed less than fresh_for ago     -> that, nobody is asked
//   else ask: HEAD, and where that tells no digest, GET
//     it answers                                     -> that, kept, once its manifest can be had;
//                                                       unless a cooldown holds it back
//     there is no such tag                           -> 404, remembered for seconds; forgotten
//     it may not be had                              -> the refusal, asked anew each time;
//     forgotten no answer, 429, 5xx, nonsense                  -> what is known, for up to
//     stale_if_error
//
// Where there is something to fall back on, nobody waits long for an upstream that does not
// answer: the question goes on without its askers, and for a few seconds nobody asks again.
#pragma once

#include <string>

#include "async/task.h"
#include "base/error.h"
#include "cache/resolved.h"
#include "cache/services.h"
#include "cache/source.h"

namespace fairlead::cache {

// One a worker: its tasks run there.
class Resolver {
 public:
  explicit Resolver(Services& services) : services_(services) {}

  async::Task<Result<Resolved>> resolve(Source source, std::string tag, FreshnessPolicy policy);

 private:
  Services& services_;
};

// Whether the upstream did not do its work, as opposed to having said no.
[[nodiscard]] bool is_no_answer(const Error& error);

}  // namespace fairlead::cache
