// SPDX-License-Identifier: Apache-2.0
#include "testing/scripted_http_server.h"

#include <strings.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

namespace fairlead::testing {

namespace asio = boost::asio;
using asio::ip::tcp;
using Socket = std::shared_ptr<tcp::socket>;

struct ScriptedHttpServer::State {
  State(asio::io_context& context_, Script script_)
      : context(context_),
        acceptor(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        gate(context_),
        script(std::move(script_)) {
    gate.expires_at(async::Timer::time_point::max());
  }

  asio::io_context& context;
  tcp::acceptor acceptor;
  async::Timer gate;  // those who hold wait for it; cancelled to release them
  Script script;
  Reception reception;
  std::vector<std::weak_ptr<tcp::socket>> sockets;
  std::vector<ReceivedRequest> requests;
  std::uint64_t bytes_sent = 0;
  std::size_t accepted = 0;
  std::size_t cut_off = 0;
};

namespace {

ReceivedRequest parse_head(std::string_view head) {
  ReceivedRequest request;
  const auto line = head.substr(0, head.find("\r\n"));
  const auto space = line.find(' ');
  request.method = line.substr(0, space);
  request.target = line.substr(space + 1, line.rfind(' ') - space - 1);
  head.remove_prefix(line.size() + 2);
  while (!head.empty() && !head.starts_with("\r\n")) {
    const auto header = head.substr(0, head.find("\r\n"));
    const auto colon = header.find(':');
    const auto value = header.find_first_not_of(' ', colon + 1);
    request.headers.emplace_back(header.substr(0, colon), value == std::string_view::npos
                                                              ? std::string_view()
                                                              : header.substr(value));
    head.remove_prefix(header.size() + 2);
  }
  return request;
}

std::string head_of(const ScriptedReply& script) {
  std::string head = "HTTP/1.1 " + std::to_string(script.status) + " Scripted\r\n";
  for (const auto& [name, value] : script.headers) head += name + ": " + value + "\r\n";
  const std::uint64_t length =
      script.content_length.value_or(std::uint64_t{script.body.size()} * script.repeat);
  head += script.is_chunked ? "Transfer-Encoding: chunked\r\n"
                            : "Content-Length: " + std::to_string(length) + "\r\n";
  return head + "\r\n";
}

async::Task<bool> send(Socket socket, std::string text) {
  const auto [ec, sent] = co_await asio::async_write(*socket, asio::buffer(text), async::kAsTuple);
  co_return !ec && sent == text.size();
}

// At least `size` bytes in `buffer`; false where the connection ends before.
async::Task<bool> fill(Socket socket, std::string& buffer, std::size_t size) {
  if (buffer.size() >= size) co_return true;
  const auto [ec, count] =
      co_await asio::async_read(*socket, asio::dynamic_buffer(buffer),
                                asio::transfer_exactly(size - buffer.size()), async::kAsTuple);
  co_return !ec && count > 0;
}

// The next bytes of the body, at least `limit` of it in all, or all; false where it is cut off.
async::Task<bool> receive_up_to(Socket socket, std::string& buffer, ReceivedRequest& request,
                                std::size_t limit, bool& is_whole) {
  const std::string length = request.header("Content-Length");
  if (request.header("Transfer-Encoding").empty()) {
    const std::size_t size = length.empty() ? 0 : std::stoul(length);
    const std::size_t wanted = std::min(limit, size);
    if (wanted > request.body.size()) {
      const std::size_t count = wanted - request.body.size();
      if (!co_await fill(socket, buffer, count)) co_return false;
      request.body += buffer.substr(0, count);
      buffer.erase(0, count);
    }
    is_whole = request.body.size() == size;
    co_return true;
  }
  while (!is_whole && request.body.size() < limit) {
    const auto [ec, line] = co_await asio::async_read_until(*socket, asio::dynamic_buffer(buffer),
                                                            "\r\n", async::kAsTuple);
    if (ec) co_return false;
    const std::size_t size = std::stoul(buffer.substr(0, line), nullptr, 16);
    buffer.erase(0, line);
    if (!co_await fill(socket, buffer, size + 2)) co_return false;
    request.body += buffer.substr(0, size);
    buffer.erase(0, size + 2);
    is_whole = size == 0;
  }
  co_return true;
}

// Reads and drops until the other side ends. A socket closed with bytes unread resets its
// connection, and the reply is lost.
async::Task<> drain(Socket socket) {
  boost::system::error_code closed;
  socket->shutdown(tcp::socket::shutdown_send, closed);
  std::string dropped(std::size_t{64} << 10, '\0');
  for (;;) {
    const auto [ec, count] =
        co_await socket->async_read_some(asio::buffer(dropped), async::kAsTuple);
    if (ec || count == 0) co_return;
  }
}

std::string chunk(std::string_view text) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", text.size());
  return size + std::string(text) + "\r\n";
}

}  // namespace

std::string ReceivedRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key.size() == name.size() && ::strncasecmp(key.data(), name.data(), name.size()) == 0) {
      return value;
    }
  }
  return {};
}

ScriptedHttpServer::ScriptedHttpServer(asio::io_context& context, Script script)
    : state_(std::make_shared<State>(context, std::move(script))) {
  asio::co_spawn(context.get_executor(), accept(state_), asio::detached);
}

