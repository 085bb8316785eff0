// SPDX-License-Identifier: Apache-2.0
#include "http/tls_context.h"

#include <openssl/err.h>
#include <sys/stat.h>

#include <string_view>

namespace fairlead::http {
namespace {

std::unexpected<Error> tls_error(const std::string& what) {
  char reason[256] = "unknown error";
  if (const auto code = ERR_get_error(); code != 0) ERR_error_string_n(code, reason, sizeof reason);
  ERR_clear_error();
  return internal_error(Code::InvalidArgument, what + ": " + reason);
}

int select_http1(SSL*, const unsigned char** out, unsigned char* out_length,
                 const unsigned char* in, unsigned int in_length, void*) {
  constexpr std::string_view kProtocols = "\x08http/1.1";
  unsigned char* selected = nullptr;
  const int result = SSL_select_next_proto(
      &selected, out_length, reinterpret_cast<const unsigned char*>(kProtocols.data()),
      static_cast<unsigned>(kProtocols.size()), in, in_length);
  if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = selected;
  return SSL_TLSEXT_ERR_OK;
}

Result<std::shared_ptr<SSL_CTX>> make_context(const TlsOptions& options) {
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return tls_error("TLS");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_alpn_select_cb(context.get(), select_http1, nullptr);
  if (SSL_CTX_use_certificate_chain_file(context.get(), options.certificate.c_str()) != 1) {
    return tls_error("certificate " + options.certificate);
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), options.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return tls_error("key " + options.key);
  }
  if (!options.client_ca.empty()) {
    if (SSL_CTX_load_verify_locations(context.get(), options.client_ca.c_str(), nullptr) != 1) {
      return tls_error("client CA " + options.client_ca);
    }
    SSL_CTX_set_client_CA_list(context.get(), SSL_load_client_CA_file(options.client_ca.c_str()));
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  constexpr std::string_view kSession = "fairlead";
  SSL_CTX_set_session_id_context(context.get(),
                                 reinterpret_cast<const unsigned char*>(kSession.data()),
                                 static_cast<unsigned>(kSession.size()));
  return context;
}

}  // namespace

Result<std::unique_ptr<TlsContext>> TlsContext::load(const TlsOptions& options) {
  std::unique_ptr<TlsContext> loaded(new TlsContext(options));
  if (auto read = loaded->reload(); !read) return std::unexpected(std::move(read.error()));
  return loaded;
}

Result<void> TlsContext::reload() {
  std::string fingerprint_before = fingerprint();
  auto context = make_context(options_);
  const std::lock_guard lock(mutex_);
  fingerprint_ = std::move(fingerprint_before);  // a broken file is reported once, not every time
  if (!context) return std::unexpected(std::move(context.error()));
  context_ = std::move(*context);
  return {};
}

Result<bool> TlsContext::reload_if_changed() {
  {
    const std::lock_guard lock(mutex_);
    if (fingerprint() == fingerprint_) return false;
  }
  if (auto read = reload(); !read) return std::unexpected(std::move(read.error()));
  return true;
}

std::shared_ptr<SSL_CTX> TlsContext::current() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

std::string TlsContext::fingerprint() const {
  std::string text;
  for (const auto& path : {options_.certificate, options_.key, options_.client_ca}) {
    struct stat status{};
    if (path.empty() || ::stat(path.c_str(), &status) != 0) continue;
    text += std::to_string(status.st_ino) + ':' + std::to_string(status.st_size) + ':' +
            std::to_string(status.st_mtim.tv_sec) + '.' + std::to_string(status.st_mtim.tv_nsec) +
            ' ';
  }
  return text;
}

}  // namespace fairlead::http
