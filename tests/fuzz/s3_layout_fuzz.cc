// SPDX-License-Identifier: Apache-2.0
// Input: what a bucket has where a link, an index.json or a listed prefix should be. What is read
// of it can be a key, and written down again it reads the same.
// Modules: s3 upstream store oci telemetry async base
#include <string>

#include "fuzz/property.h"
#include "oci/manifest.h"
#include "oci/name.h"
#include "s3/distribution_keys.h"
#include "s3/oci_layout_index.h"

using fairlead::fuzz::check;
using namespace fairlead;
using namespace fairlead::s3;

namespace {

void check_link(std::string_view text) {
  const auto digest = distribution::parse_link(text);
  check(digest.has_value() == oci::Digest::parse(text).has_value());
  if (digest) check(digest->str() == text && text.size() <= distribution::kMaxLink);
}

void check_prefix(std::string_view text) {
  const auto tag = distribution::tag_of(text, "tags/");
  if (tag) check(oci::is_tag(*tag) && text == "tags/" + *tag + "/");
}

void check_index(std::string_view text) {
  const auto index = oci_layout::parse_index(text);
  if (!index) return;
  std::string again;
  for (const auto& [digest, media_type, tag] : *index) {
    check(oci::Digest::parse(digest.str()).has_value());
    check(media_type.empty() || oci::is_manifest_media_type(media_type));
    check(tag.empty() || oci::is_tag(tag));
    again += again.empty() ? "" : ",";
    again += R"({"digest":")" + digest.str() + R"(","mediaType":")" + media_type +
             R"(","annotations":{"org.opencontainers.image.ref.name":")" + tag + R"("}})";
  }
  const auto reread = oci_layout::parse_index(R"({"manifests":[)" + again + "]}");
  check(reread && reread->size() == index->size());
  for (std::size_t i = 0; i < index->size(); ++i) {
    check((*reread)[i].digest == (*index)[i].digest &&
          (*reread)[i].media_type == (*index)[i].media_type && (*reread)[i].tag == (*index)[i].tag);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::as_text(data, size);
  check_link(text);
  check_prefix(text);
  check_index(text);
  return 0;
}
