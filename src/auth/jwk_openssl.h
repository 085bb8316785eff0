// SPDX-License-Identifier: Apache-2.0
// What every call of OpenSSL here needs: owners of its objects, and its error queue left clean.
#pragma once

#include <openssl/err.h>

namespace fairlead::auth {

// The deleter of a std::unique_ptr: Free<BN_free>.
template <auto kFree>
struct Free {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};

// OpenSSL's errors lie in a queue of the thread, where its TLS connections would find ours.
struct ErrorQueue {
  ErrorQueue() = default;
  ~ErrorQueue() { ERR_clear_error(); }
  ErrorQueue(const ErrorQueue&) = delete;
  ErrorQueue& operator=(const ErrorQueue&) = delete;
};

}  // namespace fairlead::auth
