// SPDX-License-Identifier: Apache-2.0
// Input: a query, a line feed, and an upstream's list of tags, of referrers or of repositories, or
// a manifest that refers to another. What is kept of it is sorted, without repetitions, and pages
// of it put together are the whole.
// Modules: oci
#include <algorithm>
#include <string>
#include <vector>

#include "fuzz/property.h"
#include "oci/catalog.h"
#include "oci/name.h"
#include "oci/referrers.h"
#include "oci/tag_list.h"

using fairlead::fuzz::check;
using namespace fairlead::oci;

namespace {

void check_tags(std::string_view query_text, std::string_view body) {
  const TagQuery query = TagQuery::parse(query_text);
  const auto tags = parse_tag_list(body);
  if (!tags) return;
  check(std::ranges::all_of(*tags, [](const std::string& tag) { return is_tag(tag); }));
  check(parse_tag_list(write_tag_list("team/app", *tags)) == tags);

  const auto merged = merge_tags({"a", "m", "z"}, query, {.tags = *tags, .has_more = true});
  check(std::ranges::adjacent_find(merged, std::greater_equal<>()) == merged.end());
  for (const std::string& tag : *tags) check(std::ranges::binary_search(merged, tag));

  std::vector<std::string> whole;
  for (TagQuery page_query{.n = 2};;) {
    const TagPage page = page_of(merged, page_query);
    whole.insert(whole.end(), page.tags.begin(), page.tags.end());
    if (!page.has_more) break;
    page_query.last = page.tags.back();
  }
  check(whole == merged);
}

void check_referrers(std::string_view type, std::string_view body) {
  const auto all = filter_referrers(body, "");
  if (!all) return;
  const auto merged = merge_referrers("", body);
  check(merged.has_value() && merge_referrers(*merged, body) == merged);
  const auto some = filter_referrers(body, type);
  check(some && filter_referrers(*some, type) == some);
}

void check_catalog(std::string_view body) {
  const auto names = parse_catalog(body);
  if (!names) return;
  check(std::ranges::all_of(*names,
                            [](const std::string& name) { return is_repository_name(name); }));
  check(parse_catalog(write_catalog(*names)) == names);
}

// What is made of a manifest that somebody pushed is one entry of a list, and comes off it again.
void check_referrer(std::string_view manifest) {
  const Digest digest = digest_of(DigestAlgorithm::Sha256, fairlead::as_byte_view(manifest));
  const auto descriptor = describe_referrer(digest, "application/x", manifest);
  if (!descriptor) return;
  check(descriptor->size() <= kMaxReferrer);
  const std::string empty = *filter_referrers(R"({"manifests":[]})", "");
  const auto one = add_referrer(empty, *descriptor);
  check(one && add_referrer(*one, *descriptor) == one);
  check(remove_referrer(*one, digest) == empty);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = fairlead::fuzz::as_text(data, size);
  const std::string query(fairlead::fuzz::take_line(input));
  check_tags(query, input);
  check_referrers(query, input);
  check_catalog(input);
  check_referrer(input);
  return 0;
}
