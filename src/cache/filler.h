// SPDX-License-Identifier: Apache-2.0
// run_fill(): drives one Fill from its source to an end state.
#pragma once

#include <memory>

#include "async/task.h"
#include "cache/fill.h"
#include "cache/services.h"

namespace fairlead::cache {

// Runs on the worker of the fill's source. Takes the fill out of the table at its end.
async::Task<> run_fill(Services& services, std::shared_ptr<Fill> fill);

}  // namespace fairlead::cache
