// SPDX-License-Identifier: Apache-2.0
// BucketAddress: where a bucket's objects are, in the two styles that S3 knows. Pure.
//
//   path style          https://s3.example.com/BUCKET/key
//   virtual-host style  https://BUCKET.s3.example.com/key
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace fairlead::s3 {

enum class AddressStyle { Path, VirtualHost };

struct BucketAddress {
  std::string scheme;     // "http" or "https"
  std::string authority;  // as the Host header has it: no port where it is the scheme's default
  std::string base;       // what comes before "/key": "" or "/bucket"

  // `endpoint`: scheme, host and perhaps a port, nothing behind them. InvalidArgument for another
  // one, a bucket's name that cannot be (3 to 255 of A-Z a-z 0-9 . _ -), or, in virtual-host
  // style, that cannot be part of a host name or stands before an address.
  static Result<BucketAddress> make(std::string_view endpoint, std::string_view bucket,
                                    AddressStyle style);
};

}  // namespace fairlead::s3
