#include "connector/core/transaction/machine.h"

#include <algorithm>
#include <cassert>

namespace connector::core {

using common::Error;
using common::ErrorCode;
using common::Result;
using common::SteadyTime;

namespace {

// An operator has to mend something, or the program is wrong: trying again cannot help.
bool ends_task(ErrorCode code) {
  switch (code) {
    case ErrorCode::kPermissionDenied:
    case ErrorCode::kConfigInvalid:
    case ErrorCode::kCredentialsInvalid:
    case ErrorCode::kStateRefused:
    case ErrorCode::kInternal:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string_view to_string(Action action) {
  switch (action) {
    case Action::kCreate:
      return "create";
    case Action::kInit:
      return "init";
    case Action::kReadClaim:
      return "read_claim";
    case Action::kReadBack:
      return "read_back";
    case Action::kIdle:
      return "idle";
    case Action::kBegin:
      return "begin";
    case Action::kProduce:
      return "produce";
    case Action::kCommit:
      return "commit";
    case Action::kAbort:
      return "abort";
    case Action::kWait:
      return "wait";
    case Action::kPublished:
      return "published";
    case Action::kRejected:
      return "rejected";
    case Action::kFenced:
      return "fenced";
    case Action::kFailed:
      return "failed";
    case Action::kStopped:
      return "stopped";
  }
  return "unknown";
}

Decision TransactionMachine::start() {
  return go(Action::kCreate);
}

Decision TransactionMachine::offer() {
  assert(!has_batch_);
  has_batch_ = true;
  return go(Action::kBegin);
}

Decision TransactionMachine::renew() {
  assert(!has_batch_);
  return go(Action::kCreate);
}

Decision TransactionMachine::step(const Result<void>& result, SteadyTime now) {
  if (!result && result.error().code == ErrorCode::kCancelled && doing_ != Action::kProduce) return end(Action::kStopped);
  switch (doing_) {
    case Action::kCreate:
      return after_create(result);
    case Action::kInit:
      return after_init(result);
    case Action::kBegin:
      return after_begin(result, now);
    case Action::kProduce:
      if (!result) return after_produce(result.error(), now);
      phase_began_ = now;
      commit_unanswered_ = false;
      return go(Action::kCommit);
    case Action::kCommit:
      return after_commit(result, now);
    case Action::kAbort:
      return after_abort(result, now);
    case Action::kWait:
      if (stopping_ && after_wait_ != Action::kCommit && after_wait_ != Action::kAbort) return end(Action::kStopped);
      return go(after_wait_);
    default:
      assert(false && "nothing was asked that has a result");
      return end(Action::kFailed, Error{.code = ErrorCode::kInternal, .message = "transaction machine: unexpected result"});
  }
}

Decision TransactionMachine::step(const Result<ReadBackFinding>& result, SteadyTime /*now*/) {
  assert(doing_ == Action::kReadClaim || doing_ == Action::kReadBack);
  if (!result) {
    const ErrorCode code = result.error().code;
    if (code == ErrorCode::kCancelled) return end(Action::kStopped);
    // The partition read is the task's own state: without it there is no task.
    if (ends_task(code) || code == ErrorCode::kTopicUnusable) return end(Action::kFailed, result.error());
    return wait_then(doing_, next_backoff(), result.error());
  }
  if (result->lost) {
    return end(Action::kFailed, Error{.code = ErrorCode::kStateRefused,
                                      .message = "the claim of this instance is gone from the offsets topic: the topic was "
                                                 "emptied, made again or replaced by an older copy. Restore it, or import an "
                                                 "export of it (`genesys-kafka offsets import`), then start again"});
  }
  if (result->foreign) {
    return end(Action::kFenced, Error{.code = ErrorCode::kFenced,
                                      .message = "another instance has claimed the task; this one stops. Run one instance of a "
                                                 "name, or give this one another name"});
  }
  if (doing_ == Action::kReadClaim) return go(Action::kCreate);
  return settle_after_read_back(result->applied);
}

Decision TransactionMachine::settle_after_read_back(bool applied) {
  in_doubt_ = false;
  if (failure_) return end(Action::kFailed, failure_);
  if (!has_batch_) {
    failures_ = 0;
    return go(Action::kIdle);
  }
  if (applied) {
    has_batch_ = false;
    rejection_.reset();
    failures_ = 0;
    Decision decision = go(Action::kPublished);
    decision.after_doubt = true;
    return decision;
  }
  if (rejection_) {
    has_batch_ = false;
    Decision decision = go(Action::kRejected);
    decision.error = std::exchange(rejection_, std::nullopt);
    return decision;
  }
  return go(Action::kBegin);
}

Decision TransactionMachine::after_create(const Result<void>& result) {
  if (result) return go(Action::kInit);
  if (ends_task(result.error().code)) return end(Action::kFailed, result.error());
  return wait_then(Action::kCreate, next_backoff(), result.error());
}

Decision TransactionMachine::after_init(const Result<void>& result) {
  if (result) return go(Action::kReadBack);
  const Error& error = result.error();
  if (ends_task(error.code)) return end(Action::kFailed, error);
  // Each attempt has waited its own timeout already; the pause only keeps a broker that refuses at once from being hammered.
  if (error.code == ErrorCode::kRetryable) return wait_then(Action::kInit, policy_.backoff_first, error);
  if (error.code == ErrorCode::kFenced) return fenced(error);
  return recreate(error);
}

Decision TransactionMachine::after_begin(const Result<void>& result, SteadyTime now) {
  if (result) return go(Action::kProduce);
  const Error& error = result.error();
  if (ends_task(error.code)) return end(Action::kFailed, error);
  if (error.code == ErrorCode::kRetryable) return wait_then(Action::kBegin, next_backoff(), error);
  if (error.code == ErrorCode::kFenced) return fenced(error);
  if (error.code == ErrorCode::kAbortTransaction) {
    why_abort_ = error;
    return abort(now);
  }
  return recreate(error);
}

// Nothing was committed: whatever failed, the transaction is aborted, and what follows is decided when it is closed.
Decision TransactionMachine::after_produce(const Error& error, SteadyTime now) {
  if (error.code == ErrorCode::kFenced) return fenced(error);
  if (error.code == ErrorCode::kOutcomeUnknown) return recreate(error);
  if (error.code == ErrorCode::kCancelled) stopping_ = true;
  if (error.code == ErrorCode::kTopicUnusable) rejection_ = error;
  if (ends_task(error.code)) failure_ = error;
  why_abort_ = error;
  return abort(now);
}

Decision TransactionMachine::after_commit(const Result<void>& result, SteadyTime now) {
  if (result) {
    has_batch_ = false;
    in_doubt_ = false;
    failures_ = 0;
    return go(Action::kPublished);
  }
  const Error& error = result.error();
  if (error.code == ErrorCode::kTopicUnusable) rejection_ = error;
  const bool abortable = error.code == ErrorCode::kAbortTransaction || error.code == ErrorCode::kTopicUnusable ||
                         error.code == ErrorCode::kOversize || error.code == ErrorCode::kRequestRejected;
  // An earlier attempt may have been applied without an answer: an order to abort says nothing about that one.
  if (abortable && commit_unanswered_) {
    in_doubt_ = true;
    return recreate(error);
  }
  switch (error.code) {
    case ErrorCode::kRetryable:
      commit_unanswered_ = true;
      if (now - phase_began_ < policy_.transaction_timeout) return wait_then(Action::kCommit, policy_.retry_pause, error);
      in_doubt_ = true;
      return recreate(error);
    case ErrorCode::kFenced:
      in_doubt_ = true;
      return fenced(error);
    case ErrorCode::kTopicUnusable:
    case ErrorCode::kAbortTransaction:
    case ErrorCode::kOversize:
    case ErrorCode::kRequestRejected:
      why_abort_ = error;
      return abort(now);
    default:
      if (ends_task(error.code)) {
        failure_ = error;
        why_abort_ = error;
        return abort(now);
      }
      in_doubt_ = true;
      return recreate(error);
  }
}

Decision TransactionMachine::abort(SteadyTime now) {
  phase_began_ = now;
  return go(Action::kAbort);
}

Decision TransactionMachine::after_abort(const Result<void>& result, SteadyTime now) {
  // The shell's word that the transaction is closed and that no other attempt can help.
  const bool hopeless = !result && result.error().code == ErrorCode::kTopicUnusable;
  if (hopeless) rejection_ = result.error();
  if (!result && !hopeless) {
    const Error& error = result.error();
    if (failure_) return end(Action::kFailed, failure_);
    if (error.code == ErrorCode::kFenced) return fenced(error);
    if (error.code == ErrorCode::kRetryable && now - phase_began_ < policy_.transaction_timeout) {
      return wait_then(Action::kAbort, policy_.retry_pause, error);
    }
    if (ends_task(error.code)) return end(Action::kFailed, error);
    // A refused partition registration ends here: the abort is fatal, the reason was in the commit (`rejection_`).
    return recreate(error);
  }
  if (failure_) return end(Action::kFailed, failure_);
  if (rejection_) {
    has_batch_ = false;
    Decision decision = go(Action::kRejected);
    decision.error = std::exchange(rejection_, std::nullopt);
    return decision;
  }
  return redo(why_abort_.value_or(Error{.code = ErrorCode::kAbortTransaction, .message = "transaction aborted"}));
}

Decision TransactionMachine::redo(const Error& why) {
  if (stopping_) return end(Action::kStopped);
  // A refused record is being searched for: that is progress, not trouble.
  const bool searching = why.code == ErrorCode::kOversize || why.code == ErrorCode::kRequestRejected;
  return wait_then(Action::kBegin, searching ? common::Duration{0} : next_backoff(), why);
}

Decision TransactionMachine::recreate(const Error& why) {
  if (stopping_) return end(Action::kStopped);
  // The first time at once: the state of one producer was lost, not the broker. Then slower and slower.
  if (failures_ == 0) {
    ++failures_;
    Decision decision = go(Action::kCreate);
    decision.error = why;
    return decision;
  }
  return wait_then(Action::kCreate, next_backoff(), why);
}

Decision TransactionMachine::fenced(const Error& why) {
  if (stopping_) return end(Action::kStopped);
  // The pause comes first: a rival that has just fenced us gets the time to write its claim before we look for it.
  return wait_then(Action::kReadClaim, std::max(next_backoff(), policy_.backoff_first), why);
}

Decision TransactionMachine::go(Action action) {
  doing_ = action;
  if (action == Action::kBegin) why_abort_.reset();
  return Decision{.action = action, .delay = {}, .error = std::nullopt, .after_doubt = false};
}

Decision TransactionMachine::wait_then(Action action, common::Duration delay, std::optional<Error> why) {
  // A transaction that is being closed is closed; everything else ends with the stop.
  if (stopping_ && action != Action::kCommit && action != Action::kAbort) return end(Action::kStopped);
  after_wait_ = action;
  doing_ = Action::kWait;
  return Decision{.action = Action::kWait, .delay = delay, .error = std::move(why), .after_doubt = false};
}

Decision TransactionMachine::end(Action action, std::optional<Error> error) {
  doing_ = action;
  return Decision{.action = action, .delay = {}, .error = std::move(error), .after_doubt = false};
}

common::Duration TransactionMachine::next_backoff() {
  const unsigned doublings = std::min(failures_, 16U);
  ++failures_;
  const auto whole = std::min<common::Duration>(policy_.backoff_cap, policy_.backoff_first * (std::int64_t{1} << doublings));
  const auto half = whole.count() / 2;
  return common::Duration{half + std::uniform_int_distribution<common::Duration::rep>{0, whole.count() - half}(random_)};
}

}  // namespace connector::core
