// SPDX-License-Identifier: Apache-2.0
#include "config/section.h"

#include <algorithm>
#include <expected>
#include <iterator>
#include <ranges>
#include <utility>

#include "config/nearest.h"
#include "config/quantity.h"

namespace fairlead::config {
namespace {

// `given`, as `parsed` has it, when it lies within the bounds; else nullopt, and the problem is
// reported.
template <class T, class Format>
std::optional<T> bounded(const Value& value, const std::string& given,
                         const std::expected<T, std::string>& parsed, T min, T max, Format format) {
  if (!parsed) {
    value.problem(parsed.error());
    return std::nullopt;
  }
  if (*parsed < min || *parsed > max) {
    value.problem(in_quotes(given) + " is not between " + format(min) + " and " + format(max));
    return std::nullopt;
  }
  return *parsed;
}

}  // namespace

Value Section::child(const Member& member) const {
  const std::string path = value_.path_.empty() ? "" : value_.path_ + ".";
  return {member.value, path + printable(member.key), member.line, *value_.reading_};
}

std::optional<Value> Section::find(std::string_view key) {
  known_.push_back(key);
  const Member* member = value_.node_->find(key);
  if (member == nullptr) return std::nullopt;
  return child(*member);
}

std::vector<std::pair<std::string, Value>> Section::all(std::size_t max) {
  knows_all_ = true;
  const auto& members = value_.node_->members;
  if (members.size() > max) value_.problem("holds more than " + std::to_string(max) + " entries");
  std::vector<std::pair<std::string, Value>> out;
  for (const auto& member : members | std::views::take(max)) {
    out.emplace_back(member.key, child(member));
  }
  return out;
}

void Section::section(std::string_view key, const std::function<void(Section&)>& read) {
  if (const auto value = find(key)) value->section(read);
}

void Section::text(std::string_view key, std::string& out) {
  const auto value = find(key);
  if (auto given = value ? value->text() : std::nullopt) out = std::move(*given);
}

void Section::texts(std::string_view key, std::vector<std::string>& out, std::size_t max) {
  if (const auto value = find(key)) out = value->texts(max);
}

void Section::readable_file(std::string_view key, std::string& out) {
  const auto value = find(key);
  if (auto given = value ? value->readable_file() : std::nullopt) out = std::move(*given);
}

void Section::number(std::string_view key, std::size_t& out, std::size_t min, std::size_t max) {
  const auto value = find(key);
  const auto given = value ? value->text() : std::nullopt;
  if (!given) return;
  const auto format = [](std::uint64_t number) { return std::to_string(number); };
  out = bounded<std::uint64_t>(*value, *given, parse_count(*given), min, max, format).value_or(out);
}

void Section::size(std::string_view key, std::size_t& out, std::size_t min, std::size_t max) {
  const auto value = find(key);
  const auto given = value ? value->text() : std::nullopt;
  if (!given) return;
  out = bounded<std::uint64_t>(*value, *given, parse_size(*given), min, max, format_size)
            .value_or(out);
}

void Section::duration(std::string_view key, std::chrono::milliseconds& out,
                       std::chrono::milliseconds min, std::chrono::milliseconds max) {
  const auto value = find(key);
  const auto given = value ? value->text() : std::nullopt;
  if (!given) return;
  out = bounded(*value, *given, parse_duration(*given), min, max, format_duration).value_or(out);
}

void Section::not_built(std::initializer_list<std::string_view> keys) {
  for (const auto key : keys) {
    if (const auto value = find(key)) value->problem(std::string(kNotBuilt));
    planned_.push_back(key);
  }
}

void Section::report_unknown() const {
  if (knows_all_) return;
  std::vector<std::string_view> usable;
  std::ranges::copy_if(known_, std::back_inserter(usable), [this](std::string_view key) {
    return std::ranges::count(planned_, key) == 0;
  });
  for (const auto& member : value_.node_->members) {
    if (std::ranges::count(known_, member.key) > 0) continue;
    if (value_.reading_->is_full()) return;
    const auto nearest = nearest_of(usable, member.key);
    child(member).problem("unknown key" +
                          (nearest.empty() ? "" : "; did you mean " + std::string(nearest) + "?"));
  }
}

}  // namespace fairlead::config
