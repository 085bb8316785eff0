// SPDX-License-Identifier: Apache-2.0
#include "cache/resolver.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "cache/cooldown.h"
#include "cache/fetcher.h"
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
  // Its repository, as its caller sees it.
  [[nodiscard]] std::string place() const {
    return source.registry_name + "\n" + source.repository + "\n" + source.caller;
  }
  // An answer to one caller's question is none to another's.
  [[nodiscard]] std::string name() const {
    return name_of_tag(source, tag) + source.caller + "\n" + variant;
  }
};

// Takes note of an answer, unless the repository's tags have changed since it was asked for.
template <class Note>
void note_unless_changed(Services& services, const Question& question, Note note) {
  RecentChanges& recent = services.checks.recent();
  recent.unless_changed(tags_in(question.source), question.source.asked.value_or(0), note);
}

Resolved as_known(const index::TagInfo& info, Freshness freshness, std::string notice = {}) {
  return {.digest = info.digest,
          .media_type = info.media_type,
          .size = info.size,
          .etag = info.etag,
          .freshness = freshness,
          .notice = std::move(notice)};
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
  auto held =
      question.policy.cooldown.count() > 0 ? services.checks.held(question.name()) : std::nullopt;
  if (held) return as_known(*known, Freshness::Held, *std::move(held));
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
    learn_content(services, source, *head->digest, *head->size, head->media_type);
    co_return Resolved{.digest = *head->digest,
                       .media_type = std::move(head->media_type),
                       .size = head->size,
                       .etag = std::move(head->etag)};
  }
  // It does not tell by HEAD what clients must know: only the bytes do.
  auto whole = co_await fetch_by_tag(services, source, question.tag);
  if (!whole) co_return std::unexpected(std::move(whole.error()));
  co_return Resolved{.digest = whole->digest,
                     .media_type = std::move(whole->media_type),
                     .size = whole->text->size(),
                     .text = std::move(whole->text)};
}

// What a cooldown makes of what the upstream said.
Result<Resolved> admit(Services& services, const Question& question, Resolved told) {
  const WallTime now = services.clock.wall();
  const Source& source = question.source;
  const auto age = age_behind_tag(services.index, source, told.digest, now);
  const auto known = services.index.tag(question.key());
  const bool is_followed = known && known->digest == told.digest;
  if (is_followed || age >= question.policy.cooldown) {
    note_unless_changed(services, question,
                        [&] { services.checks.note_not_held(question.name()); });
    return told;
  }
  auto held = held_back(services.index, question.key(), source, told.digest, age,
                        question.policy.cooldown, now);
  const std::string notice = held ? held->notice : held.error().context;
  bool is_news = false;
  note_unless_changed(services, question, [&] {
    is_news = services.checks.note_held(question.name(), told.digest, notice);
  });
  if (is_news) services.log.warn(notice, {{"registry", source.registry_name}});
  return held;
}

// A tag is followed only to what can be had: a registry whose quota is used up still tells by HEAD
// where a tag has moved, and would leave us with neither the old nor the new.
async::Task<Result<void>> make_sure_of(Services& services, const Question& question,
                                       const Resolved& told) {
  const auto known = services.index.tag(question.key());
  const bool has_fallback =
      known && known->digest != told.digest && is_stored(services, known->digest);
  if (!has_fallback || told.text || is_stored(services, told.digest)) co_return Result<void>{};
  Fetcher fetcher(services);
  const auto content = co_await fetcher.fetch(question.source, told.digest);
  if (!content && is_no_answer(content.error())) co_return std::unexpected(content.error());
  co_return Result<void>{};
}

async::Task<Result<Resolved>> learn(Services& services, const Question& question) {
  auto told = co_await ask_upstream(services, question);
  if (!told) co_return told;
  auto admitted = admit(services, question, *std::move(told));
  if (!admitted) co_return admitted;
  if (auto sure = co_await make_sure_of(services, question, *admitted); !sure) {
    co_return std::unexpected(std::move(sure.error()));
  }
  note_unless_changed(services, question, [&] {
    services.index.put_tag(question.key(), {.digest = admitted->digest,
                                            .media_type = admitted->media_type,
                                            .size = admitted->size,
                                            .etag = admitted->etag,
                                            .checked = services.clock.wall()});
  });
  co_return admitted;
}

