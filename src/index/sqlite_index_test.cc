// SPDX-License-Identifier: Apache-2.0
#include "index/sqlite_index.h"

#include <gtest/gtest.h>

#include <memory>

#include "testing/index_conformance.h"
#include "testing/temporary_directory.h"

namespace fairlead::testing {

struct SqliteIndexFactory {
  TemporaryDirectory directory;
  std::unique_ptr<index::Index> make() {
    return index::SqliteIndex::open(directory / "index.db").value();
  }
};
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, IndexConformance, SqliteIndexFactory);

}  // namespace fairlead::testing
