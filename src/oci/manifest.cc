// SPDX-License-Identifier: Apache-2.0
// Reads manifests of all kinds into the one form that links are made from.
//
// What is read here decides who may have which blob, so it must not differ from what the registry
// read when it accepted the manifest. The attack: push an index that also has `layers`, or a
// manifest with `layers` and `Layers`; the registry looks at one list and finds all in order, the
// gateway looks at the other and hands out somebody else's blob. (The image and index ambiguity is
// CVE-2021-41190. That Go takes JSON keys in any case is what most registries do.)
#include "oci/manifest.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <utility>

#include "oci/media_type.h"

namespace fairlead::oci {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxDescriptors = 10'000;
constexpr std::size_t kMaxMemory = 32u << 20;

constexpr std::array<std::string_view, 9> kDocumentKeys{
    "schemaVersion", "mediaType", "artifactType", "config",  "layers",
    "manifests",     "blobs",     "subject",      "fsLayers"};
constexpr std::array<std::string_view, 5> kDescriptorKeys{"digest", "size", "mediaType", "urls",
                                                          "blobSum"};

std::unexpected<Error> invalid(std::string_view what) {
  return upstream_error(Code::InvalidArgument, Retry::No, "manifest: " + std::string(what));
}

std::unexpected<Error> too_large(std::string_view what) {
  return upstream_error(Code::TooLarge, Retry::No, "manifest: " + std::string(what));
}

// Memory up to a limit, then std::bad_alloc: four megabytes of "[[],[],..." are a hundred as
// values.
class BoundedMemory final : public json::memory_resource {
 public:
  explicit BoundedMemory(std::size_t limit) : left_(limit) {}

 private:
  void* do_allocate(std::size_t size, std::size_t alignment) override {
    if (size > left_) throw std::bad_alloc();
    void* memory = ::operator new(size, std::align_val_t(alignment));
    left_ -= size;
    return memory;
  }
  void do_deallocate(void* memory, std::size_t size, std::size_t alignment) override {
    // Boost 1.81's monotonic_resource gives back a block with less than the size it asked for.
    ::operator delete(memory, std::align_val_t(alignment));
    left_ += size;
  }
  bool do_is_equal(const json::memory_resource& other) const noexcept override {
    return this == &other;
  }

