// SPDX-License-Identifier: Apache-2.0
// From method and target to Operation, in this order: which endpoint (else 404), has it the
// method (else 405), are the names in it valid (else 400).
//
// Nothing in a path is percent-decoded: no name of the grammar needs it, and a name that two
// parsers decode differently is how a check is passed with one name and content fetched by
// another. The one exception is the ':' of a digest, which some clients send as %3A.
#include "oci/operation.h"

#include <algorithm>
#include <utility>

#include "oci/name.h"
#include "oci/query.h"

namespace fairlead::oci {
namespace {

std::unexpected<OperationError> refuse(int status, ErrorCode code, std::string_view message) {
  return std::unexpected(
      OperationError{.status = status, .code = code, .message = std::string(message)});
}

std::unexpected<OperationError> refuse_endpoint() {
  return refuse(404, ErrorCode::Unsupported, "no such endpoint");
}

// What a path says before any name in it is checked.
struct Endpoint {
  Kind kind;
  std::string_view repository;
  std::string_view reference;
};

// Takes the last component off `path`: "a/b/c" becomes "a/b" and gives "c". nullopt when nothing
// stands in front of it.
std::optional<std::string_view> take_last(std::string_view& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view last = path.substr(slash + 1);
  path = path.substr(0, slash);
  return last;
}

// `path` ends in "/<word>", with something in front that is then all that is left of it.
bool take_word(std::string_view& path, std::string_view word) {
  std::string_view rest = path;
  if (take_last(rest) != word) return false;
  path = rest;
  return true;
}

// `path` without "/v2/".
std::optional<Endpoint> find_endpoint(std::string_view path) {
  if (path.empty()) return Endpoint{.kind = Kind::Ping};
  if (path == "_catalog") return Endpoint{.kind = Kind::Catalog};

  std::string_view name = path;
  const auto last = take_last(name);
  if (!last) return std::nullopt;
  if (*last == "uploads" && take_word(name, "blobs")) {
    return Endpoint{.kind = Kind::UploadStart, .repository = name};
  }
  if (take_word(name, "uploads")) {
    if (!take_word(name, "blobs")) return std::nullopt;
    if (last->empty()) return Endpoint{.kind = Kind::UploadStart, .repository = name};
    return Endpoint{.kind = Kind::Upload, .repository = name, .reference = *last};
  }
  if (last->empty()) return std::nullopt;
  if (*last == "list" && take_word(name, "tags")) {
    return Endpoint{.kind = Kind::Tags, .repository = name};
  }
  for (const auto& [word, kind] : {std::pair{"manifests", Kind::Manifest},
                                   {"blobs", Kind::Blob},
                                   {"referrers", Kind::Referrers}}) {
    if (take_word(name, word))
      return Endpoint{.kind = kind, .repository = name, .reference = *last};
  }
  return std::nullopt;
}

std::string_view methods_of(Kind kind) {
  switch (kind) {
    case Kind::Manifest:
      return "GET, HEAD, PUT, DELETE";
    case Kind::Blob:
      return "GET, HEAD, DELETE";
    case Kind::UploadStart:
      return "POST";
    case Kind::Upload:
      return "GET, HEAD, PATCH, PUT, DELETE";
    default:
      return "GET, HEAD";
  }
}

// What `method` does at an endpoint; nullopt when the endpoint has no such method.
std::optional<Action> find_action(Kind kind, std::string_view method) {
  const bool is_read = method == "GET" || method == "HEAD";
  switch (kind) {
    case Kind::Ping:
    case Kind::Tags:
    case Kind::Referrers:
    case Kind::Catalog:
      if (is_read) return Action::Pull;
      break;
    case Kind::Manifest:
      if (is_read) return Action::Pull;
      if (method == "PUT") return Action::Push;
      if (method == "DELETE") return Action::Delete;
      break;
    case Kind::Blob:
      if (is_read) return Action::Pull;
      if (method == "DELETE") return Action::Delete;
      break;
    case Kind::UploadStart:
      if (method == "POST") return Action::Push;
      break;
    case Kind::Upload:
      if (is_read || method == "PATCH" || method == "PUT" || method == "DELETE") {
        return Action::Push;
      }
      break;
  }
  return std::nullopt;
}

// The text of a reference, with the one %3A that a digest may hold decoded.
std::string decode_reference(std::string_view raw) {
  std::string text(raw);
  if (raw.find(':') != std::string_view::npos) return text;
  const std::size_t percent = raw.find('%');
  const std::string_view escape = percent == std::string_view::npos ? "" : raw.substr(percent, 3);
  if (escape == "%3A" || escape == "%3a") text.replace(percent, 3, ":");
  return text;
}

// One component of opaque text: what our own upload locations consist of.
bool is_session(std::string_view text) { return percent_encode(text) == text; }

std::expected<Reference, OperationError> parse_reference(const Endpoint& endpoint) {
  if (endpoint.kind == Kind::Upload) {
    if (!is_session(endpoint.reference)) {
      return refuse(404, ErrorCode::BlobUploadUnknown, "no such upload session");
    }
    return Reference{.text = std::string(endpoint.reference)};
  }
  Reference reference{.text = decode_reference(endpoint.reference)};
  reference.digest = Digest::parse(reference.text);
  if (reference.digest) return reference;
  if (endpoint.kind != Kind::Manifest || reference.text.find(':') != std::string::npos) {
    return refuse(400, ErrorCode::DigestInvalid, "not a sha256 or sha512 digest");
  }
  if (!is_tag(reference.text)) return refuse(400, ErrorCode::TagInvalid, "not a valid tag");
  return reference;
}

// A host with or without port. The value comes back in a header of ours: nothing else may pass.
bool is_name_space(std::string_view text) {
  return text.size() <= 255 && std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view(".-_:[]").find(c) != std::string_view::npos;
         });
}

