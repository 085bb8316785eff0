// SPDX-License-Identifier: Apache-2.0
// Delivery: how the bytes of what may be pulled travel to the client.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/ip_address.h"

namespace fairlead::routing {

enum class Way {
  Stream,    // through us, from the cache
  Redirect,  // from where they lie, as far as the client can be sent there; else through us
};

struct Ways {
  Way blobs = Way::Stream;
  Way manifests = Way::Stream;

  friend bool operator==(const Ways&, const Ways&) = default;
};

// Networks of clients that can only reach us: they are streamed to, whatever the way.
using StreamTo = std::vector<IpNetwork>;

struct Delivery {
  Ways ways;
  StreamTo stream_to;
};

// `client`: an address without a port; what is none ("unix") is in no network.
[[nodiscard]] inline bool is_among(const StreamTo& networks, std::string_view client) {
  if (networks.empty()) return false;
  const auto address = IpAddress::parse(client);
  return address && std::ranges::any_of(networks, [&](const IpNetwork& network) {
           return network.contains(*address);
         });
}

}  // namespace fairlead::routing
