// SPDX-License-Identifier: Apache-2.0
#include "config/document.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <sstream>
#include <unordered_map>
#include <utility>

namespace fairlead::config {
namespace {

// Of the expanded tree, counted as below. No honest file comes near it.
constexpr std::size_t kMaxCost = 16UL * 1024 * 1024;
constexpr std::size_t kNodeCost = 64;

constexpr std::size_t kMaxDuplicates = 20;  // more of them are not listed

std::size_t line_of(const YAML::Mark& mark) {
  return mark.is_null() ? 0 : static_cast<std::size_t>(mark.line) + 1;
}

// Ends the parse, from inside the parser. Never leaves this file.
struct Refused {
  std::size_t line;
  std::string text;
};

struct Extent {
  std::size_t cost = 0;
  std::size_t depth = 0;
};

// Recurses as deep as kMaxDepth.
Extent measure(const Node& node) {
  Extent out{.cost = kNodeCost + node.text.size(), .depth = 1};
  const auto add = [&](const Node& child) {
    const auto [cost, depth] = measure(child);
    out.cost += cost;
    out.depth = std::max(out.depth, depth + 1);
  };
  for (const auto& item : node.items) add(item);
  for (const auto& member : node.members) {
    out.cost += member.key.size();
    add(member.value);
  }
  return out;
}

class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(std::vector<Problem>& problems) : problems_(problems) {}

  [[nodiscard]] Node take() && { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    finish(start(Node::Kind::Null, mark, ""), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node node = start(Node::Kind::Scalar, mark, tag);
    spend(value.size(), node.line);
    node.text = value;
    finish(std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(start(Node::Kind::Sequence, mark, tag), anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(start(Node::Kind::Mapping, mark, tag), anchor);
  }
  void OnMapEnd() override { close(); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const std::size_t line = line_of(mark);
    if (expects_key()) refuse_key(line);
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Refused{line, "an alias stands inside its own anchor"};
    spend(found->second.extent.cost, line);
    if (open_.size() + found->second.extent.depth > kMaxDepth) refuse_depth(line);
    place(found->second.node);
  }

 private:
  struct Key {
    std::string text;
    std::size_t line;
  };
  // A sequence or mapping whose end has not come yet.
  struct Open {
    Node node;
    YAML::anchor_t anchor;
    std::optional<Key> key;                              // read, its value not yet
    std::unordered_map<std::string, std::size_t> lines;  // of the keys so far
  };
  struct Anchored {
    Node node;
    Extent extent;
  };

  [[noreturn]] static void refuse_depth(std::size_t line) {
    throw Refused{line, "nested deeper than " + std::to_string(kMaxDepth) + " levels"};
  }

  void spend(std::size_t cost, std::size_t line) {
    cost_ += cost;
    if (cost_ > kMaxCost) throw Refused{line, "too many values, aliases counted as what they name"};
  }

  // "?" and "!" are what the parser reports for text without a tag, plain and quoted.
  Node start(Node::Kind kind, const YAML::Mark& mark, const std::string& tag) {
    Node node{.kind = kind, .line = line_of(mark)};
    if (!tag.empty() && tag != "?" && tag != "!")
      throw Refused{node.line, "tags are not supported"};
    spend(kNodeCost, node.line);
    return node;
  }

  void open(Node node, YAML::anchor_t anchor) {
    if (expects_key()) refuse_key(node.line);
    if (open_.size() == kMaxDepth) refuse_depth(node.line);
    open_.push_back({std::move(node), anchor, std::nullopt, {}});
  }

  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    finish(std::move(done.node), done.anchor);
  }

  void finish(Node node, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) {
      const Extent extent = measure(node);
      spend(extent.cost, node.line);
      anchors_.insert_or_assign(anchor, Anchored{node, extent});
    }
    place(std::move(node));
  }

  [[nodiscard]] bool expects_key() const {
    return !open_.empty() && open_.back().node.kind == Node::Kind::Mapping && !open_.back().key;
  }

  [[noreturn]] static void refuse_key(std::size_t line) {
    throw Refused{line, "a key must be plain text"};
  }

  void place(Node node) {
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (expects_key()) {
      place_key(node);
    } else if (Open& parent = open_.back(); parent.node.kind == Node::Kind::Sequence) {
      parent.node.items.push_back(std::move(node));
    } else {
      place_value(parent, std::move(node));
    }
  }

  void place_key(Node& node) {
    if (node.kind != Node::Kind::Scalar) refuse_key(node.line);
    if (node.text == "<<") throw Refused{node.line, "merge keys (<<) are not supported"};
    open_.back().key = Key{std::move(node.text), node.line};
  }

  void place_value(Open& parent, Node node) {
    Key key = *std::exchange(parent.key, std::nullopt);
    const auto [first, is_new] = parent.lines.try_emplace(key.text, key.line);
    if (is_new) {
      parent.node.members.push_back({std::move(key.text), key.line, std::move(node)});
    } else if (++duplicates_ <= kMaxDuplicates) {
      problems_.push_back({.file = {},
                           .line = key.line,
                           .key = path() + printable(key.text),
                           .text = "given twice: on line " + std::to_string(first->second) +
                                   " and on line " + std::to_string(key.line)});
    }
  }

  // Of the mapping that is being filled, ready to be followed by one of its keys.
  [[nodiscard]] std::string path() const {
    std::string out;
    for (const Open& level : open_) {
      if (level.node.kind == Node::Kind::Sequence) {
        if (out.ends_with('.')) out.pop_back();
        out += "[" + std::to_string(level.node.items.size()) + "].";
      } else if (level.key) {
        out += printable(level.key->text) + ".";
      }
    }
    return out;
  }

  std::vector<Problem>& problems_;
  Node root_;
  std::vector<Open> open_;
  std::unordered_map<YAML::anchor_t, Anchored> anchors_;
  std::size_t cost_ = 0;
  std::size_t duplicates_ = 0;
};

// Sees whether there is a second document.
class Detector final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    throw Refused{line_of(mark), "a second YAML document: one file holds one configuration"};
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

}  // namespace

const Member* Node::find(std::string_view key) const {
  const auto found = std::ranges::find(members, key, &Member::key);
  return found == members.end() ? nullptr : &*found;
}

Node read_document(std::string_view text, std::vector<Problem>& problems) {
  Builder builder(problems);
  const auto refuse = [&](std::size_t line, std::string_view why) {
    problems.push_back({.file = {}, .line = line, .key = {}, .text = printable(why)});
  };
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    if (parser.HandleNextDocument(builder)) {
      Detector detector;
      parser.HandleNextDocument(detector);
    }
  } catch (const Refused& refused) {
    refuse(refused.line, refused.text);
  } catch (const YAML::Exception& error) {
    refuse(line_of(error.mark), "not YAML: " + error.msg);
  } catch (const std::exception& error) {
    refuse(0, std::string("not YAML: ") + error.what());
  }
  return std::move(builder).take();
}

}  // namespace fairlead::config
