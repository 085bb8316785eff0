// SPDX-License-Identifier: Apache-2.0
// Listening sockets: from an address as configured to bound descriptors.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/unique_fd.h"

namespace fairlead::http {

struct Listening {
  std::vector<UniqueFd> sockets;  // non-blocking; one a worker, or one alone for a unix socket
  std::string address;            // "127.0.0.1:5000", "[::1]:5000", "unix:/run/x.sock"
  std::string unix_path;          // to be removed at the end; empty for TCP
};

// `address` is host:port, [v6]:port or unix:/path. Port 0 chooses a free one. An address that
// somebody else listens on is an error, although SO_REUSEPORT would allow it. `unix_mode`: the
// rights of a socket file, from its first moment; 0: what the umask leaves.
Result<Listening> listen_on(const std::string& address, std::size_t workers, mode_t unix_mode = 0);

// "127.0.0.1:5555", "[::1]:5555" or "unix", of a connected socket.
std::string peer_name(int socket);

}  // namespace fairlead::http
