// SPDX-License-Identifier: Apache-2.0
// BlockingObjects over HTTP: a transport, a client and a thread for its credentials.
#include "async/blocking_pool.h"
#include "s3/blocking_objects.h"
#include "s3/object_client.h"
#include "upstream/http_transport.h"

namespace fairlead::s3 {

class BlockingObjects::HttpPlace final : public Place {
 public:
  HttpPlace(Bucket& bucket, const async::Executor& executor)
      : transport_(executor), client_(bucket, transport_, pool_) {}
  Objects& objects() override { return client_; }
  void close() override { transport_.close(); }

 private:
  async::BlockingPool pool_{1};
  upstream::HttpTransport transport_;
  ObjectClient client_;
};

BlockingObjects::BlockingObjects(Bucket& bucket) {
  start([&bucket](const async::Executor& executor) {
    return std::make_unique<HttpPlace>(bucket, executor);
  });
}

}  // namespace fairlead::s3
