// SPDX-License-Identifier: Apache-2.0
// TokenSource: the Bearer tokens of all registries, fetched once and shared by all workers.
//
// A token is kept by registry, token service, scope (repository and actions) and identity, so that
// none ever serves another registry, repository or user; and dropped before it expires.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "async/task.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/secret.h"
#include "upstream/single_flight.h"
#include "upstream/token_exchange.h"

namespace fairlead::upstream {

struct IssuedToken {
  Secret value;
  bool is_new = false;  // of just now; else remembered, and the registry may have forgotten it
};

// What a token is for. A request that cannot be repeated may be long on its way, so one that is
// about to expire is of no use to it.
enum class TokenUse { Any, Once };

// Thread-safe.
class TokenSource {
 public:
  static constexpr std::size_t kCapacity = 4096;  // tokens

  // `clock` must outlive it.
  explicit TokenSource(const Clock& clock, std::size_t capacity = kCapacity);

  // A token for `request`: remembered, or fetched through `channel`, whose transport must belong
  // to the caller's worker. Callers that want the same token at once share one fetch. Errors as
  // exchange_token.
  async::Task<Result<IssuedToken>> token(TokenChannel channel, TokenRequest request,
                                         TokenUse use = TokenUse::Any);

  // The registry refused `token`: forget it.
  void drop(const TokenRequest& request, const Secret& token);

 private:
  struct Entry {
    SingleFlight<Secret> flight;
    Secret token;  // these three under mutex_
    std::chrono::seconds lifetime{};
    SteadyTime expires{};
  };

  static std::string key_of(const TokenRequest& request);
  async::Task<Result<Secret>> fetch(std::shared_ptr<Entry> entry, TokenChannel channel,
                                    TokenRequest request, TokenUse use);
  [[nodiscard]] bool is_good(const Entry& entry, TokenUse use) const;  // with mutex_ held
  std::shared_ptr<Entry> entry_of(const std::string& key);
  std::optional<Secret> remembered(const Entry& entry, TokenUse use);
  void make_room();  // with mutex_ held

  const Clock& clock_;
  const std::size_t capacity_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Entry>> entries_;
};

}  // namespace fairlead::upstream