  std::size_t left_;
};

// `key` as Go compares keys: without case, and with U+017F (long s) as an s.
std::string fold(std::string_view key) {
  constexpr std::string_view kLongS = "\xc5\xbf";
  std::string folded;
  while (!key.empty()) {
    const bool is_long_s = key.starts_with(kLongS);
    const char c = is_long_s ? 's' : key.front();
    folded += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    key.remove_prefix(is_long_s ? kLongS.size() : 1);
  }
  return folded;
}

// Has `object` a key that is not one of `keys`, but that Go takes for it?
bool has_disguised_key(const json::object& object, std::span<const std::string_view> keys) {
  return std::ranges::any_of(object, [keys](const auto& member) {
    const std::string_view written = member.key();
    if (std::ranges::find(keys, written) != keys.end()) return false;
    const std::string folded = fold(written);
    return std::ranges::any_of(keys, [&](std::string_view key) { return fold(key) == folded; });
  });
}

// nullptr when absent or null: writers in Go write empty lists as null.
const json::value* find(const json::object& object, std::string_view key) {
  const json::value* member = object.if_contains(key);
  return member == nullptr || member->is_null() ? nullptr : member;
}

// The empty string when absent.
Result<std::string> read_text(const json::object& object, std::string_view key) {
  const json::value* member = find(object, key);
  if (member == nullptr) return std::string();
  if (!member->is_string()) return invalid(std::string(key) + " is not text");
  return std::string(std::string_view(member->get_string()));
}

Result<Digest> read_digest(const json::object& object, std::string_view key) {
  const json::value* member = find(object, key);
  if (member == nullptr || !member->is_string()) return invalid("a descriptor without a digest");
  auto digest = Digest::parse(std::string_view(member->get_string()));
  if (!digest) return invalid("a descriptor with an invalid digest");
  return *std::move(digest);
}

Result<const json::object*> read_object(const json::value& value,
                                        std::span<const std::string_view> keys) {
  if (!value.is_object()) return invalid("something that must be an object is not");
  if (has_disguised_key(value.get_object(), keys)) {
    return invalid("a key that differs from a known one by case only");
  }
  return &value.get_object();
}

Result<Descriptor> read_descriptor(const json::value& value) {
  const auto object = read_object(value, kDescriptorKeys);
  if (!object) return std::unexpected(object.error());
  auto digest = read_digest(**object, "digest");
  if (!digest) return std::unexpected(std::move(digest.error()));
  auto media_type = read_text(**object, "mediaType");
  if (!media_type) return std::unexpected(std::move(media_type.error()));

  const json::value* size = find(**object, "size");
  if (size == nullptr || !size->is_int64() || size->get_int64() < 0) {
    return invalid("a descriptor without a valid size");
  }
  const json::value* urls = find(**object, "urls");
  if (urls != nullptr && !urls->is_array()) return invalid("urls is not a list");
  return Descriptor{.digest = *std::move(digest),
                    .size = static_cast<std::uint64_t>(size->get_int64()),
                    .media_type = *std::move(media_type),
                    .is_foreign = urls != nullptr && !urls->get_array().empty()};
}

// A layer of schema 1 has a digest and nothing else.
Result<Descriptor> read_schema1_layer(const json::value& value) {
  const auto object = read_object(value, kDescriptorKeys);
  if (!object) return std::unexpected(object.error());
  auto digest = read_digest(**object, "blobSum");
  if (!digest) return std::unexpected(std::move(digest.error()));
  return Descriptor{.digest = *std::move(digest)};
}

using ReadElement = Result<Descriptor> (*)(const json::value&);

Result<void> read_list(const json::object& document, std::string_view key, ReadElement read,
                       std::vector<Descriptor>& out) {
  const json::value* list = find(document, key);
  if (list == nullptr) return {};
  if (!list->is_array()) return invalid(std::string(key) + " is not a list");
  if (list->get_array().size() > kMaxDescriptors - out.size()) return too_large("too many entries");
  out.reserve(out.size() + list->get_array().size());
  for (const json::value& element : list->get_array()) {
    auto descriptor = read(element);
    if (!descriptor) return std::unexpected(std::move(descriptor.error()));
    out.push_back(*std::move(descriptor));
  }
  return {};
}

// The four shapes, each known by a key that the others must not have.
enum class Shape { Image, Index, Artifact, Schema1 };

Result<Shape> shape_of(const json::object& document) {
  // Presence decides, null or not, so that no second reading is possible.
  const bool is_image = document.contains("config") || document.contains("layers");
  const bool is_index = document.contains("manifests");
  const bool is_artifact = document.contains("blobs");
  const bool is_schema1 = document.contains("fsLayers");
  if (is_image + is_index + is_artifact + is_schema1 > 1) {
    return invalid("more than one kind of manifest in one document");
  }
  if (is_image) return Shape::Image;
  if (is_index) return Shape::Index;
  if (is_artifact) return Shape::Artifact;
  if (is_schema1) return Shape::Schema1;
  return invalid("no kind of manifest that is known");
}

std::string_view default_media_type(Shape shape, const json::object& document) {
  switch (shape) {
    case Shape::Image:
      return kOciManifest;
    case Shape::Index:
      return kOciIndex;
    case Shape::Artifact:
      return kOciArtifact;
    case Shape::Schema1:
      break;
  }
  return document.contains("signatures") ? kDockerSchema1Signed : kDockerSchema1;
}

bool fits(Shape shape, std::string_view media_type) {
  switch (shape) {
    case Shape::Image:
      return media_type == kOciManifest || media_type == kDockerManifest;
    case Shape::Index:
      return media_type == kOciIndex || media_type == kDockerList;
    case Shape::Artifact:
      return media_type == kOciArtifact;
    case Shape::Schema1:
      return media_type == kDockerSchema1 || media_type == kDockerSchema1Signed;
  }
  return false;
}

// An artifact may be all subject and no blobs, which leaves only its media type to know it by.
Result<Shape> read_shape(const json::object& document, std::string_view media_type) {
  if (media_type == kOciArtifact && !document.contains("blobs")) {
    auto shape = shape_of(document);
    if (shape) return invalid("its media type and its shape differ");
    return Shape::Artifact;
  }
  auto shape = shape_of(document);
  if (shape && !media_type.empty() && !fits(*shape, media_type)) {
    return invalid("its media type and its shape differ");
  }
  return shape;
}

Result<Manifest> read_document(const json::value& value) {
  const auto root = read_object(value, kDocumentKeys);
  if (!root) return std::unexpected(root.error());
  const json::object& document = **root;

  auto media_type = read_text(document, "mediaType");
  if (!media_type) return std::unexpected(std::move(media_type.error()));
  const auto shape = read_shape(document, *media_type);
  if (!shape) return std::unexpected(shape.error());
  auto artifact_type = read_text(document, "artifactType");
  if (!artifact_type) return std::unexpected(std::move(artifact_type.error()));

  Manifest manifest{.media_type = *std::move(media_type),
                    .artifact_type = *std::move(artifact_type)};
  if (manifest.media_type.empty()) manifest.media_type = default_media_type(*shape, document);
  if (*shape == Shape::Image) {
    const json::value* config = find(document, "config");
    if (config == nullptr) return invalid("an image without a config");
    auto descriptor = read_descriptor(*config);
    if (!descriptor) return std::unexpected(std::move(descriptor.error()));
    manifest.blobs.push_back(*std::move(descriptor));
  }
  for (const auto& read : {read_list(document, "manifests", read_descriptor, manifest.manifests),
                           read_list(document, "layers", read_descriptor, manifest.blobs),
                           read_list(document, "blobs", read_descriptor, manifest.blobs),
                           read_list(document, "fsLayers", read_schema1_layer, manifest.blobs)}) {
    if (!read) return std::unexpected(read.error());
  }
  if (const json::value* subject = find(document, "subject")) {
    auto descriptor = read_descriptor(*subject);
    if (!descriptor) return std::unexpected(std::move(descriptor.error()));
    manifest.subject = *std::move(descriptor);
  }
  return manifest;
}

}  // namespace

Result<Manifest> parse_manifest(std::string_view text) {
  if (text.size() > kMaxManifestSize) return too_large("more than 4 MiB");
  BoundedMemory memory(kMaxMemory);
  // Usual manifests are parsed without asking the heap.
  std::array<unsigned char, 16u << 10> values;
  std::array<unsigned char, 4u << 10> scratch;
  try {
    json::monotonic_resource arena(values.data(), values.size(), &memory);
    json::parser parser(&memory, json::parse_options{.max_depth = kMaxDepth}, scratch.data(),
                        scratch.size());
    parser.reset(&arena);
    json::error_code error;
    parser.write(text, error);
    if (error) return invalid("not JSON: " + error.message());
    return read_document(parser.release());
  } catch (const std::bad_alloc&) {
    return too_large("more structure than 32 MiB can hold");
  }
}

}  // namespace fairlead::oci
