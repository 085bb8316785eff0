// SPDX-License-Identifier: Apache-2.0
#include "async/workers.h"

#include <sched.h>

#include <algorithm>

namespace fairlead::async {
namespace {

std::size_t usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<std::size_t>(std::max(1, CPU_COUNT(&set)));
}

}  // namespace

Workers::Workers(std::size_t count) {
  if (count == 0) count = usable_cores();
  for (std::size_t i = 0; i < count; ++i) {
    contexts_.push_back(std::make_unique<boost::asio::io_context>(1));
    guards_.emplace_back(contexts_.back()->get_executor());
  }
}

Workers::~Workers() { stop(); }

void Workers::start() {
  for (auto& context : contexts_) threads_.emplace_back([&context = *context] { context.run(); });
}

void Workers::stop() {
  guards_.clear();
  for (auto& context : contexts_) context->stop();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace fairlead::async
