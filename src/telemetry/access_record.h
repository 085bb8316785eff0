// SPDX-License-Identifier: Apache-2.0
// AccessRecord: the one line that each request leaves, whatever happened to it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "telemetry/log.h"

namespace fairlead::telemetry {

// Where the bytes of an answer came from.
enum class Outcome {
  None,      // no content: errors, HEAD answered from what is known, /v2/
  Hit,       // from the store
  Join,      // from a fill that another request had begun
  Fill,      // from a fill that this request began
  Stream,    // passed through, not kept
  Redirect,  // the client was sent to where they lie
  Push,      // what the client sent was taken by the registry
  Delete,    // the registry has deleted it
};

std::string_view to_string(Outcome outcome);

struct AccessRecord {
  std::string id;
  std::string peer;    // "127.0.0.1:5555", "unix"
  std::string client;  // its address, where trusted proxies tell another than the peer's
  std::string method;
  std::string target;  // as sent, query included
  std::string host;
  std::string caller;  // who they have shown to be; empty: anonymous
  std::string tried;   // a user of ours, whom a login that failed named
  std::string user_agent;
  int status = 0;
  std::uint64_t bytes = 0;     // of the body, sent
  std::uint64_t received = 0;  // of the request's body
  Outcome outcome = Outcome::None;
  std::string_view freshness;       // of a tag: "fresh", "checked", "stale", "held"; empty: no tag
  std::string registry;             // empty: not routed
  std::string repository;           // the client's name for it
  std::string upstream_repository;  // the registry's; written where it is another
  std::string digest;               // of what was pushed
  std::string upload;  // what all requests of one upload have in common: the id of the first
  std::chrono::nanoseconds duration{};
  std::optional<std::chrono::nanoseconds> first_byte;  // until the head of the answer was ready
  std::string error;                                   // empty: none
};

// message "request"; level by status: 5xx warn, else info.
void write(Log& log, const AccessRecord& record);

}  // namespace fairlead::telemetry
