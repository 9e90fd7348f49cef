#pragma once

// Strings that must not be swapped (topic for stream, job id for cursor) as distinct types. Value semantics, any thread.

#include <compare>
#include <functional>
#include <string>
#include <utility>

namespace common {

template <class Tag>
class StrongString {
 public:
  StrongString() = default;
  explicit StrongString(std::string value) : value_(std::move(value)) {}
  [[nodiscard]] const std::string& str() const { return value_; }
  [[nodiscard]] bool empty() const { return value_.empty(); }
  friend auto operator<=>(const StrongString&, const StrongString&) = default;

 private:
  std::string value_;
};

}  // namespace common

template <class Tag>
struct std::hash<common::StrongString<Tag>> {
  std::size_t operator()(const common::StrongString<Tag>& value) const noexcept { return std::hash<std::string>{}(value.str()); }
};
