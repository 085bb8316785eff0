// SPDX-License-Identifier: Apache-2.0
// KeyFetcher over HTTP. It follows no redirect: whoever can make one on the issuer's server would
// say where the keys come from.
#pragma once

#include <string>

#include "auth/key_fetcher.h"
#include "upstream/http_transport.h"

namespace fairlead::auth {

class HttpKeyFetcher final : public KeyFetcher {
 public:
  // `transport` must outlive it. `ca_file`: PEM, instead of the system's when not empty.
  explicit HttpKeyFetcher(upstream::HttpTransport& transport, std::string ca_file = {},
                          std::string proxy = {});

  async::Task<Result<std::string>> fetch(std::string url) override;

 private:
  upstream::HttpTransport& transport_;
  const std::string ca_file_;
  const std::string proxy_;
};

}  // namespace fairlead::auth
