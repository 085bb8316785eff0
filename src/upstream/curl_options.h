// SPDX-License-Identifier: Apache-2.0
// What libcurl is told of every request, whatever its method: protocol, network, trust.
#pragma once

#include <curl/curl.h>

#include "upstream/http_message.h"

namespace fairlead::upstream {

// `request` must outlive the transfer.
void set_options(CURL* easy, const HttpRequest& request);

}  // namespace fairlead::upstream