ScriptedHttpServer::~ScriptedHttpServer() { close(); }

std::string ScriptedHttpServer::url() const { return "http://" + authority(); }

std::string ScriptedHttpServer::authority() const {
  return "127.0.0.1:" + std::to_string(state_->acceptor.local_endpoint().port());
}

const std::vector<ReceivedRequest>& ScriptedHttpServer::requests() const {
  return state_->requests;
}
std::uint64_t ScriptedHttpServer::bytes_sent() const { return state_->bytes_sent; }
std::size_t ScriptedHttpServer::connections() const { return state_->accepted; }

std::size_t ScriptedHttpServer::cut_off() const { return state_->cut_off; }

void ScriptedHttpServer::receive_with(Reception reception) {
  state_->reception = std::move(reception);
}
void ScriptedHttpServer::release() { state_->gate.cancel(); }

void ScriptedHttpServer::cut() {
  boost::system::error_code ec;
  for (const auto& weak : state_->sockets) {
    if (const auto socket = weak.lock()) socket->close(ec);
  }
}

void ScriptedHttpServer::close() {
  boost::system::error_code ec;
  state_->acceptor.close(ec);
  cut();
  release();
}

async::Task<> ScriptedHttpServer::accept(std::shared_ptr<State> state) {
  for (;;) {
    auto socket = std::make_shared<tcp::socket>(state->context);
    const auto [ec] = co_await state->acceptor.async_accept(*socket, async::kAsTuple);
    if (ec) co_return;
    socket->set_option(tcp::no_delay(true));
    state->sockets.push_back(socket);
    asio::co_spawn(state->context.get_executor(), serve(state, socket, ++state->accepted),
                   asio::detached);
  }
}

async::Task<> ScriptedHttpServer::serve(std::shared_ptr<State> state, Socket socket,
                                        std::size_t connection) {
  std::string buffer;
  for (;;) {
    const auto [ec, size] = co_await asio::async_read_until(*socket, asio::dynamic_buffer(buffer),
                                                            "\r\n\r\n", async::kAsTuple);
    if (ec) co_return;
    ReceivedRequest request = parse_head(std::string_view(buffer).substr(0, size));
    request.connection = connection;
    buffer.erase(0, size);
    bool is_whole = false;
    if (!co_await receive(state, socket, buffer, request, is_whole)) {
      ++state->cut_off;
      co_return;
    }
    const bool is_head = request.method == "HEAD";
    ScriptedReply script = state->script(request);
    state->requests.push_back(std::move(request));
    if (!co_await reply(state, socket, std::move(script), is_head)) break;
    if (is_whole) continue;
    co_await drain(socket);
    break;
  }
  boost::system::error_code ec;
  socket->close(ec);
}

async::Task<bool> ScriptedHttpServer::receive(std::shared_ptr<State> state, Socket socket,
                                              std::string& buffer, ReceivedRequest& request,
                                              bool& is_whole) {
  const ScriptedReception how = state->reception ? state->reception(request) : ScriptedReception{};
  constexpr std::size_t kAll = std::string::npos;
  if (how.answers_after == 0) co_return true;
  if (request.header("Expect") == "100-continue" && how.sends_continue) {
    if (how.holds_continue) co_await hold(state);
    if (!co_await send(socket, "HTTP/1.1 100 Continue\r\n\r\n")) co_return false;
  }
  const std::size_t first = how.answers_after.value_or(how.hold_after.value_or(kAll));
  if (!co_await receive_up_to(socket, buffer, request, first, is_whole)) co_return false;
  if (how.hold_after) co_await hold(state);
  if (how.answers_after || is_whole) co_return true;
  co_return co_await receive_up_to(socket, buffer, request, kAll, is_whole);
}

async::Task<bool> ScriptedHttpServer::reply(std::shared_ptr<State> state, Socket socket,
                                            ScriptedReply script, bool is_head) {
  if (script.holds_head) co_await hold(state);
  if (!script.raw.empty()) {
    co_await send(socket, script.raw);
    co_return false;
  }
  if (!co_await send(socket, head_of(script))) co_return false;
  if (is_head) co_return true;

  std::size_t left = script.cut_after.value_or(script.body.size() * script.repeat);
  std::optional<std::size_t> until_hold = script.hold_after;
  for (std::size_t position = 0; left > 0;) {
    if (until_hold && *until_hold == 0) {
      until_hold.reset();
      co_await hold(state);
    }
    std::size_t count = std::min(left, script.body.size() - position);
    if (until_hold) count = std::min(count, *until_hold);
    const std::string text = script.body.substr(position, count);
    if (!co_await send(socket, script.is_chunked ? chunk(text) : text)) co_return false;
    state->bytes_sent += count;
    position = (position + count) % script.body.size();
    left -= count;
    if (until_hold) *until_hold -= count;
  }
  if (script.cut_after) co_return false;
  co_return !script.is_chunked || co_await send(socket, "0\r\n\r\n");
}

async::Task<> ScriptedHttpServer::hold(std::shared_ptr<State> state) {
  co_await state->gate.async_wait(async::kAsTuple);
}

}  // namespace fairlead::testing
