// SPDX-License-Identifier: Apache-2.0
// BlockingObjects: a bucket for threads that may block: Objects on a thread of its own.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "async/task.h"
#include "s3/bucket.h"
#include "s3/objects.h"

namespace fairlead::s3 {

// Thread-safe.
class BlockingObjects {
 public:
  // Makes the Objects that are used, on the thread that uses them.
  using Make = std::function<std::unique_ptr<Objects>(const async::Executor&)>;
  explicit BlockingObjects(Make make);
  // With an HttpTransport of its own. `bucket` must outlive it.
  explicit BlockingObjects(Bucket& bucket);
  ~BlockingObjects();  // close()s, and waits for the calls under way
  BlockingObjects(const BlockingObjects&) = delete;
  BlockingObjects& operator=(const BlockingObjects&) = delete;

  // Runs `ask` on the objects, and waits for what comes of it. `ask` is called on the thread of the
  // objects, and must not block for long: all calls share it. Cancelled once closed.
  template <class T>
  Result<T> run(std::function<async::Task<Result<T>>(Objects&)> ask) {
    std::optional<Result<T>> answer;
    const bool has_run =
        perform([&](Objects& objects) { return keep<T>(objects, std::move(ask), answer); });
    if (!has_run) return internal_error(Code::Cancelled, "the bucket is closed");
    return *std::move(answer);
  }

  // Calls under way, and later ones, end with Cancelled. Waits for nothing: over HTTP those under
  // way end at once; those of another Make end when their task does, whatever it came to.
  void close();

 private:
  // The objects and what they need: made, used and destroyed on the thread.
  class Place {
   public:
    virtual ~Place() = default;
    virtual Objects& objects() = 0;
    virtual void close() {}  // fails what is asked of the objects, now and later
  };
  class MadePlace;
  class HttpPlace;
  using MakePlace = std::function<std::unique_ptr<Place>(const async::Executor&)>;
  using Perform = std::function<async::Task<>(Objects&)>;

  template <class T>
  static async::Task<> keep(Objects& objects, std::function<async::Task<Result<T>>(Objects&)> ask,
                            std::optional<Result<T>>& answer) {
    answer.emplace(co_await ask(objects));
  }

  void start(MakePlace make);
  // False: closed, before or meanwhile. When it returns, nothing of `what` runs.
  bool perform(const Perform& what);

  boost::asio::io_context context_{1};
  std::unique_ptr<Place> place_;  // used on the thread only
  std::mutex mutex_;              // the two below
  std::size_t running_ = 0;       // calls
  bool is_closed_ = false;
  std::thread thread_;
};

}  // namespace fairlead::s3
