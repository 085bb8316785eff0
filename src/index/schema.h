// SPDX-License-Identifier: Apache-2.0
// The tables of index.db (docs/on-disk-format.md) and how a file comes to have them: an ordered
// list of migrations, the n-th of which makes version n of version n - 1. A new version is a new
// migration at the end; what is there never changes.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "index/sqlite.h"

namespace fairlead::index {

inline constexpr std::int64_t kApplicationId = 0x464c4458;  // "FLDX"

[[nodiscard]] std::span<const std::string_view> migrations();
[[nodiscard]] std::int64_t schema_version();  // ours

// The version of the file, at most `ours`; 0: it is empty. Changes nothing. Errors: Corrupt, it is
// damaged or not ours; Unsupported, it is of a newer version.
Result<std::int64_t> version_of(Database& database, std::int64_t ours = schema_version());

// Brings the file to the last version, in one transaction a step. Errors as above.
Result<void> migrate(Database& database, std::span<const std::string_view> steps = migrations());

}  // namespace fairlead::index
