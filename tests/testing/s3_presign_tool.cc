// SPDX-License-Identifier: Apache-2.0
// Signs what an end-to-end test asks for, one request a line on standard input, fields separated
// by tabs, the key and the parameters as hexadecimal digits:
//
//   presign EXPIRY-SECONDS METHOD KEY NAME=VALUE...  -> the URL
//   sign    PAYLOAD-HASH   METHOD KEY NAME=VALUE...  -> the URL, then NAME:VALUE of each header
//
// argv: ENDPOINT BUCKET path|virtual-host REGION SECONDS-FROM-NOW; keys from the environment, as
// AWS's own programs have them.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "s3/signer.h"
#include "testing/s3_tool.h"

using namespace fairlead;
using namespace fairlead::s3;
using fairlead::testing::fail;
using fairlead::testing::from_hex;
using fairlead::testing::variable;

namespace {

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream stream(line);
  for (std::string field; std::getline(stream, field, '\t');) fields.push_back(field);
  return fields;
}

std::string answer(const std::vector<std::string>& fields, const BucketAddress& bucket,
                   const Signer& signer) {
  if (fields.size() < 4) fail("too few fields");
  const std::string key = from_hex(fields[3]);
  std::vector<std::string> parameters;
  for (std::size_t i = 4; i < fields.size(); ++i) parameters.push_back(from_hex(fields[i]));
  ObjectRequest request{.method = fields[2], .key = key};
  for (const std::string& parameter : parameters) {
    const std::string_view text = parameter;
    const std::size_t equals = text.find('=');
    request.parameters.push_back({text.substr(0, equals), text.substr(equals + 1)});
  }
  if (fields[0] == "presign") {
    const auto url = presign(bucket, request, std::chrono::seconds(std::stol(fields[1])), signer);
    return url ? *url : "error: " + url.error().context;
  }
  const auto made = sign(bucket, request, {}, fields[1], signer);
  if (!made) return "error: " + made.error().context;
  std::string line = made->url;
  for (const auto& [name, value] : made->headers) line.append("\t").append(name + ":" + value);
  return line;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) fail("ENDPOINT BUCKET path|virtual-host REGION SECONDS-FROM-NOW");
  const auto style =
      std::string_view(argv[3]) == "path" ? AddressStyle::Path : AddressStyle::VirtualHost;
  const auto bucket = BucketAddress::make(argv[1], argv[2], style);
  if (!bucket) fail(bucket.error().context);
  const S3Credentials credentials{.access_key = variable("AWS_ACCESS_KEY_ID"),
                                  .secret_key = Secret(variable("AWS_SECRET_ACCESS_KEY")),
                                  .session_token = Secret(variable("AWS_SESSION_TOKEN"))};
  SigningKeys keys;
  const Signer signer{.credentials = credentials,
                      .region = argv[4],
                      .keys = keys,
                      .now = SystemClock().wall() + std::chrono::seconds(std::stol(argv[5]))};
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << answer(fields_of(line), *bucket, signer) << std::endl;
  }
  return 0;
}
