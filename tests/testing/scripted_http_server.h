// SPDX-License-Identifier: Apache-2.0
// ScriptedHttpServer: an HTTP/1.1 server on 127.0.0.1 that answers as a test tells it, badly if
// need be: cut off, stalled until released, with a length that is not true; and that receives
// bodies as it is told, slowly or not to their end.
//
// Runs on the test's io_context, so on the thread that runs it.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/task.h"
#include "async/timer.h"

namespace fairlead::testing {

struct ReceivedRequest {
  std::string method;
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::size_t connection = 0;  // counted from 1

  [[nodiscard]] std::string header(std::string_view name) const;  // any case; empty when absent
};

struct ScriptedReply {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::size_t repeat = 1;                       // the body is sent so many times
  std::optional<std::uint64_t> content_length;  // a false one
  std::optional<std::size_t> cut_after;         // so many bytes of the body, then close
  std::optional<std::size_t> hold_after;        // so many, then wait for release()
  bool holds_head = false;                      // wait for release() before anything
  bool is_chunked = false;                      // instead of a Content-Length
  std::string raw;                              // instead of all this; then close
};

// How a request's body is received; the script is asked for the reply afterwards.
struct ScriptedReception {
  bool sends_continue = true;                // where 100 Continue is expected
  bool holds_continue = false;               // wait for release() before that
  std::optional<std::size_t> hold_after;     // at least so many bytes, then wait for release()
  std::optional<std::size_t> answers_after;  // so many, and no more: the connection closes then
};

class ScriptedHttpServer {
 public:
  using Script = std::function<ScriptedReply(const ReceivedRequest&)>;
  using Reception = std::function<ScriptedReception(const ReceivedRequest&)>;

  ScriptedHttpServer(boost::asio::io_context& context, Script script);
  ~ScriptedHttpServer();  // closes all connections

  [[nodiscard]] std::string url() const;  // "http://127.0.0.1:1234"
  [[nodiscard]] std::string authority() const;
  [[nodiscard]] const std::vector<ReceivedRequest>& requests() const;
  [[nodiscard]] std::uint64_t bytes_sent() const;  // of bodies
  [[nodiscard]] std::size_t connections() const;   // accepted so far

  [[nodiscard]] std::size_t cut_off() const;  // requests that ended within their bodies

  void receive_with(Reception reception);
  void release();  // everything that holds goes on
  void cut();      // closes the connections
  void close();

 private:
  struct State;
  static async::Task<> accept(std::shared_ptr<State> state);
  static async::Task<> serve(std::shared_ptr<State> state,
                             std::shared_ptr<boost::asio::ip::tcp::socket> socket,
                             std::size_t connection);
  static async::Task<bool> reply(std::shared_ptr<State> state,
                                 std::shared_ptr<boost::asio::ip::tcp::socket> socket,
                                 ScriptedReply script, bool is_head);
  static async::Task<bool> receive(std::shared_ptr<State> state,
                                   std::shared_ptr<boost::asio::ip::tcp::socket> socket,
                                   std::string& buffer, ReceivedRequest& request, bool& is_whole);
  static async::Task<> hold(std::shared_ptr<State> state);

  std::shared_ptr<State> state_;
};

}  // namespace fairlead::testing
