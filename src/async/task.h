// SPDX-License-Identifier: Apache-2.0
// Task: a coroutine on one worker's io_context.
//
// Rules for coroutines here: one that is awaited at once may take references; one that is
// spawned (TaskGroup) takes values; no capturing lambda is a coroutine; no lock is held
// across co_await; every wait on the network has a deadline.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>

namespace fairlead::async {

// The concrete executor: a type-erased one costs an allocation or a virtual call per hop.
using Executor = boost::asio::io_context::executor_type;

template <class T = void>
using Task = boost::asio::awaitable<T, Executor>;

// `auto [ec, n] = co_await op(..., kAsTuple)`: errors come back as values, never as exceptions.
inline constexpr auto kAsTuple = boost::asio::as_tuple(boost::asio::deferred);

// `auto executor = co_await kThisExecutor`.
inline constexpr auto kThisExecutor = boost::asio::this_coro::executor;

// Resumes on the same executor after `duration`, or early when the io_context is torn down.
Task<> sleep_for(std::chrono::steady_clock::duration duration);

}  // namespace fairlead::async
