// SPDX-License-Identifier: Apache-2.0
// What a Value can be: text, secret, file, list, section.
#include <algorithm>
#include <utility>

#include "config/section.h"

namespace fairlead::config {
namespace {

constexpr std::size_t kMaxText = 4096;
constexpr std::size_t kMaxSecretFile = 64UL * 1024;
constexpr std::size_t kMaxReadableFile = 16UL * 1024 * 1024;

bool has_control(std::string_view text) {
  return std::ranges::any_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::string_view describe(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::Null:
      return "empty";
    case Node::Kind::Scalar:
      return "text";
    case Node::Kind::Sequence:
      return "a list";
    case Node::Kind::Mapping:
      return "a mapping";
  }
  std::unreachable();
}

std::string cannot_be_read(std::string_view path, const Error& error) {
  return in_quotes(path) + " cannot be read: " + printable(error.context);
}

}  // namespace

Problem Value::here(std::string text) const {
  if (!node_->origin.empty()) return {.file = node_->origin, .line = 0, .key = {}, .text = text};
  return {.file = reading_->file, .line = line_, .key = path_, .text = std::move(text)};
}

void Value::problem(std::string text) const {
  if (!reading_->is_full()) reading_->problems.push_back(here(std::move(text)));
}

void Value::warning(std::string text) const {
  if (reading_->warnings.size() < kMaxProblems) reading_->warnings.push_back(here(std::move(text)));
}

std::optional<std::string> Value::text(bool may_be_empty) const {
  if (node_->kind != Node::Kind::Scalar) {
    problem("must be text, but is " + std::string(describe(node_->kind)));
  } else if (node_->text.empty() && !may_be_empty) {
    problem("is empty");
  } else if (node_->text.size() > kMaxText) {
    problem("is longer than " + std::to_string(kMaxText) + " bytes");
  } else if (has_control(node_->text)) {
    problem("holds a line break or another control character");
  } else {
    return node_->text;
  }
  return std::nullopt;
}

std::optional<Secret> Value::secret() const {
  auto given = text();
  if (!given) return std::nullopt;
  if (given->starts_with("env:")) {
    const std::string name = given->substr(4);
    reading_->variables.insert(name);
    if (reading_->surroundings.is_only_cache) return std::nullopt;
    const auto& environment = reading_->surroundings.environment;
    const auto found = environment.find(name);
    if (found == environment.end() || found->second.empty()) {
      problem("the environment variable " + in_quotes(name) + " is not set");
      return std::nullopt;
    }
    given = found->second;
  } else if (given->starts_with("file:")) {
    if (reading_->surroundings.is_only_cache) return std::nullopt;
    const std::string path = given->substr(5);
    auto held = reading_->surroundings.read_file(path, kMaxSecretFile);
    if (!held) {
      problem(cannot_be_read(path, held.error()));
      return std::nullopt;
    }
    if (held->ends_with('\n')) held->pop_back();
    if (held->ends_with('\r')) held->pop_back();
    if (held->empty()) {
      problem("the file " + in_quotes(path) + " is empty");
      return std::nullopt;
    }
    given = std::move(*held);
  }
  if (has_control(*given)) {
    problem("the secret holds a line break or another control character");
    return std::nullopt;
  }
  return Secret(std::move(*given));
}

std::optional<bool> Value::boolean() const {
  const auto given = text();
  if (!given) return std::nullopt;
  if (*given == "true") return true;
  if (*given == "false") return false;
  problem(in_quotes(*given) + " is neither true nor false");
  return std::nullopt;
}

std::optional<std::string> Value::file_text(std::size_t max_bytes) const {
  const auto path = text();
  if (!path || reading_->surroundings.is_only_cache) return std::nullopt;
  auto held = reading_->surroundings.read_file(*path, max_bytes);
  if (held) return *std::move(held);
  problem(cannot_be_read(*path, held.error()));
  return std::nullopt;
}

std::optional<std::string> Value::readable_file() const {
  auto path = text();
  if (!path || reading_->surroundings.is_only_cache) return path;
  if (const auto held = reading_->surroundings.read_file(*path, kMaxReadableFile); !held) {
    problem(cannot_be_read(*path, held.error()));
    return std::nullopt;
  }
  return path;
}

std::vector<Value> Value::items(std::size_t max) const {
  if (node_->kind == Node::Kind::Scalar) return {*this};
  if (node_->kind != Node::Kind::Sequence) {
    problem("must be a list, but is " + std::string(describe(node_->kind)));
    return {};
  }
  const auto& items = node_->items;
  if (items.size() > max) problem("holds more than " + std::to_string(max) + " entries");
  std::vector<Value> out;
  for (std::size_t i = 0; i < std::min(items.size(), max); ++i) {
    const Node& item = items[i];
    out.emplace_back(item, path_ + "[" + std::to_string(i) + "]", item.line ? item.line : line_,
                     *reading_);
  }
  return out;
}

std::vector<std::string> Value::texts(std::size_t max) const {
  std::vector<std::string> out;
  for (const Value& item : items(max)) {
    if (auto given = item.text()) out.push_back(std::move(*given));
  }
  return out;
}

void Value::section(const std::function<void(Section&)>& read) const {
  if (node_->kind == Node::Kind::Scalar || node_->kind == Node::Kind::Sequence) {
    problem("must be a mapping of keys, but is " + std::string(describe(node_->kind)));
    return;
  }
  Section section(*this);
  read(section);
  section.report_unknown();
}

}  // namespace fairlead::config
