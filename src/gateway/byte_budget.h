// SPDX-License-Identifier: Apache-2.0
// ByteBudget: how many bytes of memory all requests of one kind may hold together. The attack: each
// of them keeps to its own bound, and there are a thousand of them.
#pragma once

#include <cstddef>
#include <utility>

namespace fairlead::gateway {

// Of one worker: not thread-safe. Must outlive its shares.
class ByteBudget {
 public:
  // What one request holds of it. Gives it back when it goes.
  class Share {
   public:
    Share(Share&& other) noexcept
        : budget_(other.budget_), bytes_(std::exchange(other.bytes_, 0)) {}
    Share& operator=(Share&&) = delete;
    ~Share() { budget_->held_ -= bytes_; }

    // False where there is not so much left: it stays as it was. It never becomes less.
    [[nodiscard]] bool grow_to(std::size_t bytes) {
      if (bytes <= bytes_) return true;
      const std::size_t more = bytes - bytes_;
      if (more > budget_->limit_ - budget_->held_) return false;
      budget_->held_ += more;
      bytes_ = bytes;
      return true;
    }

   private:
    friend class ByteBudget;
    explicit Share(ByteBudget& budget) : budget_(&budget) {}

    ByteBudget* budget_;
    std::size_t bytes_ = 0;
  };

  explicit ByteBudget(std::size_t limit) : limit_(limit) {}
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  // Of nothing yet.
  [[nodiscard]] Share share() { return Share(*this); }

  [[nodiscard]] std::size_t held() const { return held_; }

 private:
  const std::size_t limit_;
  std::size_t held_ = 0;
};

}  // namespace fairlead::gateway
