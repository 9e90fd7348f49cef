#include "connector/cli/exit_code.h"

namespace connector::cli {

int exit_code_of(const common::Error& error) {
  using enum common::ErrorCode;
  switch (error.code) {
    case kConfigInvalid:
    case kStateRefused:
    case kRequestRejected:
      return kConfigurationError;
    case kCredentialsInvalid:
    case kUnauthorized:
    case kPermissionDenied:
      return kCredentialsError;
    case kFenced:
      return kFencedError;
    case kTopicUnusable:
    case kAbortTransaction:
    case kOutcomeUnknown:
      return kKafkaRefused;
    case kCancelled:
      return kInterrupted;
    case kRetryable:
    case kRateLimited:
    case kTooComplex:
    case kPositionInvalid:
    case kMalformedResponse:
    case kOversize:
    case kInternal:
      return kInternalError;
  }
  return kInternalError;
}

}  // namespace connector::cli
