// SPDX-License-Identifier: Apache-2.0
#include "s3/refusal.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <initializer_list>
#include <utility>

#include "s3/credential_document.h"
#include "s3/xml_answer.h"
#include "upstream/answer.h"

namespace fairlead::s3 {
namespace {

constexpr std::chrono::minutes kMaxSkew{5};
constexpr std::size_t kMaxQuote = 240;
constexpr std::size_t kMaxCode = 64;
constexpr std::size_t kMaxRegion = 64;

bool is_one_of(std::string_view code, std::initializer_list<std::string_view> codes) {
  return std::ranges::find(codes, code) != codes.end();
}

std::string sound_code(const std::string& code) {
  const bool is_sound =
      code.size() <= kMaxCode && std::ranges::all_of(code, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      });
  return is_sound ? code : std::string();
}

std::string sound_region(std::string_view region) {
  const bool is_sound = region.size() <= kMaxRegion && std::ranges::all_of(region, [](char c) {
                          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                 (c >= '0' && c <= '9') || c == '-' || c == '_';
                        });
  return std::string(is_sound ? region : std::string_view());
}

// Printable ASCII, bounded, and without what the request was signed with.
std::string quoted(std::string text, const S3Credentials& credentials) {
  for (const std::string* secret : {&credentials.secret_key.reveal(), &credentials.access_key,
                                    &credentials.session_token.reveal()}) {
    if (secret->empty()) continue;
    for (auto at = text.find(*secret); at != std::string::npos;
         at = text.find(*secret, at + Secret::kRedacted.size())) {
      text.replace(at, secret->size(), Secret::kRedacted);
    }
  }
  for (char& c : text) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  if (text.size() > kMaxQuote) text = text.substr(0, kMaxQuote) + "...";
  return text;
}

std::string in_words(std::chrono::seconds duration) {
  using namespace std::chrono;
  const auto seconds_left = std::max<std::int64_t>(1, duration.count());
  for (const auto& [unit, name] :
       {std::pair<std::int64_t, const char*>(86400, " days"), {3600, " hours"}, {60, " minutes"}}) {
    if (seconds_left >= 2 * unit) return std::to_string((seconds_left + unit / 2) / unit) + name;
  }
  return std::to_string(seconds_left) + " seconds";
}

// What an answer holds of use.
struct Facts {
  int status = 0;
  std::string code;                           // of S3; sound
  std::string message;                        // fit to be shown
  std::string region;                         // where the bucket is; sound
  std::optional<std::chrono::seconds> ahead;  // by how much our clock is ahead of S3's
};

Facts facts_of(const RefusedAnswer& answer, const Asked& asked) {
  const ErrorDocument document = parse_error_document(answer.body).value_or(ErrorDocument{});
  // Quoted first: what has a credential in it is not sound then.
  const auto region = [&](std::string_view text) {
    return sound_region(quoted(std::string(text), asked.credentials));
  };
  Facts facts{.status = answer.status,
              .code = sound_code(quoted(document.code, asked.credentials)),
              .message = quoted(document.message, asked.credentials),
              .region = region(answer.headers.find("x-amz-bucket-region")),
              .ahead = {}};
  if (facts.region.empty()) facts.region = region(document.region);
  auto their_time = parse_http_date(answer.headers.find("Date"));
  if (!their_time) their_time = parse_utc(document.server_time);
  if (their_time) {
    facts.ahead = std::chrono::duration_cast<std::chrono::seconds>(asked.now - *their_time);
  }
  return facts;
}

Error made(Code code, Retry retry, std::string words) {
  return upstream_error(code, retry, std::move(words)).error();
}

Error wrong_clock(const Facts& facts) {
  std::string words = "this machine's clock differs too much from S3's";
  if (facts.ahead) {
    words = "this machine's clock is " + in_words(std::chrono::abs(*facts.ahead)) +
            (facts.ahead->count() > 0 ? " ahead of" : " behind") + " S3's";
  }
  return made(Code::InvalidArgument, Retry::No,
              words + ", so its signatures are refused; set the clock");
}

Error wrong_region(const Facts& facts, const Asked& asked) {
  std::string words = "it is not in the region " + std::string(asked.region);
  if (!facts.region.empty() && facts.region != asked.region) {
    words += ", but in " + facts.region + "; set `region: " + facts.region +
             "`, and the endpoint of that region";
  } else {
    words += ", or not at this endpoint; correct `region` or `endpoint`";
  }
  return made(Code::InvalidArgument, Retry::No, std::move(words));
}

// Its own message is left out: AWS names the account and the role, and clients get these words.
Error denied(const Facts& facts, const Asked& asked) {
  std::string words = "S3 answered " + std::to_string(facts.status);
  if (!facts.code.empty()) words += " " + facts.code;
  words += ": the credentials need the permission " + std::string(asked.permission);
  if (asked.permission == "s3:GetObject") {
    words += " (and s3:ListBucket: without it AWS denies what is not there)";
  }
  return made(Code::Denied, Retry::No, std::move(words));
}

// What the credentials themselves are at fault for.
std::optional<Error> of_credentials(const Facts& facts, const Asked& asked) {
  const auto unauthorized = [](std::string words) {
    return made(Code::Unauthorized, Retry::No, std::move(words));
  };
  const std::string& code = facts.code;
  if (is_one_of(code, {"InvalidAccessKeyId", "InvalidClientTokenId"})) {
    return unauthorized("S3 does not know the access key; correct `access_key`");
  }
  if (is_one_of(code, {"ExpiredToken", "InvalidToken", "TokenRefreshRequired"})) {
    return unauthorized(
        "S3 does not take the session token, or not any more; renew the temporary "
        "credentials");
  }
  const bool is_skewed =
      facts.status == 403 && facts.ahead && std::chrono::abs(*facts.ahead) > kMaxSkew;
  if (code == "RequestTimeTooSkewed" || is_skewed) return wrong_clock(facts);
  if (code == "SignatureDoesNotMatch") {
    return unauthorized(
        "S3 does not accept the signature: `secret_key` is not that of the access "
        "key, or a proxy changes requests");
  }
  if (code == "QuotaExceeded") {
    return made(Code::Denied, Retry::No, "its quota is used up; raise it, or make room");
  }
  if (facts.status == 401) return unauthorized("S3 does not take the credentials (401)");
  if (facts.status == 403 || code == "AccessDenied") return denied(facts, asked);
  return std::nullopt;
}

// Of one that may be absent. What is written or listed is there, or its bucket is not.
bool is_about_object(std::string_view permission) {
  return is_one_of(permission, {"s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload"});
}

std::optional<Error> of_place(const Facts& facts, const Asked& asked) {
  const std::string& code = facts.code;
  const bool is_elsewhere = facts.status == 301 || facts.status == 307 || facts.status == 308;
  if (is_elsewhere ||
      is_one_of(code, {"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed",
                       "InvalidRegion", "IllegalLocationConstraintException"})) {
    return wrong_region(facts, asked);
  }
  if (code == "NoSuchBucket") {
    return made(Code::InvalidArgument, Retry::No,
                "there is no such bucket at this endpoint; create it, or correct `name`");
  }
  if (code == "NoSuchUpload") {
    return made(Code::NotFound, Retry::No, "the upload is not there, or is complete");
  }
  if ((facts.status == 404 || facts.status == 410) && !is_about_object(asked.permission)) {
    return made(Code::InvalidArgument, Retry::No,
                "what answers at this endpoint is no S3, or has no such bucket; check `endpoint`, "
                "`name` and `path_style`");
  }
  if (facts.status == 404 || facts.status == 410) {
    return made(Code::NotFound, Retry::No,
                "it has no " + quoted(std::string(asked.key), asked.credentials));
  }
  return std::nullopt;
}

// What may be better the next time.
std::optional<Error> of_the_moment(const Facts& facts) {
  const std::string& code = facts.code;
  const std::string shown =
      std::to_string(facts.status) + (code.empty() ? std::string() : " " + code);
  if (facts.status == 429 || is_one_of(code, {"SlowDown", "Throttling", "ThrottlingException",
                                              "RequestLimitExceeded", "TooManyRequests"})) {
    return made(Code::TooManyRequests, Retry::Yes, "S3 asks us to slow down (" + shown + ")");
  }
  if (facts.status == 408 || code == "RequestTimeout") {
    return made(Code::Timeout, Retry::Yes, "the request did not reach S3 in time (" + shown + ")");
  }
  if (is_one_of(code, {"BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch"})) {
    return made(Code::Corrupt, Retry::Yes, "what was sent arrived damaged (" + shown + ")");
  }
  if (code == "NotImplemented" || facts.status == 501) return std::nullopt;
  // InternalError also comes with 200.
  if (facts.status >= 500 ||
      is_one_of(code, {"InternalError", "ServiceUnavailable", "OperationAborted"})) {
    return made(Code::Unavailable, Retry::Yes, "S3 answered " + shown);
  }
  return std::nullopt;
}

}  // namespace

