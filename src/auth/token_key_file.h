// SPDX-License-Identifier: Apache-2.0
// The token key of an operator who configured none: made once, at random, and kept in a file.
//
// The file holds 64 hexadecimal digits and a line feed. It appears under its name only when all of
// it is on disk: two processes that start at once agree on one key, and a crash leaves none or a
// whole one (besides an unfinished <path>.<random>.new, which nobody reads).
#pragma once

#include <string>

#include "base/error.h"
#include "base/secret.h"

namespace fairlead::auth {

// The key as TokenKeys::parse() takes it. The directory must exist. Blocks. Errors: Denied (the
// file is of somebody else, others may read it, it is a symbolic link or no file), Corrupt (it
// holds no key; it is left as it is), NotFound, NoSpace, Io.
Result<Secret> read_or_make_token_key(const std::string& path);

// For commands beside the gateway, which make none: a key of theirs the gateway, which is another
// user, could not read. Nor do they mind that it is the gateway's user who owns it. The same
// errors; NotFound: there is none yet.
Result<Secret> read_token_key(const std::string& path);

}  // namespace fairlead::auth