void note_success(Services& services, const Question& question) {
  const std::string& registry = question.source.registry_name;
  if (services.checks.note_health(registry, true)) {
    services.log.info("the registry answers again", {{"registry", registry}});
  }
}

void note_failure(Services& services, const Question& question, const Error& error) {
  const SteadyTime now = services.clock.steady();
  const std::string& registry = question.source.registry_name;
  if (error.origin != Origin::Upstream) return;
  if (is_no_answer(error)) {
    const seconds rest = std::clamp(error.retry_after.value_or(kRest), kRest, kMaxRest);
    // One repository that fails says nothing of the others; nor does one caller who has asked too
    // often (the attack: to do so, and all others are served what is stale).
    const bool is_about_registry =
        error.code == Code::Timeout ||
        (error.code == Code::TooManyRequests && question.source.caller.empty());
    services.checks.note_away(is_about_registry ? registry : question.place(), now + rest);
    if (services.checks.note_health(registry, false)) {
      services.log.warn("a registry does not answer; what is known of its tags is served",
                        {{"registry", registry}, {"error", error.context}});
    }
    return;
  }
  // It is gone, or not for us: what was known must not come back with the next outage.
  const bool is_refused = error.code == Code::Unauthorized || error.code == Code::Denied;
  const bool is_lost =
      error.code == Code::NotFound || (is_refused && question.source.caller.empty());
  note_unless_changed(services, question, [&] {
    if (error.code == Code::NotFound) {
      services.checks.note_not_found(question.name(), error, now + question.policy.not_found_for);
    }
    if (is_lost) services.index.remove_tag(question.key());
  });
  note_success(services, question);
}

// Belongs to nobody who waits for it, as `name`.
async::Task<> check(Services& services, Question question, std::string name) {
  // The check before us may have ended between our caller's look and our beginning.
  if (auto fresh = if_fresh(services, question)) {
    services.checks.end(name, *std::move(fresh));
    co_return;
  }
  auto learnt = co_await learn(services, question);
  if (learnt) {
    note_success(services, question);
  } else {
    note_failure(services, question, learnt.error());
  }
  services.checks.end(name, std::move(learnt));
}

async::Task<Result<Resolved>> ask(Services& services, Question question,
                                  std::chrono::steady_clock::duration patience) {
  RecentChanges& recent = services.checks.recent();
  question.source.asked = recent.count();
  // Whoever asks after a change does not join those who asked before it.
  const std::string name =
      question.name() + "\n" + std::to_string(recent.last(tags_in(question.source)));
  const auto [joined, is_new] = services.checks.join_or_begin(name);
  if (is_new &&
      !services.tasks.spawn(co_await async::kThisExecutor, check(services, question, name))) {
    services.checks.end(name, internal_error(Code::Cancelled, "shutting down"));
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
  Question question{.source = std::move(source), .tag = std::move(tag), .policy = policy};
  question.variant = variant_of(question.source.accept, policy.cooldown);

  if (auto fresh = if_fresh(services_, question)) co_return *std::move(fresh);
  const SteadyTime now = services_.clock.steady();
  if (auto absent = services_.checks.not_found(question.name(), now)) {
    co_return std::unexpected(*std::move(absent));
  }
  const auto known = services_.index.tag(question.key());
  const bool has_stale =
      known && may_be_served_stale(policy, known->checked, services_.clock.wall());
  const bool is_away = services_.checks.is_away(question.source.registry_name, now) ||
                       services_.checks.is_away(question.place(), now);
  if (has_stale && is_away) {
    co_return as_known(*known, Freshness::Stale, "the registry did not answer shortly before");
  }
  using Patience = std::chrono::steady_clock::duration;
  auto answer =
      co_await ask(services_, question, has_stale ? Patience(kPatience) : Patience(kMaxWait));
  if (answer || !has_stale || !is_no_answer(answer.error())) co_return answer;
  // That its check still goes on is no reason for the next one to wait as long.
  services_.checks.note_away(question.place(), services_.clock.steady() + kRest);
  co_return as_known(*known, Freshness::Stale, std::move(answer.error().context));
}

}  // namespace fairlead::cache
