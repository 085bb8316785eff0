// SPDX-License-Identifier: Apache-2.0
#include "auth/htpasswd.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/whole_file.h"

namespace fairlead::auth {
namespace {

constexpr int kDefaultCost = 10;
constexpr std::string_view kBlanks = " \t\r";
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::string_view without_blanks_behind(std::string_view text) {
  const std::size_t last = text.find_last_not_of(kBlanks);
  return text.substr(0, last == text.npos ? 0 : last + 1);
}

// What is wrong with `name`; empty: nothing.
std::string_view fault_of_name(std::string_view name) {
  if (name.empty()) return "has no user name before the colon";
  if (name.size() > HtpasswdFile::kMaxName) return "has a user name of more than 255 bytes";
  if (std::ranges::any_of(name, is_control)) return "has a control character in the user name";
  if (name.front() == ' ' || name.back() == ' ') return "has a blank around the user name";
  // It is not shown: name and hash may have been swapped.
  if (name.front() == '$' || name.front() == '{') return "begins with a hash, not a user name";
  return {};
}

// Why `hash` is none that is checked here.
std::string fault_of_hash(std::string_view hash) {
  if (hash.starts_with("$2")) {
    return "a bcrypt hash that is damaged, of an old kind, or of a cost over " +
           std::to_string(BcryptHash::kMaxCost);
  }
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kKinds{{
      {"$apr1$", "MD5 (apr1)"},
      {"$1$", "MD5"},
      {"$5$", "SHA-256"},
      {"$6$", "SHA-512"},
      {"$y$", "yescrypt"},
      {"$argon2", "argon2"},
      {"{SHA}", "SHA-1"},
      {"{SSHA}", "SHA-1"},
  }};
  for (const auto& [mark, kind] : kKinds) {
    if (hash.starts_with(mark)) return std::string(kind) + ", not bcrypt";
  }
  return "not bcrypt";
}

}  // namespace

std::string to_string(const HtpasswdProblem& problem) {
  return problem.line == 0 ? problem.text
                           : "line " + std::to_string(problem.line) + ": " + problem.text;
}

class HtpasswdFile::Reader {
 public:
  void read_line(std::string_view line) {
    ++number_;
    if (number_ == 1 && line.starts_with(kByteOrderMark)) {
      line.remove_prefix(kByteOrderMark.size());
    }
    line = without_blanks_behind(line);
    if (line.empty() || line.starts_with('#')) return;
    const std::size_t colon = line.find(':');
    if (colon == line.npos) {
      problem("has no colon; write user:hash");
      return;
    }
    add_user(line.substr(0, colon), line.substr(colon + 1));
  }

  [[nodiscard]] bool is_full() const { return problems_.size() >= kMaxProblems; }

  Parsed finish() && {
    if (!problems_.empty()) return std::unexpected(std::move(problems_));
    if (weak_ > 0) {
      file_.warnings_.push_back(
          {first_weak_, std::to_string(weak_) + (weak_ == 1 ? " hash" : " hashes") +
                            " from here on cost less than " + std::to_string(kWeakCost) +
                            ": who gets the file guesses them fast; use htpasswd -B -C 10"});
    }
    return std::move(file_);
  }

 private:
  void problem(std::string text) { problems_.push_back({number_, std::move(text)}); }

  void add_user(std::string_view name, std::string_view hash) {
    if (const auto fault = fault_of_name(name); !fault.empty()) {
      problem(std::string(fault));
      return;
    }
    const std::string shown = std::string(name) + ": ";
    if (name == "anonymous" || name == "*") {
      problem(shown + "is no user name: rules mean something else by it");
      return;
    }
    auto parsed = BcryptHash::parse(hash);
    if (!parsed) {
      problem(shown + fault_of_hash(hash) + "; make it with htpasswd -B");
      return;
    }
    if (parsed->cost() < kWeakCost && weak_++ == 0) first_weak_ = number_;
    if (!file_.users_.emplace(name, *std::move(parsed)).second) {
      problem(shown + "is there twice");
    }
  }

  HtpasswdFile file_;
  std::vector<HtpasswdProblem> problems_;
  std::size_t number_ = 0;
  std::size_t weak_ = 0;
  std::size_t first_weak_ = 0;
};

HtpasswdFile::Parsed HtpasswdFile::parse(std::string_view text) {
  if (text.size() > kMaxBytes) {
    return std::unexpected(std::vector{HtpasswdProblem{0, "is larger than 4 MiB"}});
  }
  Reader reader;
  while (!text.empty() && !reader.is_full()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    reader.read_line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return std::move(reader).finish();
}

HtpasswdFile::Parsed HtpasswdFile::read(const std::string& path) {
  const auto text = read_whole_file(path, kMaxBytes);
  if (!text) {
    return std::unexpected(
        std::vector{HtpasswdProblem{0, "cannot be read: " + text.error().context}});
  }
  return parse(*text);
}

const BcryptHash* HtpasswdFile::find(std::string_view user) const {
  const auto found = users_.find(user);
  return found == users_.end() ? nullptr : &found->second;
}

int HtpasswdFile::usual_cost() const {
  if (users_.empty()) return kDefaultCost;
  std::array<std::size_t, BcryptHash::kMaxCost + 1> users{};
  for (const auto& [name, hash] : users_) ++users[static_cast<std::size_t>(hash.cost())];
  return static_cast<int>(std::distance(users.begin(), std::ranges::max_element(users)));
}

}  // namespace fairlead::auth
