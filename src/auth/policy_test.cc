// SPDX-License-Identifier: Apache-2.0
#include "auth/policy.h"

#include <gtest/gtest.h>

#include <string>

namespace fairlead::auth {
namespace {

using oci::Action;

constexpr Actions kPull{Action::Pull};
constexpr Actions kBoth{Action::Pull, Action::Push};

Caller user(std::string name) { return {.kind = Caller::Kind::User, .name = std::move(name)}; }
Caller issued(std::string name) { return {.kind = Caller::Kind::Issued, .name = std::move(name)}; }

std::string may(const Policy& policy, const Caller& caller, std::string_view repository) {
  return to_string(policy.decide(caller, repository).actions);
}

TEST(Policy, WithoutRulesWhoIsKnownMayPull) {
  const Policy policy{{.anonymous = {}}};
  EXPECT_EQ(may(policy, {}, "a"), "");
  EXPECT_EQ(may(policy, user("alice"), "a"), "pull");
  EXPECT_EQ(may(policy, issued(""), "a"), "pull");
  EXPECT_EQ(policy.decide(user("alice"), "a").basis, Decision::Basis::Identified);
}

TEST(Policy, TheFirstRuleThatMatchesDecides) {
  const Policy policy{{.anonymous = {},
                       .rules = std::vector<Rule>{
                           {{"alice"}, {"team/secret/**"}, {}, 1},
                           {{"alice", "bob"}, {"team/**"}, kBoth, 2},
                           {{"*"}, {"bp/**", "team/public"}, kPull, 3},
                       }}};
  EXPECT_EQ(may(policy, user("alice"), "team/app"), "pull,push");
  EXPECT_EQ(may(policy, user("alice"), "team/secret/x"), "");
  EXPECT_EQ(may(policy, user("bob"), "team/secret/x"), "pull,push");
  EXPECT_EQ(may(policy, user("carol"), "team/app"), "");
  EXPECT_EQ(may(policy, user("carol"), "team/public"), "pull");
  EXPECT_EQ(may(policy, user("carol"), "bp/nginx"), "pull");
  EXPECT_EQ(may(policy, issued("alice"), "team/app"), "pull,push");
  EXPECT_EQ(may(policy, issued(""), "bp/nginx"), "pull");
  EXPECT_EQ(may(policy, {}, "bp/nginx"), "");
  EXPECT_EQ(may(policy, user("alice"), "elsewhere"), "");
  EXPECT_EQ(policy.decide(user("bob"), "team/x").rule->line, 2U);
  EXPECT_EQ(policy.decide(user("bob"), "else").basis, Decision::Basis::Nothing);
}

// What decide() gives lies within the prospect.
TEST(Policy, TellsWhereSomethingMayBePulled) {
  const std::vector<Rule> rules{{{"alice"}, {"team/secret/**"}, {}},
                                {{"alice"}, {"team/*", "one"}, kBoth},
                                {{"bob"}, {"**"}, {}},
                                {{"*"}, {"shared/**"}, kPull},
                                {{"anonymous"}, {"closed/**"}, {}},
                                {{"anonymous"}, {"public/**"}, kPull}};
  const Policy closed{{.anonymous = {}, .rules = rules}};
  using Prefixes = std::vector<std::string>;
  EXPECT_EQ(closed.prospect_of({}).prefixes, (Prefixes{"public/"}));
  EXPECT_FALSE(closed.prospect_of({}).is_open({}));
  EXPECT_TRUE(closed.prospect_of({}).is_open(kPull));
  EXPECT_EQ(closed.prospect_of(user("alice")).prefixes,
            (Prefixes{"one", "public/", "shared/", "team/"}));
  EXPECT_EQ(closed.prospect_of(issued("")).prefixes, (Prefixes{"public/", "shared/"}));

  const Policy open{{.anonymous = kPull, .rules = rules}};
  EXPECT_TRUE(open.prospect_of({}).is_open({}));
  EXPECT_FALSE(open.prospect_of({}).is_open(Actions{}));
  EXPECT_TRUE(open.prospect_of(user("alice")).is_open({}));
  // A rule for all names leaves nothing to others.
  EXPECT_EQ(open.prospect_of(user("bob")).prefixes, Prefixes{});
  EXPECT_FALSE(open.prospect_of(user("bob")).is_open(kPull));

  const Policy without_rules{{.anonymous = {}}};
  EXPECT_EQ(without_rules.prospect_of({}).prefixes, Prefixes{});
  EXPECT_EQ(without_rules.prospect_of(user("alice")).prefixes, (Prefixes{""}));
  EXPECT_EQ(without_rules.prospect_of({.kind = Caller::Kind::Relayed, .name = "bob"}).prefixes,
            Prefixes{});

  Caller with_list = user("alice");
  with_list.access = AccessList(
      {{.name = "team/app", .actions = kPull}, {.name = "other", .actions = {Action::Push}}});
  EXPECT_EQ(closed.prospect_of(with_list).prefixes, (Prefixes{"public/", "team/app"}));
  with_list.access = AccessList({{.reach = Access::Reach::All, .actions = kPull}});
  EXPECT_EQ(closed.prospect_of(with_list).prefixes, (Prefixes{""}));
}

TEST(Policy, RulesForAnonymousAreForNobodyElse) {
  const Policy policy{{.rules = std::vector<Rule>{{{"anonymous"}, {"private/**"}, {}},
                                                  {{"alice"}, {"private/**"}, kPull}}}};
  EXPECT_EQ(may(policy, {}, "private/app"), "");
  EXPECT_EQ(may(policy, {}, "public/app"), "pull");
  EXPECT_EQ(may(policy, user("alice"), "private/app"), "pull");
  // Who matches no rule has what anybody has: with a card one is no worse off than without.
  EXPECT_EQ(may(policy, user("bob"), "private/app"), "");
  EXPECT_EQ(may(policy, user("bob"), "public/app"), "pull");
}

TEST(Policy, ANameInATokenIsNoGroupOfCallers) {
  const Policy policy{
      {.anonymous = {},
       .rules = std::vector<Rule>{
           {{"anonymous"}, {"a"}, {}}, {{"alice"}, {"b"}, kBoth}, {{"*"}, {"a"}, kPull}}}};
  EXPECT_EQ(may(policy, issued("anonymous"), "a"), "pull");
  EXPECT_EQ(may(policy, issued("*"), "b"), "");
}

TEST(Policy, WhoOnlyAnUpstreamKnowsIsNobodyOfOurRules) {
  const Policy policy{
      {.anonymous = {}, .rules = std::vector<Rule>{{{"alice", "*"}, {"**"}, Actions::all()}}}};
  EXPECT_EQ(may(policy, {.kind = Caller::Kind::Relayed, .name = "alice"}, "a"), "");
}

TEST(Policy, AnAccessListAddsToWhatAnybodyMay) {
  Caller caller = issued("ci");
  caller.access = AccessList({{.name = "team/app", .actions = kBoth}});
  const Policy closed{
      {.anonymous = {}, .rules = std::vector<Rule>{{{"ci"}, {"**"}, Actions::all()}}}};
  EXPECT_EQ(may(closed, caller, "team/app"), "pull,push");
  EXPECT_EQ(may(closed, caller, "team/app2"), "");
  EXPECT_EQ(may(Policy{{}}, caller, "elsewhere"), "pull");
  caller.access = AccessList();
  EXPECT_EQ(may(closed, caller, "team/app"), "");
}

TEST(Policy, ASealedTokenIsTheDecision) {
  Caller caller = issued("ci");
  caller.is_sealed = true;
  caller.access = AccessList({{.name = "a", .refused = kPull}, {.name = "b", .actions = kPull}});
  EXPECT_EQ(may(Policy{{}}, caller, "a"), "");
  EXPECT_EQ(may(Policy{{}}, caller, "b"), "pull");
  EXPECT_EQ(may(Policy{{}}, caller, "c"), "pull");
}

TEST(Policy, ARouteHasItsOwnWordOnAnonymousCallers) {
  const Policy policy{{.anonymous = {}}};
  EXPECT_EQ(to_string(policy.decide({}, "a", kPull).actions), "pull");
  const Policy open{{}};
  EXPECT_EQ(to_string(open.decide({}, "a", Actions{}).actions), "");
}

TEST(AccessList, ASubtreeEndsAtASlash) {
  const AccessList list({{.reach = Access::Reach::Subtree, .name = "team", .actions = kPull}});
  EXPECT_EQ(list.allowed("team"), kPull);
  EXPECT_EQ(list.allowed("team/a/b"), kPull);
  EXPECT_TRUE(list.allowed("team-secret").empty());
  EXPECT_TRUE(list.allowed("tea").empty());
  EXPECT_TRUE(list.allowed("other/team").empty());
}

TEST(AccessList, EntriesAddUp) {
  const AccessList list({{.name = "a", .actions = kPull},
                         {.reach = Access::Reach::All, .actions = {Action::Delete}},
                         {.name = "a", .refused = {Action::Push}}});
  EXPECT_EQ(to_string(list.allowed("a")), "pull,delete");
  EXPECT_EQ(to_string(list.refused("a")), "push");
  EXPECT_EQ(to_string(list.allowed("b")), "delete");
}

TEST(Actions, WordsAndBack) {
  EXPECT_EQ(to_string(*parse_action("pull") | *parse_action("delete")), "pull,delete");
  EXPECT_EQ(*parse_action("*"), Actions::all());
  EXPECT_FALSE(parse_action("Pull"));
  EXPECT_FALSE(parse_action(""));
}

}  // namespace
}  // namespace fairlead::auth
