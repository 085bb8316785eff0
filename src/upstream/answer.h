// SPDX-License-Identifier: Apache-2.0
// Reading an upstream's answer: bounded bodies, errors, and the headers we care for.
// Everything here is hostile input; nothing of a body that is not a registry's own error document
// ever reaches a message (the attack, and the nuisance: a page of HTML in a client's terminal).
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "async/task.h"
#include "base/error.h"
#include "upstream/http_transport.h"
#include "upstream/registry.h"

namespace fairlead::upstream {

// The whole body; TooLarge above `limit` bytes. `is_late` is asked after each piece: Timeout when
// it says so. The attack, or the broken server: a body that comes byte by byte never stalls and
// never ends.
async::Task<Result<std::string>> read_whole(HttpResponse& response, std::size_t limit,
                                            std::function<bool()> is_late = {});

// The error that an answer other than success stands for: code by status, the upstream's own words
// (read from at most 64 KiB of body), Retry-After.
async::Task<Error> read_error(HttpResponse& response);

// The same without the body.
Error status_error(int status);

// Retry-After as seconds: a number, at most a day. Its date form is not used by registries.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view value);

// Digest, length, type and ETag as the headers have them. Corrupt when one is malformed, or the
// content is encoded in a way we did not ask for (its bytes would not be those of its digest).
Result<ContentHead> read_content_head(const HttpResponse& response);

}  // namespace fairlead::upstream
