// SPDX-License-Identifier: Apache-2.0
// CacheControl: what `fairlead cache` asks of the process that has the cache open.
//
//   POST /cache/purge?pattern=P[&pattern=P...]  forget these images
//   POST /cache/check?digest=D                  read this content; remove it when it is damaged
//
// It is served on a unix socket inside the cache directory, which only those reach who may write
// there. Answers are JSON: {"removed":3,"bytes":1024,"in_use":0}, or {"error":"..."}.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "async/task.h"
#include "cache/services.h"
#include "http/connection.h"
#include "http/request.h"

namespace fairlead::control {

// Below the cache directory.
inline constexpr std::string_view kSocketName = "control.sock";

// For the worker's handler; answers one request.
class CacheControl {
 public:
  explicit CacheControl(cache::Services& services) : services_(services) {}

  async::Task<> handle(const http::Request& request, http::Responder& responder);

 private:
  struct Answer {
    int status = 200;
    std::string body;
  };
  Answer purge(std::string_view query);  // block
  Answer check(std::string_view query);

  cache::Services& services_;
};

// "?pattern=..." of several texts, as CacheControl reads it.
std::string query_of(std::string_view name, const std::vector<std::string>& values);

}  // namespace fairlead::control
