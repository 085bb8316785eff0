// SPDX-License-Identifier: Apache-2.0
#include "control/local_client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <utility>

namespace fairlead::control {

namespace beast_http = boost::beast::http;
using boost::asio::local::stream_protocol;
using boost::system::error_code;

Result<LocalAnswer> post_local(const std::string& socket_path, const std::string& target,
                               std::chrono::milliseconds limit) {
  const auto failed = [&](const error_code& ec) {
    return internal_error(Code::Unavailable,
                          "nobody answers on " + socket_path + ": " + ec.message());
  };
  constexpr std::size_t kLongestPath = 107;  // sockaddr_un
  if (socket_path.size() > kLongestPath) {
    return internal_error(Code::InvalidArgument, socket_path + " is too long for a unix socket");
  }
  boost::asio::io_context context(1);
  stream_protocol::socket socket(context);
  beast_http::request<beast_http::empty_body> request(beast_http::verb::post, target, 11);
  request.set(beast_http::field::host, "localhost");
  request.set(beast_http::field::connection, "close");
  request.prepare_payload();
  boost::beast::flat_buffer buffer;
  beast_http::response<beast_http::string_body> response;

  // One after the other; the first error ends it.
  std::optional<error_code> outcome;
  const auto on_read = [&](error_code ec, std::size_t) { outcome = ec; };
  const auto on_written = [&](error_code ec, std::size_t) {
    if (ec) {
      outcome = ec;
    } else {
      beast_http::async_read(socket, buffer, response, on_read);
    }
  };
  socket.async_connect(stream_protocol::endpoint(socket_path), [&](error_code ec) {
    if (ec) {
      outcome = ec;
    } else {
      beast_http::async_write(socket, request, on_written);
    }
  });
  context.run_for(limit);
  if (!outcome) {
    return internal_error(Code::Timeout, "no answer on " + socket_path + " in time");
  }
  if (*outcome) return failed(*outcome);
  return LocalAnswer{.status = static_cast<int>(response.result_int()),
                     .body = std::move(response.body())};
}

}  // namespace fairlead::control
