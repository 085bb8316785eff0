// SPDX-License-Identifier: Apache-2.0
#include "upstream/credential_helper.h"

#include <gtest/gtest.h>

#include "testing/coroutine_test.h"
#include "testing/manual_clock.h"

namespace fairlead::upstream {
namespace {

using namespace std::chrono_literals;

// A helper written in shell.
std::vector<std::string> shell(const std::string& script) { return {"/bin/sh", "-c", script}; }

TEST(CredentialHelper, IsGivenTheHostAndAnswersJson) {
  const auto answer = run_credential_helper(
      shell(R"(read host; printf '{"ServerURL":"%s","Username":"%s","Secret":"s"}' x "u@$host")"),
      "registry.example:5000", 10s);
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(answer->username, "u@registry.example:5000");
  EXPECT_EQ(answer->password.reveal(), "s");
}

TEST(CredentialHelper, SaysWhatWentWrong) {
  struct Case {
    std::string script;
    Code code;
  };
  const Case cases[] = {
      {"echo 'credentials not found in native keychain'; exit 1", Code::Unauthorized},
      {"echo boom; exit 1", Code::Unavailable},
      {"kill -9 $$", Code::Unavailable},
      {"echo '{}'", Code::Corrupt},
      {"echo '{\"Username\":\"u\",\"Secret\":\"\"}'", Code::Corrupt},
      {"echo '[1'", Code::Corrupt},
      {"head -c 100000 /dev/zero", Code::TooLarge},
      {"sleep 60", Code::Timeout},
      {"exec >&-; sleep 60", Code::Timeout},
  };
  for (const Case& c : cases) {
    const bool hangs = c.code == Code::Timeout;
    const auto answer = run_credential_helper(shell(c.script), "r.example", hangs ? 100ms : 10s);
    ASSERT_FALSE(answer) << c.script;
    EXPECT_EQ(answer.error().code, c.code) << c.script << ": " << answer.error().context;
  }
  const auto missing = run_credential_helper({"/nonexistent/helper"}, "r.example", 10s);
  ASSERT_FALSE(missing);
  EXPECT_TRUE(missing.error().context.contains("/nonexistent/helper"));
}

TEST(CredentialHelper, DoesNotInheritDescriptors) {
  const auto answer = run_credential_helper(
      shell(R"sh(printf '{"Username":"%s","Secret":"s"}' "$(ls /proc/self/fd | wc -l)")sh"), "r",
      10s);
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_LE(std::stoi(answer->username), 5);  // the standard three, ls's own, the pipe of $(...)
}

TEST(Credentials, BasicIsBase64) {
  EXPECT_EQ(basic_authorization({"Aladdin", Secret("open sesame")}).reveal(),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  EXPECT_EQ(basic_authorization({"a", Secret("b")}).reveal(), "Basic YTpi");
  EXPECT_EQ(basic_authorization({"", Secret("\xff\xfe\xfd")}).reveal(), "Basic Ov/+/Q==");
}

class CredentialSourceTest : public fairlead::testing::CoroutineTest {
 protected:
  CredentialSourceTest() {
    std::string directory = ::testing::TempDir() + "credentialsXXXXXX";
    if (::mkdtemp(directory.data()) == nullptr) throw std::runtime_error("mkdtemp");
    count_file_ = directory + "/count";
  }

  // Answers user1, user2, ... as it is asked again.
  RegistryOptions counting() {
    return {.name = "r",
            .url = "https://r.example",
            .credential_helper = shell(
                "echo x >> " + count_file_ +
                R"(; printf '{"Username":"user%d","Secret":"s"}' $(wc -l < )" + count_file_ + ")")};
  }
  std::string username(CredentialSource& source) {
    auto answer = run(source.get());
    if (!answer) return answer.error().context;
    return *answer ? (*answer)->username : "anonymous";
  }

  std::string count_file_;
  testing::ManualClock clock_;
  async::BlockingPool pool_{2};
};

TEST_F(CredentialSourceTest, IsAnonymousOrWhatIsConfigured) {
  const RegistryOptions none{.name = "r", .url = "https://r.example"};
  CredentialSource anonymous(none, pool_, clock_);
  EXPECT_EQ(username(anonymous), "anonymous");
  RegistryOptions some = none;
  some.credentials = StaticCredentials{"robot", Secret("s")};
  CredentialSource configured(some, pool_, clock_);
  EXPECT_EQ(username(configured), "robot");
  EXPECT_FALSE(configured.refuse({"robot", Secret("s")}));
}

TEST_F(CredentialSourceTest, RemembersTheHelpersAnswerForAWhile) {
  const RegistryOptions options = counting();
  CredentialSource source(options, pool_, clock_);
  EXPECT_EQ(username(source), "user1");
  EXPECT_EQ(username(source), "user1");
  clock_.advance(29min);
  EXPECT_EQ(username(source), "user1");
  clock_.advance(2min);
  EXPECT_EQ(username(source), "user2");
}

TEST_F(CredentialSourceTest, AsksAgainAfterARefusalButNotInAStorm) {
  const RegistryOptions options = counting();
  CredentialSource source(options, pool_, clock_);
  EXPECT_EQ(username(source), "user1");
  EXPECT_FALSE(source.refuse({"user1", Secret("s")})) << "it was asked just now";
  clock_.advance(11s);
  EXPECT_TRUE(source.refuse({"user1", Secret("s")}));
  EXPECT_TRUE(source.refuse({"user1", Secret("s")})) << "another worker, the same refusal";
  EXPECT_EQ(username(source), "user2");
  EXPECT_TRUE(source.refuse({"user1", Secret("s")})) << "the answer has changed since";
  EXPECT_EQ(username(source), "user2");
}

TEST_F(CredentialSourceTest, AsksOnceForMany) {
  const RegistryOptions options = counting();
  CredentialSource source(options, pool_, clock_);
  std::vector<std::optional<Result<std::optional<Credentials>>>> answers(8);
  for (auto& answer : answers) begin(source.get(), answer);
  for (auto& answer : answers) {
    run_until([&] { return answer.has_value(); });
    ASSERT_TRUE(*answer);
    EXPECT_EQ((**answer)->username, "user1");
  }
}

TEST_F(CredentialSourceTest, RemembersAFailureBriefly) {
  RegistryOptions options = counting();
  options.credential_helper = shell("echo x >> " + count_file_ + "; exit 1");
  CredentialSource source(options, pool_, clock_);
  const auto runs = [&] {
    const auto answer = run_credential_helper(
        shell("printf '{\"Username\":\"%d\",\"Secret\":\"s\"}' $(wc -l < " + count_file_ + ")"),
        "r", 10s);
    return answer ? answer->username : answer.error().context;
  };
  EXPECT_FALSE(run(source.get()));
  EXPECT_FALSE(run(source.get()));
  EXPECT_EQ(runs(), "1");
  clock_.advance(11s);
  EXPECT_FALSE(run(source.get()));
  EXPECT_EQ(runs(), "2");
}

}  // namespace
}  // namespace fairlead::upstream
