#pragma once

// An answer that is an error, and the body the platform gives it (ErrorBody). Values.

#include "common/json.h"

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace tests::simulator {

struct Limit {
  std::string key;
  std::string name_space;
  std::int64_t value = 0;
};

struct Problem {
  int status = 400;
  std::string code;
  std::string message;
  std::optional<std::chrono::seconds> retry_after;
  std::optional<Limit> limit;
};

template <class T>
using Outcome = std::expected<T, Problem>;

inline std::unexpected<Problem> refuse(int status, std::string_view code, std::string_view message) {
  return std::unexpected(Problem{.status = status, .code = std::string(code), .message = std::string(message)});
}
inline std::unexpected<Problem> bad_request(std::string_view message) {
  return refuse(400, "bad.request", message);
}
inline std::unexpected<Problem> invalid_value(std::string_view message) {
  return refuse(400, "invalid.value", message);
}

// The ErrorBody; `context` is the correlation id of the answer.
std::string to_body(const Problem& problem, std::string_view context);
// The code and text the service uses for a bare status (faults name only a number).
Problem problem_of(int status, std::optional<std::chrono::seconds> retry_after, std::uint32_t limit);

}  // namespace tests::simulator
