// SPDX-License-Identifier: Apache-2.0
// The tags list of a repository, and pages of it (OCI distribution-spec 1.1, "Listing tags"). Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::oci {

// Which part of a list is asked for: the tags behind `last`, `n` of them.
struct TagQuery {
  std::optional<std::size_t> n;
  std::string last;
  bool is_understood = true;  // false: it asks for more than that

  static TagQuery parse(std::string_view query);
};

// The valid tags of an upstream's list, in its order; nullopt when `body` is not such a list.
std::optional<std::vector<std::string>> parse_tag_list(std::string_view body);

std::string write_tag_list(std::string_view repository, const std::vector<std::string>& tags);

struct TagPage {
  std::vector<std::string> tags;
  bool has_more = false;  // behind them
};

// What is known of a list, sorted, after `page` came as the answer to `query`. A sorted page tells
// of everything between `last` and its own end, so what it does not have there is gone; of an
// unsorted one only that its tags exist.
std::vector<std::string> merge_tags(std::vector<std::string> known, const TagQuery& query,
                                    const TagPage& page);

// Whether `page`, the answer to `query`, is certain to be the whole list, in the order in which
// pages are cut from it.
bool is_whole_list(const TagQuery& query, const TagPage& page);

// What a push or a deletion makes of a sorted list.
std::vector<std::string> with_tag(std::vector<std::string> known, std::string tag);
std::vector<std::string> without_tag(std::vector<std::string> known, std::string_view tag);

// That part of a sorted list.
TagPage page_of(const std::vector<std::string>& known, const TagQuery& query);

}  // namespace fairlead::oci
