// SPDX-License-Identifier: Apache-2.0
#include "index/schema.h"

#include <gtest/gtest.h>

#include <array>

#include "testing/temporary_directory.h"

namespace fairlead::index {
namespace {

class SchemaTest : public ::testing::Test {
 protected:
  Database open() { return Database::open(path_, Database::Mode::ReadWrite).value(); }

  fairlead::testing::TemporaryDirectory directory_;
  const std::string path_ = directory_ / "index.db";
};

TEST_F(SchemaTest, AnEmptyFileIsOfVersionZeroAndComesToOurs) {
  Database database = open();
  EXPECT_EQ(version_of(database).value(), 0);
  ASSERT_TRUE(migrate(database));
  EXPECT_EQ(version_of(database).value(), schema_version());
  EXPECT_EQ(database.integer("PRAGMA application_id").value(), kApplicationId);
  EXPECT_EQ(database.integer("SELECT count(*) FROM content").value(), 0);
  EXPECT_TRUE(migrate(database)) << "again: nothing to do";
}

TEST_F(SchemaTest, AnOlderFileTakesOnlyTheStepsThatItLacks) {
  constexpr std::array<std::string_view, 1> kOld{
      "CREATE TABLE t (a INTEGER);"
      "INSERT INTO t VALUES (7)"};
  constexpr std::array<std::string_view, 3> kNew{
      kOld[0], "ALTER TABLE t ADD COLUMN b INTEGER NOT NULL DEFAULT 5", "UPDATE t SET b = a + b"};
  {
    Database database = open();
    ASSERT_TRUE(migrate(database, kOld));
  }
  Database database = open();
  ASSERT_TRUE(migrate(database, kNew));
  EXPECT_EQ(database.integer("PRAGMA user_version").value(), 3);
  EXPECT_EQ(database.integer("SELECT b FROM t").value(), 12);
  EXPECT_EQ(database.integer("SELECT count(*) FROM t").value(), 1);
}

TEST_F(SchemaTest, AStepThatFailsLeavesTheVersionBefore) {
  constexpr std::array<std::string_view, 2> kSteps{
      "CREATE TABLE t (a INTEGER)", "CREATE TABLE u (a INTEGER); CREATE TABLE t (a INTEGER)"};
  Database database = open();
  EXPECT_FALSE(migrate(database, kSteps));
  EXPECT_EQ(database.integer("PRAGMA user_version").value(), 1);
  EXPECT_EQ(database.integer("SELECT count(*) FROM sqlite_schema").value(), 1);
}

TEST_F(SchemaTest, AnotherProgramsFileIsNotTouched) {
  Database database = open();
  ASSERT_TRUE(database.execute("CREATE TABLE theirs (a INTEGER)"));
  const auto migrated = migrate(database);
  ASSERT_FALSE(migrated);
  EXPECT_EQ(migrated.error().code, Code::Corrupt);
  EXPECT_EQ(database.integer("SELECT count(*) FROM sqlite_schema").value(), 1);
}

}  // namespace
}  // namespace fairlead::index
