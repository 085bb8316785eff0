// SPDX-License-Identifier: Apache-2.0
// Asks a bucket what an end-to-end test wants to know, one question a line on standard input,
// fields separated by tabs, all but the first as hexadecimal digits:
//
//   head KEY                              -> SIZE TYPE ETAG WRITING SECONDS (since 1970)
//   get KEY OFFSET LENGTH                 -> SIZE BYTES; LENGTH may be empty
//   text KEY LIMIT                        -> BYTES
//   put KEY BYTES TYPE WRITING            ->
//   remove KEY                            ->
//   list PREFIX DELIMITER AFTER CONTINUATION MAX
//                                         -> CONTINUATION, then KEY SIZE or PREFIX "" of each
//   presign KEY TYPE SECONDS              -> URL
//   begin KEY TYPE WRITING                -> ID
//   part KEY ID NUMBER BYTES REPEAT       -> ETAG
//   complete KEY ID ETAG...               ->  (of the parts 1, 2, ...)
//   abort KEY ID                          ->
//   unfinished PREFIX                     -> KEY ID of each
//   trouble                               -> what /ready would say; nothing: all is well
//
// An answer is "ok" and its fields, or "error", the code in words, and the context.
// argv: ENDPOINT BUCKET path|virtual-host REGION; keys from the environment, as AWS's own programs
// have them.
#include <boost/asio/co_spawn.hpp>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>

#include "s3/object_client.h"
#include "testing/s3_tool.h"

using namespace fairlead;
using namespace fairlead::s3;
using fairlead::testing::fail;
using fairlead::testing::from_hex;
using fairlead::testing::variable;

