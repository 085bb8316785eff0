// SPDX-License-Identifier: Apache-2.0
// Content: what a fetch gives: a descriptor, where its bytes come from, and a way to read them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "cache/content_reader.h"
#include "cache/fill.h"
#include "cache/source.h"
#include "oci/digest.h"
#include "store/blob_store.h"
#include "telemetry/access_record.h"

namespace fairlead::cache {

class Content {
 public:
  using Outcome = telemetry::Outcome;

  Content(oci::Digest digest, std::string media_type, store::BlobFile file)
      : digest_(std::move(digest)),
        media_type_(std::move(media_type)),
        size_(file.size),
        outcome_(Outcome::Hit),
        bytes_(std::move(file)) {}
  Content(oci::Digest digest, std::string media_type, std::shared_ptr<const std::string> text,
          Outcome outcome)
      : digest_(std::move(digest)),
        media_type_(std::move(media_type)),
        size_(text->size()),
        outcome_(outcome),
        bytes_(std::move(text)) {}
  Content(std::shared_ptr<Fill> fill, Source own_source, Outcome outcome)
      : digest_(fill->digest()),
        media_type_(fill->media_type()),
        size_(fill->progress().size),
        outcome_(outcome),
        bytes_(Filled{std::move(fill), std::move(own_source)}) {}

  [[nodiscard]] const oci::Digest& digest() const { return digest_; }
  [[nodiscard]] const std::string& media_type() const { return media_type_; }  // of manifests
  [[nodiscard]] std::optional<std::uint64_t> size() const { return size_; }
  [[nodiscard]] Outcome outcome() const { return outcome_; }

  // The reader must not outlive this.
  [[nodiscard]] std::unique_ptr<ContentReader> read(WantedRange range) const {
    if (const auto* file = std::get_if<store::BlobFile>(&bytes_)) return read_file(*file, range);
    if (const auto* text = std::get_if<std::shared_ptr<const std::string>>(&bytes_)) {
      return read_memory(as_byte_view(**text), range);
    }
    const auto& filled = std::get<Filled>(bytes_);
    return follow_fill(filled.fill, filled.own_source, range);
  }

 private:
  struct Filled {
    std::shared_ptr<Fill> fill;
    Source own_source;
  };

  oci::Digest digest_;
  std::string media_type_;
  std::optional<std::uint64_t> size_;
  Outcome outcome_;
  std::variant<store::BlobFile, std::shared_ptr<const std::string>, Filled> bytes_;
};

}  // namespace fairlead::cache
