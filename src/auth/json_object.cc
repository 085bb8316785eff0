// SPDX-License-Identifier: Apache-2.0
#include "auth/json_object.h"

#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <cstddef>
#include <cstdint>

namespace fairlead::auth {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 32;

json::parse_options strict() {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  return options;
}

// Counts the members that are written, for json::parse() keeps one of those with the same name.
struct MemberCounter {
  static constexpr std::size_t max_object_size = SIZE_MAX;
  static constexpr std::size_t max_array_size = SIZE_MAX;
  static constexpr std::size_t max_key_size = SIZE_MAX;
  static constexpr std::size_t max_string_size = SIZE_MAX;

  using Ec = json::error_code;
  using Text = json::string_view;

  bool on_object_end(std::size_t count, Ec&) {
    members += count;
    return true;
  }
  bool on_document_begin(Ec&) { return true; }
  bool on_document_end(Ec&) { return true; }
  bool on_object_begin(Ec&) { return true; }
  bool on_array_begin(Ec&) { return true; }
  bool on_array_end(std::size_t, Ec&) { return true; }
  bool on_key_part(Text, std::size_t, Ec&) { return true; }
  bool on_key(Text, std::size_t, Ec&) { return true; }
  bool on_string_part(Text, std::size_t, Ec&) { return true; }
  bool on_string(Text, std::size_t, Ec&) { return true; }
  bool on_number_part(Text, Ec&) { return true; }
  bool on_int64(std::int64_t, Text, Ec&) { return true; }
  bool on_uint64(std::uint64_t, Text, Ec&) { return true; }
  bool on_double(double, Text, Ec&) { return true; }
  bool on_bool(bool, Ec&) { return true; }
  bool on_null(Ec&) { return true; }
  bool on_comment_part(Text, Ec&) { return true; }
  bool on_comment(Text, Ec&) { return true; }

  std::size_t members = 0;
};

std::size_t written_members(std::string_view text) {
  json::basic_parser<MemberCounter> parser(strict());
  json::error_code ec;
  parser.write_some(false, text.data(), text.size(), ec);
  return parser.handler().members;
}

std::size_t kept_members(const json::value& value) {
  std::size_t count = 0;
  if (const auto* object = value.if_object()) {
    count += object->size();
    for (const auto& member : *object) count += kept_members(member.value());
  } else if (const auto* array = value.if_array()) {
    for (const auto& element : *array) count += kept_members(element);
  }
  return count;
}

}  // namespace

std::optional<json::object> parse_json_object(std::string_view text) {
  json::error_code ec;
  json::value value = json::parse(text, ec, {}, strict());
  if (ec || !value.is_object()) return std::nullopt;
  // Also where a value that was dropped had members itself: they were written and are not kept.
  if (written_members(text) != kept_members(value)) return std::nullopt;
  return std::move(value.get_object());
}

}  // namespace fairlead::auth
