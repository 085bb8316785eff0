// SPDX-License-Identifier: Apache-2.0
#include "auth/authorizer.h"

#include <gtest/gtest.h>

#include <string>

namespace fairlead::auth {
namespace {

using oci::Action;

constexpr Actions kPull{Action::Pull};
constexpr Actions kBoth{Action::Pull, Action::Push};

const Policy kOpen{{}};
const Policy kClosed{{.anonymous = {}, .rules = std::vector<Rule>{}}};

Caller user(std::string name) { return {.kind = Caller::Kind::User, .name = std::move(name)}; }

Caller sealed(std::vector<Access> entries) {
  return {.kind = Caller::Kind::User,
          .name = "alice",
          .access = AccessList(std::move(entries)),
          .is_sealed = true};
}

std::string ask(const Policy& policy, const Caller& caller, const Wish& wish) {
  const auto grant = authorize(policy, caller, wish);
  if (grant) return "granted";
  switch (grant.error().kind) {
    case Refusal::Kind::NoCaller:
      return "who?";
    case Refusal::Kind::OtherScope:
      return "other scope";
    case Refusal::Kind::Denied:
      return "denied";
  }
  return "?";
}

TEST(Authorizer, ARouteBoundsWhatAnybodyMay) {
  const Policy generous{{.anonymous = Actions::all()}};
  EXPECT_EQ(ask(generous, {}, {.repository = "a", .action = Action::Push}), "denied");
  EXPECT_EQ(ask(generous, {}, {.repository = "a", .action = Action::Delete, .route_allows = kBoth}),
            "denied");
  EXPECT_EQ(ask(generous, {}, {.repository = "a", .action = Action::Push, .route_allows = kBoth}),
            "granted");
}

// The attack: asking for what is not allowed, to learn what there is.
TEST(Authorizer, WhoMaySeeNothingLearnsNothingOfTheRoute) {
  const Wish push_a{.repository = "a", .action = Action::Push, .route_allows = kPull};
  EXPECT_EQ(ask(kClosed, {}, push_a), "who?");
  EXPECT_EQ(ask(kOpen, {}, push_a), "denied");
  EXPECT_EQ(ask(kClosed, user("alice"), push_a), "denied");
}

TEST(Authorizer, WhoIsNotKnownIsAskedWhoTheyAre) {
  EXPECT_EQ(ask(kOpen, {}, {.repository = "a"}), "granted");
  EXPECT_EQ(ask(kClosed, {}, {.repository = "a"}), "who?");
  EXPECT_EQ(ask(kClosed, user("alice"), {.repository = "a"}), "denied");
  EXPECT_EQ(ask(kClosed, {}, {.repository = "a", .route_anonymous = kPull}), "granted");
  EXPECT_EQ(ask(kOpen, {}, {.repository = "a", .route_anonymous = Actions{}}), "who?");
}

TEST(Authorizer, ACapabilityNeedsNoCallerAndGivesNoMoreThanItsRoute) {
  EXPECT_EQ(ask(kClosed, {}, {.repository = "a", .is_capability = true}), "granted");
  EXPECT_EQ(ask(kClosed, {}, {.repository = "a", .action = Action::Push, .is_capability = true}),
            "denied");
}

TEST(Authorizer, ASealedTokenIsForWhatItWasAskedFor) {
  const Caller caller = sealed({{.name = "a", .actions = kPull, .refused = {Action::Push}}});
  const Wish push_a{.repository = "a", .action = Action::Push, .route_allows = Actions::all()};
  EXPECT_EQ(ask(kClosed, caller, {.repository = "a"}), "granted");
  EXPECT_EQ(ask(kClosed, caller, push_a), "denied");
  EXPECT_EQ(ask(kClosed, caller, {.repository = "b"}), "other scope");
  EXPECT_EQ(ask(kClosed, sealed({{.name = "a", .actions = kPull}}), push_a), "other scope");
  EXPECT_EQ(ask(kOpen, caller, {.repository = "b"}), "granted");  // as everybody may
}

TEST(Authorizer, ASealedTokenIsNotDecidedAnewByRules) {
  const Policy generous{
      {.anonymous = {}, .rules = std::vector<Rule>{{{"alice"}, {"**"}, Actions::all()}}}};
  EXPECT_EQ(ask(generous, sealed({{.name = "a", .actions = kPull}}), {.repository = "b"}),
            "other scope");
}

TEST(Authorizer, ARelayedLoginIsTheUpstreamsToJudge) {
  Caller caller{.kind = Caller::Kind::Relayed,
                .name = "alice",
                .access = AccessList(),
                .is_sealed = true,
                .relayed = {{.registry = "corp", .repository = "r", .actions = kPull}}};
  const auto* login = caller.relayed_to("corp", "r");
  ASSERT_NE(login, nullptr);
  EXPECT_EQ(ask(kClosed, caller, {.repository = "corp/r", .is_relayed = true, .relayed = login}),
            "granted");
  EXPECT_EQ(ask(kClosed, caller, {.repository = "corp/r"}), "other scope");
  EXPECT_EQ(ask(kOpen, caller, {.repository = "corp/other", .is_relayed = true}), "other scope");
  EXPECT_EQ(ask(kOpen, caller, {.repository = "elsewhere"}), "granted");
  EXPECT_EQ(caller.relayed_to("corp", "other"), nullptr);
  EXPECT_EQ(caller.relayed_to("other", "r"), nullptr);
}

TEST(Caller, ATokenForTheCatalogStandsForItsCallerThere) {
  const Caller without = reader_of_catalog(sealed({{.name = "a", .actions = kPull}}));
  EXPECT_TRUE(without.access && without.is_sealed) << "it was not asked for";
  const Caller with = reader_of_catalog(sealed(
      {{.name = "a", .actions = kPull}, {.name = std::string(kCatalogName), .actions = kPull}}));
  EXPECT_EQ(with.name, "alice");
  EXPECT_EQ(with.kind, Caller::Kind::User);
  EXPECT_FALSE(with.access);

  // The attack: an outside issuer's list that names it.
  Caller issued = sealed({{.name = std::string(kCatalogName), .actions = kPull}});
  issued.is_sealed = false;
  EXPECT_TRUE(reader_of_catalog(issued).access);
}

TEST(Authorizer, ATokenForTheCatalogIsNoneForRepositories) {
  const auto caller = sealed({{.name = std::string(kCatalogName), .actions = kPull}});
  const Policy policy{{.anonymous = {}}};
  EXPECT_EQ(ask(policy, caller, {.repository = "a"}), "other scope");
}

}  // namespace
}  // namespace fairlead::auth
