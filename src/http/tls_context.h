// SPDX-License-Identifier: Apache-2.0
// TlsContext: the certificate and key that connections are accepted with, replaceable while
// running. Connections in flight keep what they began with.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <mutex>
#include <string>

#include "base/error.h"
#include "http/options.h"

namespace fairlead::http {

// Thread-safe.
class TlsContext {
 public:
  // TLS 1.2 and 1.3; ALPN "http/1.1".
  static Result<std::unique_ptr<TlsContext>> load(const TlsOptions& options);

  // Reads the files again. On failure what was loaded before stays in use.
  Result<void> reload();

  // reload() when a file has changed since it was last read; true when it was.
  Result<bool> reload_if_changed();

  [[nodiscard]] std::shared_ptr<SSL_CTX> current() const;

 private:
  explicit TlsContext(TlsOptions options) : options_(std::move(options)) {}
  [[nodiscard]] std::string fingerprint() const;

  TlsOptions options_;
  mutable std::mutex mutex_;
  std::shared_ptr<SSL_CTX> context_;
  std::string fingerprint_;  // modification times and sizes of the files that were read
};

}  // namespace fairlead::http
