#pragma once

// A JSON pointer (RFC 6901) in which a token `*` stands for every element of an array and every member of an object, and how two
// of them lie to each other. Values; used by config/ too, so nothing here needs a library.

#include <algorithm>
#include <cstddef>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

namespace connector::source {

class PointerPattern {
 public:
  // `pointer` is empty or begins with `/` (config/ checks).
  explicit PointerPattern(std::string_view pointer) {
    for (std::size_t i = 0; i < pointer.size(); ++i) {
      if (pointer[i] == '/') {
        tokens_.emplace_back();
      } else if (!tokens_.empty()) {
        const bool escaped = pointer[i] == '~' && i + 1 < pointer.size() && (pointer[i + 1] == '0' || pointer[i + 1] == '1');
        tokens_.back() += escaped ? (pointer[++i] == '0' ? '~' : '/') : pointer[i];
      }
    }
  }

  [[nodiscard]] const std::vector<std::string>& tokens() const { return tokens_; }
  // It may lead to several values of one record.
  [[nodiscard]] bool is_list() const { return std::ranges::find(tokens_, "*") != tokens_.end(); }

  // All that `other` leads to is what this leads to, or lies inside it.
  [[nodiscard]] bool covers(const PointerPattern& other) const {
    return tokens_.size() <= other.tokens_.size() &&
           std::ranges::all_of(std::views::iota(std::size_t{0}, tokens_.size()),
                               [&](std::size_t i) { return tokens_[i] == "*" || tokens_[i] == other.tokens_[i]; });
  }
  // Some of what `other` leads to may be what this leads to, or lie inside it.
  [[nodiscard]] bool may_cover(const PointerPattern& other) const {
    return tokens_.size() <= other.tokens_.size() &&
           std::ranges::all_of(std::views::iota(std::size_t{0}, tokens_.size()), [&](std::size_t i) {
             return tokens_[i] == "*" || other.tokens_[i] == "*" || tokens_[i] == other.tokens_[i];
           });
  }
  [[nodiscard]] bool is_shorter_than(const PointerPattern& other) const { return tokens_.size() < other.tokens_.size(); }

  friend bool operator==(const PointerPattern&, const PointerPattern&) = default;

 private:
  std::vector<std::string> tokens_;
};

// The token as it stands in a pointer.
inline std::string escape_token(std::string_view token) {
  std::string escaped;
  escaped.reserve(token.size());
  for (const char character : token) {
    if (character == '~') {
      escaped += "~0";
    } else if (character == '/') {
      escaped += "~1";
    } else {
      escaped += character;
    }
  }
  return escaped;
}

}  // namespace connector::source
