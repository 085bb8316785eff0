// SPDX-License-Identifier: Apache-2.0
#include "auth/users.h"

#include <chrono>

namespace fairlead::auth {
namespace {

Error too_slow() {
  return {.code = Code::TooManyRequests,
          .origin = Origin::Client,
          .retry = Retry::Yes,
          .context = "too many logins at once",
          .retry_after = std::chrono::seconds(1)};
}

}  // namespace

// The flight of all who ask one question. It is forgotten when the last of them goes.
class Users::Boarding {
 public:
  Boarding(Users& users, const Fingerprint& question) : users_(users), question_(question) {
    const std::lock_guard lock(users_.mutex_);
    auto& flight = users_.flights_[question_];
    if (!flight) flight = std::make_shared<Flight>();
    flight_ = flight;
  }
  Boarding(const Boarding&) = delete;
  Boarding& operator=(const Boarding&) = delete;
  ~Boarding() {
    const std::lock_guard lock(users_.mutex_);
    flight_.reset();
    const auto found = users_.flights_.find(question_);
    if (found != users_.flights_.end() && found->second.use_count() == 1) {
      users_.flights_.erase(found);
    }
  }

  [[nodiscard]] Flight& flight() { return *flight_; }

 private:
  Users& users_;
  const Fingerprint question_;
  std::shared_ptr<Flight> flight_;
};

Users::Users(std::string path, const Clock& clock, async::BlockingPool& pool)
    : path_(std::move(path)), clock_(clock), pool_(pool) {
  const HtpasswdFile none;
  known_ = std::make_shared<const Known>(none, BcryptHash::of_nobody(none.usual_cost()));
}

Result<std::vector<HtpasswdProblem>> Users::reload() {
  auto file = HtpasswdFile::read(path_);
  if (!file) {
    std::string all;
    for (const auto& problem : file.error()) (all += all.empty() ? "" : "; ") += to_string(problem);
    return internal_error(Code::InvalidArgument, path_ + ": " + all);
  }
  auto warnings = file->warnings();
  const int cost = file->usual_cost();
  auto known = std::make_shared<const Known>(*std::move(file), BcryptHash::of_nobody(cost));
  const std::lock_guard lock(mutex_);
  known_.swap(known);
  return warnings;
}

bool Users::contains(std::string_view user) const {
  const std::lock_guard lock(mutex_);
  return known_ && known_->file.find(user) != nullptr;
}

std::size_t Users::size() const {
  const std::lock_guard lock(mutex_);
  return known_->file.size();
}

bool Users::is_remembered(std::string_view user, const Secret& password) const {
  if (!BcryptHash::can_check(password)) return false;
  const Question question = question_of(user, password);
  return question.is_known && is_remembered(question.fingerprint);
}

async::Task<Result<bool>> Users::check(std::string user, Secret password, HeldBack is_held_back) {
  if (!BcryptHash::can_check(password)) co_return false;
  const Question question = question_of(user, password);
  if (is_remembered(question.fingerprint)) co_return true;
  const SteadyTime deadline = std::chrono::steady_clock::now() + kPatience;
  Boarding boarding(*this, question.fingerprint);
  auto answer = co_await boarding.flight().run(
      [&] { return compute(question, password, deadline, is_held_back); }, deadline);
  if (!answer && answer.error().code == Code::Timeout) co_return std::unexpected(too_slow());
  co_return answer;
}

async::Task<Result<bool>> Users::compute(const Question& question, const Secret& password,
                                         SteadyTime deadline, const HeldBack& is_held_back) {
  // The flight before this one may have landed between our look and our start.
  if (is_remembered(question.fingerprint)) co_return true;
  const auto place = co_await line_.enter(deadline);
  if (!place) co_return std::unexpected(place.error());
  if (is_held_back && is_held_back()) co_return std::unexpected(too_slow());
  const bool is_match = co_await pool_.run([&] { return question.hash.matches(password); });
  const bool is_right = is_match && question.is_known;
  if (is_right) remember(question.fingerprint);
  co_return is_right;
}

// Neither the name nor the hash holds a NUL, and the hash's length is fixed: no two questions have
// one text.
Users::Question Users::question_of(std::string_view user, const Secret& password) const {
  std::shared_ptr<const Known> known;
  {
    const std::lock_guard lock(mutex_);
    known = known_;
  }
  const BcryptHash* const hash = known->file.find(user);
  Question question{.hash = hash != nullptr ? *hash : known->nobody, .is_known = hash != nullptr};
  std::string text(user);
  text += '\0';
  text += password.reveal();
  text += '\0';
  text += question.hash.text().reveal();
  question.fingerprint = keyed_hash_.of(text);
  return question;
}

bool Users::is_remembered(const Fingerprint& fingerprint) const {
  const SteadyTime now = clock_.steady();
  const std::lock_guard lock(mutex_);
  const auto found = good_until_.find(fingerprint);
  return found != good_until_.end() && now < found->second;
}

void Users::remember(const Fingerprint& fingerprint) {
  const SteadyTime now = clock_.steady();
  const SteadyTime until = now + kRememberedFor;
  const std::lock_guard lock(mutex_);
  while (!by_age_.empty() && (by_age_.front().first <= now || by_age_.size() >= kMaxRemembered)) {
    const auto& [end, oldest] = by_age_.front();
    const auto found = good_until_.find(oldest);
    // It may have been found right once more since.
    if (found != good_until_.end() && found->second == end) good_until_.erase(found);
    by_age_.pop_front();
  }
  good_until_[fingerprint] = until;
  by_age_.emplace_back(until, fingerprint);
}

}  // namespace fairlead::auth
