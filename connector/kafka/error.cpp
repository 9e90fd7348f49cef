#include "connector/kafka/error.h"

#include <string>

namespace connector::kafka {

using common::ErrorCode;

ErrorCode classify(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__WAIT_CACHE:
    case RD_KAFKA_RESP_ERR__IN_PROGRESS:
    case RD_KAFKA_RESP_ERR__PREV_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR__CONFLICT:
    case RD_KAFKA_RESP_ERR__RETRY:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
    case RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case RD_KAFKA_RESP_ERR_NOT_CONTROLLER:
    case RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS:
    case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
    case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
      return ErrorCode::kRetryable;
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
      return ErrorCode::kFenced;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
      return ErrorCode::kTopicUnusable;
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      return ErrorCode::kPermissionDenied;
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR__NOT_CONFIGURED:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
      return ErrorCode::kConfigInvalid;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
      return ErrorCode::kOversize;
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
      return ErrorCode::kRequestRejected;
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
    case RD_KAFKA_RESP_ERR__INCONSISTENT:
      return ErrorCode::kAbortTransaction;
    default:
      return ErrorCode::kOutcomeUnknown;
  }
}

namespace {

std::string describe(rd_kafka_resp_err_t code, std::string_view doing, std::string_view detail) {
  std::string text{doing};
  text += ": ";
  text += detail.empty() ? std::string_view{rd_kafka_err2str(code)} : detail;
  text += " (";
  text += rd_kafka_err2name(code);
  text += ')';
  return text;
}

}  // namespace

common::Error to_error(rd_kafka_resp_err_t code, std::string_view doing, std::string_view detail) {
  return common::Error{.code = classify(code), .message = describe(code, doing, detail), .retry_after = std::nullopt};
}

common::Error to_error(const rd_kafka_error_t& error, std::string_view doing) {
  const rd_kafka_resp_err_t code = rd_kafka_error_code(&error);
  const ErrorCode plain = classify(code);
  ErrorCode meaning = plain;
  if (rd_kafka_error_is_fatal(&error) != 0) {
    // Fenced by a rival or expired: the same words. Other fatal errors end this producer only; reading back tells the rest.
    const bool keeps = plain == ErrorCode::kFenced || plain == ErrorCode::kPermissionDenied || plain == ErrorCode::kConfigInvalid;
    meaning = keeps ? plain : ErrorCode::kOutcomeUnknown;
  } else if (rd_kafka_error_txn_requires_abort(&error) != 0) {
    const bool keeps = plain == ErrorCode::kTopicUnusable || plain == ErrorCode::kOversize ||
                       plain == ErrorCode::kRequestRejected || plain == ErrorCode::kPermissionDenied;
    meaning = keeps ? plain : ErrorCode::kAbortTransaction;
  } else if (rd_kafka_error_is_retriable(&error) != 0) {
    meaning = ErrorCode::kRetryable;
  } else if (plain == ErrorCode::kRetryable && code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
    // Neither retriable nor abortable although the code sounds like it: nothing is known.
    meaning = ErrorCode::kOutcomeUnknown;
  }
  const char* detail = rd_kafka_error_string(&error);
  return common::Error{.code = meaning, .message = describe(code, doing, detail), .retry_after = std::nullopt};
}

bool needs_operator(rd_kafka_resp_err_t code, std::string_view text) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR__SSL:
    case RD_KAFKA_RESP_ERR__RESOLVE:
      return true;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
      return text.contains("SSL alert") || text.contains("alert bad certificate") || text.contains("alert certificate") ||
             text.contains("incorrect security.protocol") || text.contains("SSL handshake failed");
    default:
      return false;
  }
}

}  // namespace connector::kafka
