// SPDX-License-Identifier: Apache-2.0
// What is sealed is a JSON object, every member of which we have written ourselves.
#include "auth/upload_sessions.h"

#include <boost/json.hpp>
#include <cstdint>
#include <optional>

#include "auth/json_object.h"
#include "auth/sealed_token.h"

namespace fairlead::auth {
namespace {

std::unexpected<Error> unknown() {
  return client_error(Code::NotFound, "there is no such upload; begin a new one");
}

std::int64_t seconds_of(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

// Reads the members of one object; all of them must be there.
class Members {
 public:
  explicit Members(const boost::json::object& object) : object_(object) {}

  std::string text(std::string_view name) {
    const auto* member = object_.if_contains(name);
    const auto* text = member == nullptr ? nullptr : member->if_string();
    if (text == nullptr) is_complete_ = false;
    return text == nullptr ? std::string() : std::string(text->data(), text->size());
  }

  std::int64_t number(std::string_view name) {
    const auto* member = object_.if_contains(name);
    const auto* number = member == nullptr ? nullptr : member->if_int64();
    if (number == nullptr) is_complete_ = false;
    return number == nullptr ? 0 : *number;
  }

  [[nodiscard]] bool is_complete() const { return is_complete_; }

 private:
  const boost::json::object& object_;
  bool is_complete_ = true;
};

}  // namespace

std::string UploadSessions::seal(const UploadSession& session, WallTime now) const {
  const boost::json::object object{{"registry", session.owner.registry},
                                   {"repository", session.owner.repository},
                                   {"name", session.owner.name},
                                   {"caller", session.owner.caller},
                                   {"url", session.url},
                                   {"elsewhere", session.is_elsewhere ? 1 : 0},
                                   {"id", session.id},
                                   {"iat", seconds_of(now)},
                                   {"exp", seconds_of(now + kLifetime)}};
  return keys_.seal(boost::json::serialize(object), kUploadAssertion);
}

Result<UploadSession> UploadSessions::open(std::string_view sealed, const UploadOwner& owner,
                                           WallTime now) const {
  const auto text = keys_.open(sealed, kUploadAssertion);
  const auto object = text ? parse_json_object(*text) : std::nullopt;
  if (!object) return unknown();

  Members members(*object);
  UploadSession session{.owner = {.registry = members.text("registry"),
                                  .repository = members.text("repository"),
                                  .name = members.text("name"),
                                  .caller = members.text("caller")},
                        .url = members.text("url"),
                        .is_elsewhere = members.number("elsewhere") != 0,
                        .id = members.text("id")};
  const std::int64_t issued = members.number("iat");
  const std::int64_t expires = members.number("exp");
  const bool is_of_now =
      seconds_of(now) < expires && issued <= seconds_of(now + WallTime::duration(kClockSkew));
  if (!members.is_complete() || !is_of_now || session.owner != owner) return unknown();
  return session;
}

}  // namespace fairlead::auth
