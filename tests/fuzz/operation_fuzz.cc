// SPDX-License-Identifier: Apache-2.0
// Input: "METHOD target". Whatever parses is valid by the grammar, and written out again it parses
// to the same.
// Modules: oci
#include <algorithm>
#include <string>

#include "fuzz/property.h"
#include "oci/name.h"
#include "oci/operation.h"

namespace {

using fairlead::fuzz::check;
using namespace fairlead::oci;

std::string path_of(const Operation& operation) {
  const std::string base = "/v2/" + operation.repository;
  switch (operation.kind) {
    case Kind::Ping:
      return "/v2/";
    case Kind::Catalog:
      return "/v2/_catalog";
    case Kind::Manifest:
      return base + "/manifests/" + operation.reference.text;
    case Kind::Blob:
      return base + "/blobs/" + operation.reference.text;
    case Kind::UploadStart:
      return base + "/blobs/uploads/";
    case Kind::Upload:
      return base + "/blobs/uploads/" + operation.reference.text;
    case Kind::Tags:
      return base + "/tags/list";
    case Kind::Referrers:
      return base + "/referrers/" + operation.reference.text;
  }
  std::abort();
}

std::string target_of(const Operation& operation) {
  std::string target = path_of(operation) + "?" + operation.query;
  if (!operation.name_space.empty()) {
    if (!operation.query.empty()) target += '&';
    target += "ns=" + percent_encode(operation.name_space);
  }
  return target;
}

void check_fields(const Operation& operation) {
  const bool has_repository = operation.kind != Kind::Ping && operation.kind != Kind::Catalog;
  check(has_repository ? is_repository_name(operation.repository) : operation.repository.empty());

  const Reference& reference = operation.reference;
  if (reference.digest) check(reference.digest->str() == reference.text);
  switch (operation.kind) {
    case Kind::Blob:
    case Kind::Referrers:
      check(reference.is_digest());
      break;
    case Kind::Manifest:
      check(reference.is_digest() || is_tag(reference.text));
      break;
    case Kind::Upload:
      check(!reference.text.empty() && percent_encode(reference.text) == reference.text);
      break;
    default:
      check(reference.text.empty() && !reference.digest);
  }

  check(!query_parameter(operation.query, "ns"));
  for (const std::string& text : {operation.query, operation.name_space}) {
    check(std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; }));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fairlead::fuzz::as_text(data, size);
  const std::size_t space = std::min(input.find(' '), input.size());
  const std::string_view method = input.substr(0, space);
  const std::string_view target = input.substr(std::min(space + 1, input.size()));

  const auto operation = parse_operation(method, target);
  if (!operation) {
    const int status = operation.error().status;
    check(status == 400 || status == 404 || status == 405);
    check(!operation.error().message.empty());
    return 0;
  }
  check_fields(*operation);
  check(operation->is_head == (method == "HEAD"));

  const auto again = parse_operation(method, target_of(*operation));
  check(again.has_value());
  check(again->kind == operation->kind && again->action == operation->action &&
        again->repository == operation->repository &&
        again->reference.text == operation->reference.text && again->query == operation->query &&
        again->name_space == operation->name_space);
  return 0;
}
