// SPDX-License-Identifier: Apache-2.0
#include "cache/whole_manifest.h"

#include <utility>

#include "cache/cooldown.h"
#include "cache/keep.h"
#include "cache/knowledge.h"
#include "cache/manifest_names.h"
#include "oci/manifest.h"

namespace fairlead::cache {
namespace {

async::Task<Result<std::string>> read_manifest(upstream::Body& body, const std::string& what) {
  std::string text;
  for (;;) {
    auto piece = co_await body.read();
    if (!piece) co_return std::unexpected(std::move(piece.error()));
    if (piece->empty()) co_return text;
    if (text.size() + piece->size() > oci::kMaxManifestSize) {
      co_return upstream_error(Code::TooLarge, Retry::No, what + " is larger than 4 MiB");
    }
    text += as_text(*piece);
  }
}

}  // namespace

async::Task<Result<WholeManifest>> fetch_by_tag(Services& services, const Source& source,
                                                const std::string& tag) {
  const std::string& registry = source.registry_name;
  auto download = co_await source.registry->get_manifest(source.repository, tag, source.accept);
  if (!download) co_return std::unexpected(std::move(download.error()));
  auto text = co_await read_manifest(
      *download->body, "manifest " + tag + " of " + registry + "/" + source.repository);
  if (!text) co_return std::unexpected(std::move(text.error()));

  const auto& claimed = download->head.digest;
  const auto algorithm = claimed ? claimed->algorithm() : oci::DigestAlgorithm::Sha256;
  oci::Digest digest = oci::digest_of(algorithm, as_byte_view(*text));
  if (claimed && *claimed != digest) {
    co_return upstream_error(
        Code::Corrupt, Retry::No,
        registry + " sent " + digest.str() + " and called it " + claimed->str());
  }
  std::string media_type = download->head.media_type;
  auto manifest = oci::parse_manifest(*text);
  // Without a digest to check against, a login page or the like must not pass for a manifest.
  if (!oci::is_manifest_media_type(media_type) && !manifest) {
    co_return upstream_error(
        Code::Corrupt, Retry::No,
        registry + " answered " + tag + " with something that is not a manifest");
  }
  if (media_type.empty()) media_type = manifest->media_type;
  learn_content(services, source, digest, text->size(), media_type);
  auto shared = std::make_shared<const std::string>(*std::move(text));
  // The attack: a type of one registry's choosing, for content that another one has as well.
  const std::string own_type = manifest ? std::move(manifest->media_type) : media_type;
  const ManifestNames names = manifest ? names_of(*std::move(manifest)) : ManifestNames{};
  learn_children(services.index, source, digest, names.manifests);
  auto keep = [&] {
    return keep_manifest(
        services, source,
        {.digest = digest, .size = shared->size(), .media_type = own_type, .names = names.all()},
        *shared);
  };
  co_await services.pool.run(keep);
  co_return WholeManifest{std::move(digest), std::move(media_type), std::move(shared)};
}

}  // namespace fairlead::cache
