#include "config/document.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <map>
#include <optional>
#include <sstream>
#include <unordered_map>
#include <utility>

namespace config {

namespace {

Mark to_mark(const YAML::Mark& mark) {
  return mark.is_null() ? Mark{} : Mark{.line = mark.line + 1, .column = mark.column + 1};
}

std::string join_path(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : path + "." + std::string(key);
}

// Thrown through yaml-cpp, which unwinds cleanly, and caught in parse_document: the only way to stop its parser.
struct Refused {
  Fault fault;
};

class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(Document& document) : document_(document) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (document_.root != nullptr) {
      throw Refused{{to_mark(mark), "", "", "a second document begins here (allowed: one document a file)"}};
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node& node = make(Node::Kind::kNull, mark, anchor);
    complete(node, to_mark(mark));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    const bool plain = tag == "?";
    if (!plain && tag != "!" && tag != "tag:yaml.org,2002:str") {
      throw Refused{{to_mark(mark), path_to_child(), tag, "a tag cannot be used here (allowed: plain values)"}};
    }
    Node& node = make(Node::Kind::kScalar, mark, anchor);
    node.text = value;
    node.plain = plain;
    complete(node, node.mark);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    const bool open =
        found == anchors_.end() || std::ranges::any_of(stack_, [&](const Frame& frame) { return frame.node == found->second; });
    if (open) {
      throw Refused{{to_mark(mark), path_to_child(), "", "an alias refers to something that contains it"}};
    }
    complete(*found->second, to_mark(mark));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Node::Kind::kList, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(Node::Kind::kMap, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    Node* node = nullptr;
    std::string path;
    bool has_key = false;  // a map whose next node is the value of `key`
    bool drop = false;     // … whose value belongs to a refused key
    std::string key;
    Mark key_mark;
    std::unordered_map<std::string, int> lines;  // of the keys so far
  };

  Node& make(Node::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    Node& node = document_.nodes.emplace_back();
    node.kind = kind;
    node.mark = to_mark(mark);
    if (anchor != YAML::NullAnchor) {
      anchors_[anchor] = &node;
    }
    return node;
  }

  [[nodiscard]] std::string path_to_child() const {
    if (stack_.empty()) {
      return "";
    }
    const Frame& frame = stack_.back();
    if (frame.node->kind == Node::Kind::kList) {
      return frame.path + "[" + std::to_string(frame.node->items.size()) + "]";
    }
    return frame.has_key ? join_path(frame.path, frame.key) : frame.path;
  }

  void open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (!tag.empty() && tag != "?" && tag != "!") {
      throw Refused{{to_mark(mark), path_to_child(), tag, "a tag cannot be used here (allowed: plain values)"}};
    }
    if (stack_.size() >= kMaxDepth) {
      throw Refused{{to_mark(mark), "", "", too_deep()}};
    }
    if (!stack_.empty() && stack_.back().node->kind == Node::Kind::kMap && !stack_.back().has_key) {
      throw Refused{{to_mark(mark), path_to_child(), "", "a list or a map cannot be a key (allowed: a name)"}};
    }
    Frame frame;
    frame.path = path_to_child();
    frame.node = &make(kind, mark, anchor);
    stack_.push_back(std::move(frame));
  }

  void close() {
    Node& node = *stack_.back().node;
    stack_.pop_back();
    complete(node, node.mark);
  }

  // `node` is finished: hand it to the list or map it stands in.
  void complete(const Node& node, Mark where) {
    if (stack_.empty()) {
      document_.root = &node;
      return;
    }
    Frame& frame = stack_.back();
    Node& parent = *frame.node;
    if (parent.kind == Node::Kind::kMap && !frame.has_key) {
      take_key(frame, node, where);
      return;
    }
    if (parent.kind == Node::Kind::kList) {
      parent.items.push_back(&node);
    } else {
      frame.has_key = false;
      if (std::exchange(frame.drop, false)) {
        return;
      }
      parent.members.push_back({.key = std::move(frame.key), .mark = frame.key_mark, .value = &node});
    }
    parent.expanded += node.expanded;
    parent.height = std::max(parent.height, node.height + 1);
    if (parent.expanded > kMaxExpandedNodes) {
      throw Refused{{where, "", "",
                     "the document has too many values, aliases expanded (allowed: " + std::to_string(kMaxExpandedNodes) + ")"}};
    }
    if (stack_.size() + node.height > kMaxDepth + 1) {
      throw Refused{{where, "", "", too_deep()}};
    }
  }

  void take_key(Frame& frame, const Node& node, Mark where) {
    if (node.kind != Node::Kind::kScalar || node.text.empty()) {
      throw Refused{{where, frame.path, "", "a key is empty or not a name (allowed: a name)"}};
    }
    frame.has_key = true;
    frame.key = node.text;
    frame.key_mark = where;
    const auto [first, added] = frame.lines.emplace(node.text, where.line);
    if (!added) {
      frame.drop = true;
      if (document_.faults.size() >= kMaxProblems) {
        throw Refused{{where, frame.path, "", "too many keys stand twice (allowed: each once)"}};
      }
      document_.faults.push_back(
          {where, join_path(frame.path, node.text), "",
           "this key stands twice in the same map, first in line " + std::to_string(first->second) + " (allowed: once)"});
    }
  }