Error refusal(const RefusedAnswer& answer, const Asked& asked) {
  const Facts facts = facts_of(answer, asked);
  std::optional<Error> error = of_place(facts, asked);
  if (!error) error = of_credentials(facts, asked);
  if (!error) error = of_the_moment(facts);
  if (!error) {
    std::string words = "S3 answered " + std::to_string(facts.status);
    if (!facts.code.empty()) words += " " + facts.code;
    if (!facts.message.empty()) words += ": " + facts.message;
    if (facts.code.empty()) words += "; is the endpoint one of S3?";
    // That parts do not fit together is not the bucket's fault.
    const bool is_nonsense = answer.status < 300 || facts.code == "EntityTooSmall" ||
                             facts.code.starts_with("InvalidPart");
    error = made(is_nonsense ? Code::Corrupt : Code::InvalidArgument, Retry::No, std::move(words));
    if (facts.code == "EntityTooLarge") error->code = Code::TooLarge;
  }
  error->retry_after = upstream::parse_retry_after(answer.headers.find("Retry-After"));
  return *std::move(error);
}

std::optional<WallTime> parse_http_date(std::string_view text) {
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  constexpr std::string_view kForm = "Aaa, 00 Aaa 0000 00:00:00 GMT";
  if (text.size() != kForm.size() || !text.ends_with(" GMT")) return std::nullopt;
  const auto* const month = std::ranges::find(kMonths, text.substr(8, 3));
  if (month == kMonths.end() || text[7] != ' ' || text[11] != ' ') return std::nullopt;
  const auto number = std::to_string(month - kMonths.begin() + 1);
  std::string utc(text.substr(12, 4));
  utc.append(number.size() == 1 ? "-0" : "-").append(number);
  utc.append("-").append(text.substr(5, 2));
  utc.append("T").append(text.substr(17, 8)).append("Z");
  return parse_utc(utc);
}

}  // namespace fairlead::s3
