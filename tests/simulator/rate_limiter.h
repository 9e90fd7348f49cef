#pragma once

// Counts requests per token (or client) in windows that begin with the first request after the last one. One thread; bounded by
// the number of tokens in use.

#include "tests/simulator/options.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace tests::simulator {

class RateLimiter {
 public:
  struct Verdict {
    bool admitted = true;
    std::uint32_t count = 0;
    std::uint32_t allowed = 0;
    std::chrono::seconds reset{0};  // until the window ends, rounded up: also the Retry-After of a refusal
  };

  explicit RateLimiter(RateOptions options) : options_(options) {}
  Verdict admit(std::string_view key, Instant now);
  [[nodiscard]] std::uint32_t allowed() const;

 private:
  struct Window {
    Instant start;
    std::uint32_t count = 0;
  };
  RateOptions options_;
  std::map<std::string, Window, std::less<>> windows_;
};

}  // namespace tests::simulator
