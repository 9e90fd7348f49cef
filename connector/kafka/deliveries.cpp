#include "connector/kafka/deliveries.h"

#include "connector/kafka/error.h"

#include <algorithm>

namespace connector::kafka {

using common::Error;
using common::ErrorCode;

namespace {

constexpr unsigned kPlaceBits = 56;
constexpr std::uintptr_t kPlaceMask = (std::uintptr_t{1} << kPlaceBits) - 1;

int weight(ErrorCode code) {
  switch (code) {
    case ErrorCode::kFenced:
      return 6;
    case ErrorCode::kStateRefused:
    case ErrorCode::kPermissionDenied:
      return 5;
    case ErrorCode::kTopicUnusable:
      return 4;
    case ErrorCode::kOversize:
    case ErrorCode::kRequestRejected:
      return 3;
    case ErrorCode::kOutcomeUnknown:
      return 2;
    default:
      return 1;
  }
}

Error failure_of(RecordKind kind, rd_kafka_resp_err_t code) {
  Error error = to_error(code, kind == RecordKind::kRecord       ? "publishing a record"
                               : kind == RecordKind::kDeadLetter ? "writing a dead letter"
                               : kind == RecordKind::kDigest     ? "writing a digest"
                               : kind == RecordKind::kProgress   ? "writing the progress"
                               : kind == RecordKind::kControl    ? "writing to the control topic"
                                                                 : "writing the ledger");
  // The message was lost with the attempt, nothing more is known of it: the attempt is void, the producer is not.
  if (error.code == ErrorCode::kRetryable || error.code == ErrorCode::kOutcomeUnknown) error.code = ErrorCode::kAbortTransaction;
  const bool refused = error.code == ErrorCode::kOversize || error.code == ErrorCode::kRequestRejected;
  const bool beside = kind == RecordKind::kDeadLetter || kind == RecordKind::kProgress || kind == RecordKind::kControl;
  if (beside && refused) error.code = ErrorCode::kTopicUnusable;
  const bool state = kind == RecordKind::kState || kind == RecordKind::kDigest;
  if (state && (refused || error.code == ErrorCode::kTopicUnusable)) {
    error.code = code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ? ErrorCode::kPermissionDenied : ErrorCode::kStateRefused;
  }
  return error;
}

}  // namespace

void* Deliveries::tag(RecordKind kind, std::size_t place) {
  const auto bits = static_cast<std::uintptr_t>(kind) << kPlaceBits | (static_cast<std::uintptr_t>(place) & kPlaceMask);
  return reinterpret_cast<void*>(bits);  // NOLINT(performance-no-int-to-ptr): an opaque tag, never dereferenced
}

void Deliveries::begin() {
  const std::scoped_lock lock{mutex_};
  failure_.reset();
  refused_.clear();
  failed_.store(false, std::memory_order_release);
  partitions_seen_.store(0, std::memory_order_release);
}

void Deliveries::sent(std::size_t bytes) {
  outstanding_.fetch_add(1, std::memory_order_relaxed);
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

void Deliveries::not_sent(std::size_t bytes) {
  outstanding_.fetch_sub(1, std::memory_order_relaxed);
  bytes_.fetch_sub(bytes, std::memory_order_relaxed);
}

bool Deliveries::wait_until_left(std::size_t rest, std::chrono::milliseconds patience) {
  const auto is_over = [this, rest] { return bytes_.load() <= rest || failed_.load(); };
  if (is_over()) return true;
  // Raised before the bytes are looked at, as a report changes them before it looks at this: one of the two sees the other.
  rest_.store(rest);
  awaited_.store(true);
  std::unique_lock lock{mutex_};
  const bool over = drained_.wait_for(lock, patience, is_over);
  awaited_.store(false);
  return over;
}

void Deliveries::delivered(const rd_kafka_message_t& message) noexcept {
  const auto bits = reinterpret_cast<std::uintptr_t>(message._private);
  const auto kind = static_cast<RecordKind>(bits >> kPlaceBits);
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    note(kind, bits & kPlaceMask, message.err);
  } else if (kind == RecordKind::kRecord && message.partition >= partitions_seen_.load(std::memory_order_relaxed)) {
    partitions_seen_.store(message.partition + 1, std::memory_order_release);
  }
  outstanding_.fetch_sub(1, std::memory_order_acq_rel);
  const std::size_t left = bytes_.fetch_sub(message.len) - message.len;
  if (awaited_.load() && (left <= rest_.load() || message.err != RD_KAFKA_RESP_ERR_NO_ERROR)) {
    const std::scoped_lock lock{mutex_};  // whoever looked in vain is waiting by now
    drained_.notify_all();
  }
}

void Deliveries::note(RecordKind kind, std::size_t place, rd_kafka_resp_err_t code) {
  Error error = failure_of(kind, code);
  const std::scoped_lock lock{mutex_};
  if (kind == RecordKind::kRecord && (error.code == ErrorCode::kOversize || error.code == ErrorCode::kRequestRejected)) {
    refused_.push_back(place);
  }
  if (!failure_ || weight(error.code) > weight(failure_->code)) failure_ = std::move(error);
  failed_.store(true, std::memory_order_release);
}

std::optional<common::Result<void>> Deliveries::outcome() const {
  // The counter first: a report is noted before it is counted, so nothing outstanding means that every failure is known.
  if (outstanding() > 0) return std::nullopt;
  if (auto noted = failure()) return common::fail(std::move(*noted));
  return common::Result<void>{};
}

std::optional<Error> Deliveries::failure() const {
  const std::scoped_lock lock{mutex_};
  return failure_;
}

std::vector<std::size_t> Deliveries::refused() const {
  const std::scoped_lock lock{mutex_};
  std::vector<std::size_t> places = refused_;
  std::ranges::sort(places);
  const auto repeated = std::ranges::unique(places);
  places.erase(repeated.begin(), repeated.end());
  return places;
}

}  // namespace connector::kafka
