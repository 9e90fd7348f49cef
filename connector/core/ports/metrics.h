#pragma once

// What the decisions and adapters report; connector/observability turns it into Prometheus metrics (all names in metrics.cpp).
// Counts are per batch, never per record. Called on the connector's executor only.

#include "common/instant.h"
#include "common/result.h"
#include "connector/core/names.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace connector::core {

enum class BreakerState : std::uint8_t { kClosed, kHalfOpen, kOpen };
enum class TransactionOutcome : std::uint8_t { kCommitted, kAborted, kUnknownApplied, kUnknownNotApplied };

// The digests of a stream, as committed.
struct DigestFigures {
  std::uint64_t keys = 0;
  std::uint64_t bytes = 0;     // in memory
  std::uint64_t followed = 0;  // read again by id
  std::uint64_t owed = 0;      // waiting for a later job
};

class Metrics {
 public:
  virtual ~Metrics() = default;

  // HTTP. `outcome` is an ErrorCode's spelling or "ok".
  virtual void request_done(const SourcePartition& source, std::string_view outcome, int status,
                            std::chrono::milliseconds latency, std::uint64_t wire_bytes) = 0;
  virtual void request_retried(const SourcePartition& source, std::string_view reason) = 0;
  virtual void throttled(Lane lane, std::chrono::milliseconds waited) = 0;  // time a request waited for budget
  virtual void budget(double allowed_per_minute, double remaining) = 0;
  virtual void breaker(BreakerState state) = 0;
  virtual void token(common::Instant expires_at) = 0;
  virtual void token_renewed(bool ok) = 0;
  virtual void clock_skew(common::Duration skew) = 0;

  // Reading.
  virtual void page_read(const SourcePartition& source, std::uint64_t records, std::uint64_t bytes) = 0;
  virtual void records_dropped(const SourcePartition& source, std::string_view reason,
                               std::uint64_t count) = 0;  // "duplicate_in_window", "outside_window", "known"
  // Members of records that the stream's definition does not know, seen for the first time in this life.
  virtual void unknown_fields(const StreamName& stream, std::uint64_t count) = 0;
  virtual void window_completed(const SourcePartition& source, bool is_short) = 0;
  virtual void window_restarted(const SourcePartition& source, std::string_view reason) = 0;
  virtual void windows_open(const SourcePartition& source, std::uint64_t count) = 0;
  virtual void complete_until(const SourcePartition& source, common::Instant instant) = 0;
  virtual void short_windows(const SourcePartition& source, std::uint64_t count) = 0;
  // How much of its range the lane could read no more, as the ledger says, and when the last of it was found to be so; none:
  // there is nothing, or nobody knows.
  virtual void lost(const SourcePartition& source, common::Duration length, std::optional<common::Instant> at) = 0;
  // "seen_until", "complete_until", "settled_until".
  virtual void watermark(const StreamName& stream, std::string_view which, common::Instant instant) = 0;
  virtual void data_available_until(const StreamName& stream, common::Instant instant) = 0;
  virtual void lane_failing(const SourcePartition& source, bool failing) = 0;

  // Publishing.
  virtual void records_published(const SourcePartition& source, std::uint64_t records, std::uint64_t bytes) = 0;
  // What the service no longer has, or seemed not to: "tombstoned", "kept", "withheld" (by the brake), "present", "unknown".
  virtual void records_gone(const StreamName& stream, std::string_view outcome, std::uint64_t records) = 0;
  // The deletions of a home day were held up, because there are too many of them.
  virtual void delete_braked(const StreamName& stream) = 0;
  virtual void dead_letters(const SourcePartition& source, std::string_view reason, std::uint64_t count) = 0;
  virtual void transaction_done(TransactionOutcome outcome, std::chrono::milliseconds duration) = 0;
  virtual void producer_started(std::string_view reason) = 0;  // "start", "fenced", "fatal", "outcome_unknown"
  virtual void bytes_in_flight(std::uint64_t bytes) = 0;       // pages held in memory
  virtual void task_state(std::string_view state) = 0;         // "starting", "running", "stopping", "fenced", "failed"
  virtual void digests(const StreamName& stream, const DigestFigures& figures) = 0;
  virtual void digests_limit(std::uint64_t bytes) = 0;  // of all streams together
  virtual void stream_stopped(const StreamName& stream, bool stopped) = 0;
};

}  // namespace connector::core
