// SPDX-License-Identifier: Apache-2.0
#include "s3/blocking_objects.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <future>
#include <utility>

namespace fairlead::s3 {

class BlockingObjects::MadePlace final : public Place {
 public:
  explicit MadePlace(std::unique_ptr<Objects> objects) : objects_(std::move(objects)) {}
  Objects& objects() override { return *objects_; }

 private:
  std::unique_ptr<Objects> objects_;
};

BlockingObjects::BlockingObjects(Make make) {
  start([make = std::move(make)](const async::Executor& executor) {
    return std::make_unique<MadePlace>(make(executor));
  });
}

BlockingObjects::~BlockingObjects() {
  close();
  thread_.join();
}

// Throws what `make` throws.
void BlockingObjects::start(MakePlace make) {
  std::promise<void> made;
  auto is_made = made.get_future();
  thread_ = std::thread([this, make = std::move(make), made = std::move(made)]() mutable {
    try {
      place_ = make(context_.get_executor());
    } catch (...) {
      made.set_exception(std::current_exception());
      return;
    }
    made.set_value();
    const auto guard = boost::asio::make_work_guard(context_);
    context_.run();
    place_.reset();
  });
  try {
    is_made.get();
  } catch (...) {
    thread_.join();
    throw;
  }
}

bool BlockingObjects::perform(const Perform& what) {
  {
    const std::lock_guard lock(mutex_);
    if (is_closed_) return false;
    ++running_;
  }
  std::promise<bool> ended;
  auto outcome = ended.get_future();
  boost::asio::post(context_, [this, &what, ended = std::move(ended)]() mutable {
    boost::asio::co_spawn(
        context_.get_executor(), what(place_->objects()),
        [this, ended = std::move(ended)](const std::exception_ptr& thrown) mutable {
          if (thrown) std::rethrow_exception(thrown);
          const std::lock_guard lock(mutex_);
          if (--running_ == 0 && is_closed_) context_.stop();
          ended.set_value(!is_closed_);
        });
  });
  return outcome.get();
}

void BlockingObjects::close() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(is_closed_, true)) return;
  }
  boost::asio::post(context_, [this] {
    place_->close();
    const std::lock_guard lock(mutex_);
    if (running_ == 0) context_.stop();
  });
}

}  // namespace fairlead::s3
