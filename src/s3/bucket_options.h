// SPDX-License-Identifier: Apache-2.0
// BucketOptions: one bucket, and how it is reached.
#pragma once

#include <optional>
#include <string>

#include "s3/bucket_address.h"
#include "s3/credentials.h"
#include "upstream/options.h"

namespace fairlead::s3 {

struct BucketOptions {
  std::string name;
  std::string endpoint;         // "https://s3.eu-west-1.amazonaws.com"; nothing behind the host
  std::string public_endpoint;  // as clients reach it, for presigned URLs; empty: as we do
  std::string region = "us-east-1";
  AddressStyle style = AddressStyle::VirtualHost;
  std::optional<S3Credentials> credentials;  // none: what the environment tells to use
  std::string root;     // in front of all keys: "" or "data/zot", no slash at either end
  std::string ca_file;  // PEM, instead of the system's; empty: the system's
  std::string proxy;    // empty: from the environment
  upstream::Timeouts timeouts{.connect = std::chrono::seconds(3),
                              .first_byte = std::chrono::seconds(5)};
};

}  // namespace fairlead::s3
