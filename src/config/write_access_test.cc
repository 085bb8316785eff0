// SPDX-License-Identifier: Apache-2.0
// What is warned of where nobody can push, and that nothing is where somebody can.
#include "config/write_access.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "config/fake_surroundings.h"

namespace fairlead::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kRegistries =
    "registries: {corp: {url: https://corp.example}, theirs: {url: https://theirs.example, "
    "credentials: relay}}\n";
const std::string kRoutes =
    kRegistries + "routes: [{match: team/, to: corp/, allow: [pull, push]}]\n";

std::vector<std::string> warnings(const std::string& text) {
  FakeSurroundings fake;
  fake.files["/users"] = "ci:$2y$10$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234\n";
  const auto loaded = parse(text, "f.yaml", {}, fake.get());
  if (loaded) return loaded->warnings;
  for (const Problem& problem : loaded.error()) ADD_FAILURE() << to_string(problem);
  return {};
}

// The same routes, and rules with users to be known by; line 3 has the first rule.
std::vector<std::string> warnings_of(const std::vector<std::string>& rules,
                                     const std::string& routes = kRoutes,
                                     const std::string& more = {}) {
  std::string text = routes + "auth: {users: /users, anonymous: []" + more + ", rules: [";
  for (const std::string& rule : rules) text += "\n" + rule + ",";
  return warnings(text + "]}\n");
}

TEST(WriteAccess, NobodyIsKnown) {
  const std::string nobody =
      "f.yaml:2: routes[0].allow: nobody can push here: anonymous does not give it, and ";
  EXPECT_THAT(warnings(kRoutes), ElementsAre(nobody + "auth has neither users nor jwt"));
  EXPECT_THAT(warnings(kRoutes + "auth: {users: /users, anonymous: []}"),
              ElementsAre(nobody + "without auth.rules users may only pull"));
  EXPECT_THAT(warnings_of({"{who: ci, repositories: ['**'], actions: [pull]}"}),
              ElementsAre(nobody + "no rule gives push for names of this route"));
  EXPECT_THAT(warnings_of({}), ElementsAre(HasSubstr("no rule gives push")));
  EXPECT_THAT(
      warnings(kRegistries + "routes: [{match: team/, to: corp/, allow: [pull, delete]}]\n"),
      ElementsAre(HasSubstr("nobody can delete here")));
}

TEST(WriteAccess, SomebodyMay) {
  EXPECT_THAT(warnings_of({"{who: ci, repositories: ['team/**'], actions: [pull, push]}"}),
              IsEmpty());
  EXPECT_THAT(warnings_of({"{who: '*', repositories: ['**/app'], actions: [pull, push]}"}),
              IsEmpty());
  EXPECT_THAT(warnings_of({"{who: ci, repositories: [team/secret], actions: []}",
                           "{who: ci, repositories: ['team/**'], actions: [pull, push]}",
                           "{who: '*', repositories: ['**'], actions: [pull]}"}),
              IsEmpty());
  EXPECT_THAT(warnings_of({"{who: anonymous, repositories: ['team/**'], actions: [pull, push]}"}),
              IsEmpty());
  // Its access list may give it.
  EXPECT_THAT(warnings(kRoutes + "auth: {anonymous: [], jwt: [{algorithm: HS256, secret: "
                                 "0123456789abcdef0123456789abcdef}]}"),
              IsEmpty());
  // The registry says who.
  EXPECT_THAT(warnings(kRegistries +
                       "routes: [{match: '', to: theirs/, allow: [pull, push]}, {namespace: '*', "
                       "to: '{1}/', allow: [pull, push]}]"),
              IsEmpty());
  EXPECT_THAT(
      warnings(kRegistries + "routes: [{match: 0ebb01be-0a22-4639-898c-bc8c2d20942d/nginx, to: "
                             "corp/nginx, capability: true}]"),
      IsEmpty());
  for (const std::string who :
       {"anonymous: [pull, push]}]", "}]\nauth: {anonymous: [pull, push]}"}) {
    EXPECT_THAT(
        warnings(kRegistries + "routes: [{match: '', to: corp/, allow: [pull, push], " + who),
        ElementsAre(HasSubstr("whoever reaches this may push")));
  }
}

