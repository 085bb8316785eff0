// SPDX-License-Identifier: Apache-2.0
#include "auth/upload_sessions.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "auth/paseto.h"
#include "auth/sealed_token.h"

namespace fairlead::auth {
namespace {

constexpr WallTime kNow{std::chrono::seconds(1'800'000'000)};

std::vector<Secret> keys(std::initializer_list<char> digits) {
  std::vector<Secret> out;
  for (const char digit : digits) out.emplace_back(std::string(64, digit));
  return out;
}

UploadSessions sessions(std::initializer_list<char> digits) {
  return UploadSessions(*TokenKeys::parse(keys(digits)));
}

UploadSession some_session() {
  return {
      .owner = {.registry = "corp", .repository = "apps/a", .name = "team/a", .caller = "alice"},
      .url = "https://registry.test/v2/apps/a/blobs/uploads/1?_state=x%2By",
      .is_elsewhere = true,
      .id = "0123456789abcdef"};
}

bool is_unknown(const Result<UploadSession>& result) {
  return !result && result.error().code == Code::NotFound &&
         result.error().origin == Origin::Client;
}

TEST(UploadSessions, GivesBackWhatWasSealed) {
  const auto any = sessions({'a'});
  const auto session = some_session();
  const auto opened = any.open(any.seal(session, kNow), session.owner, kNow);
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened->owner, session.owner);
  EXPECT_EQ(opened->url, session.url);
  EXPECT_TRUE(opened->is_elsewhere);
  EXPECT_EQ(opened->id, session.id);
}

TEST(UploadSessions, ShowsNothingOfTheUrlAndFitsIntoAPath) {
  const std::string sealed = sessions({'a'}).seal(some_session(), kNow);
  EXPECT_FALSE(sealed.contains("registry"));
  EXPECT_EQ(sealed.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789-_."),
            std::string::npos);
}

TEST(UploadSessions, IsForOneOwnerOnly) {
  const auto any = sessions({'a'});
  const auto session = some_session();
  const std::string sealed = any.seal(session, kNow);
  for (std::string UploadOwner::* member : {&UploadOwner::registry, &UploadOwner::repository,
                                            &UploadOwner::name, &UploadOwner::caller}) {
    UploadOwner other = session.owner;
    other.*member += "x";
    EXPECT_TRUE(is_unknown(any.open(sealed, other, kNow)));
    (other.*member).clear();
    EXPECT_TRUE(is_unknown(any.open(sealed, other, kNow)));
  }
}

TEST(UploadSessions, HoldsForADay) {
  const auto any = sessions({'a'});
  const auto session = some_session();
  const std::string sealed = any.seal(session, kNow);
  using std::chrono::seconds;
  EXPECT_TRUE(any.open(sealed, session.owner, kNow + UploadSessions::kLifetime - seconds(1)));
  EXPECT_TRUE(is_unknown(any.open(sealed, session.owner, kNow + UploadSessions::kLifetime)));
  EXPECT_TRUE(any.open(sealed, session.owner, kNow - kClockSkew));
  EXPECT_TRUE(is_unknown(any.open(sealed, session.owner, kNow - kClockSkew - seconds(1))));
}

TEST(UploadSessions, RefusesEveryAlteredByte) {
  const auto any = sessions({'a'});
  const auto session = some_session();
  const std::string sealed = any.seal(session, kNow);
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string altered = sealed;
    altered[i] = altered[i] == 'A' ? 'B' : 'A';
    EXPECT_TRUE(is_unknown(any.open(altered, session.owner, kNow))) << i;
  }
  EXPECT_TRUE(is_unknown(any.open("", session.owner, kNow)));
  EXPECT_TRUE(is_unknown(any.open(sealed.substr(0, sealed.size() - 1), session.owner, kNow)));
}

TEST(UploadSessions, OpensWhatAnOlderKeySealed) {
  const auto session = some_session();
  const std::string sealed = sessions({'a'}).seal(session, kNow);
  EXPECT_TRUE(sessions({'b', 'a'}).open(sealed, session.owner, kNow));
  EXPECT_TRUE(is_unknown(sessions({'b'}).open(sealed, session.owner, kNow)));
}

TEST(UploadSessions, IsNoTokenAndATokenIsNoSession) {
  const auto session = some_session();
  const SealedTokens tokens(*TokenKeys::parse(keys({'a'})));
  const Caller alice{.kind = Caller::Kind::User, .name = "alice"};
  const auto token = tokens.seal(alice, kNow, kNow + std::chrono::hours(1));
  ASSERT_TRUE(token.has_value());
  EXPECT_TRUE(is_unknown(sessions({'a'}).open(*token, session.owner, kNow)));
  EXPECT_FALSE(tokens.open(sessions({'a'}).seal(session, kNow), kNow));
}

TEST(UploadSessions, RefusesSealedNonsense) {
  const auto tokens = TokenKeys::parse(keys({'a'}));
  for (const char* text : {"", "{}", "[]", "null", R"({"registry":1})",
                           R"({"registry":"corp","repository":"apps/a","name":"team/a",)"
                           R"("caller":"alice","url":"u","id":"i","iat":0,"exp":"never"})"}) {
    const std::string sealed = tokens->seal(text, kUploadAssertion);
    EXPECT_TRUE(is_unknown(sessions({'a'}).open(sealed, some_session().owner, kNow))) << text;
  }
}

}  // namespace
}  // namespace fairlead::auth
