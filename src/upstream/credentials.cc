// SPDX-License-Identifier: Apache-2.0
#include "upstream/credentials.h"

#include <chrono>
#include <string_view>

#include "upstream/credential_helper.h"
#include "upstream/url.h"

namespace fairlead::upstream {
namespace {

constexpr auto kHelperAnswerLifetime = std::chrono::minutes(30);
constexpr auto kHelperPause = std::chrono::seconds(10);
constexpr auto kHelperDeadline = std::chrono::seconds(30);

std::string base64(std::string_view bytes) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t k) -> unsigned {
      return i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U;
    };
    const unsigned group = byte(0) << 16 | byte(1) << 8 | byte(2);
    text += kAlphabet[group >> 18 & 63];
    text += kAlphabet[group >> 12 & 63];
    text += i + 1 < bytes.size() ? kAlphabet[group >> 6 & 63] : '=';
    text += i + 2 < bytes.size() ? kAlphabet[group & 63] : '=';
  }
  return text;
}

}  // namespace

Secret basic_authorization(const Credentials& credentials) {
  return Secret("Basic " + base64(credentials.username + ":" + credentials.password.reveal()));
}

CredentialSource::CredentialSource(const RegistryOptions& options, async::BlockingPool& pool,
                                   const Clock& clock)
    : options_(options), pool_(pool), clock_(clock) {}

async::Task<Result<std::optional<Credentials>>> CredentialSource::get() {
  if (options_.credentials) {
    co_return Credentials{options_.credentials->username, options_.credentials->password};
  }
  if (options_.credential_helper.empty()) co_return std::nullopt;
  if (auto known = remembered()) co_return *std::move(known);
  co_return co_await flight_.run(
      [this] { return ask_helper(); },
      std::chrono::steady_clock::now() + kHelperDeadline + std::chrono::seconds(1));
}

bool CredentialSource::refuse(const Credentials& refused) {
  const std::lock_guard lock(mutex_);
  if (options_.credential_helper.empty()) return false;
  // Has it been asked anew already?
  if (!helper_said_ || !*helper_said_ || **helper_said_ != refused) return true;
  if (clock_.steady() < asked_at_ + kHelperPause) return false;
  helper_said_.reset();
  return true;
}

async::Task<Result<std::optional<Credentials>>> CredentialSource::ask_helper() {
  // Docker's own key for its Hub is a URL, and helpers know it by that.
  const auto origin = origin_of(options_.url);
  const std::string server = options_.is_docker_hub() ? "https://index.docker.io/v1/"
                             : origin ? options_.url.substr(options_.url.find("://") + 3)
                                      : options_.url;
  auto answer = co_await pool_.run([argv = options_.credential_helper, server] {
    return run_credential_helper(argv, server, kHelperDeadline);
  });
  if (!answer) {
    answer = std::unexpected(std::move(answer.error()).within("credential helper"));
  }
  const std::lock_guard lock(mutex_);
  helper_said_ = answer;
  asked_at_ = clock_.steady();
  co_return answer;
}

std::optional<Result<std::optional<Credentials>>> CredentialSource::remembered() {
  const std::lock_guard lock(mutex_);
  if (!helper_said_) return std::nullopt;
  const auto lifetime = *helper_said_ ? SteadyTime::duration(kHelperAnswerLifetime) : kHelperPause;
  if (clock_.steady() >= asked_at_ + lifetime) return std::nullopt;
  return *helper_said_;
}

}  // namespace fairlead::upstream
