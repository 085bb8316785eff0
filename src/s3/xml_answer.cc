// SPDX-License-Identifier: Apache-2.0
#include "s3/xml_answer.h"

#include <algorithm>
#include <charconv>
#include <pugixml.hpp>
#include <ranges>

#include "oci/query.h"
#include "s3/credential_document.h"

namespace fairlead::s3 {
namespace {

std::unexpected<Error> corrupt(std::string what) {
  return upstream_error(Code::Corrupt, Retry::No, std::move(what));
}

// False unless it is within bounds and a document of that root.
bool load(pugi::xml_document& document, std::string_view xml, const char* root) {
  if (xml.size() > kMaxXmlAnswer || xml.contains("<!DOCTYPE")) return false;
  if (std::cmp_greater(std::ranges::count(xml, '<'), kMaxXmlTags)) return false;
  const auto parsed = document.load_buffer(
      xml.data(), xml.size(),
      pugi::parse_cdata | pugi::parse_escapes | pugi::parse_ws_pcdata_single, pugi::encoding_utf8);
  return parsed && document.document_element().name() == std::string_view(root);
}

std::string text_of(const pugi::xml_node& parent, const char* name) {
  return parent.child(name).child_value();
}

// Keys and prefixes, as `encoding-type=url` has them: percent-encoded, with '+' for a space.
class NameReader {
 public:
  explicit NameReader(const pugi::xml_node& root)
      : is_encoded_(root.child("EncodingType").child_value() == std::string_view("url")) {}

  [[nodiscard]] std::optional<std::string> read(const pugi::xml_node& parent,
                                                const char* name) const {
    std::string text = text_of(parent, name);
    if (text.empty()) return std::nullopt;
    if (!is_encoded_) return text;
    std::ranges::replace(text, '+', ' ');
    return oci::percent_decode(text);
  }

 private:
  bool is_encoded_;
};

std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t size = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (text.empty() || ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return size;
}

}  // namespace

Result<Listing> parse_listing(std::string_view xml) {
  pugi::xml_document document;
  if (!load(document, xml, "ListBucketResult")) return corrupt("answered no listing");
  const pugi::xml_node root = document.document_element();
  const NameReader names(root);
  Listing listing;
  for (const auto& entry : root.children("Contents")) {
    auto key = names.read(entry, "Key");
    const auto size = parse_size(text_of(entry, "Size"));
    const auto modified = parse_utc(text_of(entry, "LastModified"));
    if (!key || !size || !modified) return corrupt("answered a listing with a malformed entry");
    listing.objects.push_back({.key = *std::move(key), .size = *size, .modified = *modified});
  }
  for (const auto& entry : root.children("CommonPrefixes")) {
    auto prefix = names.read(entry, "Prefix");
    if (!prefix) return corrupt("answered a listing with a malformed prefix");
    listing.prefixes.push_back(*std::move(prefix));
  }
  if (text_of(root, "IsTruncated") == "true") {
    listing.continuation = text_of(root, "NextContinuationToken");
    if (listing.continuation.empty()) return corrupt("answered a listing that cannot be continued");
  }
  return listing;
}

Result<std::vector<UnfinishedUpload>> parse_unfinished_uploads(std::string_view xml) {
  pugi::xml_document document;
  if (!load(document, xml, "ListMultipartUploadsResult")) {
    return corrupt("answered no list of uploads");
  }
  const pugi::xml_node root = document.document_element();
  const NameReader names(root);
  std::vector<UnfinishedUpload> uploads;
  for (const auto& entry : root.children("Upload")) {
    auto key = names.read(entry, "Key");
    std::string id = text_of(entry, "UploadId");
    const auto begun = parse_utc(text_of(entry, "Initiated"));
    if (!key || id.empty() || !begun) return corrupt("answered a list with a malformed upload");
    uploads.push_back({.key = *std::move(key), .id = std::move(id), .begun = *begun});
  }
  return uploads;
}

Result<std::string> parse_upload_id(std::string_view xml) {
  pugi::xml_document document;
  if (!load(document, xml, "InitiateMultipartUploadResult")) {
    return corrupt("answered no upload's id");
  }
  std::string id = text_of(document.document_element(), "UploadId");
  if (id.empty()) return corrupt("answered no upload's id");
  return id;
}

bool is_upload_completed(std::string_view xml) {
  pugi::xml_document document;
  return load(document, xml, "CompleteMultipartUploadResult");
}

std::optional<ErrorDocument> parse_error_document(std::string_view xml) {
  pugi::xml_document document;
  if (!load(document, xml, "Error")) return std::nullopt;
  const pugi::xml_node root = document.document_element();
  return ErrorDocument{.code = text_of(root, "Code"),
                       .message = text_of(root, "Message"),
                       .region = text_of(root, "Region"),
                       .server_time = text_of(root, "ServerTime")};
}

std::string complete_upload_document(const std::vector<UploadedPart>& parts) {
  std::string text = "<CompleteMultipartUpload>";
  for (const UploadedPart& part : parts) {
    text += "<Part><PartNumber>" + std::to_string(part.number) + "</PartNumber><ETag>";
    for (const char c : part.etag) {
      switch (c) {
        case '&':
          text += "&amp;";
          break;
        case '<':
          text += "&lt;";
          break;
        case '>':
          text += "&gt;";
          break;
        default:
          text += c;
      }
    }
    text += "</ETag></Part>";
  }
  return text + "</CompleteMultipartUpload>";
}

}  // namespace fairlead::s3
