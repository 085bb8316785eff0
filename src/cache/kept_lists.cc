// SPDX-License-Identifier: Apache-2.0
// A list of tags is kept as its tags, one a line; one of referrers as the image index that it is.
#include "cache/kept_lists.h"

#include <mutex>
#include <ranges>
#include <utility>

#include "oci/referrers.h"

namespace fairlead::cache {
namespace {

constexpr const char* kTags = "tags";

// The attack: pushing referrers without end, each of which is read with all before it.
constexpr std::size_t kMaxGrown = 8u << 20;  // bytes

constexpr const char* kReferrers = "referrers/";

std::string referrers_name(const oci::Digest& subject) { return kReferrers + subject.str(); }

// Whose referrers are under that tag where a registry has no API for them ("Referrers Tag Schema";
// of sha512 it has a part only).
std::optional<oci::Digest> subject_of(std::string_view tag) {
  constexpr std::string_view kPrefix = "sha256-";
  if (!tag.starts_with(kPrefix)) return std::nullopt;
  return oci::Digest::parse("sha256:" + std::string(tag.substr(kPrefix.size())));
}

std::string list_name(const Source& source, const std::string& name) {
  return source.registry_name + "\n" + source.repository + "\n" + name;
}

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

// Holds nothing where no list is ever fresh: what is lost then is asked for again.
std::unique_lock<std::mutex> edit(const Services& services, const std::string& list) {
  return services.lists == nullptr ? std::unique_lock<std::mutex>() : services.lists->edit(list);
}

}  // namespace

// --- what upstreams say ---

KeptLists::Generation KeptLists::generation(const Source& source, const std::string& name) const {
  return services_.lists == nullptr ? 0 : services_.lists->generation(list_name(source, name));
}

KeptLists::Generation KeptLists::asking_for_tags(const Source& source) const {
  return generation(source, kTags);
}

KeptLists::Generation KeptLists::asking_for_referrers(const Source& source,
                                                      const oci::Digest& subject) const {
  return generation(source, referrers_name(subject));
}

void KeptLists::keep(const Source& source, const std::string& name, bool is_whole, Generation asked,
                     const Alter& merge) {
  const std::string list = list_name(source, name);
  const auto lock = edit(services_, list);
  if (generation(source, name) != asked) return;
  const index::DocumentKey key{source.registry_name, source.repository, name};
  const auto known = is_whole ? std::nullopt : services_.index.document(key);
  auto merged = merge(known ? known->body : std::string());
  if (!merged) return;
  const WallTime now = services_.clock.wall();
  if (is_whole && services_.lists != nullptr) {
    services_.lists->note_whole(list, asked, *merged, now);
  }
  services_.index.put_document(key, {.body = *std::move(merged), .checked = now});
}

async::Task<> KeptLists::keep_tags(Source source, oci::TagQuery query, oci::TagPage page,
                                   Generation asked) {
  if (!query.is_understood) co_return;
  auto work = [&] {
    keep(source, kTags, oci::is_whole_list(query, page), asked, [&](const std::string& known) {
      return as_lines(oci::merge_tags(lines_of(known), query, page));
    });
    return true;
  };
  co_await services_.pool.run(work);
}

async::Task<> KeptLists::keep_referrers(Source source, oci::Digest subject, std::string list,
                                        bool is_complete, Generation asked) {
  auto work = [&] {
    keep(source, referrers_name(subject), is_complete, asked,
         [&](const std::string& known) { return oci::merge_referrers(known, list); });
    return true;
  };
  co_await services_.pool.run(work);
}

// --- what is known ---

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

async::Task<std::optional<std::string>> KeptLists::find_fresh(Source source, std::string name,
                                                              FreshnessPolicy policy) {
  if (services_.lists == nullptr) co_return std::nullopt;
  const std::string list = list_name(source, name);
  if (!services_.lists->may_be_whole(list)) co_return std::nullopt;
  auto work = [&] {
    return services_.index.document({source.registry_name, source.repository, name});
  };
  auto known = co_await services_.pool.run(work);
  if (!known) co_return std::nullopt;
  const auto checked = services_.lists->whole_since(list, known->body);
  if (!checked || !is_fresh(policy, *checked, services_.clock.wall(), source.registry->quota())) {
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

async::Task<std::optional<std::vector<std::string>>> KeptLists::fresh_tags(Source source,
                                                                           FreshnessPolicy policy) {
  const auto text = co_await find_fresh(std::move(source), kTags, policy);
  if (!text) co_return std::nullopt;
  co_return lines_of(*text);
}

async::Task<std::optional<std::string>> KeptLists::referrers(Source source, oci::Digest subject,
                                                             FreshnessPolicy policy) {
  co_return co_await find(std::move(source), referrers_name(subject), policy);
}

async::Task<std::optional<std::string>> KeptLists::fresh_referrers(Source source,
                                                                   oci::Digest subject,
                                                                   FreshnessPolicy policy) {
  co_return co_await find_fresh(std::move(source), referrers_name(subject), policy);
}

// --- what went through us ---

async::Task<> KeptLists::change(Source source, std::string name, Alter alter) {
  auto work = [&] {
    const std::string list = list_name(source, name);
    const auto lock = edit(services_, list);
    if (services_.lists != nullptr) services_.lists->note_changed(list);
    const index::DocumentKey key{source.registry_name, source.repository, name};
    const auto known = services_.index.document(key);
    auto altered = known ? alter(known->body) : std::nullopt;
    // All the rest of it is as old as it was.
    if (altered) {
      services_.index.put_document(key, {.body = *std::move(altered), .checked = known->checked});
    }
    return true;
  };
  co_await services_.pool.run(work);
}

async::Task<> KeptLists::change_referrers_behind(Source source, std::string tag) {
  const auto subject = subject_of(tag);
  if (!subject) co_return;
  co_await change(std::move(source), referrers_name(*subject),
                  [](const std::string&) { return std::nullopt; });
}

async::Task<> KeptLists::add_tag(Source source, std::string tag) {
  co_await change_referrers_behind(source, tag);
  co_await change(std::move(source), kTags, [tag = std::move(tag)](const std::string& known) {
    return as_lines(oci::with_tag(lines_of(known), tag));
  });
}

async::Task<> KeptLists::remove_tag(Source source, std::string tag) {
  co_await change_referrers_behind(source, tag);
  co_await change(std::move(source), kTags, [tag = std::move(tag)](const std::string& known) {
    return as_lines(oci::without_tag(lines_of(known), tag));
  });
}

async::Task<> KeptLists::doubt_tag(Source source, std::string tag) {
  co_await change_referrers_behind(source, std::move(tag));
  co_await change(std::move(source), kTags, [](const std::string&) { return std::nullopt; });
}

async::Task<> KeptLists::add_referrer(Source source, oci::Digest subject, oci::Digest digest,
                                      std::string media_type,
                                      std::shared_ptr<const std::string> manifest) {
  co_await change(std::move(source), referrers_name(subject),
                  [&](const std::string& known) -> std::optional<std::string> {
                    const auto descriptor = oci::describe_referrer(digest, media_type, *manifest);
                    const bool is_kept =
                        descriptor && known.size() + descriptor->size() <= kMaxGrown;
                    return is_kept ? oci::add_referrer(known, *descriptor) : std::nullopt;
                  });
}

async::Task<> KeptLists::remove_referrer(Source source, oci::Digest subject, oci::Digest digest) {
  co_await change(std::move(source), referrers_name(subject),
                  [&](const std::string& known) { return oci::remove_referrer(known, digest); });
}

void KeptLists::doubt_referrers(const Source& source) {
  if (services_.lists != nullptr) services_.lists->note_all_changed(list_name(source, kReferrers));
}

}  // namespace fairlead::cache
