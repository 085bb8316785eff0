// SPDX-License-Identifier: Apache-2.0
// The `access` claim of a JWT: which repositories it gives. Pure.
//
// Two forms. distribution's (its token specification), of exact names:
//   "access": [{"type":"repository","name":"team/app","actions":["pull","push"]}]
// and one of whole subtrees, or of everything; actions are ["pull"] where none are said:
//   "access": {"type":"repositories","repos":["team","other/app"],"actions":["pull"]}
//   "access": {"type":"all"}
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>

#include "auth/access_list.h"
#include "base/error.h"

namespace fairlead::auth {

// nullopt when there is no such claim. One that is there and malformed is Unauthorized, never "no
// access list": rules may give more than the list that somebody meant. Entries of another type
// and actions of other names give nothing; issuers write them for other services.
Result<std::optional<AccessList>> read_access_claim(const boost::json::object& claims);

// In whichever form has it: exact names; or subtrees, or everything, all with the same actions.
// Errors: InvalidArgument where no form does.
Result<boost::json::value> write_access_claim(const AccessList& list);

}  // namespace fairlead::auth