namespace {

using Fields = std::vector<std::string>;
using Answer = Result<Fields>;

std::string to_hex(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string digits;
  for (const char c : text) {
    digits += kHex[static_cast<unsigned char>(c) >> 4];
    digits += kHex[static_cast<unsigned char>(c) & 0xf];
  }
  return digits;
}

template <class T>
std::unexpected<Error> because(const Result<T>& result) {
  return std::unexpected(result.error());
}

async::Task<Answer> head(Objects& objects, Fields in) {
  const auto head = co_await objects.head(in.at(0));
  if (!head) co_return because(head);
  const auto seconds = std::chrono::system_clock::to_time_t(head->modified);
  co_return Fields{std::to_string(head->size), head->media_type, head->etag, head->writing,
                   std::to_string(seconds)};
}

async::Task<Answer> get(Objects& objects, Fields in) {
  std::optional<std::uint64_t> length;
  if (!in.at(2).empty()) length = std::stoull(in[2]);
  const auto download = co_await objects.get(in[0], std::stoull(in[1]), length);
  if (!download) co_return because(download);
  std::string bytes;
  for (;;) {
    const auto piece = co_await download->body->read();
    if (!piece) co_return because(piece);
    if (piece->empty()) break;
    bytes += as_text(*piece);
  }
  co_return Fields{std::to_string(download->head.size), bytes};
}

async::Task<Answer> text(Objects& objects, Fields in) {
  const auto bytes = co_await objects.get_text(in.at(0), std::stoull(in.at(1)));
  if (!bytes) co_return because(bytes);
  co_return Fields{*bytes};
}

async::Task<Answer> put(Objects& objects, Fields in) {
  const auto done = co_await objects.put(in.at(0), in.at(1), in.at(2), in.at(3));
  if (!done) co_return because(done);
  co_return Fields{};
}

async::Task<Answer> remove(Objects& objects, Fields in) {
  const auto done = co_await objects.remove(in.at(0));
  if (!done) co_return because(done);
  co_return Fields{};
}

async::Task<Answer> list(Objects& objects, Fields in) {
  const auto listing = co_await objects.list({.prefix = in.at(0),
                                              .delimiter = in.at(1),
                                              .after = in.at(2),
                                              .continuation = in.at(3),
                                              .max_keys = std::stoi(in.at(4))});
  if (!listing) co_return because(listing);
  Fields out{listing->continuation};
  for (const auto& object : listing->objects) {
    out.insert(out.end(), {object.key, std::to_string(object.size)});
  }
  for (const auto& prefix : listing->prefixes) out.insert(out.end(), {prefix, ""});
  co_return out;
}

async::Task<Answer> presign(Objects& objects, Fields in) {
  const auto url =
      co_await objects.presign(in.at(0), in.at(1), std::chrono::seconds(std::stol(in.at(2))));
  if (!url) co_return because(url);
  co_return Fields{*url};
}

async::Task<Answer> begin_upload(Objects& objects, Fields in) {
  const auto id = co_await objects.begin_upload(in.at(0), in.at(1), in.at(2));
  if (!id) co_return because(id);
  co_return Fields{*id};
}

async::Task<Answer> part(Objects& objects, Fields in) {
  std::string bytes;
  for (int i = 0; i < std::stoi(in.at(4)); ++i) bytes += in[3];
  const auto part = co_await objects.put_part(in[0], in[1], std::stoi(in[2]), std::move(bytes));
  if (!part) co_return because(part);
  co_return Fields{part->etag};
}

async::Task<Answer> complete(Objects& objects, Fields in) {
  std::vector<UploadedPart> parts;
  for (std::size_t i = 2; i < in.size(); ++i) {
    parts.push_back({.number = static_cast<int>(i) - 1, .etag = in[i]});
  }
  const auto done = co_await objects.complete_upload(in.at(0), in.at(1), std::move(parts));
  if (!done) co_return because(done);
  co_return Fields{};
}

async::Task<Answer> abort_upload(Objects& objects, Fields in) {
  const auto done = co_await objects.abort_upload(in.at(0), in.at(1));
  if (!done) co_return because(done);
  co_return Fields{};
}

async::Task<Answer> unfinished(Objects& objects, Fields in) {
  const auto uploads = co_await objects.unfinished_uploads(in.at(0));
  if (!uploads) co_return because(uploads);
  Fields out;
  for (const auto& upload : *uploads) out.insert(out.end(), {upload.key, upload.id});
  co_return out;
}

using Ask = async::Task<Answer> (*)(Objects&, Fields);
const std::map<std::string, Ask> kQuestions = {
    {"head", head},          {"get", get},
    {"text", text},          {"put", put},
    {"remove", remove},      {"list", list},
    {"presign", presign},    {"part", part},
    {"begin", begin_upload}, {"complete", complete},
    {"abort", abort_upload}, {"unfinished", unfinished},
};

Answer run(boost::asio::io_context& context, async::Task<Answer> task) {
  std::optional<Answer> answer;
  boost::asio::co_spawn(context.get_executor(), std::move(task),
                        [&](const std::exception_ptr& thrown, Answer got) {
                          if (thrown) std::rethrow_exception(thrown);
                          answer = std::move(got);
                        });
  context.restart();
  while (!answer) context.run_one();
  return *std::move(answer);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) fail("ENDPOINT BUCKET path|virtual-host REGION");
  const SystemClock clock;
  telemetry::Log log({});
  SigningKeys keys;
  auto bucket = Bucket::make(
      {.name = argv[2],
       .endpoint = argv[1],
       .region = argv[4],
       .style =
           std::string_view(argv[3]) == "path" ? AddressStyle::Path : AddressStyle::VirtualHost,
       .credentials = S3Credentials{.access_key = variable("AWS_ACCESS_KEY_ID"),
                                    .secret_key = Secret(variable("AWS_SECRET_ACCESS_KEY")),
                                    .session_token = Secret(variable("AWS_SESSION_TOKEN"))}},
      nullptr, keys, clock, log);
  if (!bucket) fail(bucket.error().context);
  boost::asio::io_context context{1};
  upstream::HttpTransport transport(context.get_executor());
  async::BlockingPool pool(1);
  ObjectClient objects(**bucket, transport, pool);

  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream stream(line + "\t");
    std::string name;
    std::getline(stream, name, '\t');
    Fields in;
    for (std::string field; std::getline(stream, field, '\t');) in.push_back(from_hex(field));
    Answer answer = Fields{};
    if (name == "trouble") {
      if (const auto trouble = (*bucket)->health().trouble()) answer->push_back(*trouble);
    } else {
      const auto found = kQuestions.find(name);
      if (found == kQuestions.end()) fail("no such question: " + name);
      answer = run(context, found->second(objects, std::move(in)));
    }
    std::string out = "ok";
    if (!answer) {
      out = "error";
      answer = Fields{std::string(to_string(answer.error().code)), answer.error().context};
    }
    for (const auto& field : *answer) out += "\t" + to_hex(field);
    std::cout << out << std::endl;
  }
  return 0;
}
