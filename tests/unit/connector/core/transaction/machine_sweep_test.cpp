// Every step of a life fails in every way, in turn, alone and in pairs: a batch is published exactly once, or the task ends and
// says why. The world below is a small model of the broker: it knows what is really visible.

#include "connector/core/transaction/machine.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <optional>
#include <string>

namespace connector::core {
namespace {

using common::ErrorCode;
using common::Result;

constexpr std::array kCodes{ErrorCode::kRetryable,      ErrorCode::kAbortTransaction, ErrorCode::kFenced,
                            ErrorCode::kOutcomeUnknown, ErrorCode::kTopicUnusable,    ErrorCode::kPermissionDenied,
                            ErrorCode::kOversize,       ErrorCode::kRequestRejected,  ErrorCode::kConfigInvalid,
                            ErrorCode::kStateRefused,   ErrorCode::kInternal,         ErrorCode::kCancelled};

// What really happened when a step reported an error.
enum class Truth { kNothingDone, kDone };

struct Fault {
  int step = -1;  // counted over the whole life
  ErrorCode code = ErrorCode::kRetryable;
  Truth truth = Truth::kNothingDone;
};

class World {
 public:
  World(Fault first, Fault second, bool rival) : faults_{first, second}, rival_(rival) {}

  // Runs one batch through a whole life; false if it did not come to an end.
  bool run() {
    std::mt19937_64 random{11};
    TransactionMachine machine{{}, random};
    Decision decision = machine.start();
    for (int steps = 0; steps < 500; ++steps) {
      switch (decision.action) {
        case Action::kIdle:
          decision = machine.offer();
          continue;
        case Action::kPublished:
        case Action::kRejected:
        case Action::kFenced:
        case Action::kFailed:
        case Action::kStopped:
          end = decision;
          return true;
        case Action::kReadClaim:
        case Action::kReadBack:
          decision = machine.step(read(), now_);
          continue;
        default:
          decision = machine.step(perform(decision), now_);
      }
    }
    return false;
  }

  int visible = 0;  // how often the batch can be read
  Decision end;

 private:
  std::optional<Fault> fault() {
    const int step = step_++;
    for (const Fault& fault : faults_) {
      if (fault.step == step) return fault;
    }
    return std::nullopt;
  }

  Result<ReadBackFinding> read() {
    if (const auto failed = fault()) return common::fail(failed->code, "injected");
    return ReadBackFinding{.foreign = rival_ && fenced_once_, .applied = visible > 0};
  }

  Result<void> perform(const Decision& decision) {
    now_ += decision.delay + std::chrono::milliseconds{1};
    if (decision.action == Action::kWait) return {};
    const auto failed = fault();
    if (!failed || failed->truth == Truth::kDone) effect(decision.action);
    if (!failed) return {};
    if (failed->code == ErrorCode::kFenced) {
      fenced_once_ = true;
      open_ = Open::kNone;  // the broker aborted it
    }
    return common::fail(failed->code, "injected");
  }

  void effect(Action action) {
    switch (action) {
      case Action::kCreate:
        break;
      case Action::kInit:
        open_ = Open::kNone;  // ends what an older producer left open
        break;
      case Action::kBegin:
        open_ = Open::kEmpty;
        break;
      case Action::kProduce:
        if (open_ == Open::kEmpty) open_ = Open::kFull;
        break;
      case Action::kCommit:
        // A repeated commit of the same transaction has no second effect.
        if (open_ == Open::kFull) ++visible;
        open_ = Open::kNone;
        break;
      case Action::kAbort:
        open_ = Open::kNone;
        break;
      default:
        break;
    }
  }

  enum class Open { kNone, kEmpty, kFull };
  std::array<Fault, 2> faults_;
  bool rival_;
  bool fenced_once_ = false;
  Open open_ = Open::kNone;
  int step_ = 0;
  common::SteadyTime now_{std::chrono::seconds{1}};
};

// Combinations that no broker produces: an abort order after the commit was applied, and a definite refusal of a step that took
// effect. Commit may be applied and answered by a resumable error, a fencing or silence only.
bool possible(int step_of_commit, const Fault& fault) {
  if (fault.truth == Truth::kNothingDone || fault.step != step_of_commit) return true;
  return fault.code == ErrorCode::kRetryable || fault.code == ErrorCode::kFenced || fault.code == ErrorCode::kOutcomeUnknown ||
         fault.code == ErrorCode::kCancelled;
}

void check(const Fault& first, const Fault& second, bool rival) {
  World world{first, second, rival};
  SCOPED_TRACE(testing::Message() << "step " << first.step << " " << common::to_string(first.code) << " truth "
                                  << static_cast<int>(first.truth) << ", step " << second.step << " "
                                  << common::to_string(second.code) << " truth " << static_cast<int>(second.truth) << ", rival "
                                  << rival);
  ASSERT_TRUE(world.run()) << "did not come to an end";
  EXPECT_LE(world.visible, 1);
  switch (world.end.action) {
    case Action::kPublished:
      EXPECT_EQ(world.visible, 1);
      break;
    case Action::kRejected:
      EXPECT_EQ(world.visible, 0);
      ASSERT_TRUE(world.end.error);
      EXPECT_EQ(world.end.error->code, ErrorCode::kTopicUnusable);
      break;
    case Action::kFenced:
    case Action::kFailed:
      ASSERT_TRUE(world.end.error);
      EXPECT_FALSE(world.end.error->message.empty());
      break;
    case Action::kStopped:
      EXPECT_TRUE(first.code == ErrorCode::kCancelled || second.code == ErrorCode::kCancelled);
      break;
    default:
      FAIL() << to_string(world.end.action);
  }
}

// create 0, init 1, read back 2, begin 3, produce 4, commit 5.
constexpr int kCommitStep = 5;

TEST(TransactionMachineSweep, OneFault) {
  for (int step = 0; step <= kCommitStep; ++step) {
    for (const ErrorCode code : kCodes) {
      for (const Truth truth : {Truth::kNothingDone, Truth::kDone}) {
        for (const bool rival : {false, true}) {
          const Fault fault{.step = step, .code = code, .truth = truth};
          if (possible(kCommitStep, fault)) check(fault, {}, rival);
        }
      }
    }
  }
}

TEST(TransactionMachineSweep, TwoFaults) {
  for (int first = 0; first <= kCommitStep; ++first) {
    for (int second = first + 1; second <= first + 8; ++second) {
      for (const ErrorCode first_code : kCodes) {
        for (const ErrorCode second_code : kCodes) {
          for (const Truth truth : {Truth::kNothingDone, Truth::kDone}) {
            const Fault one{.step = first, .code = first_code, .truth = truth};
            const Fault two{.step = second, .code = second_code, .truth = Truth::kNothingDone};
            if (possible(kCommitStep, one)) check(one, two, false);
          }
        }
      }
    }
  }
}

TEST(TransactionMachineSweep, NothingInjectedIsPublishedOnce) {
  World world{{}, {}, false};

  ASSERT_TRUE(world.run());

  EXPECT_EQ(world.end.action, Action::kPublished);
  EXPECT_EQ(world.visible, 1);
}

}  // namespace
}  // namespace connector::core
