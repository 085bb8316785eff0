// SPDX-License-Identifier: Apache-2.0
// How one line of the log is written; pure. Whatever bytes go in, the line is one line, valid
// UTF-8, and free of control characters, so it cannot be forged nor drive a terminal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "telemetry/log.h"

namespace fairlead::telemetry {

// Without the line feed. JSON has U+FFFD where the input was not UTF-8; text has \xNN.
std::string format_line(LogFormat format, WallTime time, LogLevel level, std::string_view message,
                        const std::vector<Field>& fields);

}  // namespace fairlead::telemetry
