// SPDX-License-Identifier: Apache-2.0
// Log: lines on standard error, as text for people or one JSON object a line for machines.
//
// This is the one place that includes spdlog. Thread-safe. A line never holds a secret: Secret
// has no printer. Bytes from outside are escaped, so nobody can forge a line.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace fairlead::telemetry {

enum class LogLevel { Debug, Info, Warn, Error };
enum class LogFormat { Text, Json };

struct LogOptions {
  LogLevel level = LogLevel::Info;
  LogFormat format = LogFormat::Text;
};

// One `key=value` of a line. Text is copied only into the line.
struct Field {
  std::string_view key;
  std::variant<std::string_view, std::int64_t, double> value;
};

class Log {
 public:
  explicit Log(const LogOptions& options);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // JSON: {"time":"2026-01-02T03:04:05.678Z","level":"info","message":"...", fields...}
  // text:  2026-01-02T03:04:05.678Z info  message key=value key="with space"
  void write(LogLevel level, std::string_view message, const std::vector<Field>& fields = {});

  void debug(std::string_view message, const std::vector<Field>& fields = {});
  void info(std::string_view message, const std::vector<Field>& fields = {});
  void warn(std::string_view message, const std::vector<Field>& fields = {});
  void error(std::string_view message, const std::vector<Field>& fields = {});

  [[nodiscard]] bool enabled(LogLevel level) const;
  void flush();

 private:
  struct Sink;
  std::unique_ptr<Sink> sink_;
};

}  // namespace fairlead::telemetry
