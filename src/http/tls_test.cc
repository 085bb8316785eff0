// SPDX-License-Identifier: Apache-2.0
// TLS: the same answers, and certificates that are replaced while connections go on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "http/server_fixture.h"
#include "testing/certificate.h"

namespace fairlead::http {
namespace {

using fairlead::testing::write_certificate;
using ::testing::HasSubstr;

std::string name_in(const X509* certificate) {
  char name[100] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
  return name;
}

class TlsTest : public ServerFixture {
 protected:
  void SetUp() override {
    ServerFixture::SetUp();
    options_.tls = {.certificate = directory_ / "crt.pem", .key = directory_ / "key.pem"};
    write("first.test");
  }
  void write(const std::string& name) {
    write_certificate(name, options_.tls.certificate, options_.tls.key);
  }
  std::unique_ptr<Client> connect(const std::string& address) {
    auto client = std::make_unique<Client>(address);
    EXPECT_TRUE(client->start_tls(*context_));
    return client;
  }
  std::string served_name(const std::string& address) {
    const auto client = connect(address);
    return name_in(SSL_get0_peer_certificate(client->ssl()));
  }

  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{SSL_CTX_new(TLS_client_method()),
                                                             SSL_CTX_free};
};

TEST_F(TlsTest, AnswersAsWithoutTls) {
  const std::string address = start();
  const auto client = connect(address);
  EXPECT_THAT(client->get("/who").body, HasSubstr(" secure"));
  EXPECT_TRUE(client->get("/pieces").body == "one " + file_bytes_.substr(0, 100'000) + " two");
  const auto file = client->get("/file");
  EXPECT_TRUE(file.is_complete);
  EXPECT_TRUE(file.body == file_bytes_);
  EXPECT_EQ(client->get("/next").body, "GET /next");
}

TEST_F(TlsTest, AnAnswerThatEndsEarlyIsCut) {
  const auto client = connect(start());
  EXPECT_FALSE(client->get("/short").is_complete);
}

TEST_F(TlsTest, NewConnectionsGetTheNewCertificateAndOldOnesGoOn) {
  const std::string address = start();
  const auto old = connect(address);
  EXPECT_EQ(name_in(SSL_get0_peer_certificate(old->ssl())), "first.test");
  write("second.test");
  server_->reload_certificates();
  EXPECT_EQ(served_name(address), "second.test");
  EXPECT_EQ(old->get("/a").body, "GET /a");
}

TEST_F(TlsTest, ABrokenCertificateLeavesThePreviousInUse) {
  const std::string address = start();
  std::ofstream(options_.tls.certificate) << "no certificate";
  server_->reload_certificates();
  EXPECT_EQ(served_name(address), "first.test");

  // The key of another certificate: half of a replacement.
  write("first.test");
  write_certificate("other.test", directory_ / "unused.pem", options_.tls.key);
  server_->reload_certificates();
  EXPECT_EQ(served_name(address), "first.test");
}

TEST_F(TlsTest, WhoSpeaksNoTlsIsClosedAndDisturbsNobody) {
  const std::string address = start();
  Client plain(address);
  plain.send("GET /a HTTP/1.1\r\nHost: t\r\n\r\n");
  EXPECT_EQ(plain.response().status, 0);
  EXPECT_EQ(connect(address)->get("/a").body, "GET /a");
}

TEST_F(TlsTest, ClientsWithoutACertificateAreRefusedWhereOneIsRequired) {
  options_.tls.client_ca = options_.tls.certificate;
  const std::string address = start();
  Client without(address);
  without.start_tls(*context_);  // TLS 1.3: the client learns of it when it reads
  EXPECT_EQ(without.get("/a").status, 0);

  ASSERT_EQ(SSL_CTX_use_certificate_file(context_.get(), options_.tls.certificate.c_str(),
                                         SSL_FILETYPE_PEM),
            1);
  ASSERT_EQ(SSL_CTX_use_PrivateKey_file(context_.get(), options_.tls.key.c_str(), SSL_FILETYPE_PEM),
            1);
  EXPECT_EQ(connect(address)->get("/a").body, "GET /a");
}

TEST_F(TlsTest, OldVersionsAreRefused) {
  SSL_CTX_set_security_level(context_.get(), 0);
  SSL_CTX_set_max_proto_version(context_.get(), TLS1_1_VERSION);
  Client client(start());
  EXPECT_FALSE(client.start_tls(*context_));
}

TEST_F(TlsTest, FilesThatCannotServeAreNamedAtStart) {
  const TlsOptions good = options_.tls;
  options_.tls.certificate = directory_ / "missing.pem";
  auto started = try_start();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().context, HasSubstr("missing.pem"));

  options_.tls = good;
  write_certificate("other.test", directory_ / "unused.pem", options_.tls.key);
  started = try_start();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().context, HasSubstr("key values mismatch"));
}

TEST_F(TlsTest, FilesAreReadAgainOnlyWhenTheyChanged) {
  const auto tls = TlsContext::load(options_.tls).value();
  const auto before = tls->current();
  EXPECT_FALSE(tls->reload_if_changed().value());
  EXPECT_EQ(tls->current(), before);

  std::filesystem::remove(options_.tls.certificate);
  std::filesystem::remove(options_.tls.key);
  write("second.test");
  EXPECT_TRUE(tls->reload_if_changed().value());
  EXPECT_EQ(name_in(SSL_CTX_get0_certificate(tls->current().get())), "second.test");

  std::ofstream(options_.tls.certificate) << "no certificate";
  EXPECT_FALSE(tls->reload_if_changed());
  EXPECT_FALSE(tls->reload_if_changed().value()) << "a broken file is reported once";
  EXPECT_EQ(name_in(SSL_CTX_get0_certificate(tls->current().get())), "second.test");
}

}  // namespace
}  // namespace fairlead::http
