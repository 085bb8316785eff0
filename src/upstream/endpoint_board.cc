// SPDX-License-Identifier: Apache-2.0
#include "upstream/endpoint_board.h"

namespace fairlead::upstream {

void EndpointBoard::note_challenge(const std::string& endpoint, const Challenge& challenge) {
  const std::lock_guard lock(mutex_);
  entries_[endpoint].challenge = challenge;
}

void EndpointBoard::forget_challenge(const std::string& endpoint) {
  const std::lock_guard lock(mutex_);
  entries_[endpoint].challenge.reset();
}

std::optional<Challenge> EndpointBoard::challenge(const std::string& endpoint) const {
  return find(endpoint).challenge;
}

void EndpointBoard::note_asks_nothing(const std::string& endpoint) {
  const std::lock_guard lock(mutex_);
  entries_[endpoint].asks_nothing_until = clock_.steady() + kRemembered;
}

bool EndpointBoard::is_login_known(const std::string& endpoint) const {
  const Entry entry = find(endpoint);
  return entry.challenge || clock_.steady() < entry.asks_nothing_until;
}

void EndpointBoard::note_no_continue(const std::string& endpoint) {
  const std::lock_guard lock(mutex_);
  entries_[endpoint].no_continue_until = clock_.steady() + kRemembered;
}

void EndpointBoard::note_no_continue_for_small(const std::string& endpoint) {
  const std::lock_guard lock(mutex_);
  entries_[endpoint].no_continue_for_small_until = clock_.steady() + kRemembered;
}

bool EndpointBoard::sends_no_continue(const std::string& endpoint, bool is_small) const {
  const Entry entry = find(endpoint);
  const SteadyTime now = clock_.steady();
  return now < entry.no_continue_until || (is_small && now < entry.no_continue_for_small_until);
}

EndpointBoard::Entry EndpointBoard::find(const std::string& endpoint) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(endpoint);
  return found == entries_.end() ? Entry{} : found->second;
}

}  // namespace fairlead::upstream
