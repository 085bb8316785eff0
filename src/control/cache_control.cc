// SPDX-License-Identifier: Apache-2.0
#include "control/cache_control.h"

#include <boost/json.hpp>
#include <cstddef>
#include <utility>
#include <vector>

#include "cache/content_check.h"
#include "cache/purge.h"
#include "oci/operation.h"
#include "oci/query.h"

namespace fairlead::control {
namespace {

namespace json = boost::json;

constexpr std::size_t kBuffer = 256 * 1024;

std::string write_error(std::string_view text) {
  return json::serialize(json::object{{"error", json::string(text.begin(), text.end())}});
}

std::vector<std::string> values_of(std::string_view query, std::string_view name) {
  std::vector<std::string> values;
  for (oci::QueryReader reader(query); reader.next();) {
    if (!reader.has_name(name)) continue;
    if (auto value = reader.value()) values.push_back(*std::move(value));
  }
  return values;
}

std::string_view query_part(std::string_view target) {
  const auto at = target.find('?');
  return at == std::string_view::npos ? std::string_view() : target.substr(at + 1);
}

}  // namespace

std::string query_of(std::string_view name, const std::vector<std::string>& values) {
  std::string query;
  for (const std::string& value : values) {
    query += query.empty() ? "?" : "&";
    query.append(name).append("=").append(oci::percent_encode(value));
  }
  return query;
}

async::Task<> CacheControl::handle(const http::Request& request, http::Responder& responder) {
  const std::string_view path = request.path();
  const std::string_view query = query_part(request.target);
  Answer answer{.status = 404, .body = write_error("there is no such command")};
  if (request.method == "POST" && path == "/cache/purge") {
    auto work = [this, query] { return purge(query); };
    answer = co_await services_.pool.run(work);
  } else if (request.method == "POST" && path == "/cache/check") {
    auto work = [this, query] { return check(query); };
    answer = co_await services_.pool.run(work);
  }
  http::ResponseHead head(answer.status);
  head.add("Content-Type", "application/json");
  co_await responder.send(std::move(head), answer.body);
}

CacheControl::Answer CacheControl::purge(std::string_view query) {
  std::vector<cache::ImagePattern> patterns;
  std::string names;  // for the log
  for (const std::string& text : values_of(query, "pattern")) {
    auto pattern = cache::ImagePattern::parse(text);
    if (!pattern) return {.status = 400, .body = write_error(pattern.error())};
    patterns.push_back(*std::move(pattern));
    names.append(names.empty() ? "" : " ").append(text);
  }
  const auto purged = cache::purge(services_.index, services_.bookkeeper, patterns);
  if (!purged) return {.status = 500, .body = write_error(purged.error().context)};
  services_.log.info("purged on request", {{"patterns", names},
                                           {"contents", static_cast<std::int64_t>(purged->removed)},
                                           {"bytes", static_cast<std::int64_t>(purged->bytes)}});
  return {.body = json::serialize(json::object{
              {"removed", purged->removed}, {"bytes", purged->bytes}, {"in_use", purged->in_use}})};
}

CacheControl::Answer CacheControl::check(std::string_view query) {
  const auto values = values_of(query, "digest");
  const auto digest = values.size() == 1 ? oci::Digest::parse(values.front()) : std::nullopt;
  if (!digest) return {.status = 400, .body = write_error("needs one digest")};
  auto check = cache::ContentCheck::begin(services_.store, *digest);
  if (!check) return {.status = 500, .body = write_error(check.error().context)};
  bool is_removed = false;
  if (*check) {
    std::vector<std::byte> buffer(kBuffer);
    std::optional<cache::Verdict> verdict;
    while (!verdict) verdict = (**check).advance(services_.index, buffer);
    if (*verdict == cache::Verdict::Damaged) {
      if (auto removed = (**check).remove(services_.bookkeeper, services_.log); !removed) {
        return {.status = 500, .body = write_error(removed.error().context)};
      }
      is_removed = true;
    }
  }
  return {.body = json::serialize(json::object{{"removed", is_removed}})};
}

}  // namespace fairlead::control
