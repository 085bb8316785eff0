// SPDX-License-Identifier: Apache-2.0
// Input: a manifest. What is read from it names valid content, and written out plainly it reads as
// the same.
// Modules: oci
#include <algorithm>
#include <boost/json.hpp>
#include <string>

#include "fuzz/property.h"
#include "oci/manifest.h"
#include "oci/media_type.h"

using fairlead::fuzz::check;
using namespace fairlead::oci;
namespace json = boost::json;

namespace {

json::object write(const Descriptor& descriptor) {
  json::object object{{"digest", descriptor.digest.str()},
                      {"size", descriptor.size},
                      {"mediaType", descriptor.media_type}};
  if (descriptor.is_foreign) object["urls"] = json::array{"https://example.com/"};
  return object;
}

json::array write(const std::vector<Descriptor>& descriptors, std::size_t from = 0) {
  json::array array;
  for (std::size_t i = from; i < descriptors.size(); ++i) array.push_back(write(descriptors[i]));
  return array;
}

std::string write(const Manifest& manifest) {
  json::object document{{"mediaType", manifest.media_type},
                        {"artifactType", manifest.artifact_type}};
  if (manifest.subject) document["subject"] = write(*manifest.subject);
  const std::string_view type = manifest.media_type;
  if (type == kOciIndex || type == kDockerList) {
    check(manifest.blobs.empty());
    document["manifests"] = write(manifest.manifests);
    return json::serialize(document);
  }
  check(manifest.manifests.empty());
  if (type == kOciManifest || type == kDockerManifest) {
    check(!manifest.blobs.empty());
    document["config"] = write(manifest.blobs.front());
    document["layers"] = write(manifest.blobs, 1);
  } else if (type == kOciArtifact) {
    document["blobs"] = write(manifest.blobs);
  } else {
    json::array layers;
    for (const Descriptor& layer : manifest.blobs) {
      layers.push_back(json::object{{"blobSum", layer.digest.str()}});
    }
    document["fsLayers"] = std::move(layers);
  }
  return json::serialize(document);
}

bool is_same(const Descriptor& a, const Descriptor& b) {
  return a.digest == b.digest && a.size == b.size && a.media_type == b.media_type &&
         a.is_foreign == b.is_foreign;
}

bool is_same(const std::vector<Descriptor>& a, const std::vector<Descriptor>& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) { return is_same(x, y); });
}

void check_descriptors(const std::vector<Descriptor>& descriptors) {
  check(descriptors.size() <= 10'000);
  for (const Descriptor& descriptor : descriptors) {
    check(Digest::parse(descriptor.digest.str()) == descriptor.digest);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fairlead::fuzz::as_text(data, size);
  const std::string type = bare_media_type(input);
  check(bare_media_type(type) == type);

  const auto manifest = parse_manifest(input);
  if (!manifest) {
    check(manifest.error().code == fairlead::Code::InvalidArgument ||
          manifest.error().code == fairlead::Code::TooLarge);
    return 0;
  }
  check(is_manifest_media_type(manifest->media_type));
  check_descriptors(manifest->manifests);
  check_descriptors(manifest->blobs);

  const auto again = parse_manifest(write(*manifest));
  check(again.has_value());
  check(again->media_type == manifest->media_type &&
        again->artifact_type == manifest->artifact_type &&
        is_same(again->manifests, manifest->manifests) && is_same(again->blobs, manifest->blobs));
  check(again->subject.has_value() == manifest->subject.has_value());
  if (manifest->subject) check(is_same(*again->subject, *manifest->subject));
  return 0;
}
