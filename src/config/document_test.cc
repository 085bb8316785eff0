// SPDX-License-Identifier: Apache-2.0
#include "config/document.h"

#include <gmock/gmock.h>

#include <chrono>
#include <string>
#include <vector>

namespace fairlead::config {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct Parsed {
  Node root;
  std::vector<Problem> problems;
};

Parsed parsed(std::string_view text) {
  Parsed out;
  out.root = read_document(text, out.problems);
  return out;
}

std::string repeated(std::string_view piece, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += piece;
  return out;
}

// What is wrong with `text`, which must be one thing.
std::string refusal(std::string_view text) {
  const auto [root, problems] = parsed(text);
  EXPECT_THAT(problems, SizeIs(1));
  return problems.empty() ? "" : to_string(problems.front());
}

TEST(Document, KeepsOrderAndLines) {
  const auto [root, problems] = parsed("a:\n  b: [1, \"2\"]\n\nc: {d: x,\n  e: }\n");
  EXPECT_THAT(problems, IsEmpty());
  ASSERT_EQ(root.kind, Node::Kind::Mapping);
  ASSERT_THAT(root.members, SizeIs(2));
  EXPECT_EQ(root.members[0].line, 1U);
  const Member* b = root.members[0].value.find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->line, 2U);
  ASSERT_THAT(b->value.items, SizeIs(2));
  EXPECT_EQ(b->value.items[1].text, "2");
  const Member* e = root.members[1].value.find("e");
  ASSERT_NE(e, nullptr);
  EXPECT_EQ(e->line, 5U);
  EXPECT_EQ(e->value.kind, Node::Kind::Null);
}

TEST(Document, NothingIsNull) {
  for (const auto* text : {"", "\n", "# only a comment\n", "---\n", "~"}) {
    const auto [root, problems] = parsed(text);
    EXPECT_THAT(problems, IsEmpty()) << text;
    EXPECT_EQ(root.kind, Node::Kind::Null) << text;
  }
}

TEST(Document, QuotedNullIsText) {
  const auto [root, problems] = parsed("\"null\"");
  EXPECT_EQ(root.kind, Node::Kind::Scalar);
  EXPECT_EQ(root.text, "null");
}

TEST(Document, AliasesStandForWhatTheyName) {
  const auto [root, problems] = parsed("a: &x {k: [1, 2]}\nb: *x\n");
  EXPECT_THAT(problems, IsEmpty());
  ASSERT_NE(root.find("b"), nullptr);
  ASSERT_NE(root.find("b")->value.find("k"), nullptr);
  EXPECT_THAT(root.find("b")->value.find("k")->value.items, SizeIs(2));
}

TEST(Document, DuplicateKeysNameBothLines) {
  EXPECT_EQ(refusal("a:\n  b: 1\n  c: 2\n  b: 3\n"),
            ":4: a.b: given twice: on line 2 and on line 4");
  EXPECT_EQ(refusal("l:\n- {}\n- x: 1\n  \"x\": 2\n"),
            ":4: l[1].x: given twice: on line 3 and on line 4");
}

TEST(Document, RefusesWhatNoConfigurationNeeds) {
  EXPECT_EQ(refusal("a: &a {b: 1}\nc:\n  <<: *a"), ":3: merge keys (<<) are not supported");
  EXPECT_EQ(refusal("? [a, b]\n: 1\n"), ":1: a key must be plain text");
  EXPECT_EQ(refusal("? {a: b}\n: 1\n"), ":1: a key must be plain text");
  EXPECT_EQ(refusal("x: 1\n~: 2\n"), ":2: a key must be plain text");
  EXPECT_EQ(refusal("a: &x 1\nb: 2\n*x : 2\n"), ":3: a key must be plain text");
  EXPECT_EQ(refusal("a: !!binary AAAA\n"), ":1: tags are not supported");
  EXPECT_EQ(refusal("a: 1\n---\nb: 2\n"),
            ":2: a second YAML document: one file holds one configuration");
}

TEST(Document, NamesTheLineOfASyntaxError) {
  EXPECT_THAT(refusal("a: 1\nb: [1, 2\nc: 3\n"), HasSubstr(": not YAML: "));
  EXPECT_THAT(refusal("a: 1\n\tb: 2\n"), testing::StartsWith(":2: not YAML: "));
  EXPECT_THAT(refusal("a: *nowhere\n"), testing::StartsWith(":1: not YAML: "));
  EXPECT_THAT(refusal("a: %\n b: @\n"), HasSubstr("not YAML: "));
}

TEST(Document, BoundsNesting) {
  EXPECT_THAT(refusal(std::string(100'000, '[')), HasSubstr(":1: "));
  EXPECT_EQ(refusal(std::string(100'000, '{')), ":1: a key must be plain text");
  EXPECT_EQ(refusal(repeated("- ", 100'000)), ":1: nested deeper than 16 levels");
  EXPECT_EQ(refusal(repeated("a: {", 20) + "\n"), ":1: nested deeper than 16 levels");
  EXPECT_THAT(refusal(repeated("? ", 100'000)), HasSubstr("a key must be plain text"));
  EXPECT_THAT(parsed(repeated("[", 16) + repeated("]", 16)).problems, IsEmpty());
}

TEST(Document, BoundsNestingByAliases) {
  std::string text = "a0: &a0 [[[[[[1]]]]]]\n";
  for (int i = 1; i < 20; ++i) {
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [[*a" + std::to_string(i - 1) +
            "]]\n";
  }
  EXPECT_THAT(refusal(text), HasSubstr("nested deeper than 16 levels"));
}

TEST(Document, BoundsWhatAliasesExpandTo) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before +
            repeated(", " + before, 9) + "]\n";
  }
  EXPECT_THAT(refusal(text), HasSubstr("too many values"));

  const std::string big =
      "a: &a \"" + std::string(500'000, 'x') + "\"\nb: [" + repeated("*a, ", 100'000) + "1]\n";
  EXPECT_THAT(refusal(big), HasSubstr("too many values"));
  EXPECT_THAT(refusal("a: &a [*a]\n"), HasSubstr("inside its own anchor"));
}

TEST(Document, ReadsABigFileInReasonableTime) {
  const auto start = std::chrono::steady_clock::now();
  std::string text;
  for (int i = 0; text.size() < 1'000'000; ++i) text += "k" + std::to_string(i) + ": v\n";
  EXPECT_THAT(parsed(text).root.members.size(), testing::Gt(80'000U));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

}  // namespace
}  // namespace fairlead::config
