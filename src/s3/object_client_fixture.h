// SPDX-License-Identifier: Apache-2.0
// ObjectClientTest: a client of a bucket "zot" whose server answers as the test says.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "s3/object_client.h"
#include "s3/sigv4.h"
#include "testing/coroutine_test.h"
#include "testing/manual_clock.h"
#include "testing/scripted_http_server.h"

namespace fairlead::s3 {

using fairlead::testing::ReceivedRequest;
using fairlead::testing::ScriptedHttpServer;
using fairlead::testing::ScriptedReply;

// Hands out "KEY1", "KEY2", ...: temporary ones.
class CountingFetcher final : public CredentialFetcher {
 public:
  explicit CountingFetcher(const Clock& clock) : clock_(clock) {}
  async::Task<Result<S3Credentials>> fetch(CredentialChannel) override {
    ++fetched;
    if (failure) co_return std::unexpected(*failure);
    co_return S3Credentials{.access_key = "KEY" + std::to_string(fetched),
                            .secret_key = Secret("hush"),
                            .session_token = Secret("token"),
                            .expiry = clock_.wall() + lifetime};
  }

  int fetched = 0;
  std::chrono::seconds lifetime = std::chrono::hours(1);
  std::optional<Error> failure;

 private:
  const Clock& clock_;
};

class ObjectClientTest : public fairlead::testing::CoroutineTest {
 protected:
  // The next answers; the last of them stays.
  void answer(std::vector<ScriptedReply> replies) {
    replies_.assign(replies.begin(), replies.end());
  }
  static ScriptedReply refusal(int status, const std::string& code, const std::string& more = "") {
    return {.status = status, .body = "<Error><Code>" + code + "</Code>" + more + "</Error>"};
  }

  [[nodiscard]] const ReceivedRequest& request(std::size_t n) const {
    return server_.requests().at(n);
  }
  [[nodiscard]] std::size_t asked() const { return server_.requests().size(); }

  // As S3 itself looks at it.
  [[nodiscard]] bool is_signed(const ReceivedRequest& request) const {
    std::string hash;
    append_hex(hash, sha256(request.body));
    if (request.header("x-amz-content-sha256") != hash) return false;
    const std::string authorization = request.header("Authorization");
    const auto at = authorization.find("SignedHeaders=") + 14;
    const std::string names = authorization.substr(at, authorization.find(',', at) - at);
    std::string lines;
    for (std::size_t begin = 0; begin < names.size();) {
      const std::size_t end = std::min(names.find(';', begin), names.size());
      const std::string name = names.substr(begin, end - begin);
      lines.append(name).append(":").append(request.header(name)).append("\n");
      begin = end + 1;
    }
    const auto query = std::min(request.target.find('?'), request.target.size());
    const std::string canonical = to_string(CanonicalRequest{
        .method = request.method,
        .path = std::string_view(request.target).substr(0, query),
        .query =
            std::string_view(request.target).substr(std::min(query + 1, request.target.size())),
        .header_lines = lines,
        .header_names = names,
        .payload_hash = hash});
    const SigningTime time(clock_.wall());
    const Scope scope{.date = time.date(), .region = "eu-west-1"};
    std::string signature;
    append_hex(
        signature,
        signing_key(Secret("hush"), scope).of(string_to_sign(time, to_string(scope), canonical)));
    return authorization.ends_with("Signature=" + signature) && names.contains("host;");
  }

  // Instead of the one at hand: credentials as the configuration has them, or fetched.
  void make_client(bool is_temporary) {
    client_.reset();
    auto fetcher = std::make_unique<CountingFetcher>(clock_);
    fetcher_ = fetcher.get();
    BucketOptions options{.name = "zot",
                          .endpoint = server_.url(),
                          .public_endpoint = "https://s3.example.com",
                          .region = "eu-west-1",
                          .style = AddressStyle::Path};
    options.timeouts = {.connect = std::chrono::milliseconds(100),
                        .first_byte = std::chrono::milliseconds(200)};
    if (!is_temporary) {
      options.credentials = S3Credentials{.access_key = "KEY", .secret_key = Secret("hush")};
    }
    bucket_ = *Bucket::make(std::move(options), std::move(fetcher), keys_, clock_, log_);
    client_ = std::make_unique<ObjectClient>(*bucket_, transport_, pool_);
  }

  void SetUp() override { make_client(false); }

  std::deque<ScriptedReply> replies_{{}};
  ScriptedHttpServer server_{context_, [this](const ReceivedRequest&) {
                               ScriptedReply reply = replies_.front();
                               if (replies_.size() > 1) replies_.pop_front();
                               return reply;
                             }};
  fairlead::testing::ManualClock clock_;
  telemetry::Log log_{{.level = telemetry::LogLevel::Error}};
  SigningKeys keys_;
  upstream::HttpTransport transport_{context_.get_executor()};
  async::BlockingPool pool_{1};
  CountingFetcher* fetcher_ = nullptr;
  std::unique_ptr<Bucket> bucket_;
  std::unique_ptr<ObjectClient> client_;
};

}  // namespace fairlead::s3
