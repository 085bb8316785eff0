// SPDX-License-Identifier: Apache-2.0
// A KeyFetcher for tests: answers at once, or when it is told to.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "async/broadcast.h"
#include "auth/key_fetcher.h"

namespace fairlead::auth {

class FakeKeyFetcher final : public KeyFetcher {
 public:
  async::Task<Result<std::string>> fetch(std::string url) override {
    fetched.push_back(url);
    while (holds) {
      const auto seen = released_.version();
      if (!holds) break;
      co_await released_.wait(seen, std::chrono::steady_clock::now() + std::chrono::minutes(1));
    }
    if (!documents.contains(url)) {
      co_return upstream_error(Code::Unavailable, Retry::Yes, "no connection");
    }
    co_return documents.at(url);
  }

  void release() {
    holds = false;
    released_.notify_all();
  }

  std::map<std::string, std::string> documents;  // by URL; what is not here is unreachable
  std::vector<std::string> fetched;              // URLs, in order
  bool holds = false;                            // do not answer before release()

 private:
  async::Broadcast released_;
};

}  // namespace fairlead::auth
