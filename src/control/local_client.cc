// SPDX-License-Identifier: Apache-2.0
#include "control/local_client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

namespace fairlead::control {

namespace beast_http = boost::beast::http;
using boost::asio::local::stream_protocol;

Result<LocalAnswer> post_local(const std::string& socket_path, const std::string& target) {
  const auto failed = [&](const boost::system::error_code& ec) {
    return internal_error(Code::Unavailable,
                          "nobody answers on " + socket_path + ": " + ec.message());
  };
  constexpr std::size_t kLongestPath = 107;  // sockaddr_un
  if (socket_path.size() > kLongestPath) {
    return internal_error(Code::InvalidArgument, socket_path + " is too long for a unix socket");
  }
  boost::asio::io_context context(1);
  stream_protocol::socket socket(context);
  boost::system::error_code ec;
  socket.connect(stream_protocol::endpoint(socket_path), ec);
  if (ec) return failed(ec);

  beast_http::request<beast_http::empty_body> request(beast_http::verb::post, target, 11);
  request.set(beast_http::field::host, "localhost");
  request.set(beast_http::field::connection, "close");
  request.prepare_payload();
  beast_http::write(socket, request, ec);
  if (ec) return failed(ec);

  boost::beast::flat_buffer buffer;
  beast_http::response<beast_http::string_body> response;
  beast_http::read(socket, buffer, response, ec);
  if (ec) return failed(ec);
  return LocalAnswer{.status = static_cast<int>(response.result_int()),
                     .body = std::move(response.body())};
}

}  // namespace fairlead::control
