// SPDX-License-Identifier: Apache-2.0
#include "telemetry/request_id.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace fairlead::telemetry {
namespace {

// The kernel's random numbers, fetched for many ids at once. Each thread has its own supply.
class RandomSupply {
 public:
  std::uint64_t next() {
    if (used_ == numbers_.size()) refill();
    return numbers_[used_++];
  }

 private:
  void refill() {
    // Up to 256 bytes come whole or, on a signal before the pool is ready, not at all.
    static_assert(sizeof(numbers_) <= 256);
    while (::getrandom(numbers_.data(), sizeof(numbers_), 0) != ssize_t{sizeof(numbers_)}) {
      if (errno == EINTR) continue;
      std::perror("getrandom");
      std::abort();
    }
    used_ = 0;
  }

  std::array<std::uint64_t, 32> numbers_{};
  std::size_t used_ = numbers_.size();
};

}  // namespace

std::string make_request_id() {
  thread_local RandomSupply supply;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::uint64_t number = supply.next();
  std::string id(16, '0');
  for (char& digit : id) {
    digit = kHex[number & 0xf];
    number >>= 4;
  }
  return id;
}

}  // namespace fairlead::telemetry
