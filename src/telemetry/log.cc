// SPDX-License-Identifier: Apache-2.0
// The home of spdlog: it carries finished lines to standard error, one at a time, and holds the
// level. How a line reads is log_line's.
#include "telemetry/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <chrono>

#include "telemetry/log_line.h"

namespace fairlead::telemetry {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::Debug:
      return spdlog::level::debug;
    case LogLevel::Info:
      return spdlog::level::info;
    case LogLevel::Warn:
      return spdlog::level::warn;
    case LogLevel::Error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

struct Log::Sink {
  explicit Sink(const LogOptions& options)
      : logger("fairlead", std::make_shared<spdlog::sinks::stderr_sink_mt>()),
        format(options.format) {
    logger.set_formatter(std::make_unique<spdlog::pattern_formatter>("%v"));
    logger.set_level(to_spdlog(options.level));
    // Standard error is closed or full: there is nobody left to tell.
    logger.set_error_handler([](const std::string&) {});
  }

  spdlog::logger logger;
  LogFormat format;
};

Log::Log(const LogOptions& options) : sink_(std::make_unique<Sink>(options)) {}
Log::~Log() = default;

void Log::write(LogLevel level, std::string_view message, const std::vector<Field>& fields) {
  if (!enabled(level)) return;
  const std::string line =
      format_line(sink_->format, std::chrono::system_clock::now(), level, message, fields);
  sink_->logger.log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

void Log::debug(std::string_view message, const std::vector<Field>& fields) {
  write(LogLevel::Debug, message, fields);
}
void Log::info(std::string_view message, const std::vector<Field>& fields) {
  write(LogLevel::Info, message, fields);
}
void Log::warn(std::string_view message, const std::vector<Field>& fields) {
  write(LogLevel::Warn, message, fields);
}
void Log::error(std::string_view message, const std::vector<Field>& fields) {
  write(LogLevel::Error, message, fields);
}

bool Log::enabled(LogLevel level) const { return sink_->logger.should_log(to_spdlog(level)); }

void Log::flush() { sink_->logger.flush(); }

}  // namespace fairlead::telemetry
