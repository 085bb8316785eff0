// SPDX-License-Identifier: Apache-2.0
// Link = 1#( "<" URI-Reference ">" *( OWS ";" OWS [ token [ BWS "=" BWS ( token / quoted ) ] ] ) )
#include "oci/link_header.h"

#include <algorithm>

#include "oci/operation.h"
#include "oci/query.h"

namespace fairlead::oci {
namespace {

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower, [](char c, char l) {
    return (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) == l;
  });
}

// Reads a header value from left to right.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  void skip_space() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size())); }

  bool consume(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  // All up to one of `ends` or the end.
  std::string_view until(std::string_view ends) {
    const std::string_view text = rest_.substr(0, rest_.find_first_of(ends));
    rest_.remove_prefix(text.size());
    return text;
  }

  // The inside of a quoted string whose opening quote was consumed; false when it never closes.
  bool quoted(std::string& value) {
    while (!rest_.empty()) {
      char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return true;
      if (c == '\\') {
        if (rest_.empty()) return false;
        c = rest_.front();
        rest_.remove_prefix(1);
      }
      value += c;
    }
    return false;
  }

 private:
  std::string_view rest_;
};

// rel holds one or several relation types, separated by spaces.
bool names_next(std::string_view relations) {
  Scanner scanner(relations);
  while (true) {
    scanner.skip_space();
    const std::string_view relation = scanner.until(" \t");
    if (relation.empty()) return false;
    if (equals_ignoring_case(relation, "next")) return true;
  }
}

// Reads the parameters of one link; false when they are malformed. Of several `rel` the first
// counts (RFC 8288, 3.3).
bool read_parameters(Scanner& scanner, bool& is_next) {
  bool has_rel = false;
  while (true) {
    scanner.skip_space();
    if (!scanner.consume(';')) return true;
    scanner.skip_space();
    std::string_view name = scanner.until(" \t=;,");
    scanner.skip_space();
    if (!scanner.consume('=')) continue;
    scanner.skip_space();
    std::string value;
    if (scanner.consume('"')) {
      if (!scanner.quoted(value)) return false;
    } else {
      value = scanner.until(" \t;,");
    }
    if (!has_rel && equals_ignoring_case(name, "rel")) {
      has_rel = true;
      is_next = names_next(value);
    }
  }
}

// The attack: an upstream whose next page is another registry's.
std::string without_name_space(std::string_view query) {
  std::string kept;
  bool is_first = true;
  for (QueryReader reader(query); reader.next();) {
    if (reader.has_name("ns")) continue;
    if (!is_first) kept += '&';
    is_first = false;
    kept += reader.raw();
  }
  return kept;
}

bool is_safe(char c) { return c > ' ' && c < 0x7f && c != '<' && c != '>' && c != '"'; }

}  // namespace

std::optional<std::string> next_link(std::string_view link_header) {
  Scanner scanner(link_header);
  while (true) {
    scanner.skip_space();
    if (scanner.consume(',')) continue;
    if (!scanner.consume('<')) return std::nullopt;
    const std::string_view target = scanner.until(">");
    if (!scanner.consume('>')) return std::nullopt;
    bool is_next = false;
    if (!read_parameters(scanner, is_next)) return std::nullopt;
    if (is_next) return std::string(target);
    if (!scanner.consume(',')) return std::nullopt;
  }
}

std::string link_query(std::string_view target) {
  target = target.substr(0, target.find('#'));
  const std::size_t mark = target.find('?');
  if (mark == std::string_view::npos) return {};
  std::string query;
  for (const char& c : target.substr(mark + 1)) {
    if (is_safe(c)) {
      query += c;
    } else {
      query += percent_encode({&c, 1});
    }
  }
  return without_name_space(query);
}

}  // namespace fairlead::oci
