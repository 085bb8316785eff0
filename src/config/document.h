// SPDX-License-Identifier: Apache-2.0
// Document: a YAML text as a tree of nodes with lines. This is the one place that knows yaml-cpp.
//
// The text may be hostile. The tree is built from the parser's events, so that every bound holds
// while it grows: nesting (a stack overflow in whoever walks it), the size after aliases are
// expanded (a "billion laughs" of a few lines), the size of the text. Anchors and aliases work;
// merge keys, tags, several documents and keys that are no plain text are refused. Pure, throws
// nothing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "config/problem.h"

namespace fairlead::config {

struct Member;

struct Node {
  enum class Kind { Null, Scalar, Sequence, Mapping };

  Kind kind = Kind::Null;
  std::size_t line = 0;         // from 1; 0: not from a file
  std::string origin;           // "--listen", "FAIRLEAD_SERVER_LISTEN"; empty: the file
  std::string text;             // of a Scalar
  std::vector<Node> items;      // of a Sequence
  std::vector<Member> members;  // of a Mapping, in the text's order, each key once

  [[nodiscard]] const Member* find(std::string_view key) const;
};

struct Member {
  std::string key;
  std::size_t line = 0;
  Node value;
};

inline constexpr std::size_t kMaxDepth = 16;

// The whole text as one node; an empty text is Null. What is wrong is added to `problems` (without
// `file`); the tree is then as far as it could be read.
Node read_document(std::string_view text, std::vector<Problem>& problems);

}  // namespace fairlead::config
