#include "connector/kafka/error.h"

#include <gtest/gtest.h>

#include <string>

namespace connector::kafka {
namespace {

using common::ErrorCode;

struct Meaning {
  rd_kafka_resp_err_t code;
  ErrorCode meaning;
};

class Classify : public testing::TestWithParam<Meaning> {};

TEST_P(Classify, GivesTheCodeItsMeaning) {
  EXPECT_EQ(classify(GetParam().code), GetParam().meaning) << rd_kafka_err2name(GetParam().code);
}

INSTANTIATE_TEST_SUITE_P(Codes, Classify,
                         testing::Values(Meaning{RD_KAFKA_RESP_ERR__TRANSPORT, ErrorCode::kRetryable},
                                         Meaning{RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, ErrorCode::kRetryable},
                                         Meaning{RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, ErrorCode::kRetryable},
                                         Meaning{RD_KAFKA_RESP_ERR__FENCED, ErrorCode::kFenced},
                                         Meaning{RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, ErrorCode::kFenced},
                                         Meaning{RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, ErrorCode::kTopicUnusable},
                                         Meaning{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ErrorCode::kTopicUnusable},
                                         Meaning{RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
                                                 ErrorCode::kPermissionDenied},
                                         Meaning{RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT, ErrorCode::kConfigInvalid},
                                         Meaning{RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ErrorCode::kOversize},
                                         Meaning{RD_KAFKA_RESP_ERR_INVALID_RECORD, ErrorCode::kRequestRejected},
                                         Meaning{RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, ErrorCode::kAbortTransaction},
                                         Meaning{RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, ErrorCode::kOutcomeUnknown}));

TEST(ToError, SaysWhatWasDoneAndTheCodesName) {
  const auto error = to_error(RD_KAFKA_RESP_ERR__TRANSPORT, "making topic acme-offsets");

  EXPECT_EQ(error.code, ErrorCode::kRetryable);
  EXPECT_NE(error.message.find("making topic acme-offsets: "), std::string::npos);
  EXPECT_NE(error.message.find("_TRANSPORT"), std::string::npos);
}

TEST(NeedsOperator, TellsARefusedCertificateFromAnAbsentBroker) {
  EXPECT_TRUE(needs_operator(RD_KAFKA_RESP_ERR__AUTHENTICATION, ""));
  EXPECT_TRUE(needs_operator(RD_KAFKA_RESP_ERR__SSL, "certificate verify failed"));
  EXPECT_TRUE(needs_operator(RD_KAFKA_RESP_ERR__RESOLVE, ""));
  EXPECT_TRUE(needs_operator(RD_KAFKA_RESP_ERR__TRANSPORT, "Receive failed: ... SSL alert number 42"));
  EXPECT_FALSE(needs_operator(RD_KAFKA_RESP_ERR__TRANSPORT, "Connect to ipv4#127.0.0.1:9092 failed: Connection refused"));
  EXPECT_FALSE(needs_operator(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "1/1 brokers are down"));
}

}  // namespace
}  // namespace connector::kafka
