// SPDX-License-Identifier: Apache-2.0
// Read as a stream of events: the values of 32 MiB of JSON can take up a gigabyte.
#include "s3/oci_layout_index.h"

#include <boost/json/basic_parser_impl.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "oci/manifest.h"
#include "oci/name.h"

namespace fairlead::s3::oci_layout {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDepth = 32;
constexpr std::string_view kTagAnnotation = "org.opencontainers.image.ref.name";

// "blobs/sha256/<hex>"
std::string path_of(const oci::Digest& digest) {
  std::string path = "blobs/";
  return path.append(oci::to_string(digest.algorithm())).append("/").append(digest.hex());
}

// Collects the manifests from what basic_parser tells. Of a key that comes twice the last counts,
// as in Go.
class Collector {
 public:
  static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_array_size = max_object_size;
  static constexpr std::size_t max_key_size = max_object_size;
  static constexpr std::size_t max_string_size = max_object_size;

  std::vector<ListedManifest> manifests;

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }

  bool on_object_begin(json::error_code& ec) {
    if (within_.empty()) return enter(Within::Index);
    if (at() == Within::Manifests) {
      digest_.reset();
      media_type_.clear();
      tag_.clear();
      return enter(Within::Descriptor);
    }
    if (is_manifests()) return refuse(ec);
    const bool is_annotations = at() == Within::Descriptor && key_ == "annotations";
    if (is_annotations) tag_.clear();
    return enter(is_annotations ? Within::Annotations : Within::Other);
  }
  bool on_object_end(std::size_t, json::error_code&) {
    if (at() == Within::Descriptor && digest_) {
      manifests.push_back({*std::move(digest_), std::move(media_type_), std::move(tag_)});
    }
    within_.pop_back();
    return true;
  }

  bool on_array_begin(json::error_code& ec) {
    if (within_.empty() || at() == Within::Manifests) return refuse(ec);
    if (!is_manifests()) return enter(Within::Other);
    manifests.clear();
    return enter(Within::Manifests);
  }
  bool on_array_end(std::size_t, json::error_code&) {
    within_.pop_back();
    return true;
  }

  bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
    text_.append(part);
    return true;
  }
  bool on_key(json::string_view part, std::size_t, json::error_code&) {
    key_ = std::exchange(text_, {}).append(part);
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, json::error_code&) {
    text_.append(part);
    return true;
  }
  bool on_string(json::string_view part, std::size_t, json::error_code& ec) {
    const std::string text = std::exchange(text_, {}).append(part);
    if (!on_scalar(ec)) return false;
    if (at() == Within::Annotations && key_ == kTagAnnotation) {
      tag_ = oci::is_tag(text) ? text : "";
    } else if (at() == Within::Descriptor && key_ == "digest") {
      digest_ = oci::Digest::parse(text);
    } else if (at() == Within::Descriptor && key_ == "mediaType") {
      media_type_ = oci::is_manifest_media_type(text) ? text : "";
    }
    return true;
  }

  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t, json::string_view, json::error_code& ec) { return on_scalar(ec); }
  bool on_uint64(std::uint64_t, json::string_view, json::error_code& ec) { return on_scalar(ec); }
  bool on_double(double, json::string_view, json::error_code& ec) { return on_scalar(ec); }
  bool on_bool(bool, json::error_code& ec) { return on_scalar(ec); }
  bool on_null(json::error_code& ec) {
    if (within_.empty() || !is_manifests()) return on_scalar(ec);
    manifests.clear();  // an empty list, as Go writes it
    return true;
  }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

 private:
  enum class Within { Index, Manifests, Descriptor, Annotations, Other };

  [[nodiscard]] Within at() const { return within_.back(); }
  [[nodiscard]] bool is_manifests() const { return at() == Within::Index && key_ == "manifests"; }
  bool enter(Within within) {
    within_.push_back(within);
    return true;
  }
  static bool refuse(json::error_code& ec) {
    ec = json::error::syntax;
    return false;
  }
  bool on_scalar(json::error_code& ec) {
    if (within_.empty() || at() == Within::Manifests || is_manifests()) return refuse(ec);
    return true;
  }

  std::vector<Within> within_;  // the objects and arrays that are open
  std::string text_;            // the parts of a key or string so far
  std::string key_;             // the last one of the innermost object that matters
  // Of the descriptor that is being read:
  std::optional<oci::Digest> digest_;
  std::string media_type_;
  std::string tag_;
};

}  // namespace

std::string root_prefix(std::string_view root) {
  std::string prefix(root);
  if (!prefix.empty()) prefix += '/';
  return prefix;
}

std::string index_key(std::string_view root, std::string_view repository) {
  return root_prefix(root).append(repository).append("/index.json");
}

std::string blob_key(std::string_view root, std::string_view repository,
                     const oci::Digest& digest) {
  return root_prefix(root).append(repository).append("/").append(path_of(digest));
}

std::string shared_key(std::string_view root, const oci::Digest& digest) {
  return root_prefix(root).append("_blobstore/").append(path_of(digest));
}

Result<std::vector<ListedManifest>> parse_index(std::string_view text) {
  if (text.size() > kMaxIndex) {
    return upstream_error(Code::TooLarge, Retry::No, "index.json is larger than 32 MiB");
  }
  json::basic_parser<Collector> parser(json::parse_options{.max_depth = kMaxDepth});
  json::error_code ec;
  const std::size_t parsed = parser.write_some(false, text.data(), text.size(), ec);
  if (ec || parsed != text.size()) {
    return upstream_error(Code::Corrupt, Retry::No, "index.json is not the index of a layout");
  }
  return std::move(parser.handler().manifests);
}

}  // namespace fairlead::s3::oci_layout
