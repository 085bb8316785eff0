// SPDX-License-Identifier: Apache-2.0
#include "oci/accept.h"

#include <algorithm>
#include <array>
#include <ranges>

#include "oci/manifest.h"
#include "oci/media_type.h"

namespace fairlead::oci {
namespace {

constexpr std::array kUsual{kOciIndex, kDockerList, kOciManifest, kDockerManifest};
constexpr std::array kOthers{kOciArtifact, kDockerSchema1Signed, kDockerSchema1};

}  // namespace

std::string manifest_accept(std::string_view accept) {
  std::array<bool, kUsual.size()> has_usual{};
  std::array<bool, kOthers.size()> has_other{};
  bool takes_anything = false;
  for (const auto part : std::views::split(accept, ',')) {
    const std::string type = bare_media_type(std::string_view(part));
    if (type == "*/*" || type == "application/*") takes_anything = true;
    const auto usual = std::ranges::find(kUsual, type) - kUsual.begin();
    if (usual < std::ssize(kUsual)) has_usual.at(static_cast<std::size_t>(usual)) = true;
    const auto other = std::ranges::find(kOthers, type) - kOthers.begin();
    if (other < std::ssize(kOthers)) has_other.at(static_cast<std::size_t>(other)) = true;
  }
  std::string chosen;
  const auto add = [&chosen](const auto& types, const auto& has) {
    for (std::size_t i = 0; i < types.size(); ++i) {
      if (has[i]) chosen.append(chosen.empty() ? "" : ", ").append(types[i]);
    }
  };
  add(kUsual, has_usual);
  add(kOthers, has_other);
  const bool takes_usual = std::ranges::all_of(has_usual, std::identity());
  if (takes_anything || takes_usual || chosen.empty()) return std::string(kManifestAccept);
  return chosen;
}

}  // namespace fairlead::oci
