// SPDX-License-Identifier: Apache-2.0
#include "upstream/quota.h"

#include <charconv>

namespace fairlead::upstream {
namespace {

constexpr std::uint64_t kMaxNumber = 1'000'000'000;
constexpr std::uint64_t kMaxWindow = 7 * 24 * 3600;  // seconds

// A number that begins `text`, which is cut off it.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (ec != std::errc() || number > kMaxNumber) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

struct Amount {
  std::uint64_t count = 0;
  std::uint64_t window = 0;
};

std::optional<Amount> parse_amount(std::string_view text) {
  const auto count = take_number(text);
  if (!count || !text.starts_with(";w=")) return std::nullopt;
  text.remove_prefix(3);
  const auto window = take_number(text);
  if (!window || !text.empty() || *window == 0 || *window > kMaxWindow) return std::nullopt;
  return Amount{*count, *window};
}

}  // namespace

std::optional<Quota> parse_quota(std::string_view limit, std::string_view remaining,
                                 SteadyTime now) {
  const auto all = parse_amount(limit);
  const auto left = parse_amount(remaining);
  if (!all || !left || all->count == 0) return std::nullopt;
  return Quota{.limit = all->count,
               .remaining = left->count,
               .window = std::chrono::seconds(left->window),
               .told = now};
}

void QuotaBoard::note(const std::string& registry, const std::string& identity,
                      const Quota& quota) {
  const std::lock_guard lock(mutex_);
  quotas_.insert_or_assign({registry, identity}, quota);
}

std::optional<Quota> QuotaBoard::find(const std::string& registry, const std::string& identity,
                                      SteadyTime now) const {
  const std::lock_guard lock(mutex_);
  const auto found = quotas_.find({registry, identity});
  if (found == quotas_.end() || now >= found->second.told + found->second.window) {
    return std::nullopt;
  }
  return found->second;
}

}  // namespace fairlead::upstream