  static std::string too_deep() {
    return "the document is nested too deeply (allowed: " + std::to_string(kMaxDepth) + " levels)";
  }

  Document& document_;
  std::map<YAML::anchor_t, Node*> anchors_;
  std::vector<Frame> stack_;
};

Mark mark_at(std::string_view text, std::size_t offset) {
  Mark mark{.line = 1, .column = 1};
  for (const char c : text.substr(0, offset)) {
    mark.column = c == '\n' ? 1 : mark.column + 1;
    mark.line += c == '\n' ? 1 : 0;
  }
  return mark;
}

// Length of the well-formed UTF-8 sequence at the start of `text`, 0 if there is none (Unicode table 3-7).
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0}; };
  const auto within = [&](std::size_t i, unsigned low, unsigned high) { return byte(i) >= low && byte(i) <= high; };
  const unsigned lead = byte(0);
  if (lead < 0x80) {
    return 1;
  }
  if (lead >= 0xC2 && lead <= 0xDF) {
    return within(1, 0x80, 0xBF) ? 2 : 0;
  }
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool second = within(1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF);
    return second && within(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool second = within(1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF);
    return second && within(2, 0x80, 0xBF) && within(3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

// yaml-cpp takes bytes as they come; what is stored or logged later must be text.
std::optional<Fault> find_bad_character(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<std::uint8_t>(text[at]);
    const bool control = (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7F;
    const std::size_t length = control ? 0 : sequence_length(text.substr(at));
    if (length == 0) {
      return Fault{mark_at(text, at), "", "", "a byte that is no text stands here (allowed: UTF-8 without control characters)"};
    }
    at += length;
  }
  return std::nullopt;
}

bool is_integer(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) {
    text.remove_prefix(1);
  }
  return !text.empty() && std::ranges::all_of(text, [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; });
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool is_number(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) {
    text.remove_prefix(1);
  }
  const auto digits = [&] {
    const std::size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(count);
    return count;
  };
  const std::size_t whole = digits();
  std::size_t fraction = 0;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = digits();
  }
  if (whole == 0 && fraction == 0) {
    return false;
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('-') || text.starts_with('+')) {
      text.remove_prefix(1);
    }
    if (digits() == 0) {
      return false;
    }
  }
  return text.empty();
}

}  // namespace

const Node::Member* Node::find(std::string_view key) const {
  const auto found = std::ranges::find(members, key, &Member::key);
  return found == members.end() ? nullptr : &*found;
}

Document parse_document(std::string_view yaml) {
  Document document;
  if (yaml.starts_with("\xEF\xBB\xBF")) {
    yaml.remove_prefix(3);
  }
  if (yaml.size() > kMaxDocumentBytes) {
    document.faults.push_back(
        {{},
         "",
         "",
         "the file has " + std::to_string(yaml.size()) + " bytes (allowed: up to " + std::to_string(kMaxDocumentBytes) + ")"});
    return document;
  }
  if (auto fault = find_bad_character(yaml)) {
    document.faults.push_back(std::move(*fault));
    return document;
  }

  std::istringstream input{std::string(yaml)};
  Builder builder(document);
  std::optional<Fault> refused;
  try {
    YAML::Parser parser(input);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (Refused& caught) {
    refused = std::move(caught.fault);
  } catch (const YAML::Exception& caught) {
    refused = Fault{to_mark(caught.mark), "", "", "this is not YAML: " + caught.msg};
  }
  if (refused) {
    // Half a tree would only produce problems that are none.
    document.root = nullptr;
    document.faults.push_back(std::move(*refused));
  } else if (document.root == nullptr) {
    document.root = &document.nodes.emplace_back(Node{.mark = {.line = 1, .column = 1}});
  }
  return document;
}

PlainType plain_type(std::string_view text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
    return PlainType::kNull;
  }
  if (text == "true" || text == "True" || text == "TRUE" || text == "false" || text == "False" || text == "FALSE") {
    return PlainType::kBool;
  }
  if (is_integer(text)) {
    return PlainType::kInteger;
  }
  return is_number(text) ? PlainType::kNumber : PlainType::kText;
}

std::string_view describe(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return "nothing";
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kMap:
      return "a map";
    case Node::Kind::kScalar:
      break;
  }
  if (!node.plain) {
    return "a text";
  }
  switch (plain_type(node.text)) {
    case PlainType::kBool:
      return "true or false";
    case PlainType::kInteger:
    case PlainType::kNumber:
      return "a number";
    case PlainType::kNull:
    case PlainType::kText:
      break;
  }
  return "a text";
}

}  // namespace config
