// SPDX-License-Identifier: Apache-2.0
// The error JSON of registries (OCI distribution-spec 1.1, "Error codes"): written here and
// nowhere else, and read from upstreams, which send HTML and nonsense as well.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "oci/operation.h"

namespace fairlead::oci {

// {"errors":[{"code":"...","message":"...","detail":{...}}]}; `request_id` goes into the detail
// when it is not empty.
std::string write_error_document(ErrorCode code, std::string_view message,
                                 std::string_view request_id = {});

struct UpstreamErrorText {
  std::string code;     // at most 64 characters of [A-Z_]; "UNKNOWN" where the document has none
  std::string message;  // one line of printable text, at most 512 bytes
};

// The first error of an upstream's document; nullopt when `body` is not such a document.
std::optional<UpstreamErrorText> read_error_document(std::string_view body);

}  // namespace fairlead::oci
