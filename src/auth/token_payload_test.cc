// SPDX-License-Identifier: Apache-2.0
#include "auth/token_payload.h"

#include <gtest/gtest.h>

#include <string>

namespace fairlead::auth {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

constexpr WallTime kIssued{1'790'000'000s};
constexpr WallTime kExpires{1'790'000'300s};

void expect_same(const Caller& a, const Caller& b) {
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.access, b.access);
  EXPECT_EQ(a.relayed, b.relayed);
}

Caller full_caller() {
  return {.kind = Caller::Kind::User,
          .name = "alice",
          .access = AccessList({{Access::Reach::Exact, "team/app", {oci::Action::Pull}},
                                {Access::Reach::Exact, "team/refused", {}, {oci::Action::Pull}},
                                {Access::Reach::Subtree, "docker.io/library", Actions::all()},
                                {Access::Reach::All, "", {oci::Action::Pull, oci::Action::Push}}}),
          .relayed = {{"corp", "team/app", {oci::Action::Pull}, Secret("Bearer abc")},
                      {"corp", "", {}, Secret("Basic dTpw")}}};
}

TEST(TokenPayload, IsCompactJson) {
  EXPECT_EQ(write_token_payload(full_caller(), kIssued, kExpires),
            R"({"kind":"user","sub":"alice","iat":1790000000,"exp":1790000300,)"
            R"("access":[["exact","team/app","pull",""],["exact","team/refused","","pull"],)"
            R"(["subtree","docker.io/library","pull,push,delete",""],["all","","pull,push",""]],)"
            R"("relayed":[["corp","team/app","pull","Bearer abc"],["corp","","","Basic dTpw"]]})");
  EXPECT_EQ(write_token_payload({}, kIssued + 999ms, kExpires + 1ns),
            R"({"kind":"anonymous","sub":"","iat":1790000000,"exp":1790000300})");
}

TEST(TokenPayload, ReadsWhatItWrites) {
  const Caller callers[] = {
      {},
      full_caller(),
      {.kind = Caller::Kind::Issued, .name = ""},
      {.kind = Caller::Kind::Issued, .name = "a \"b\"\n\0\xc3\xa4"s, .access = AccessList()},
      {.name = std::string(kMaxCallerName, 'n')},
      {.access = AccessList(
           std::vector<Access>(AccessList::kMaxEntries,
                               {Access::Reach::Exact, std::string(kMaxQualifiedName, 'r'), {}}))},
      {.relayed = std::vector<RelayedLogin>(
           kMaxRelayedLogins,
           {std::string(kMaxRegistryName, 'g'), std::string(255, 'r'), {}, Secret("Basic x")})},
      {.relayed =
           {{"corp", "app", {}, Secret("Bearer " + std::string(kMaxAuthorization - 7, 'x'))}}},
  };
  for (const Caller& caller : callers) {
    const auto read = read_token_payload(write_token_payload(caller, kIssued, kExpires));
    ASSERT_TRUE(read) << read.error().context;
    expect_same(read->caller, caller);
    EXPECT_TRUE(read->caller.is_sealed);
    EXPECT_EQ(read->caller.expires, kExpires);
    EXPECT_EQ(read->issued, kIssued);
  }
  const auto forever = read_token_payload(write_token_payload({}, kIssued, WallTime::max()));
  ASSERT_TRUE(forever);
  EXPECT_GT(forever->caller.expires, WallTime::max() - 1s);
}

// With all but one field as they should be.
std::string with(const std::string& field, const std::string& value) {
  std::string text;
  for (const auto& [name, usual] : {std::pair<std::string, std::string>{"kind", R"("user")"},
                                    {"sub", R"("a")"},
                                    {"iat", "1"},
                                    {"exp", "2"},
                                    {"access", R"([["exact","a","pull",""]])"},
                                    {"relayed", R"([["corp","a","","Basic x"]])"}}) {
    const std::string& written = name == field ? value : usual;
    if (!written.empty()) text += (text.empty() ? "\"" : ",\"") + name + "\":" + written;
  }
  return "{" + text + "}";
}

std::string list_of(std::size_t count, const std::string& entry) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "" : ",") + entry;
  return "[" + text + "]";
}

