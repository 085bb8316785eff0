// SPDX-License-Identifier: Apache-2.0
// The precompiled header of the modules that use Asio: the slow headers, and
// nothing of ours. Files include what they use all the same.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio.hpp>
#include <chrono>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>
