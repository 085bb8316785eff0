// SPDX-License-Identifier: Apache-2.0
#include "cache/resolver.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "cache/cooldown.h"
#include "cache/knowledge.h"
#include "cache/tag_variant.h"
#include "cache/whole_manifest.h"

namespace fairlead::cache {
namespace {

using std::chrono::seconds;

// How long who could have something stale waits for something better.
constexpr seconds kPatience{4};
// Longer than connecting with all retries and mirrors takes.
constexpr std::chrono::minutes kMaxWait{5};
// How long a registry that did not answer is left alone, if there is something to serve instead.
constexpr seconds kRest{5};
constexpr seconds kMaxRest{300};

// One tag as one caller asks for it.
struct Question {
  Source source;
  std::string tag;
  FreshnessPolicy policy;
  std::string variant;

  [[nodiscard]] index::TagKey key() const {
    return {source.registry_name, source.repository, tag, variant};
  }
  [[nodiscard]] std::string name() const {
    return source.registry_name + "\n" + source.repository + "\n" + tag + "\n" + variant;
  }
};

Resolved as_known(const index::TagInfo& info, Freshness freshness) {
  return {.digest = info.digest,
          .media_type = info.media_type,
          .size = info.size,
          .freshness = freshness};
}

bool is_stored(const Services& services, const oci::Digest& digest) {
  const auto info = services.index.content(digest);
  return info && info->is_stored;
}

std::optional<Resolved> if_fresh(const Services& services, const Question& question) {
  const auto known = services.index.tag(question.key());
  if (!known || !is_fresh(question.policy, known->checked, services.clock.wall(),
                          question.source.registry->quota())) {
    return std::nullopt;
  }
  return as_known(*known, Freshness::Fresh);
}

// What the upstream says of the tag now.
async::Task<Result<Resolved>> ask_upstream(Services& services, const Question& question) {
  const Source& source = question.source;
  auto head =
      co_await source.registry->head_manifest(source.repository, question.tag, source.accept);
  if (!head && head.error().code != Code::Unsupported) {
    co_return std::unexpected(std::move(head.error()));
  }
  if (head && head->digest && !head->size) {
    if (const auto known = services.index.content(*head->digest); known && known->is_stored) {
      head->size = known->size;
    }
  }
  if (head && head->digest && head->size) {
    // A HEAD that binds a tag to a digest counts for the GET by digest that clients send next.
    learn_content(services.index, source, *head->digest, *head->size, head->media_type);
    co_return Resolved{
        .digest = *head->digest, .media_type = std::move(head->media_type), .size = head->size};
  }
  // It does not tell by HEAD what clients must know: only the bytes do.
  auto whole = co_await fetch_by_tag(services, source, question.tag);
  if (!whole) co_return std::unexpected(std::move(whole.error()));
  co_return Resolved{.digest = whole->digest,
                     .media_type = std::move(whole->media_type),
                     .size = whole->text->size(),
                     .text = std::move(whole->text)};
}

// Enters what the upstream said, or what a cooldown makes of it.
Result<Resolved> take(Services& services, const Question& question, Resolved told) {
  const WallTime now = services.clock.wall();
  const Source& source = question.source;
  const auto known = services.index.tag(question.key());
  const auto age = age_of(services.index, source, told.digest, now);
  if (!known || known->digest != told.digest) {
    if (is_too_young(age, question.policy.cooldown)) {
      auto held = held_back(services.index, question.key(), source, told.digest, age,
                            question.policy.cooldown, now);
      if (!held) return held;
      services.log.warn(held->notice,
                        {{"registry", source.registry_name}, {"repository", source.repository}});
      told = *std::move(held);
    }
  }
  if (known && known->digest != told.digest && is_stored(services, known->digest) &&
      !is_stored(services, told.digest)) {
    told.previous = known->digest;
  }
  services.index.put_tag(question.key(), {.digest = told.digest,
                                          .media_type = told.media_type,
                                          .size = told.size,
                                          .etag = {},
                                          .checked = now});
  return told;
}

void note_failure(Services& services, const Question& question, const Error& error) {
  const SteadyTime now = services.clock.steady();
  if (error.code == Code::NotFound) {
    services.index.remove_tag(question.key());
    services.checks.note_not_found(question.name(), error, now + question.policy.not_found_for);
  } else if (is_no_answer(error)) {
    const seconds rest = std::clamp(error.retry_after.value_or(kRest), kRest, kMaxRest);
    services.checks.note_away(question.source.registry_name, now + rest);
  }
}

// Belongs to nobody who waits for it.
async::Task<> check(Services& services, Question question) {
  // The check before us may have ended between our caller's look and our beginning.
  if (auto fresh = if_fresh(services, question)) {
    services.checks.end(question.name(), *std::move(fresh));
    co_return;
  }
  auto told = co_await ask_upstream(services, question);
  if (told) {
    services.checks.end(question.name(), take(services, question, *std::move(told)));
  } else {
    note_failure(services, question, told.error());
    services.checks.end(question.name(), std::move(told));
  }
}

async::Task<Result<Resolved>> ask(Services& services, Question question,
                                  std::chrono::steady_clock::duration patience) {
  const auto [joined, is_new] = services.checks.join_or_begin(question.name());
  if (is_new && !services.tasks.spawn(co_await async::kThisExecutor, check(services, question))) {
    services.checks.end(question.name(), internal_error(Code::Cancelled, "shutting down"));
  }
  auto answer = co_await joined->wait(std::chrono::steady_clock::now() + patience);
  if (answer) co_return *std::move(answer);
  co_return upstream_error(Code::Timeout, Retry::Yes,
                           question.source.registry_name + " did not answer in time");
}

}  // namespace

bool is_no_answer(const Error& error) {
  if (error.origin != Origin::Upstream) return false;
  return error.code == Code::Unavailable || error.code == Code::Timeout ||
         error.code == Code::TooManyRequests || error.code == Code::Corrupt;
}

async::Task<Result<Resolved>> Resolver::resolve(Source source, std::string tag,
                                                FreshnessPolicy policy) {
  const bool has_cooldown = policy.cooldown.count() > 0;
  Question question{.source = std::move(source), .tag = std::move(tag), .policy = policy};
  question.variant = variant_of(question.source.accept, has_cooldown);

  if (auto fresh = if_fresh(services_, question)) co_return *std::move(fresh);
  const SteadyTime now = services_.clock.steady();
  if (auto absent = services_.checks.not_found(question.name(), now)) {
    co_return std::unexpected(*std::move(absent));
  }
  const auto known = services_.index.tag(question.key());
  const bool has_stale =
      known && may_be_served_stale(policy, known->checked, services_.clock.wall());
  if (has_stale && services_.checks.is_away(question.source.registry_name, now)) {
    co_return as_known(*known, Freshness::Stale);
  }
  using Patience = std::chrono::steady_clock::duration;
  auto answer =
      co_await ask(services_, question, has_stale ? Patience(kPatience) : Patience(kMaxWait));
  if (!answer && has_stale && is_no_answer(answer.error())) {
    // That its check still goes on is no reason for the next one to wait as long.
    services_.checks.note_away(question.source.registry_name, services_.clock.steady() + kRest);
    co_return as_known(*known, Freshness::Stale);
  }
  co_return answer;
}

}  // namespace fairlead::cache
