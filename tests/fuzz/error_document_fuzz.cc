// SPDX-License-Identifier: Apache-2.0
// Input: an upstream's error body; also a message of ours. What is read is bounded and printable;
// what is written can be read.
// Modules: oci
#include <algorithm>
#include <string>

#include "fuzz/property.h"
#include "oci/error_document.h"

using fairlead::fuzz::check;
using namespace fairlead::oci;

namespace {

void check_bounds(const UpstreamErrorText& text) {
  check(!text.code.empty() && text.code.size() <= 64);
  check(std::ranges::all_of(text.code, [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; }));
  check(text.message.size() <= 512);
  check(std::ranges::none_of(text.message, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  }));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fairlead::fuzz::as_text(data, size);
  if (const auto read = read_error_document(input)) {
    check_bounds(*read);
    // A line that has been cleaned stays as it is.
    const auto again = read_error_document(write_error_document(ErrorCode::Denied, read->message));
    check(again && again->code == "DENIED" && again->message == read->message);
  }
  if (size < 4096) {
    const auto own = read_error_document(write_error_document(ErrorCode::Unknown, input, input));
    check(own.has_value());
    check_bounds(*own);
  }
  return 0;
}
