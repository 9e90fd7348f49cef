#include "connector/kafka/handover.h"

#include "connector/kafka/cancelled.h"

#include <cassert>
#include <utility>

namespace connector::kafka {

using boost::asio::awaitable;
using common::Error;
using common::ErrorCode;
using common::Result;
using core::SourcePartition;
using core::StreamName;

namespace {

std::unexpected<Error> told_dropped(const SourcePartition& source) {
  return common::fail(ErrorCode::kTopicUnusable, "pages of stream " + source.stream.str() + ", lane " +
                                                     std::string{core::to_string(source.lane)} +
                                                     ", were dropped when the stream was stopped; they are read again");
}

}  // namespace

Handover::Handover(const boost::asio::any_io_executor& executor, const core::PageQueuePolicy& policy, common::Clock& clock,
                   core::Metrics& metrics, common::Logger logger, Signal& work)
    : clock_(clock), metrics_(metrics), logger_(std::move(logger)), queue_(policy), work_(work), room_(executor) {}

// --- for lanes ---------------------------------------------------------------------------------------------------------------

awaitable<Result<void>> Handover::submit(core::PageGroup group) {
  if (group.empty()) co_return Result<void>{};
  const auto ticket = queue_.line_up(group);
  for (;;) {
    if (auto refused = refusal(group); !refused) {
      leave(ticket);
      co_return refused;
    }
    if (queue_.may_enter(ticket)) break;
    // Before the wait as well as after it: a cancellation that came earlier would not end it.
    if (!co_await cancelled()) {
      work_.notify();  // whoever waits for room makes the waiting transaction hurry
      co_await room_.wait();
    }
    if (co_await cancelled()) {
      leave(ticket);
      co_return common::fail(ErrorCode::kCancelled, "cancelled while waiting for room");
    }
  }
  queue_.enter(ticket, std::move(group), clock_.steady_now());
  room_.notify();  // the next in line may be waiting for this one only
  metrics_.bytes_in_flight(queue_.held_bytes());
  work_.notify();
  co_return Result<void>{};
}

awaitable<Result<void>> Handover::flush(SourcePartition source) {
  queue_.begin_flush(source.stream);
  work_.notify();
  Result<void> result;
  while (queue_.pending(source) > 0) {
    if (co_await cancelled()) {
      result = common::fail(ErrorCode::kCancelled, "cancelled while waiting for a commit");
      break;
    }
    if (result = lost(source.stream); !result) break;
    co_await room_.wait();
  }
  if (result && queue_.pending(source) == 0) result = lost(source.stream);
  queue_.end_flush(source.stream);
  // Whoever asks learns here that pages were dropped, and begins again where the committed ledger stands.
  if (queue_.tell_dropped(source) && result) result = told_dropped(source);
  co_return result;
}

const core::Ledger& Handover::committed(const SourcePartition& source) const {
  static const core::Ledger kNone;
  const auto found = committed_.find(source);
  assert(found != committed_.end() && "restored or adopted before it is asked for");
  return found == committed_.end() ? kNone : found->second;
}

Result<void> Handover::adopt(const SourcePartition& source, core::Ledger initial) {
  if (committed_.contains(source)) {
    return common::fail(ErrorCode::kInternal, "stream " + source.stream.str() + " has a ledger already");
  }
  committed_[source] = std::move(initial);
  return {};
}

// --- for the publisher -------------------------------------------------------------------------------------------------------

std::optional<core::NextTransaction> Handover::next() const {
  return queue_.next(stopping_ ? core::Pace::kHurry : core::Pace::kUsual);
}

void Handover::release(std::vector<core::Page> pages, core::PageFate fate) {
  queue_.release(std::move(pages), fate);
  metrics_.bytes_in_flight(queue_.held_bytes());
  room_.notify();
}

void Handover::advance(core::Ledgers ledgers) {
  for (auto& [source, ledger] : ledgers) committed_[source] = std::move(ledger);
}

void Handover::stop_stream(const StreamName& stream, const Error& error) {
  troubles_[stream] = error;
  metrics_.stream_stopped(stream, true);
  logger_.error("Stream stopped; the others go on",
                {{"stream", stream.str()}, {"error_code", std::string{common::to_string(error.code)}}, {"error", error.message}});
  queue_.drop(stream);
  metrics_.bytes_in_flight(queue_.held_bytes());
  room_.notify();
}

void Handover::resume_stream(const StreamName& stream) {
  troubles_.erase(stream);
  metrics_.stream_stopped(stream, false);
  logger_.info("Stream continues", {{"stream", stream.str()}});
}

std::optional<Error> Handover::trouble(const StreamName& stream) const {
  const auto found = troubles_.find(stream);
  if (found == troubles_.end()) return std::nullopt;
  return found->second;
}

void Handover::stop() {
  stopping_ = true;
  work_.notify();
  room_.notify();
}

void Handover::end(std::optional<Error> reason) {
  ended_ = true;
  reason_ = std::move(reason);
}

Result<void> Handover::lost_with_task() const {
  if (reason_) return common::fail(*reason_);
  return common::fail(ErrorCode::kCancelled, "the task stops");
}

// Whether a submit is still of use.
Result<void> Handover::refusal(const core::PageGroup& group) const {
  if (stopping_ || ended_) return lost_with_task();
  if (auto stopped = lost(group.front().source.stream); !stopped) return stopped;
  if (const auto source = queue_.dropped_among(group)) return told_dropped(*source);
  return {};
}

Result<void> Handover::lost(const StreamName& stream) const {
  if (ended_) return lost_with_task();
  if (const auto found = troubles_.find(stream); found != troubles_.end()) return common::fail(found->second);
  return {};
}

void Handover::leave(core::PageQueue::Ticket ticket) {
  queue_.leave(ticket);
  room_.notify();  // the next in line may be waiting for this one only
}

}  // namespace connector::kafka
