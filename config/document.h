#pragma once

// A YAML document as a tree with marks: what yaml-cpp's events say, held to what a configuration needs. One document, names as
// keys, every key once, no tags, bounded size, depth and alias expansion, so that nothing behind it can be made to recurse or
// grow without limit. Pure; any thread.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace config {

inline constexpr std::size_t kMaxDocumentBytes = 1UL << 20U;
inline constexpr std::size_t kMaxDepth = 32;              // lists and maps inside each other, aliases followed
inline constexpr std::size_t kMaxExpandedNodes = 20'000;  // aliases counted as often as they are used
inline constexpr std::size_t kMaxProblems = 500;          // of one file: beyond that it is something else than a configuration

struct Mark {
  int line = 0;  // from 1; 0: no place
  int column = 0;
};

struct Node {
  enum class Kind : std::uint8_t { kNull, kScalar, kList, kMap };
  struct Member {
    std::string key;
    Mark mark;  // of the key
    const Node* value = nullptr;
  };

  Kind kind = Kind::kNull;
  Mark mark;
  std::string text;    // of a scalar
  bool plain = false;  // a scalar without quotes: `5` is a number, "5" a text
  std::vector<const Node*> items;
  std::vector<Member> members;
  std::size_t expanded = 1;  // nodes of this tree, aliases counted as often as they are used
  std::size_t height = 1;

  // Null pointer if this is no map or has no such member.
  [[nodiscard]] const Member* find(std::string_view key) const;
};

// What is wrong with the text itself.
struct Fault {
  Mark mark;
  std::string path;
  std::string value;
  std::string message;
};

struct Document {
  std::deque<Node> nodes;      // owner of everything `root` reaches; addresses stay
  const Node* root = nullptr;  // null pointer if the text is not YAML; a kNull node if it is empty
  std::vector<Fault> faults;
};

Document parse_document(std::string_view yaml);

// What a plain scalar means (YAML 1.2 core schema).
enum class PlainType : std::uint8_t { kNull, kBool, kInteger, kNumber, kText };
PlainType plain_type(std::string_view text);

// "a list", "a map" …: for messages.
std::string_view describe(const Node& node);

}  // namespace config
