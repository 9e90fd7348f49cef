#pragma once

// The error vocabulary of the whole connector: an expected failure is a value, classified once where it is first seen.
// Upper layers branch on the code only; the message (HTTP status, contextId and all) is for the operator.
// Any thread; no ownership beyond the strings.

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace common {

enum class ErrorCode : std::uint8_t {
  kRetryable,           // transport failure, 408, 5xx: the same call may succeed later
  kRateLimited,         // 429; retry_after says when, if the service did
  kUnauthorized,        // 401: the token is not accepted
  kCredentialsInvalid,  // the token endpoint refuses the client id, the secret or the refresh token
  kPermissionDenied,    // 403, or an ACL of the broker
  kRequestRejected,     // other 4xx: the request itself is wrong
  kTooComplex,          // too deep, too large or too long an interval: ask for less
  kPositionInvalid,     // a page, cursor or job is unknown or expired: restart the window
  kMalformedResponse,   // not what the endpoint promises: not JSON, cut short, wrong type
  kOversize,            // a body or record above its bound
  kAbortTransaction,    // the transaction must be aborted; its pages are redone
  kOutcomeUnknown,      // a commit may or may not have been applied: initialise again and read back
  kFenced,              // another producer owns the transactional id, or the transaction expired
  kTopicUnusable,       // one stream's topic is missing, recreated, or does not take what comes: stop that stream alone
  kStateRefused,        // stored state belongs to something else, is newer than known, or is damaged
  kConfigInvalid,
  kCancelled,
  kInternal,
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  std::optional<std::chrono::milliseconds> retry_after;
};

template <class T>
using Result = std::expected<T, Error>;

// "retryable", "rate_limited" …: the spelling in logs and metric labels.
std::string_view to_string(ErrorCode code);

// `return fail(ErrorCode::kOversize, "…")` from a function or coroutine that returns Result<T>.
inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected<Error>(Error{.code = code, .message = std::move(message), .retry_after = std::nullopt});
}
inline std::unexpected<Error> fail(Error error) {
  return std::unexpected<Error>(std::move(error));
}

// The same error with "<context>: " before its message; code and retry_after stay.
Error with_context(Error error, std::string_view context);

}  // namespace common
