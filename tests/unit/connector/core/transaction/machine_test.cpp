#include "connector/core/transaction/machine.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace connector::core {
namespace {

using common::Error;
using common::ErrorCode;
using common::Result;
using std::chrono::milliseconds;

[[maybe_unused]] void PrintTo(Action action, std::ostream* out) {
  *out << to_string(action);
}

// Tells a machine what came of each step, in words of the domain.
class Story {
 public:
  explicit Story(TransactionPolicy policy = {}) : machine(policy, random) {}

  Story& owns_the_task() {
    machine.start();
    ok();       // created
    ok();       // initialised
    finds({});  // read back
    EXPECT_EQ(now_.action, Action::kIdle);
    return *this;
  }
  Story& has_a_batch() {
    now_ = machine.offer();
    return *this;
  }
  Story& ok() {
    now_ = machine.step(Result<void>{}, time_);
    return *this;
  }
  Story& fails(ErrorCode code) {
    now_ = machine.step(Result<void>{common::fail(code, "scripted")}, time_);
    return *this;
  }
  Story& finds(ReadBackFinding finding) {
    now_ = machine.step(Result<ReadBackFinding>{finding}, time_);
    return *this;
  }
  Story& cannot_read(ErrorCode code) {
    now_ = machine.step(Result<ReadBackFinding>{common::fail(code, "scripted")}, time_);
    return *this;
  }
  Story& waits() {
    EXPECT_EQ(now_.action, Action::kWait);
    time_ += now_.delay;
    return ok();
  }
  Story& after(common::Duration duration) {
    time_ += duration;
    return *this;
  }
  Story& then(Action action) {
    EXPECT_EQ(now_.action, action);
    return *this;
  }
  [[nodiscard]] const Decision& decision() const { return now_; }

  std::mt19937_64 random{7};
  TransactionMachine machine;

