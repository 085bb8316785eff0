// SPDX-License-Identifier: Apache-2.0
// What libcurl's codes mean to us.
#pragma once

#include <curl/curl.h>

#include "base/error.h"

namespace fairlead::upstream {

// `easy` is the handle that failed with `code`, which is not CURLE_OK.
Error curl_error(CURL* easy, CURLcode code);

}  // namespace fairlead::upstream
