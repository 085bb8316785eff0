// SPDX-License-Identifier: Apache-2.0
#include "upstream/token_source.h"

#include <algorithm>
#include <chrono>

namespace fairlead::upstream {
namespace {

// A token must still be good when the request that carries it has arrived.
std::chrono::seconds margin(std::chrono::seconds lifetime, TokenUse use) {
  const auto part = use == TokenUse::Once ? lifetime / 2 : lifetime / 10;
  return std::clamp(part, std::chrono::seconds(5), std::chrono::seconds(60));
}

}  // namespace

TokenSource::TokenSource(const Clock& clock, std::size_t capacity)
    : clock_(clock), capacity_(std::max<std::size_t>(1, capacity)) {}

async::Task<Result<IssuedToken>> TokenSource::token(TokenChannel channel, TokenRequest request,
                                                    TokenUse use) {
  const auto entry = entry_of(key_of(request));
  if (auto known = remembered(*entry, use)) co_return IssuedToken{.value = *std::move(known)};
  const auto& timeouts = channel.timeouts;
  const auto deadline =
      std::chrono::steady_clock::now() + timeouts.connect + timeouts.first_byte + timeouts.stall;
  auto fetched =
      co_await entry->flight.run([&] { return fetch(entry, channel, request, use); }, deadline);
  if (!fetched) co_return std::unexpected(std::move(fetched.error()));
  co_return IssuedToken{.value = *std::move(fetched), .is_new = true};
}

void TokenSource::drop(const TokenRequest& request, const Secret& token) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key_of(request));
  if (found != entries_.end() && found->second->token == token) found->second->expires = {};
}

async::Task<Result<Secret>> TokenSource::fetch(std::shared_ptr<Entry> entry, TokenChannel channel,
                                               TokenRequest request, TokenUse use) {
  // The one before us may have landed between our look and our start.
  if (auto known = remembered(*entry, use)) co_return *std::move(known);
  const SteadyTime asked_at = clock_.steady();
  auto answer = co_await exchange_token(std::move(channel), std::move(request));
  if (!answer) co_return std::unexpected(std::move(answer.error()));
  const std::lock_guard lock(mutex_);
  entry->token = answer->token;
  entry->lifetime = answer->lifetime;
  entry->expires = asked_at + answer->lifetime;
  co_return answer->token;
}

// Fields end with a byte that no header, and so no part of a challenge, can hold.
std::string TokenSource::key_of(const TokenRequest& request) {
  std::string key;
  const auto add = [&](const std::string& field) { (key += field) += '\n'; };
  add(request.registry);
  add(request.realm);
  add(request.service);
  add(request.scope);
  if (request.credentials) {
    add(request.credentials->username);
    add(request.credentials->password.reveal());
  }
  return key;
}

std::shared_ptr<TokenSource::Entry> TokenSource::entry_of(const std::string& key) {
  const std::lock_guard lock(mutex_);
  if (const auto found = entries_.find(key); found != entries_.end()) return found->second;
  if (entries_.size() >= capacity_) make_room();
  return entries_.emplace(key, std::make_shared<Entry>()).first->second;
}

std::optional<Secret> TokenSource::remembered(const Entry& entry, TokenUse use) {
  const std::lock_guard lock(mutex_);
  if (!is_good(entry, use)) return std::nullopt;
  return entry.token;
}

bool TokenSource::is_good(const Entry& entry, TokenUse use) const {
  return clock_.steady() < entry.expires - margin(entry.lifetime, use);
}

void TokenSource::make_room() {
  std::erase_if(entries_, [&](const auto& item) { return !is_good(*item.second, TokenUse::Any); });
  // All good still: any will do, it costs one fetch.
  if (entries_.size() >= capacity_) entries_.erase(entries_.begin());
}

}  // namespace fairlead::upstream
