// SPDX-License-Identifier: Apache-2.0
// Which manifests a client takes (RFC 9110, 12.5.1), in one of few forms: what registries are
// asked for, and what answers are remembered by, follows from these and not from a text of the
// client's making.
#pragma once

#include <string>
#include <string_view>

namespace fairlead::oci {

// An Accept value to ask a registry with: kManifestAccept for a client that takes all that is usual
// today (image manifests and indexes, OCI's and docker's), takes anything, or says nothing
// definite; else those of the known types that it takes, in an order of ours.
std::string manifest_accept(std::string_view accept);

}  // namespace fairlead::oci
