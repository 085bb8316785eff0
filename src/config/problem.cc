// SPDX-License-Identifier: Apache-2.0
#include "config/problem.h"

#include <algorithm>

namespace fairlead::config {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

std::string to_string(const Problem& problem) {
  std::string out = printable(problem.file);
  if (problem.line > 0) out += ":" + std::to_string(problem.line);
  if (!problem.key.empty()) out += (out.empty() ? "" : ": ") + problem.key;
  return out + (out.empty() ? "" : ": ") + problem.text;
}

std::string printable(std::string_view text, std::size_t max) {
  std::string out(text.substr(0, max));
  std::ranges::replace_if(out, is_control, '?');
  if (text.size() > max) out += "...";
  return out;
}

std::string in_quotes(std::string_view text) { return "\"" + printable(text) + "\""; }

}  // namespace fairlead::config
