// SPDX-License-Identifier: Apache-2.0
#include "http/listen.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

namespace fairlead::http {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";
constexpr int kBacklog = 4096;

std::string name_of(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(v4.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6.sin6_port));
  }
  return "unix";
}

Result<UniqueFd> bind_tcp(const sockaddr* address, socklen_t length, bool is_shared) {
  UniqueFd fd(::socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return errno_error(errno, "socket");
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (is_shared) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (address->sa_family == AF_INET6) {
    ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (::bind(fd.get(), address, length) != 0) return errno_error(errno, "bind");
  // Without SO_REUSEPORT only listen() tells that another socket listens already.
  if (::listen(fd.get(), kBacklog) != 0) return errno_error(errno, "listen");
  return fd;
}

Result<Listening> listen_tcp(const std::string& text, std::size_t workers) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return internal_error(Code::InvalidArgument, "no port");
  std::string host = text.substr(0, colon);
  const std::string port = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int rc =
          ::getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &hints, &found);
      rc != 0) {
    return internal_error(Code::InvalidArgument, ::gai_strerror(rc));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, ::freeaddrinfo);

  sockaddr_storage address{};
  std::memcpy(&address, found->ai_addr, found->ai_addrlen);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  {
    auto probe = bind_tcp(generic, found->ai_addrlen, false);
    if (!probe) return std::unexpected(std::move(probe.error()));
    socklen_t length = sizeof address;
    ::getsockname(probe->get(), generic, &length);  // the port, where 0 was asked
  }
  Listening listening;
  listening.address = name_of(address);
  for (std::size_t i = 0; i < workers; ++i) {
    auto fd = bind_tcp(generic, found->ai_addrlen, true);
    if (!fd) return std::unexpected(std::move(fd.error()));
    listening.sockets.push_back(std::move(*fd));
  }
  return listening;
}

Result<Listening> listen_unix(const std::string& path, mode_t mode) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return internal_error(Code::InvalidArgument, "socket path is empty or too long");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return errno_error(errno, "socket");
  // A socket file that nobody listens on is left over from a crash.
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) {
    if (::connect(fd.get(), generic, sizeof address) == 0) return errno_error(EADDRINUSE, "bind");
    if (errno == ECONNREFUSED) ::unlink(path.c_str());
  }
  // Before bind(): the file has the rights of the socket, without those that the umask takes.
  if (mode != 0 && ::fchmod(fd.get(), mode) != 0) return errno_error(errno, "chmod");
  if (::bind(fd.get(), generic, sizeof address) != 0) return errno_error(errno, "bind");
  if (::listen(fd.get(), kBacklog) != 0) return errno_error(errno, "listen");
  Listening listening;
  listening.address = std::string(kUnixPrefix) + path;
  listening.unix_path = path;
  listening.sockets.push_back(std::move(fd));
  return listening;
}

}  // namespace

Result<Listening> listen_on(const std::string& address, std::size_t workers, mode_t unix_mode) {
  auto listening = address.starts_with(kUnixPrefix)
                       ? listen_unix(address.substr(kUnixPrefix.size()), unix_mode)
                       : listen_tcp(address, workers);
  if (!listening) {
    return std::unexpected(std::move(listening.error()).within("cannot listen on " + address));
  }
  return listening;
}

std::string peer_name(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) return "unknown";
  return name_of(address);
}

}  // namespace fairlead::http
