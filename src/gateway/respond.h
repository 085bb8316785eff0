// SPDX-License-Identifier: Apache-2.0
// Answers: errors, heads and content, with the header fields that registry clients expect.
//
// Every function sends one answer, or cuts the connection when that fails in mid-body: a status
// that was sent is never taken back, and no error is ever appended to a body.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "async/task.h"
#include "base/error.h"
#include "cache/content.h"
#include "gateway/exchange.h"
#include "http/response.h"
#include "oci/operation.h"
#include "upstream/registry.h"

namespace fairlead::gateway {

// A head with the fields that all answers carry.
http::ResponseHead make_head(const Exchange& exchange, int status);

async::Task<> respond_error(Exchange& exchange, int status, oci::ErrorCode code,
                            std::string message);

// 405, with the methods that there are ("GET, HEAD").
async::Task<> respond_method_not_allowed(Exchange& exchange, std::string_view allowed);

// 429, with Retry-After.
async::Task<> respond_too_many(Exchange& exchange, std::chrono::seconds wait);

// 401 of the token service, which challenges nobody: credentials were shown, and are wrong.
async::Task<> respond_refused(Exchange& exchange, std::string message);

// What an error of any layer means to the client.
async::Task<> respond_error(Exchange& exchange, const Error& error);

// What a registry refused to change, as it said itself.
async::Task<> respond_refused_change(Exchange& exchange, const upstream::ChangeAnswer& refusal);
// The same with a head that has been begun.
async::Task<> respond_refused_change(Exchange& exchange, const upstream::ChangeAnswer& refusal,
                                     http::ResponseHead head);

// What HEAD gets: everything but the bytes.
async::Task<> respond_description(Exchange& exchange, const upstream::ContentHead& head);

// For answers that are not what the upstream says now (RFC 7234, 5.5).
void note_stale(Exchange& exchange);

// 307 to `url`, which is not to be kept: it expires. Or 304.
async::Task<> respond_redirect(Exchange& exchange, const oci::Digest& digest, std::string_view url);

// The bytes, whole, a range of them or 304, as the request's conditions say.
async::Task<> respond_content(Exchange& exchange, const cache::Content& content);

// A status and no body.
async::Task<> respond_empty(Exchange& exchange, int status);

async::Task<> respond_text(Exchange& exchange, int status, std::string_view media_type,
                           std::string_view body);

}  // namespace fairlead::gateway
