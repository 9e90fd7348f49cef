#include "tests/simulator/rate_limiter.h"

namespace tests::simulator {

namespace {
constexpr std::uint32_t kUnlimited = 60'000'000;  // what the headers say when there is no limit: a million a second
}

std::uint32_t RateLimiter::allowed() const {
  return options_.per_window == 0 ? kUnlimited : options_.per_window;
}

RateLimiter::Verdict RateLimiter::admit(std::string_view key, Instant now) {
  auto found = windows_.find(key);
  if (found == windows_.end()) {
    std::erase_if(windows_, [&](const auto& entry) { return entry.second.start + options_.window <= now; });
    found = windows_.emplace(std::string(key), Window{.start = now}).first;
  }
  Window& window = found->second;
  // A clock that went back must not lock the token out for longer than a window.
  if (window.start + options_.window <= now || now < window.start) {
    window = {.start = now};
  }
  ++window.count;
  return {.admitted = window.count <= allowed(),
          .count = window.count,
          .allowed = allowed(),
          .reset = std::chrono::ceil<std::chrono::seconds>(window.start + options_.window - now)};
}

}  // namespace tests::simulator
