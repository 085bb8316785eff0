// SPDX-License-Identifier: Apache-2.0
// Problem: one thing wrong with the configuration, and where the person finds it.
//
// Never holds a secret: what is quoted from a value is quoted by the reader of that value, and
// the readers of secrets quote nothing. Printable: one line, no control characters.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fairlead::config {

struct Problem {
  std::string file;      // or "FAIRLEAD_SERVER_LISTEN", or "--listen"; empty: built-in defaults
  std::size_t line = 0;  // of the file; 0: the whole of it, or no file
  std::string key;       // "registries.corp.url"; empty: named by `file` already
  std::string text;      // what is wrong, to be read after the key

  friend bool operator==(const Problem&, const Problem&) = default;
};

// "fairlead.yaml:12: registries.corp.url: needs http:// or https://"
std::string to_string(const Problem& problem);

// `text` as it may be shown: control characters replaced, cut after `max` bytes.
std::string printable(std::string_view text, std::size_t max = 120);

// The same between double quotes.
std::string in_quotes(std::string_view text);

}  // namespace fairlead::config
