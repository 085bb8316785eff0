// SPDX-License-Identifier: Apache-2.0
#include "cache/repository_names.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "cache/resolver.h"
#include "oci/catalog.h"
#include "oci/link_header.h"

namespace fairlead::cache {
namespace {

constexpr std::chrono::seconds kMaxRest{300};

void sort_once_each(std::vector<std::string>& names) {
  if (!std::ranges::is_sorted(names)) std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
}

std::string next_query(std::string_view link) {
  const auto next = oci::next_link(link);
  return next ? oci::link_query(*next) : std::string();
}

}  // namespace

std::shared_ptr<RepositoryNames::Entry> RepositoryNames::entry_of(const std::string& name) {
  const std::lock_guard lock(mutex_);
  auto& entry = entries_[name];
  if (!entry) entry = std::make_shared<Entry>();
  return entry;
}

std::optional<RepositoryNames::Told> RepositoryNames::if_fresh(
    const Entry& entry, const FreshnessPolicy& policy,
    const std::optional<upstream::Quota>& quota) const {
  const std::lock_guard lock(mutex_);
  if (!entry.names || !is_fresh(policy, entry.checked, clock_.wall(), quota)) return std::nullopt;
  return Told{.names = entry.names, .freshness = Freshness::Fresh};
}

std::optional<Error> RepositoryNames::if_resting(const Entry& entry) const {
  const std::lock_guard lock(mutex_);
  if (!entry.failure || clock_.steady() >= entry.rests_until) return std::nullopt;
  return entry.failure;
}

Result<RepositoryNames::Told> RepositoryNames::stale_or(const Entry& entry,
                                                        const FreshnessPolicy& policy,
                                                        Error error) const {
  const std::lock_guard lock(mutex_);
  const bool is_served = entry.names && is_no_answer(error) &&
                         may_be_served_stale(policy, entry.checked, clock_.wall());
  if (!is_served) return std::unexpected(std::move(error));
  return Told{.names = entry.names, .freshness = Freshness::Stale};
}

async::Task<Result<RepositoryNames::Told>> RepositoryNames::names(upstream::Registry* registry,
                                                                  std::string name,
                                                                  FreshnessPolicy policy) {
  const auto entry = entry_of(name);
  if (auto fresh = if_fresh(*entry, policy, registry->quota())) co_return *std::move(fresh);
  if (auto failure = if_resting(*entry)) {
    co_return stale_or(*entry, policy, *std::move(failure));
  }
  auto told = co_await entry->flight.run([&] { return refresh(registry, name, entry); },
                                         clock_.steady() + kMaxTime);
  if (!told) co_return stale_or(*entry, policy, std::move(told.error()));
  co_return Told{.names = *std::move(told)};
}

void RepositoryNames::note_pushed(const std::string& name, const std::string& repository) {
  const std::lock_guard lock(mutex_);
  const auto known = entries_.find(name);
  if (known == entries_.end() || !known->second->names) return;
  if (!std::ranges::binary_search(*known->second->names, repository)) known->second->checked = {};
}

async::Task<Result<RepositoryNames::Names>> RepositoryNames::refresh(upstream::Registry* registry,
                                                                     std::string name,
                                                                     std::shared_ptr<Entry> entry) {
  auto told = co_await ask(registry, name);
  const std::lock_guard lock(mutex_);
  const bool was_failing = entry->failure.has_value();
  if (told) {
    entry->names = *told;
    entry->checked = clock_.wall();
    entry->failure.reset();
    if (was_failing) log_.info("the registry tells its repositories again", {{"registry", name}});
    co_return told;
  }
  const Error& error = told.error();
  // What it does not tell us any longer is not to come back with the next outage.
  if (!is_no_answer(error)) entry->names.reset();
  entry->rests_until =
      clock_.steady() + std::clamp(error.retry_after.value_or(kRest), kRest, kMaxRest);
  entry->failure = error;
  if (!was_failing) {
    log_.warn(
        "a registry does not tell its repositories; the catalog has them as they were, or not",
        {{"registry", name}, {"error", error.context}});
  }
  co_return told;
}

async::Task<Result<RepositoryNames::Names>> RepositoryNames::ask(upstream::Registry* registry,
                                                                 std::string name) const {
  std::vector<std::string> all;
  const SteadyTime deadline = clock_.steady() + kMaxTime;
  std::string query = "n=1000";
  for (std::size_t pages = 0; !query.empty(); ++pages) {
    if (pages == kMaxPages || all.size() > kMaxNames) {
      log_.warn("a registry tells more repositories than the catalog has room for",
                {{"registry", name}});
      break;
    }
    if (clock_.steady() >= deadline) {
      co_return upstream_error(Code::Timeout, Retry::Yes,
                               "registry " + name + " did not tell its repositories in time");
    }
    const auto page = co_await registry->list_repositories(query, kMaxPage);
    if (!page) co_return std::unexpected(page.error());
    auto told = oci::parse_catalog(page->body);
    if (!told) {
      co_return upstream_error(
          Code::Corrupt, Retry::No,
          "registry " + name + " answered something that is not a list of repositories");
    }
    std::ranges::move(*told, std::back_inserter(all));
    std::string next = next_query(page->link);
    query = next == query ? std::string() : std::move(next);
  }
  sort_once_each(all);
  if (all.size() > kMaxNames) all.resize(kMaxNames);
  co_return std::make_shared<const std::vector<std::string>>(std::move(all));
}

}  // namespace fairlead::cache
