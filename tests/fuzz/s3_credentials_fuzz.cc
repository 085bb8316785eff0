// SPDX-License-Identifier: Apache-2.0
// Input: a document that should hold credentials. Those that are read of it can be parts of a head.
// Modules: s3 upstream oci telemetry async base
#include <string>

#include "fuzz/property.h"
#include "s3/credential_document.h"

using fairlead::fuzz::check;
using namespace fairlead::s3;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fairlead::fuzz::as_text(data, size);
  for (const auto& credentials : {parse_metadata_credentials(text), parse_sts_credentials(text)}) {
    if (!credentials) continue;
    check(check_credentials(*credentials).has_value());
    check(!credentials->access_key.contains('\n') &&
          !credentials->session_token.reveal().contains('\r'));
  }
  check(parse_sts_error_code(text).size() <= 64);
  if (const auto time = parse_utc(text)) {
    check(*time >= fairlead::WallTime());
    std::string again = fairlead::utc_text(*time);
    check(text.starts_with(again.substr(0, again.size() - 1)));
  }
  return 0;
}
