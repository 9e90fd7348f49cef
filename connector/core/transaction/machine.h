#pragma once

// Every decision about a transactional producer's life: make, init, read back, begin, produce, commit, abort, redo, and when to
// give up. Sans I/O: the shell (connector/kafka/publisher) performs the action, reports what came of it, and asks nothing else.
// The one promise: a batch is published exactly once, or the task ends fenced or failed and says so.

#include "common/clock.h"
#include "common/instant.h"
#include "common/result.h"

#include <cstdint>
#include <optional>
#include <random>
#include <string_view>
#include <utility>

namespace connector::core {

enum class Action : std::uint8_t {
  kCreate,     // give the present producer up, if any, and make another
  kInit,       // ask the producer to initialise (again)
  kReadClaim,  // read the task's partition before initialising again: is there a rival?
  kReadBack,   // read it after initialising: what was applied, and is it still ours?
  kIdle,       // nothing in hand: offer() the next batch
  kBegin,
  kProduce,
  kCommit,
  kAbort,
  kWait,       // for `delay`, then report success
  kPublished,  // the batch in hand is visible, once; then as kIdle
  kRejected,   // the batch's topic cannot be used (`error`): its stream stops alone; then as kIdle
  kFenced,     // another instance owns the task
  kFailed,     // cannot go on: `error`
  kStopped,
};
std::string_view to_string(Action action);

struct Decision {
  Action action = Action::kIdle;
  common::Duration delay{0};
  std::optional<common::Error> error;  // of kRejected, kFenced, kFailed; of kWait and kCreate: why
  bool after_doubt = false;            // of kPublished: found by reading back, not said by commit
};

// What reading the task's partition showed.
struct ReadBackFinding {
  bool foreign = false;  // a rival's claim or ledger after ours
  bool applied = false;  // the batch in hand is there
  bool lost = false;     // our own claim is gone: the partition was emptied, made again or put back to an older copy
};

struct TransactionPolicy {
  common::Duration transaction_timeout{60'000};  // commit and abort are asked again for this long
  common::Duration backoff_first{100};           // doubled each time, half of it random
  common::Duration backoff_cap{5'000};
  common::Duration retry_pause{20};  // between attempts at the same commit or abort
};

class TransactionMachine {
 public:
  // `random` outlives the machine.
  TransactionMachine(TransactionPolicy policy, std::mt19937_64& random) : policy_(policy), random_(random) {}

  Decision start();
  // A batch is in memory. Only after kIdle, kPublished or kRejected.
  Decision offer();
  // The producer is to be replaced, for a reason of the shell's; when nothing is in hand.
  Decision renew();
  // What came of the last decision's action (not of kReadClaim and kReadBack).
  Decision step(const common::Result<void>& result, common::SteadyTime now);
  Decision step(const common::Result<ReadBackFinding>& result, common::SteadyTime now);
  // From now on finish the transaction in hand if that needs nothing but this attempt; start no other.
  void stop() { stopping_ = true; }

  [[nodiscard]] bool has_batch() const { return has_batch_; }
  // Commit was asked and not answered: only reading back can tell.
  [[nodiscard]] bool in_doubt() const { return in_doubt_; }

 private:
  Decision go(Action action);
  Decision wait_then(Action action, common::Duration delay, std::optional<common::Error> why = std::nullopt);
  Decision redo(const common::Error& why);      // the transaction is closed: begin again after a pause
  Decision recreate(const common::Error& why);  // the producer is of no use any more
  Decision fenced(const common::Error& why);    // a rival, or the transaction expired: find out first
  Decision end(Action action, std::optional<common::Error> error = std::nullopt);
  Decision settle_after_read_back(bool applied);
  Decision after_create(const common::Result<void>& result);
  Decision after_init(const common::Result<void>& result);
  Decision after_begin(const common::Result<void>& result, common::SteadyTime now);
  Decision after_produce(const common::Error& error, common::SteadyTime now);
  Decision after_commit(const common::Result<void>& result, common::SteadyTime now);
  Decision after_abort(const common::Result<void>& result, common::SteadyTime now);
  Decision abort(common::SteadyTime now);
  common::Duration next_backoff();

  TransactionPolicy policy_;
  std::mt19937_64& random_;
  Action doing_ = Action::kIdle;
  Action after_wait_ = Action::kIdle;
  bool stopping_ = false;
  bool has_batch_ = false;
  bool in_doubt_ = false;
  bool commit_unanswered_ = false;          // an attempt at this commit timed out
  unsigned failures_ = 0;                   // since the last success, for the backoff
  common::SteadyTime phase_began_;          // of commit or abort
  std::optional<common::Error> why_abort_;  // what made the abort necessary
  std::optional<common::Error> rejection_;  // the batch's topic is unusable
  std::optional<common::Error> failure_;    // the task ends as soon as the transaction is closed
};

}  // namespace connector::core
