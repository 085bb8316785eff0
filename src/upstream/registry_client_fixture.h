// SPDX-License-Identifier: Apache-2.0
// A RegistryClient with all it needs, against scripted servers.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "testing/coroutine_test.h"
#include "testing/manual_clock.h"
#include "testing/scripted_http_server.h"
#include "upstream/registry_client.h"

namespace fairlead::upstream {

class RegistryClientFixture : public fairlead::testing::CoroutineTest {
 protected:
  using Request = fairlead::testing::ReceivedRequest;
  using Reply = fairlead::testing::ScriptedReply;
  using Server = fairlead::testing::ScriptedHttpServer;

  static constexpr const char* kRepository = "library/alpine";
  const oci::Digest digest_ = oci::digest_of(oci::DigestAlgorithm::Sha256, as_byte_view("blob"));

  // Set up before client() is called first.
  RegistryOptions options_{.name = "reg",
                           .timeouts = {.connect = std::chrono::seconds(5),
                                        .first_byte = std::chrono::milliseconds(300),
                                        .stall = std::chrono::milliseconds(300)}};
  RetryPolicy retry_policy_{.first_pause = std::chrono::milliseconds(1)};
  std::function<Reply(const Request&)> script_;
  Server server_{context_, [this](const Request& request) { return script_(request); }};
  testing::ManualClock clock_;

  RegistryClient& client() {
    if (client_) return *client_;
    if (options_.url.empty()) options_.url = server_.url();
    credentials_ = std::make_unique<CredentialSource>(options_, pool_, clock_);
    client_ = std::make_unique<RegistryClient>(options_, transport_, services(), retry_policy_);
    return *client_;
  }

  RegistryServices services() {
    return {.board = board_,
            .tokens = tokens_,
            .credentials = *credentials_,
            .quotas = quotas_,
            .clock = clock_,
            .log = log_};
  }

  Result<ContentHead> head(const std::string& reference = "latest") {
    return run(client().head_manifest(kRepository, reference, "application/json"));
  }
  Result<Download> blob(std::uint64_t offset = 0, std::optional<std::uint64_t> length = {}) {
    return run(client().get_blob(kRepository, digest_, offset, length));
  }
  Result<std::string> read_all(Body& body) {
    std::string whole;
    for (;;) {
      const auto piece = run(body.read());
      if (!piece) return std::unexpected(piece.error());
      if (piece->empty()) return whole;
      whole += as_text(*piece);
    }
  }
  [[nodiscard]] std::size_t asked() const { return server_.requests().size(); }

  async::BlockingPool pool_{1};
  telemetry::Log log_{telemetry::LogOptions{.level = telemetry::LogLevel::Error}};
  HttpTransport transport_{context_.get_executor()};
  EndpointBoard board_{clock_};
  TokenSource tokens_{clock_};
  QuotaBoard quotas_;
  std::unique_ptr<CredentialSource> credentials_;
  std::unique_ptr<RegistryClient> client_;
};

}  // namespace fairlead::upstream
