// SPDX-License-Identifier: Apache-2.0
#include "upstream/http_transport.h"

#include "upstream/curl_multi.h"
#include "upstream/curl_transfer.h"

namespace fairlead::upstream {

HttpResponse::HttpResponse(std::unique_ptr<CurlTransfer> transfer)
    : transfer_(std::move(transfer)) {}
HttpResponse::~HttpResponse() = default;

int HttpResponse::status() const { return transfer_->status(); }
const Headers& HttpResponse::headers() const { return transfer_->headers(); }
bool HttpResponse::ignored_expectation() const { return transfer_->ignored_expectation(); }

async::Task<Result<ByteView>> HttpResponse::read() { return transfer_->read(); }

HttpTransport::HttpTransport(const async::Executor& executor)
    : multi_(std::make_shared<CurlMulti>(executor)) {}
HttpTransport::~HttpTransport() { close(); }

async::Task<Result<std::unique_ptr<HttpResponse>>> HttpTransport::send(HttpRequest request) {
  auto transfer = std::make_unique<CurlTransfer>(multi_, std::move(request));
  if (auto head = co_await transfer->receive_head(); !head) {
    co_return std::unexpected(std::move(head.error()));
  }
  co_return std::make_unique<HttpResponse>(std::move(transfer));
}

void HttpTransport::close() { multi_->close(); }

}  // namespace fairlead::upstream
