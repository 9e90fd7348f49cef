#pragma once

// Whether what is remembered of keys fits the memory it may take (docs/guarantees.md, G9). A start with more is refused; a
// running connector goes on, because losing what it remembers would be worse, and says so. Plain value.

#include "common/result.h"

#include <cstddef>
#include <cstdint>

namespace connector::core {

class DigestsLimit {
 public:
  enum class Told : std::uint8_t { kNothing, kPassed, kWithin };

  explicit DigestsLimit(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  // kConfigInvalid with the remedy. `bytes`: of `keys` that were restored.
  [[nodiscard]] common::Result<void> check_start(std::uint64_t keys, std::size_t bytes) const;
  // What is to be told now: once that it was passed, and once that it no longer is by a tenth.
  Told check(std::size_t bytes);
  [[nodiscard]] std::size_t max_bytes() const { return max_bytes_; }

 private:
  std::size_t max_bytes_;
  bool is_passed_ = false;
};

}  // namespace connector::core
