// SPDX-License-Identifier: Apache-2.0
// Input: an htpasswd file. Every user is found again with a hash of a cost that can be computed;
// problems are few and printable.
// Modules: auth upstream async oci telemetry base
#include <algorithm>

#include "auth/htpasswd.h"
#include "fuzz/property.h"

using fairlead::fuzz::check;
using namespace fairlead::auth;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text = fairlead::fuzz::as_text(data, size);
  const auto file = HtpasswdFile::parse(text);
  if (!file) {
    check(!file.error().empty() && file.error().size() <= HtpasswdFile::kMaxProblems);
    for (const auto& problem : file.error()) {
      check(problem.text.size() < HtpasswdFile::kMaxName + 200);
      check(std::ranges::none_of(
          problem.text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }));
    }
    return 0;
  }
  check(file->usual_cost() <= BcryptHash::kMaxCost);
  check(file->find("anonymous") == nullptr && file->find("") == nullptr);
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::size_t found = 0;
  while (!text.empty()) {
    const std::string_view line = fairlead::fuzz::take_line(text);
    const auto* const hash = file->find(line.substr(0, line.find(':')));
    if (hash == nullptr) continue;
    ++found;
    check(hash->cost() >= BcryptHash::kMinCost && hash->cost() <= BcryptHash::kMaxCost);
    check(line.contains(hash->text().reveal()));
  }
  check(found <= file->size() + 1);
  return 0;
}
