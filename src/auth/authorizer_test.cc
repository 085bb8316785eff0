// SPDX-License-Identifier: Apache-2.0
#include "auth/authorizer.h"

#include <gtest/gtest.h>

#include <string>

namespace fairlead::auth {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

Result<Grant> asked(const std::string& method, const std::string& target) {
  const auto operation = oci::parse_operation(method, target);
  EXPECT_TRUE(operation) << method << " " << target;
  return authorize(*operation);
}

TEST(Authorizer, EveryoneMayPull) {
  for (const std::string method : {"GET", "HEAD"}) {
    EXPECT_TRUE(asked(method, "/v2/"));
    EXPECT_TRUE(asked(method, "/v2/team/app/manifests/latest"));
    EXPECT_TRUE(asked(method, "/v2/team/app/blobs/" + kDigest));
    EXPECT_TRUE(asked(method, "/v2/team/app/tags/list"));
  }
  EXPECT_TRUE(asked("GET", "/v2/team/app/referrers/" + kDigest));
}

TEST(Authorizer, NobodyMayWrite) {
  const struct {
    std::string method;
    std::string target;
  } writes[] = {
      {"PUT", "/v2/team/app/manifests/latest"},
      {"DELETE", "/v2/team/app/manifests/latest"},
      {"DELETE", "/v2/team/app/blobs/" + kDigest},
      {"POST", "/v2/team/app/blobs/uploads/"},
      {"PATCH", "/v2/team/app/blobs/uploads/1"},
      {"PUT", "/v2/team/app/blobs/uploads/1?digest=" + kDigest},
  };
  for (const auto& write : writes) {
    const auto grant = asked(write.method, write.target);
    ASSERT_FALSE(grant) << write.method << " " << write.target;
    EXPECT_EQ(grant.error().code, Code::Denied);
    EXPECT_EQ(grant.error().origin, Origin::Client);
    EXPECT_NE(grant.error().context.find("read-only"), std::string::npos);
  }
}

}  // namespace
}  // namespace fairlead::auth
