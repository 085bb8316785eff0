// SPDX-License-Identifier: Apache-2.0
// Input: a Link value. A target is a part of it, and its query is safe in a header of ours.
// Modules: oci
#include <algorithm>
#include <string>

#include "fuzz/property.h"
#include "oci/link_header.h"
#include "oci/operation.h"

using fairlead::fuzz::check;
using namespace fairlead::oci;

namespace {

void check_query(std::string_view target) {
  const std::string query = link_query(target);
  check(std::ranges::all_of(query, [](char c) {
    return c > ' ' && c < 0x7f && c != '<' && c != '>' && c != '"' && c != '#';
  }));
  check(!query_parameter(query, "ns"));
  check(link_query("/v2/a/tags/list?" + query) == query);
  const auto again = next_link("</v2/a/tags/list?" + query + ">; rel=\"next\"");
  check(again && link_query(*again) == query);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fairlead::fuzz::as_text(data, size);
  check_query(input);
  if (const auto target = next_link(input)) {
    check(input.find("<" + *target + ">") != std::string_view::npos);
    check_query(*target);
  }
  return 0;
}
