// SPDX-License-Identifier: Apache-2.0
#include "telemetry/access_record.h"

#include <vector>

namespace fairlead::telemetry {
namespace {

// To the microsecond: finer digits are noise.
double milliseconds(std::chrono::nanoseconds duration) {
  const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(duration);
  return static_cast<double>(whole.count()) / 1000.0;
}

}  // namespace

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::None:
      return "none";
    case Outcome::Hit:
      return "hit";
    case Outcome::Join:
      return "join";
    case Outcome::Fill:
      return "fill";
    case Outcome::Stream:
      return "stream";
    case Outcome::Redirect:
      return "redirect";
    case Outcome::Push:
      return "push";
    case Outcome::Delete:
      return "delete";
  }
  return "none";
}

void write(Log& log, const AccessRecord& record) {
  const LogLevel level = record.status >= 500 ? LogLevel::Warn : LogLevel::Info;
  if (!log.enabled(level)) return;

  std::vector<Field> fields;
  fields.reserve(16);
  const auto add_text = [&fields](std::string_view key, std::string_view value) {
    if (!value.empty()) fields.push_back({key, value});
  };
  add_text("id", record.id);
  add_text("peer", record.peer);
  add_text("method", record.method);
  add_text("target", record.target);
  fields.push_back({"status", std::int64_t{record.status}});
  fields.push_back({"bytes", static_cast<std::int64_t>(record.bytes)});
  if (record.received > 0) {
    fields.push_back({"received", static_cast<std::int64_t>(record.received)});
  }
  fields.push_back({"duration_ms", milliseconds(record.duration)});
  if (record.first_byte) fields.push_back({"first_byte_ms", milliseconds(*record.first_byte)});
  fields.push_back({"outcome", to_string(record.outcome)});
  add_text("freshness", record.freshness);
  add_text("registry", record.registry);
  add_text("repository", record.repository);
  if (record.upstream_repository != record.repository) {
    add_text("upstream_repository", record.upstream_repository);
  }
  add_text("digest", record.digest);
  add_text("upload", record.upload);
  if (!record.peer.contains(record.client)) add_text("client", record.client);
  add_text("caller", record.caller);
  add_text("tried", record.tried);
  add_text("host", record.host);
  add_text("user_agent", record.user_agent);
  add_text("error", record.error);
  log.write(level, "request", fields);
}

}  // namespace fairlead::telemetry
