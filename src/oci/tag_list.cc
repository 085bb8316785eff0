// SPDX-License-Identifier: Apache-2.0
#include "oci/tag_list.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <iterator>

#include "oci/name.h"
#include "oci/query.h"

namespace fairlead::oci {

namespace json = boost::json;

namespace {

bool is_sorted(const std::vector<std::string>& tags) {
  return std::ranges::adjacent_find(tags, std::greater_equal<>()) == tags.end();
}

std::optional<std::size_t> parse_number(std::string_view text) {
  std::size_t number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

TagQuery TagQuery::parse(std::string_view query) {
  TagQuery out;
  for (QueryReader reader(query); reader.next();) {
    const auto value = reader.value();
    if (reader.has_name("n") && value) {
      out.n = parse_number(*value);
      if (!out.n) out.is_understood = false;
    } else if (reader.has_name("last") && value) {
      out.last = *value;
    } else if (!reader.raw().empty()) {
      out.is_understood = false;
    }
  }
  return out;
}

std::optional<std::vector<std::string>> parse_tag_list(std::string_view body) {
  json::error_code ec;
  const json::value document = json::parse(json::string_view(body.data(), body.size()), ec);
  if (ec || !document.is_object()) return std::nullopt;
  std::vector<std::string> tags;
  const auto* listed = document.get_object().if_contains("tags");
  // Registries answer null for a repository without tags.
  if (listed == nullptr || listed->is_null()) return tags;
  if (!listed->is_array()) return std::nullopt;
  for (const auto& tag : listed->get_array()) {
    if (!tag.is_string()) return std::nullopt;
    std::string text(tag.get_string().data(), tag.get_string().size());
    if (is_tag(text)) tags.push_back(std::move(text));
  }
  return tags;
}

std::string write_tag_list(std::string_view repository, const std::vector<std::string>& tags) {
  json::array listed;
  listed.reserve(tags.size());
  for (const std::string& tag : tags) listed.emplace_back(tag);
  return json::serialize(json::object{{"name", json::string(repository.begin(), repository.end())},
                                      {"tags", std::move(listed)}});
}

std::vector<std::string> merge_tags(std::vector<std::string> known, const TagQuery& query,
                                    const TagPage& page) {
  const bool is_whole_interval = is_sorted(page.tags) && query.n != 0U &&
                                 (page.tags.empty() || page.tags.front() > query.last);
  if (is_whole_interval) {
    const auto begin = std::ranges::upper_bound(known, query.last);
    const bool is_to_the_end = !page.has_more || page.tags.empty();
    const auto end =
        is_to_the_end ? known.end() : std::ranges::upper_bound(known, page.tags.back());
    if (begin < end) known.erase(begin, end);
  }
  known.insert(known.end(), page.tags.begin(), page.tags.end());
  std::ranges::sort(known);
  known.erase(std::unique(known.begin(), known.end()), known.end());
  return known;
}

bool is_whole_list(const TagQuery& query, const TagPage& page) {
  if (!query.is_understood || !query.last.empty() || page.has_more) return false;
  // A registry may cut a page without saying so.
  const bool may_be_cut = query.n && *query.n <= page.tags.size();
  return !may_be_cut && is_sorted(page.tags);
}

std::vector<std::string> with_tag(std::vector<std::string> known, std::string tag) {
  const auto at = std::ranges::lower_bound(known, tag);
  if (at == known.end() || *at != tag) known.insert(at, std::move(tag));
  return known;
}

std::vector<std::string> without_tag(std::vector<std::string> known, std::string_view tag) {
  std::erase(known, tag);
  return known;
}

TagPage page_of(const std::vector<std::string>& known, const TagQuery& query) {
  const auto begin =
      query.last.empty() ? known.begin() : std::ranges::upper_bound(known, query.last);
  const auto left = static_cast<std::size_t>(std::distance(begin, known.end()));
  const std::size_t count = std::min(left, query.n.value_or(left));
  return {.tags = {begin, begin + static_cast<std::ptrdiff_t>(count)},
          .has_more = count > 0 && count < left};
}

}  // namespace fairlead::oci