TEST(TokenPayload, RefusesEveryFieldThatIsNotAsItShouldBe) {
  const auto quoted = [](std::size_t size) { return '"' + std::string(size, 'x') + '"'; };
  const struct {
    std::string field;
    std::vector<std::string> values;
  } cases[] = {
      {"kind", {"", "null", "1", R"("")", R"("User")", R"("root")", "[]", quoted(60'000)}},
      {"sub", {"", "null", "1", "{}", quoted(kMaxCallerName + 1), "\"\xff\""}},
      {"iat", {"", "null", R"("1")", "-1", "1.0", "1e3", "9223372037", "18446744073709551615"}},
      {"exp", {"null", R"("2027-01-01T00:00:00Z")", "-1", "0.5", "9223372037", "1e300", ""}},
      {"access",
       {"null",
        "{}",
        R"("all")",
        "[null]",
        "[[]]",
        R"([["exact","a"]])",
        R"(["exact","a","pull",""])",
        R"([["exact","a","pull","x"]])",
        R"([["exact","a","pull","","x"]])",
        R"([["exact","a","pull","*"]])",
        R"([["EXACT","a","pull",""]])",
        R"([["exact","a",null,""]])",
        R"([["exact","a","*",""]])",
        R"([["exact","a","push,pull",""]])",
        R"([["exact","a","pull,pull",""]])",
        R"([["exact","a","pull,",""]])",
        R"([["exact","a",",pull",""]])",
        R"([["exact","a","write",""]])",
        R"([["exact","a",["pull"],""]])",
        R"([["exact","","pull",""]])",
        R"([["subtree","","pull",""]])",
        R"([["all","a","pull",""]])",
        R"([["exact",)" + quoted(kMaxQualifiedName + 1) + R"(,"pull",""]])",
        R"([["exact","a",)" + quoted(1000) + R"(,""]])",
        list_of(AccessList::kMaxEntries + 1, R"(["exact","a","",""])")}},
      {"relayed",
       {"null", "{}", "[null]", "[[]]", R"([["corp","a"]])", R"([["","a","","Basic x"]])",
        R"([["corp","a","",""]])", R"([["corp","a","","Basic x\r\nHost: evil"]])",
        R"([["corp","a","","Basic \u0000"]])", R"([["corp","a","","Basic \u00e4"]])",
        R"([["corp",)" + quoted(256) + R"(,"","Basic x"]])",
        "[[" + quoted(kMaxRegistryName + 1) + R"(,"a","","Basic x"]])",
        R"([["corp","a","",)" + quoted(kMaxAuthorization + 1) + "]]",
        list_of(kMaxRelayedLogins + 1, R"(["corp","a","","Basic x"])")}},
  };
  ASSERT_TRUE(read_token_payload(with("", "")));
  for (const auto& c : cases) {
    for (const std::string& value : c.values) {
      const auto read = read_token_payload(with(c.field, value));
      ASSERT_FALSE(read) << c.field << ": " << value.substr(0, 200);
      EXPECT_EQ(read.error().code, Code::Unauthorized);
      EXPECT_EQ(read.error().origin, Origin::Client);
    }
  }
}

TEST(TokenPayload, RefusesWhatIsNoSuchObject) {
  const std::string good = with("", "");
  for (const std::string& text :
       {""s, "null"s, "[]"s, "{}"s, "\"\""s, good + "x", good + good, good.substr(1),
        good.substr(0, good.size() - 1), good.substr(0, good.size() - 1) + R"(,"scope":"all"})",
        std::string(60'000, '['), R"({"kind":)" + std::string(60'000, '[')}) {
    const auto read = read_token_payload(text);
    ASSERT_FALSE(read) << text.substr(0, 200);
    EXPECT_EQ(read.error().code, Code::Unauthorized);
  }
}

}  // namespace
}  // namespace fairlead::auth