 private:
  Decision now_;
  common::SteadyTime time_{std::chrono::seconds{100}};
};

TEST(TransactionMachine, StartsByFencingAndReadingBack) {
  Story story;
  EXPECT_EQ(story.machine.start().action, Action::kCreate);
  story.ok().then(Action::kInit).ok().then(Action::kReadBack).finds({}).then(Action::kIdle);
}

TEST(TransactionMachine, PublishesABatch) {
  Story story;
  story.owns_the_task().has_a_batch().then(Action::kBegin).ok().then(Action::kProduce).ok().then(Action::kCommit);

  story.ok().then(Action::kPublished);

  EXPECT_FALSE(story.decision().after_doubt);
  EXPECT_FALSE(story.machine.has_batch());
}

TEST(TransactionMachine, InitIsAskedAgainForAsLongAsBrokersAreAway) {
  Story story;
  story.machine.start();
  story.ok();

  for (int attempt = 0; attempt < 1'000; ++attempt) story.then(Action::kInit).fails(ErrorCode::kRetryable).waits();

  story.then(Action::kInit).ok().then(Action::kReadBack);
}

TEST(TransactionMachine, AResumableCommitIsTheSameCommitAgain) {
  Story story;
  story.owns_the_task().has_a_batch().ok().ok().then(Action::kCommit);

  story.fails(ErrorCode::kRetryable).waits().then(Action::kCommit).ok().then(Action::kPublished);
}

TEST(TransactionMachine, ACommitUnansweredForTheTransactionTimeoutIsReadBack) {
  Story story{{.transaction_timeout = common::Duration{1'000}}};
  story.owns_the_task().has_a_batch().ok().ok().after(milliseconds{1'000}).fails(ErrorCode::kRetryable);

  story.then(Action::kCreate).ok().ok().then(Action::kReadBack);
  EXPECT_TRUE(story.machine.in_doubt());

  story.finds({.foreign = false, .applied = true}).then(Action::kPublished);
  EXPECT_TRUE(story.decision().after_doubt);
}

TEST(TransactionMachine, AnUnknownOutcomeThatWasNotAppliedIsRedone) {
  Story story;
  story.owns_the_task().has_a_batch().ok().ok().fails(ErrorCode::kOutcomeUnknown).then(Action::kCreate).ok().ok();

  story.finds({.foreign = false, .applied = false}).then(Action::kBegin);
}

TEST(TransactionMachine, AnAbortedBatchIsRedoneMoreSlowlyEachTime) {
  Story story{{.backoff_first = common::Duration{100}, .backoff_cap = common::Duration{1'000}}};
  story.owns_the_task().has_a_batch();

  common::Duration longest{0};
  for (int attempt = 0; attempt < 12; ++attempt) {
    story.then(Action::kBegin).ok().ok().fails(ErrorCode::kAbortTransaction).then(Action::kAbort).ok().then(Action::kWait);
    longest = std::max(longest, story.decision().delay);
    EXPECT_LE(story.decision().delay, common::Duration{1'000});
    story.waits();
  }

  EXPECT_GE(longest, common::Duration{500});
  story.ok().ok().ok().then(Action::kPublished);
}

TEST(TransactionMachine, AnAbortOrderedAfterAnUnansweredCommitIsReadBackFirst) {
  Story story;
  story.owns_the_task().has_a_batch().ok().ok().fails(ErrorCode::kRetryable).waits().fails(ErrorCode::kAbortTransaction);

  story.then(Action::kCreate).ok().ok().finds({.foreign = false, .applied = true}).then(Action::kPublished);
}

TEST(TransactionMachine, TwoAbortsInARowAreAllowed) {
  Story story;
  story.owns_the_task().has_a_batch().ok().ok().fails(ErrorCode::kAbortTransaction).ok().waits();
  story.ok().fails(ErrorCode::kAbortTransaction).then(Action::kAbort).ok().waits().ok().ok().ok().then(Action::kPublished);
}

TEST(TransactionMachine, ARefusedRecordIsSearchedWithoutPause) {
  Story story;
  story.owns_the_task().has_a_batch().ok().ok().fails(ErrorCode::kOversize).then(Action::kAbort).ok().then(Action::kWait);

  EXPECT_EQ(story.decision().delay, common::Duration{0});
  story.waits().then(Action::kBegin);
}

TEST(TransactionMachine, AnUnusableTopicRejectsTheBatchAlone) {
  Story story;
  story.owns_the_task().has_a_batch().ok().ok().fails(ErrorCode::kTopicUnusable).then(Action::kAbort).ok();

  story.then(Action::kRejected);

  EXPECT_EQ(story.decision().error->code, ErrorCode::kTopicUnusable);
  story.has_a_batch().then(Action::kBegin);
}

TEST(TransactionMachine, ARefusalThatIsNoRecordsFaultRejectsTheBatch) {
  Story story;
  story.owns_the_task().has_a_batch().ok().ok().fails(ErrorCode::kOversize).then(Action::kAbort);

  story.fails(ErrorCode::kTopicUnusable).then(Action::kRejected);

  ASSERT_TRUE(story.decision().error);
  EXPECT_EQ(story.decision().error->code, ErrorCode::kTopicUnusable);
  EXPECT_FALSE(story.machine.has_batch());
}

TEST(TransactionMachine, AFatalAbortAfterARefusedPartitionKeepsTheReasonOfTheCommit) {
  Story story;
  story.owns_the_task().has_a_batch().ok().ok().fails(ErrorCode::kTopicUnusable).then(Action::kAbort);

  story.fails(ErrorCode::kOutcomeUnknown).then(Action::kCreate).ok().ok().finds({}).then(Action::kRejected);

  EXPECT_EQ(story.decision().error->code, ErrorCode::kTopicUnusable);
}

TEST(TransactionMachine, FencedLooksForARivalBeforeInitialisingAgain) {
  Story story;
  story.owns_the_task().has_a_batch().ok().ok().fails(ErrorCode::kFenced).then(Action::kWait);
  EXPECT_GE(story.decision().delay, common::Duration{100});

  story.waits().then(Action::kReadClaim).finds({.foreign = true, .applied = false}).then(Action::kFenced);

  EXPECT_EQ(story.decision().error->code, ErrorCode::kFenced);
}

TEST(TransactionMachine, AnEmptiedOffsetsTopicIsNoRival) {
  Story story;
  story.owns_the_task().has_a_batch().ok().ok().fails(ErrorCode::kFenced).waits().then(Action::kReadClaim);

  story.finds({.lost = true}).then(Action::kFailed);

  EXPECT_EQ(story.decision().error->code, ErrorCode::kStateRefused);
  EXPECT_NE(story.decision().error->message.find("offsets import"), std::string::npos);
}

TEST(TransactionMachine, FencedWithoutARivalWasAnExpiredTransaction) {
  Story story;
  story.owns_the_task().has_a_batch().ok().ok().fails(ErrorCode::kFenced).waits().finds({}).then(Action::kCreate);

  story.ok().ok().then(Action::kReadBack).finds({}).then(Action::kBegin).ok().ok().ok().then(Action::kPublished);
}

TEST(TransactionMachine, ARivalThatClaimedBetweenTheTwoReadsIsSeen) {
  Story story;
  story.owns_the_task().has_a_batch().ok().ok().fails(ErrorCode::kFenced).waits().finds({}).ok().ok();

  story.finds({.foreign = true, .applied = false}).then(Action::kFenced);
}

struct Ending {
  const char* name;
  ErrorCode code;
};
class OperatorsErrors : public testing::TestWithParam<Ending> {};

TEST_P(OperatorsErrors, EndTheTaskWithTheirReason) {
  Story at_init;
  at_init.machine.start();
  at_init.ok().fails(GetParam().code).then(Action::kFailed);
  EXPECT_EQ(at_init.decision().error->code, GetParam().code);

  Story at_commit;
  at_commit.owns_the_task().has_a_batch().ok().ok().fails(GetParam().code).then(Action::kAbort).ok().then(Action::kFailed);
  EXPECT_EQ(at_commit.decision().error->code, GetParam().code);
}

INSTANTIATE_TEST_SUITE_P(Codes, OperatorsErrors,
                         testing::Values(Ending{"permission", ErrorCode::kPermissionDenied},
                                         Ending{"configuration", ErrorCode::kConfigInvalid},
                                         Ending{"state", ErrorCode::kStateRefused}, Ending{"internal", ErrorCode::kInternal}),
                         [](const auto& info) { return std::string{info.param.name}; });

TEST(TransactionMachine, ARenewedProducerIsFencedIntoPlaceLikeTheFirst) {
  Story story;
  story.owns_the_task();

  EXPECT_EQ(story.machine.renew().action, Action::kCreate);

  story.ok().then(Action::kInit).ok().then(Action::kReadBack).finds({}).then(Action::kIdle);
}

TEST(TransactionMachine, StateThatCannotBeReadEndsTheTask) {
  Story story;
  story.machine.start();
  story.ok().ok().cannot_read(ErrorCode::kTopicUnusable).then(Action::kFailed);
}

TEST(TransactionMachine, ReadingBackWaitsForOthersTransactions) {
  Story story;
  story.machine.start();
  story.ok().ok().cannot_read(ErrorCode::kRetryable).waits().then(Action::kReadBack).finds({}).then(Action::kIdle);
}

TEST(TransactionMachine, AStopLetsTheCommitInHandFinish) {
  Story story;
  story.owns_the_task().has_a_batch().ok().ok().then(Action::kCommit);
  story.machine.stop();

  story.fails(ErrorCode::kRetryable).waits().then(Action::kCommit).ok().then(Action::kPublished);
}

TEST(TransactionMachine, AStopRedoesNothing) {
  Story story;
  story.owns_the_task().has_a_batch().ok().ok();
  story.machine.stop();

  story.fails(ErrorCode::kAbortTransaction).then(Action::kAbort).ok().then(Action::kStopped);
}

TEST(TransactionMachine, AStopWhileWaitingEndsTheWaiting) {
  Story story;
  story.machine.start();
  story.ok().fails(ErrorCode::kRetryable).then(Action::kWait);
  story.machine.stop();

  story.ok().then(Action::kStopped);
}

TEST(TransactionMachine, CancelledProducingIsAborted) {
  Story story;
  story.owns_the_task().has_a_batch().ok().fails(ErrorCode::kCancelled).then(Action::kAbort).ok().then(Action::kStopped);
}

TEST(TransactionMachine, CancelledElsewhereStopsAtOnce) {
  Story story;
  story.owns_the_task().has_a_batch().ok().ok().fails(ErrorCode::kCancelled).then(Action::kStopped);
}

}  // namespace
}  // namespace connector::core
