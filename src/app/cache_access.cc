// SPDX-License-Identifier: Apache-2.0
#include "app/cache_access.h"

#include <boost/json.hpp>
#include <filesystem>
#include <system_error>
#include <utility>

#include "control/cache_control.h"
#include "control/local_client.h"
#include "index/memory_index.h"
#include "index/sqlite_index.h"
#include "store/disk_blob_store.h"

namespace fairlead::app {
namespace {

namespace json = boost::json;

std::uint64_t number_of(const json::value& answer, std::string_view key) {
  const auto* object = answer.if_object();
  const auto* value = object != nullptr ? object->if_contains(key) : nullptr;
  std::error_code ec;
  return value != nullptr ? value->to_number<std::uint64_t>(ec) : 0;
}

std::string error_of(const std::string& body) {
  json::error_code ec;
  const json::value answer = json::parse(body, ec);
  const auto* object = ec ? nullptr : answer.if_object();
  const auto* error = object != nullptr ? object->if_contains("error") : nullptr;
  return error != nullptr && error->is_string() ? std::string(error->get_string()) : body;
}

}  // namespace

Result<std::unique_ptr<CacheAccess>> CacheAccess::open(const std::string& directory,
                                                       bool to_change) {
  auto looking = store::DiskBlobStore::open_read_only(directory);
  if (!looking) return std::unexpected(std::move(looking.error()));
  std::unique_ptr<CacheAccess> access(new CacheAccess(directory));
  if (!to_change) {
    access->store_ = *std::move(looking);
    if (auto opened = access->open_index(); !opened) return std::unexpected(opened.error());
    return access;
  }
  auto store = store::DiskBlobStore::open_directory(directory, {.must_exist = true});
  if (!store && store.error().code == Code::Unavailable) {
    access->store_ = *std::move(looking);
    if (auto opened = access->open_index(); !opened) return std::unexpected(opened.error());
    return access;
  }
  if (!store && store.error().code == Code::NotFound) {
    access->store_ = *std::move(looking);  // empty, and stays so
    access->index_ = std::make_unique<index::MemoryIndex>();
  } else if (!store) {
    return std::unexpected(std::move(store.error()));
  } else {
    auto index = index::SqliteIndex::open(directory + "/index.db");
    if (!index) return std::unexpected(std::move(index.error()));
    access->store_ = *std::move(store);
    access->index_ = *std::move(index);
  }
  access->bookkeeper_ =
      std::make_unique<cache::Bookkeeper>(*access->index_, *access->store_, access->clock_);
  return access;
}

Result<void> CacheAccess::open_index() {
  auto index = index::SqliteIndex::open_read_only(directory_ + "/index.db");
  if (!index && index.error().code != Code::NotFound) {
    return std::unexpected(std::move(index.error()));
  }
  if (index) {
    index_ = *std::move(index);
  } else {
    index_ = std::make_unique<index::MemoryIndex>();  // nothing was ever kept here
  }
  return {};
}

Result<std::string> CacheAccess::ask(const std::string& command) {
  const std::string socket = directory_ + "/" + std::string(control::kSocketName);
  auto answer = control::post_local(socket, command);
  if (!answer) {
    return std::unexpected(
        std::move(answer.error()).within("another process has " + directory_ + ", and"));
  }
  if (answer->status != 200) return internal_error(Code::Internal, error_of(answer->body));
  return std::move(answer->body);
}

Result<cache::Purged> CacheAccess::purge(const std::vector<std::string>& patterns) {
  if (bookkeeper_) {
    std::vector<cache::ImagePattern> parsed;
    parsed.reserve(patterns.size());
    for (const std::string& text : patterns)
      parsed.push_back(cache::ImagePattern::parse(text).value());
    return cache::purge(*index_, *bookkeeper_, parsed);
  }
  const auto body = ask("/cache/purge" + control::query_of("pattern", patterns));
  if (!body) return std::unexpected(body.error());
  json::error_code ec;
  const json::value answer = json::parse(*body, ec);
  return cache::Purged{.removed = number_of(answer, "removed"),
                       .bytes = number_of(answer, "bytes"),
                       .in_use = number_of(answer, "in_use")};
}

Result<void> CacheAccess::remove_damaged(const cache::ContentCheck& check) {
  if (bookkeeper_) return check.remove(*bookkeeper_, log_);
  const auto body = ask("/cache/check" + control::query_of("digest", {check.digest().str()}));
  if (!body) return std::unexpected(body.error());
  return {};
}

}  // namespace fairlead::app
