// SPDX-License-Identifier: Apache-2.0
#include "auth/access_claim.h"

#include <algorithm>
#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace fairlead::auth {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxName = 512;    // host and repository
constexpr std::size_t kMaxActions = 32;  // of one entry

std::unexpected<Error> malformed(std::string_view what) {
  return client_error(Code::Unauthorized,
                      "the token's access claim is malformed: " + std::string(what));
}

const json::string* text_of(const json::object& object, std::string_view key) {
  const auto* member = object.if_contains(key);
  return member == nullptr ? nullptr : member->if_string();
}

// A name is compared, never taken apart; but one that cannot be meant is not passed over.
bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && name.front() != '/' && name.back() != '/' &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7f; });
}

Result<Actions> read_actions(const json::value& value) {
  const auto* list = value.if_array();
  if (list == nullptr) return malformed("`actions` is no list");
  if (list->size() > kMaxActions) return malformed("more than 32 actions");
  Actions actions;
  for (const auto& word : *list) {
    if (!word.is_string()) return malformed("an action is no text");
    const auto action = parse_action(std::string_view(word.get_string()));
    actions = actions | action.value_or(Actions());
  }
  return actions;
}

Result<std::optional<Access>> read_entry(const json::value& value) {
  const auto* object = value.if_object();
  const auto* type = object == nullptr ? nullptr : text_of(*object, "type");
  if (type == nullptr) return malformed("an entry without a type");
  if (*type != "repository") return std::nullopt;
  const auto* name = text_of(*object, "name");
  if (name == nullptr || !is_name(*name)) return malformed("an entry without a usable name");
  Access access{.reach = Access::Reach::Exact, .name = std::string(*name), .actions = {}};
  // Issuers in Go write an empty list as null.
  const auto* actions = object->if_contains("actions");
  if (actions == nullptr) return malformed("an entry without actions");
  if (actions->is_null()) return access;
  const auto read = read_actions(*actions);
  if (!read) return std::unexpected(read.error());
  access.actions = *read;
  return access;
}

Result<AccessList> read_entries(const json::array& array) {
  if (array.size() > AccessList::kMaxEntries) return malformed("too many entries");
  std::vector<Access> entries;
  for (const auto& value : array) {
    auto entry = read_entry(value);
    if (!entry) return std::unexpected(std::move(entry.error()));
    if (*entry) entries.push_back(**std::move(entry));
  }
  return AccessList(std::move(entries));
}

Result<AccessList> read_subtrees(const json::object& object, Actions actions) {
  const auto* member = object.if_contains("repos");
  const auto* repos = member == nullptr ? nullptr : member->if_array();
  if (repos == nullptr) return malformed("`repos` is no list");
  if (repos->size() > AccessList::kMaxEntries) return malformed("too many repos");
  std::vector<Access> entries;
  for (const auto& repo : *repos) {
    const auto* name = repo.if_string();
    if (name == nullptr || !is_name(*name)) return malformed("a repo without a usable name");
    entries.push_back(
        {.reach = Access::Reach::Subtree, .name = std::string(*name), .actions = actions});
  }
  return AccessList(std::move(entries));
}

Result<AccessList> read_object(const json::object& object) {
  const auto* type = text_of(object, "type");
  Actions actions{oci::Action::Pull};
  if (const auto* member = object.if_contains("actions")) {
    const auto read = read_actions(*member);
    if (!read) return std::unexpected(read.error());
    actions = *read;
  }
  if (type != nullptr && *type == "all") {
    return AccessList({{.reach = Access::Reach::All, .name = {}, .actions = actions}});
  }
  if (type != nullptr && *type == "repositories") return read_subtrees(object, actions);
  return malformed("its type is neither `all` nor `repositories`");
}

json::array words_of(Actions actions) {
  json::array words;
  for (const auto action : {oci::Action::Pull, oci::Action::Push, oci::Action::Delete}) {
    if (actions.has(action)) words.emplace_back(json::string_view(oci::to_string(action)));
  }
  return words;
}

json::value write_entries(const std::vector<Access>& entries) {
  json::array array;
  for (const Access& entry : entries) {
    array.push_back(json::object{
        {"type", "repository"}, {"name", entry.name}, {"actions", words_of(entry.actions)}});
  }
  return array;
}

json::value write_subtrees(const std::vector<Access>& entries) {
  json::array repos;
  for (const Access& entry : entries) repos.emplace_back(entry.name);
  return json::object{{"type", "repositories"},
                      {"repos", std::move(repos)},
                      {"actions", words_of(entries.front().actions)}};
}

}  // namespace

Result<std::optional<AccessList>> read_access_claim(const json::object& claims) {
  const auto* claim = claims.if_contains("access");
  if (claim == nullptr) return std::nullopt;
  // distribution's own issuers write null for a list without entries.
  if (claim->is_null()) return AccessList();
  if (const auto* array = claim->if_array()) return read_entries(*array);
  if (const auto* object = claim->if_object()) return read_object(*object);
  return malformed("it is neither a list nor an object");
}

Result<json::value> write_access_claim(const AccessList& list) {
  const auto& entries = list.entries();
  const auto is_like_first = [&](const Access& entry) {
    return entry.reach == entries.front().reach && entry.actions == entries.front().actions;
  };
  const bool is_exact = std::ranges::all_of(
      entries, [](const Access& entry) { return entry.reach == Access::Reach::Exact; });
  if (is_exact) return write_entries(entries);
  if (!std::ranges::all_of(entries, is_like_first)) {
    return internal_error(Code::InvalidArgument,
                          "an access claim is either of exact names, or of subtrees that all have "
                          "the same actions, or of everything");
  }
  if (entries.front().reach == Access::Reach::Subtree) return write_subtrees(entries);
  return json::object{{"type", "all"}, {"actions", words_of(entries.front().actions)}};
}

}  // namespace fairlead::auth
