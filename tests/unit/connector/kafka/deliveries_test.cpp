#include "connector/kafka/deliveries.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <optional>
#include <thread>

namespace connector::kafka {
namespace {

using common::ErrorCode;
using namespace std::chrono_literals;

class DeliveriesTest : public testing::Test {
 protected:
  void report(RecordKind kind, std::size_t place, rd_kafka_resp_err_t code) {
    deliveries.sent(0);
    rd_kafka_message_t message{};
    message.err = code;
    message._private = Deliveries::tag(kind, place);
    deliveries.delivered(message);
  }
  [[nodiscard]] ErrorCode failure() const { return deliveries.failure()->code; }
  Deliveries deliveries;
};

TEST_F(DeliveriesTest, CountsWhatIsOutstanding) {
  deliveries.sent(0);
  deliveries.sent(0);
  EXPECT_EQ(deliveries.outstanding(), 2U);

  rd_kafka_message_t message{};
  deliveries.delivered(message);

  EXPECT_EQ(deliveries.outstanding(), 1U);
  EXPECT_FALSE(deliveries.failed());
}

TEST_F(DeliveriesTest, NamesTheRefusedRecordsInOrderOnce) {
  report(RecordKind::kRecord, 7, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
  report(RecordKind::kRecord, 3, RD_KAFKA_RESP_ERR_INVALID_RECORD);
  report(RecordKind::kRecord, 7, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);

  EXPECT_EQ(deliveries.refused(), (std::vector<std::size_t>{3, 7}));
  EXPECT_EQ(deliveries.outstanding(), 0U);
}

TEST_F(DeliveriesTest, TheCauseOutweighsItsConsequences) {
  report(RecordKind::kRecord, 0, RD_KAFKA_RESP_ERR__PURGE_QUEUE);
  EXPECT_EQ(failure(), ErrorCode::kAbortTransaction);
  report(RecordKind::kRecord, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  report(RecordKind::kRecord, 2, RD_KAFKA_RESP_ERR__PURGE_QUEUE);
  EXPECT_EQ(failure(), ErrorCode::kTopicUnusable);
  report(RecordKind::kRecord, 3, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH);
  EXPECT_EQ(failure(), ErrorCode::kFenced);
}

TEST_F(DeliveriesTest, ALostMessageVoidsTheAttemptNotTheProducer) {
  report(RecordKind::kRecord, 0, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT);
  EXPECT_EQ(failure(), ErrorCode::kAbortTransaction);
}

TEST_F(DeliveriesTest, ARefusedDeadLetterMakesTheTopicUnusable) {
  report(RecordKind::kDeadLetter, 0, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
  EXPECT_EQ(failure(), ErrorCode::kTopicUnusable);
  EXPECT_TRUE(deliveries.refused().empty());
}

TEST_F(DeliveriesTest, StateThatCannotBeWrittenConcernsTheTask) {
  report(RecordKind::kState, 0, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
  EXPECT_EQ(failure(), ErrorCode::kStateRefused);
  deliveries.begin();
  report(RecordKind::kState, 0, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
  EXPECT_EQ(failure(), ErrorCode::kPermissionDenied);
}

TEST_F(DeliveriesTest, TheOutcomeIsKnownWhenEveryReportIsIn) {
  deliveries.sent(0);
  EXPECT_FALSE(deliveries.outcome());

  rd_kafka_message_t message{};
  deliveries.delivered(message);
  ASSERT_TRUE(deliveries.outcome());
  EXPECT_TRUE(*deliveries.outcome());

  report(RecordKind::kRecord, 0, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT);
  ASSERT_TRUE(deliveries.outcome());
  EXPECT_EQ(deliveries.outcome()->error().code, ErrorCode::kAbortTransaction);
}

// The ledger of at_least_once is written on its word: a failure that comes while it is asked must not look like a success.
TEST_F(DeliveriesTest, AFailureReportedMeanwhileIsNeverASuccess) {
  constexpr int kRounds = 5'000;
  for (int round = 0; round < kRounds; ++round) {
    deliveries.begin();
    deliveries.sent(0);
    const std::jthread reporter{[this] {
      rd_kafka_message_t message{};
      message.err = RD_KAFKA_RESP_ERR__MSG_TIMED_OUT;
      deliveries.delivered(message);
    }};
    std::optional<common::Result<void>> outcome;
    while (!(outcome = deliveries.outcome())) std::this_thread::yield();
    ASSERT_FALSE(*outcome) << "in round " << round;
  }
}

TEST_F(DeliveriesTest, TellsWhetherMoreIsLeft) {
  deliveries.sent(100);
  deliveries.sent(1);
  EXPECT_FALSE(deliveries.wait_until_left(100, 1ms));

  deliveries.not_sent(1);
  EXPECT_TRUE(deliveries.wait_until_left(100, 0ms));
}

// Never by the bound on the wait, which is longer than the test may take: each report is seen, whenever it comes.
TEST_F(DeliveriesTest, TheReportThatLeavesLittleEnoughEndsTheWait) {
  constexpr int kRounds = 2'000;
  for (int round = 0; round < kRounds; ++round) {
    for (int record = 0; record < 3; ++record) deliveries.sent(40);
    const std::jthread reporter{[this] {
      rd_kafka_message_t message{};
      message.len = 40;
      for (int record = 0; record < 3; ++record) deliveries.delivered(message);
    }};
    ASSERT_TRUE(deliveries.wait_until_left(50, 1h)) << "in round " << round;
  }
}

TEST_F(DeliveriesTest, AFailureEndsTheWait) {
  deliveries.sent(100);
  auto waiter = std::async(std::launch::async, [this] { return deliveries.wait_until_left(50, 1h); });

  report(RecordKind::kRecord, 0, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT);

  EXPECT_TRUE(waiter.get());
}

TEST_F(DeliveriesTest, ANewTransactionForgetsTheLastOne) {
  report(RecordKind::kRecord, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);

  deliveries.begin();

  EXPECT_FALSE(deliveries.failed());
  EXPECT_FALSE(deliveries.failure());
  EXPECT_TRUE(deliveries.refused().empty());
}

}  // namespace
}  // namespace connector::kafka
