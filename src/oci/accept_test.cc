// SPDX-License-Identifier: Apache-2.0
#include "oci/accept.h"

#include <gtest/gtest.h>

#include "oci/manifest.h"
#include "oci/media_type.h"

namespace fairlead::oci {
namespace {

const std::string kIndex(kOciIndex);
const std::string kManifest(kOciManifest);
const std::string kList(kDockerList);
const std::string kSchema2(kDockerManifest);

TEST(Accept, ClientsOfTodayAreOneKind) {
  for (const std::string& accept :
       {kManifest + "," + kIndex + "," + kList + ", " + kSchema2,
        kSchema2 + ", " + kList + ", " + kIndex + ", " + kManifest + ", application/json;q=0.5",
        kManifest + ", */*", std::string("*/*"), std::string("application/*"), std::string(),
        std::string("text/html, application/json"), std::string(",,;q=1"),
        kList + ";q=0.9, " + kIndex + " , " + kManifest + "," + kSchema2 + ";q=0.1"}) {
    EXPECT_EQ(manifest_accept(accept), kManifestAccept) << accept;
  }
}

TEST(Accept, WhoTakesLessIsAskedForLess) {
  EXPECT_EQ(manifest_accept(kSchema2 + ", " + kManifest), kManifest + ", " + kSchema2);
  EXPECT_EQ(manifest_accept(kManifest + ", " + kSchema2 + ", x/y"), kManifest + ", " + kSchema2);
  EXPECT_EQ(manifest_accept(kManifest), kManifest);
}

// The attack: a type that only looks like one makes the registry answer less than everybody takes.
TEST(Accept, ATypeThatOnlyBeginsLikeOneIsAnother) {
  EXPECT_EQ(manifest_accept(kManifest + ", " + kIndex + ", " + kList + "X, " + kSchema2),
            kIndex + ", " + kManifest + ", " + kSchema2);
}

}  // namespace
}  // namespace fairlead::oci