TEST(WriteAccess, ARuleThatNoRouteAllows) {
  const std::string rule = "{who: ci, repositories: ['team/**'], actions: [pull, push, delete]}";
  EXPECT_THAT(warnings_of({rule}),
              ElementsAre("f.yaml:4: auth.rules[0]: gives delete, but no route that it matches "
                          "allows it"));
  EXPECT_THAT(warnings_of({rule}, kRegistries + "routes: [{match: team/, to: corp/}]\n"),
              ElementsAre(HasSubstr("auth.rules[0]: gives push,delete, but no route")));
}

// Of two routes only the more specific one has the rule's names.
TEST(WriteAccess, ALongerPrefixHasTheNames) {
  const std::string rule = "{who: ci, repositories: ['team/**'], actions: [pull, push]}";
  const std::string routes = kRegistries +
                             "routes: [{match: team/, to: corp/}, {match: '', to: corp/all/, "
                             "allow: [pull, push]}]\n";
  EXPECT_THAT(warnings_of({rule}, routes),
              ElementsAre(HasSubstr("routes[1].allow: nobody can push here"),
                          HasSubstr("auth.rules[0]: gives push, but no route")));
  EXPECT_THAT(warnings_of({"{who: ci, repositories: ['t*/**'], actions: [pull, push]}"}, routes),
              IsEmpty());
}

TEST(WriteAccess, PushWithoutPull) {
  const std::string push = "{who: ci, repositories: ['team/**'], actions: [push]}";
  const std::string pull = "{who: '*', repositories: ['**'], actions: [pull]}";
  const std::string text =
      "gives push without pull: clients look first what is there, and fail; no "
      "other rule adds to the first that matches";
  EXPECT_THAT(warnings_of({push, pull}), ElementsAre("f.yaml:4: auth.rules[0]: " + text));
  EXPECT_THAT(
      warnings(kRegistries +
               "routes: [{match: '', to: corp/, allow: [pull, push], anonymous: [push]}]"),
      ElementsAre(HasSubstr("whoever reaches this may push"), HasSubstr("may push and not pull")));
}

TEST(WriteAccess, AnEarlierRuleDecides) {
  const std::string pull = "{who: '*', repositories: ['**'], actions: [pull]}";
  const std::string push = "{who: ci, repositories: ['team/**'], actions: [pull, push]}";
  EXPECT_THAT(warnings_of({pull, push}),
              ElementsAre(HasSubstr("f.yaml:2: routes[0].allow: nobody can push here"),
                          "f.yaml:5: auth.rules[1]: gives push, but the rule on line 4 matches "
                          "first, and decides"));
  EXPECT_THAT(warnings_of({push, pull}), IsEmpty());
  EXPECT_THAT(warnings_of({"{who: anonymous, repositories: ['**'], actions: []}", push}),
              IsEmpty());
  EXPECT_THAT(warnings_of({"{who: '*', repositories: ['team/*'], actions: []}", push}), IsEmpty());
}

TEST(WriteAccess, Cooldown) {
  const std::string routes =
      kRegistries + "routes: [{match: '', to: theirs/, cooldown: 3d, allow: [pull";
  EXPECT_THAT(warnings(routes + ", push]}]"),
              ElementsAre("f.yaml:2: routes[0].cooldown: holds back what is pushed here, too, from "
                          "everybody, until it is old enough"));
  EXPECT_THAT(warnings(routes + "]}]"), IsEmpty());
}

// The attack: a file of one mebibyte that takes minutes to compare. Nothing is said then.
TEST(WriteAccess, TooManyRules) {
  std::string rules;
  std::string routes = kRegistries + "routes:\n";
  for (int i = 0; i < 900; ++i) {
    const std::string name = std::to_string(i);
    routes += "- {match: t" + name + "/, to: corp/t" + name + "/, allow: [pull, push]}\n";
    rules += "\n{who: ci, repositories: ['t" + name + "/**'], actions: [pull]},";
  }
  EXPECT_THAT(warnings_of({rules.substr(1, rules.size() - 2)}, routes), IsEmpty());
}

}  // namespace
}  // namespace fairlead::config
