#include "common/result.h"

namespace common {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kRetryable:
      return "retryable";
    case ErrorCode::kRateLimited:
      return "rate_limited";
    case ErrorCode::kUnauthorized:
      return "unauthorized";
    case ErrorCode::kCredentialsInvalid:
      return "credentials_invalid";
    case ErrorCode::kPermissionDenied:
      return "permission_denied";
    case ErrorCode::kRequestRejected:
      return "request_rejected";
    case ErrorCode::kTooComplex:
      return "too_complex";
    case ErrorCode::kPositionInvalid:
      return "position_invalid";
    case ErrorCode::kMalformedResponse:
      return "malformed_response";
    case ErrorCode::kOversize:
      return "oversize";
    case ErrorCode::kAbortTransaction:
      return "abort_transaction";
    case ErrorCode::kOutcomeUnknown:
      return "outcome_unknown";
    case ErrorCode::kFenced:
      return "fenced";
    case ErrorCode::kTopicUnusable:
      return "topic_unusable";
    case ErrorCode::kStateRefused:
      return "state_refused";
    case ErrorCode::kConfigInvalid:
      return "config_invalid";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kInternal:
      return "internal";
  }
  std::unreachable();
}

Error with_context(Error error, std::string_view context) {
  std::string message;
  message.reserve(context.size() + 2 + error.message.size());
  message.append(context).append(": ").append(error.message);
  error.message = std::move(message);
  return error;
}

}  // namespace common