// Sets query and name_space. `ns` is ours alone (upstreams refuse it), so each one is taken out. A
// bad or ambiguous `ns` is refused: ignored, it would mean another registry's image.
std::expected<void, OperationError> read_query(std::string_view raw, Operation& operation) {
  if (!std::ranges::all_of(raw, [](char c) { return c > ' ' && c < 0x7f && c != '#'; })) {
    return refuse(400, ErrorCode::Unsupported, "the query holds a character that must be encoded");
  }
  std::optional<std::string> name_space;
  bool is_first = true;
  for (QueryReader reader(raw); reader.next();) {
    if (!reader.has_name("ns")) {
      if (!percent_decode(reader.raw())) {
        return refuse(400, ErrorCode::Unsupported, "the query holds a malformed escape");
      }
      if (!is_first) operation.query += '&';
      is_first = false;
      operation.query += reader.raw();
      continue;
    }
    auto value = reader.value();
    if (!value || !is_name_space(*value) || (name_space && name_space != value)) {
      return refuse(400, ErrorCode::NameInvalid, "ns does not name one registry");
    }
    name_space = std::move(value);
  }
  operation.name_space = std::move(name_space).value_or("");
  return {};
}

}  // namespace

std::expected<Operation, OperationError> parse_operation(std::string_view method,
                                                         std::string_view target) {
  const std::size_t mark = target.find('?');
  std::string_view path = target.substr(0, mark);
  if (path == "/v2") path = "/v2/";
  if (!path.starts_with("/v2/")) return refuse_endpoint();
  const auto endpoint = find_endpoint(path.substr(4));
  if (!endpoint) return refuse_endpoint();

  const auto action = find_action(endpoint->kind, method);
  if (!action) {
    auto refused = refuse(405, ErrorCode::Unsupported, "the endpoint has no such method");
    refused.error().allowed = methods_of(endpoint->kind);
    return refused;
  }

  Operation operation{.kind = endpoint->kind, .action = *action, .is_head = method == "HEAD"};
  if (endpoint->kind != Kind::Ping && endpoint->kind != Kind::Catalog) {
    if (!is_repository_name(endpoint->repository)) {
      return refuse(400, ErrorCode::NameInvalid, "not a valid repository name");
    }
    operation.repository = endpoint->repository;
  }
  if (!endpoint->reference.empty()) {
    auto reference = parse_reference(*endpoint);
    if (!reference) return std::unexpected(std::move(reference.error()));
    operation.reference = std::move(*reference);
  }
  if (mark != std::string_view::npos) {
    const auto read = read_query(target.substr(mark + 1), operation);
    if (!read) return std::unexpected(read.error());
  }
  return operation;
}

}  // namespace fairlead::oci
