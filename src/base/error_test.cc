// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace fairlead {
namespace {

TEST(Error, ErrnoTellsAFullDiskFromOtherFailures) {
  EXPECT_EQ(errno_error(ENOSPC, "write x").error().code, Code::NoSpace);
  EXPECT_EQ(errno_error(EDQUOT, "write x").error().code, Code::NoSpace);
  EXPECT_EQ(errno_error(ENOENT, "open x").error().code, Code::NotFound);
  EXPECT_EQ(errno_error(EIO, "read x").error().code, Code::Io);
  EXPECT_EQ(errno_error(EIO, "read x").error().context, "read x: Input/output error");
}

TEST(Error, WithinPutsThePlaceInFront) {
  Error error = client_error(Code::NotFound, "no such tag").error();
  EXPECT_EQ(std::move(error).within("docker.io").context, "docker.io: no such tag");
}

}  // namespace
}  // namespace fairlead
