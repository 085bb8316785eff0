// SPDX-License-Identifier: Apache-2.0
// The questions of ObjectClient that read.
#include <algorithm>

#include "s3/object_client.h"
#include "s3/object_head.h"
#include "s3/question.h"
#include "s3/signer.h"
#include "upstream/answer.h"

namespace fairlead::s3 {
namespace {

constexpr std::chrono::seconds kShortestUrl{5};  // one that ends sooner is of no use

std::unexpected<Error> corrupt(std::string what) {
  return upstream_error(Code::Corrupt, Retry::No, std::move(what));
}

// The bytes that were promised, or an error.
class ObjectBody final : public upstream::Body {
 public:
  ObjectBody(std::unique_ptr<upstream::HttpResponse> response, std::uint64_t count,
             std::string bucket)
      : response_(std::move(response)), left_(count), bucket_(std::move(bucket)) {}

  async::Task<Result<ByteView>> read() override {
    auto piece = co_await response_->read();
    if (!piece) co_return std::unexpected(std::move(piece.error()).within("the bucket " + bucket_));
    if (piece->size() > left_ || (piece->empty() && left_ > 0)) {
      co_return upstream_error(Code::Unavailable, Retry::Yes,
                               "the bucket " + bucket_ + ": the body is not as long as it said");
    }
    left_ -= piece->size();
    co_return piece;
  }

 private:
  const std::unique_ptr<upstream::HttpResponse> response_;
  std::uint64_t left_;
  const std::string bucket_;
};

// The attack: entries of other places, taken for those that were asked for. And: a listing that
// begins again and again.
Result<void> check_listing(const Listing& listing, const ListRequest& request) {
  const auto is_behind = [&](const std::string& name) { return name.starts_with(request.prefix); };
  if (!std::ranges::all_of(listing.objects, is_behind, &ListedObject::key) ||
      !std::ranges::all_of(listing.prefixes, is_behind)) {
    return corrupt("answered a listing of something else");
  }
  const std::string* last = request.continuation.empty() ? &request.after : nullptr;
  for (const ListedObject& object : listing.objects) {
    if (last != nullptr && object.key <= *last && !last->empty()) {
      return corrupt("answered a listing that is not in the order of its keys");
    }
    last = &object.key;
  }
  if (!listing.continuation.empty() && listing.continuation == request.continuation) {
    return corrupt("answered a listing that goes on with itself");
  }
  return {};
}

}  // namespace

async::Task<Result<ObjectHead>> ObjectClient::head(std::string key) {
  const Question question{.method = "HEAD", .key = std::move(key)};
  const auto answer = co_await ask(question);
  if (!answer) co_return std::unexpected(answer.error());
  auto head = read_object_head(answer->response->headers());
  if (!head) co_return nonsense(question, std::move(head.error()));
  co_return head;
}

async::Task<Result<ObjectDownload>> ObjectClient::get(std::string key, std::uint64_t offset,
                                                      std::optional<std::uint64_t> length) {
  AskedPart asked{.offset = offset, .length = length};
  Question question{
      .key = std::move(key), .limit = std::nullopt, .is_bulk = true, .takes_416 = true};
  if (!asked.is_whole()) question.headers.emplace_back("Range", range_header(asked));
  auto answer = co_await ask(question);
  if (!answer) co_return std::unexpected(std::move(answer.error()));
  const bool has_no_such_part = answer->response->status() == 416;
  if (has_no_such_part && offset > 0) {
    co_return std::unexpected(named(corrupt("the object is shorter than was asked for").error()));
  }
  if (has_no_such_part) {
    // Of what is empty there are no parts.
    asked = {};
    question.headers.clear();
    answer = co_await ask(question);
    if (!answer) co_return std::unexpected(std::move(answer.error()));
  }
  auto head = read_part_head(answer->response->status(), answer->response->headers(), asked);
  if (head && has_no_such_part && head->count > 0) {
    head = corrupt("answered 416 for an object that is not empty");
  }
  if (!head) co_return nonsense(question, std::move(head.error()));
  auto body = std::make_unique<ObjectBody>(std::move(answer->response), head->count,
                                           bucket_.options().name);
  co_return ObjectDownload{
      .head = std::move(head->object), .offset = offset, .body = std::move(body)};
}

async::Task<Result<std::string>> ObjectClient::get_text(std::string key, std::size_t limit) {
  const Question question{.key = std::move(key), .limit = limit};
  auto answer = co_await ask(question);
  if (!answer) co_return std::unexpected(std::move(answer.error()));
  co_return std::move(answer->body);
}

async::Task<Result<Listing>> ObjectClient::list(ListRequest request) {
  Question question{.permission = "s3:ListBucket",
                    .parameters = {{"list-type", "2"},
                                   {"encoding-type", "url"},
                                   {"max-keys", std::to_string(request.max_keys)},
                                   {"prefix", request.prefix}}};
  auto& parameters = question.parameters;
  if (!request.delimiter.empty()) parameters.emplace_back("delimiter", request.delimiter);
  if (!request.continuation.empty()) {
    parameters.emplace_back("continuation-token", request.continuation);
  } else if (!request.after.empty()) {
    parameters.emplace_back("start-after", request.after);
  }
  const auto answer = co_await ask(question);
  if (!answer) co_return std::unexpected(answer.error());
  auto listing = parse_listing(answer->body);
  if (!listing) co_return nonsense(question, std::move(listing.error()));
  if (auto sound = check_listing(*listing, request); !sound) {
    co_return nonsense(question, std::move(sound.error()));
  }
  co_return listing;
}

async::Task<Result<std::string>> ObjectClient::presign(std::string key, std::string media_type,
                                                       std::chrono::seconds expiry) {
  const auto credentials = co_await current_credentials();
  if (!credentials) co_return std::unexpected(named(credentials.error()));
  const WallTime now = bucket_.clock().wall();
  if ((*credentials)->expiry) {
    const auto left = std::chrono::floor<std::chrono::seconds>(*(*credentials)->expiry - now);
    if (left < kShortestUrl) {
      co_return std::unexpected(
          named(upstream_error(Code::Unavailable, Retry::Yes, "its credentials expire").error()));
    }
    expiry = std::min(expiry, left);
  }
  ObjectRequest request{.key = key};
  if (!media_type.empty()) request.parameters.push_back({"response-content-type", media_type});
  auto url = s3::presign(bucket_.public_address(), request, expiry,
                         {.credentials = **credentials,
                          .region = bucket_.options().region,
                          .keys = bucket_.keys(),
                          .now = now});
  if (!url) co_return std::unexpected(named(std::move(url.error())));
  co_return url;
}

}  // namespace fairlead::s3
