// SPDX-License-Identifier: Apache-2.0
// What to do with a redirect of an upstream: registries keep blobs in buckets and answer with
// a signed location there.
//
//   - 301, 302, 303, 307, 308, with an absolute or relative Location, at most kMaxRedirects.
//   - Authorization stays with its origin (scheme, host, port): a bucket that is sent a registry's
//     token refuses the request, and whoever runs it keeps the token.
//   - From https to http only when the registry itself is plain http.
//   - The attack: a hostile registry sends us to 169.254.169.254 or to a neighbour that trusts
//     us, and the answer becomes a "blob" for its author to pull. So a public registry may not
//     redirect to another host that is internal by its address. A registry that is itself on an
//     internal address, or plain http (a homelab, a cluster, a test), may: its bucket sits beside
//     it. Names that resolve to internal addresses are not found out here; the content's digest
//     keeps what they answer from being served as a blob.
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "upstream/url.h"

namespace fairlead::upstream {

inline constexpr int kMaxRedirects = 5;

[[nodiscard]] bool is_redirect(int status);

struct RedirectTarget {
  std::string url;
  bool keeps_authorization = false;
};

// Where to go from `current_url`. Errors: Corrupt (no usable Location), Denied (the rules above).
Result<RedirectTarget> redirect_target(std::string_view registry_url, std::string_view current_url,
                                       std::string_view location);

// Whether a registry may make us ask `target`, without credentials, something on its behalf: the
// rules above, for a token realm as well.
[[nodiscard]] bool may_send_us_to(const WebOrigin& registry, const WebOrigin& target);

}  // namespace fairlead::upstream
