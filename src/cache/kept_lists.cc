// SPDX-License-Identifier: Apache-2.0
// A list of tags is kept as its tags, one a line; one of referrers as the image index that it is.
#include "cache/kept_lists.h"

#include <ranges>
#include <utility>

#include "oci/referrers.h"

namespace fairlead::cache {
namespace {

constexpr const char* kTags = "tags";

std::string referrers_name(const oci::Digest& subject) { return "referrers/" + subject.str(); }

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  for (const auto line : std::views::split(text, '\n')) {
    if (!line.empty()) lines.emplace_back(std::string_view(line));
  }
  return lines;
}

std::string as_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text.append(line).append("\n");
  return text;
}

}  // namespace

async::Task<> KeptLists::keep_tags(Source source, oci::TagQuery query, oci::TagPage page) {
  if (!query.is_understood) co_return;
  auto work = [&] {
    const index::DocumentKey key{source.registry_name, source.repository, kTags};
    const auto known = services_.index.document(key);
    auto merged =
        oci::merge_tags(known ? lines_of(known->body) : std::vector<std::string>(), query, page);
    services_.index.put_document(key,
                                 {.body = as_lines(merged), .checked = services_.clock.wall()});
    return true;
  };
  co_await services_.pool.run(work);
}

async::Task<> KeptLists::keep_referrers(Source source, oci::Digest subject, std::string list,
                                        bool is_complete) {
  auto work = [&] {
    const std::string name = referrers_name(subject);
    const index::DocumentKey key{source.registry_name, source.repository, name};
    const auto known = is_complete ? std::nullopt : services_.index.document(key);
    auto merged = oci::merge_referrers(known ? known->body : "", list);
    if (!merged) return false;
    services_.index.put_document(key,
                                 {.body = *std::move(merged), .checked = services_.clock.wall()});
    return true;
  };
  co_await services_.pool.run(work);
}

async::Task<std::optional<std::string>> KeptLists::find(Source source, std::string name,
                                                        FreshnessPolicy policy) {
  auto work = [&] {
    return services_.index.document({source.registry_name, source.repository, name});
  };
  auto known = co_await services_.pool.run(work);
  if (!known || !may_be_served_stale(policy, known->checked, services_.clock.wall())) {
    co_return std::nullopt;
  }
  co_return std::move(known->body);
}

async::Task<std::optional<std::vector<std::string>>> KeptLists::tags(Source source,
                                                                     FreshnessPolicy policy) {
  const auto text = co_await find(std::move(source), kTags, policy);
  if (!text) co_return std::nullopt;
  co_return lines_of(*text);
}

async::Task<std::optional<std::string>> KeptLists::referrers(Source source, oci::Digest subject,
                                                             FreshnessPolicy policy) {
  co_return co_await find(std::move(source), referrers_name(subject), policy);
}

}  // namespace fairlead::cache
