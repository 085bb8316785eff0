// SPDX-License-Identifier: Apache-2.0
// Section and Value: how the schema reads the document, key by key.
//
// A reader names each key it knows and where its value goes:
//
//   limits.number("connections", out.connections, 1, 1'000'000);
//   limits.duration("drain", out.drain, 0ms, 1h);
//   cache.not_built({"s3"});
//
// What is absent leaves its target, the default, alone. What does not fit is a problem at the
// value's own line and leaves the target alone too, so that reading goes on and finds the rest.
// Keys that nobody named are problems as well, with the nearest known one suggested.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "config/config.h"
#include "config/document.h"
#include "config/problem.h"

namespace fairlead::config {

// A hostile file must not make a report of a million lines, nor the work for it.
inline constexpr std::size_t kMaxProblems = 100;

// One reading of one configuration: what it may ask and what it found.
struct Reading {
  std::string file;
  const Surroundings& surroundings;
  std::vector<Problem> problems;  // no more than kMaxProblems are reported by a Value
  std::vector<Problem> warnings;
  std::set<std::string, std::less<>> variables;  // that env:NAME has named

  [[nodiscard]] bool is_full() const { return problems.size() >= kMaxProblems; }
};

inline constexpr std::string_view kNotBuilt = "is not built yet in this version";

class Section;

// One node of the document and the way to it. Refers to both the node and the reading.
class Value {
 public:
  Value(const Node& node, std::string path, std::size_t line, Reading& reading)
      : node_(&node), path_(std::move(path)), line_(line), reading_(&reading) {}

  void problem(std::string text) const;
  void warning(std::string text) const;

  [[nodiscard]] Node::Kind kind() const { return node_->kind; }
  [[nodiscard]] bool is_empty_list() const {
    return kind() == Node::Kind::Sequence && node_->items.empty();
  }
  [[nodiscard]] std::size_t line() const { return line_; }

  // Each of these has reported the problem when it answers nullopt.

  // Text on one line, at most 4 KiB; empty only where `may_be_empty`.
  [[nodiscard]] std::optional<std::string> text(bool may_be_empty = false) const;
  // Text, or what env:NAME or file:/path stand for. Problems do not quote it. Nullopt without a
  // problem where secrets are not wanted (Surroundings).
  [[nodiscard]] std::optional<Secret> secret() const;
  // True or false.
  [[nodiscard]] std::optional<bool> boolean() const;
  // What the file of this path holds. Nullopt without a problem where secrets are not wanted.
  [[nodiscard]] std::optional<std::string> file_text(std::size_t max_bytes) const;
  // The path of a file that can be read now.
  [[nodiscard]] std::optional<std::string> readable_file() const;
  // The parts of a list, `max` at most; a single text counts as a list of one.
  [[nodiscard]] std::vector<Value> items(std::size_t max) const;
  [[nodiscard]] std::vector<std::string> texts(std::size_t max) const;

  // Calls `read` with the mapping's Section, then reports the keys it did not name. An empty value
  // is an empty mapping.
  void section(const std::function<void(Section&)>& read) const;

 private:
  friend class Section;
  [[nodiscard]] Problem here(std::string text) const;

  const Node* node_;
  std::string path_;
  std::size_t line_;
  Reading* reading_;
};

class Section {
 public:
  explicit Section(const Value& value) : value_(value) {}

  // Where the section itself stands, for what is wrong with several keys together.
  [[nodiscard]] const Value& self() const { return value_; }

  // The value of `key`, which is known from now on; nullopt: absent.
  [[nodiscard]] std::optional<Value> find(std::string_view key);
  // All values with their keys, `max` at most, for a mapping whose keys the user chooses.
  [[nodiscard]] std::vector<std::pair<std::string, Value>> all(std::size_t max);

  void section(std::string_view key, const std::function<void(Section&)>& read);
  void text(std::string_view key, std::string& out);
  void texts(std::string_view key, std::vector<std::string>& out, std::size_t max);
  void readable_file(std::string_view key, std::string& out);
  void number(std::string_view key, std::size_t& out, std::size_t min, std::size_t max);
  void size(std::string_view key, std::size_t& out, std::size_t min, std::size_t max);
  void duration(std::string_view key, std::chrono::milliseconds& out, std::chrono::milliseconds min,
                std::chrono::milliseconds max);

  template <class T>
  void choice(std::string_view key, T& out,
              std::initializer_list<std::pair<std::string_view, T>> choices);

  // Keys that Fairlead is to have and this version has not.
  void not_built(std::initializer_list<std::string_view> keys);

  void report_unknown() const;

 private:
  [[nodiscard]] Value child(const Member& member) const;

  Value value_;
  std::vector<std::string_view> known_;    // the schema's literals
  std::vector<std::string_view> planned_;  // those of them that are not built
  bool knows_all_ = false;
};

template <class T>
void Section::choice(std::string_view key, T& out,
                     std::initializer_list<std::pair<std::string_view, T>> choices) {
  const auto value = find(key);
  const auto given = value ? value->text() : std::nullopt;
  if (!given) return;
  std::string names;
  for (const auto& [name, meaning] : choices) {
    if (*given == name) {
      out = meaning;
      return;
    }
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  value->problem(in_quotes(*given) + " is none of " + names);
}

}  // namespace fairlead::config
