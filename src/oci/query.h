// SPDX-License-Identifier: Apache-2.0
// Raw queries, parameter by parameter. Names count as they decode, because an upstream decodes
// them too: `n%73=x` is `ns=x`. A '+' is a '+' (RFC 3986), not a space.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fairlead::oci {

// nullopt when a '%' is not followed by two hex digits.
std::optional<std::string> percent_decode(std::string_view text);

// Whether a parameter is there more than once: the attack is two readers, of which one takes the
// first and the other the last.
bool is_repeated(std::string_view query, std::string_view name);

// "tags/list" and "n=5" -> "tags/list?n=5"; without a query the path alone.
std::string with_query(std::string path, std::string_view query);

// Refers to the query it was given.
class QueryReader {
 public:
  explicit QueryReader(std::string_view query) : rest_(query), is_done_(query.empty()) {}

  // Moves to the next parameter; false at the end.
  bool next();

  // Of the current parameter.
  [[nodiscard]] std::string_view raw() const { return raw_; }
  [[nodiscard]] bool has_name(std::string_view name) const;
  [[nodiscard]] std::optional<std::string> value() const;  // decoded; nullopt when malformed

 private:
  std::string_view rest_;
  std::string_view raw_;
  bool is_done_;
};

}  // namespace fairlead::oci
