#pragma once

// What the lanes of a stream share: the definition and the ports, the working ledger (what was handed over, committed or not
// yet), calls to the service, and how failures are told. Public for the parts a lane is made of. Internal to connector/source.

#include "common/clock.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/core/planning/lane_backoff.h"
#include "connector/core/planning/retention.h"
#include "connector/core/ports/api.h"
#include "connector/core/ports/metrics.h"
#include "connector/core/ports/publisher.h"
#include "connector/source/definition.h"
#include "connector/source/job_days.h"
#include "connector/source/options.h"
#include "connector/source/page_reader.h"
#include "connector/source/pagination.h"
#include "connector/source/request_template.h"
#include "connector/source/resolved_start.h"
#include "connector/source/turns.h"

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace connector::source {

// One stream, as its lanes see it.
struct StreamContext {
  Definition definition;
  StreamOptions options;
  ResolvedStart start;
  core::Api& api;
  core::Publisher& publisher;
  common::Clock& clock;
  core::Metrics& metrics;
  common::Logger logger;
  std::size_t memory_bytes;
  std::mt19937_64 random;
  PageReader pages;  // reading one never suspends, so the lanes share its memory
  JobDays job_days;
  Turns reads;  // of whoever reads the query form: two reads that can return the same key never overlap
  bool told_unmatched = false;
};

// A page that has arrived: the bytes, the slices into them, and what the answer said about itself.
struct ReadPage {
  std::unique_ptr<std::string> buffer;
  SlicedPage sliced;
  common::http::Headers headers;
  common::Instant read_at;
  common::Instant service_date;
  std::string correlation_id;
};

class Lane {
 public:
  using Awaited = boost::asio::awaitable<common::Result<void>>;

  Lane(StreamContext& stream, core::Lane lane);

  [[nodiscard]] StreamContext& stream() const { return stream_; }
  [[nodiscard]] const core::SourcePartition& source() const { return source_; }
  [[nodiscard]] const core::Ledger& working() const { return working_; }

  boost::asio::awaitable<bool> is_cancelled() const;
  Awaited sleep(common::Duration duration);
  double chance();

  // A page through the reader of pages; its storage comes from the publisher's spare.
  boost::asio::awaitable<common::Result<ReadPage>> fetch_page(core::ApiRequest request, SliceSpec spec);
  // The records of these keys, as far as the service has them, in one page.
  boost::asio::awaitable<common::Result<ReadPage>> fetch_by_id(std::span<const core::RecordKey> ids, SliceSpec spec);
  // A small answer as JSON.
  boost::asio::awaitable<common::Result<common::json::Value>> fetch_document(core::ApiRequest request);
  // Deletes the job at the service, where that can be done; that it could not be is logged. kCancelled: the caller was.
  Awaited cancel_job(core::JobId id);

  // A page for the publisher around the bytes of an answer; its rows are still to be taken.
  core::Page make_page(ReadPage& read, const core::Position& position, const common::Interval& window,
                       core::RecordForm form) const;
  void report_dead_letters(const core::Page& page) const;

  // Applies to the working ledger and hands over.
  Awaited submit_changes(const common::Interval& window, std::vector<core::LedgerChange> changes);
  Awaited submit(core::PageGroup group);
  // Everything handed over is committed.
  Awaited flush();
  // After a failure to hand over: waits until the fate of everything handed over is known (the stream may be stopped for long),
  // then only what is committed counts.
  Awaited await_decision();

  // The service has begun to forget what began then (`window.retention`).
  [[nodiscard]] bool has_expired(common::Instant start) const;

  void report_failure(const common::Error& error, const common::Interval& window, const core::Position& position,
                      common::Duration wait);
  // `window` (or whatever failed) is read again; the lane is well when nothing is failing.
  void report_recovery(const common::Interval& window);
  void report_recovery();

 protected:
  boost::asio::awaitable<common::Result<common::Instant>> fetch_availability();

  // Starts the lane's ledger at `start` if it has not begun yet and says otherwise.
  Awaited start_ledger(common::Instant start);
  // The ages at which the lane reads again are those configured.
  Awaited start_ages(const std::vector<common::Duration>& ages);
  // Before a window is planned: what can be read no more is not waited for, and what of it never was is told. `running`, `until`
  // as in core::beyond_reach. Sets `readable_from_`.
  Awaited give_up_out_of_reach(std::span<const common::Interval> running = {},
                               std::optional<common::Instant> until = std::nullopt);

  // Forgets what was handed over but may have been dropped.
  void resynchronise();

  StreamContext& stream_;
  core::SourcePartition source_;
  core::Ledger working_;
  // As of the last plan; none: no bound, or the service has not told the time yet: by the host's clock alone nothing is given up.
  std::optional<common::Instant> readable_from_;

 private:
  [[nodiscard]] core::Retention retention() const;
  void report_well();
  void report_out_of_reach(const core::BeyondReach& beyond);
  void report_unmatched();
  void report_unknown_fields();

  std::vector<common::Interval> failing_;  // windows; the empty one stands for what is no window's
  std::optional<common::ErrorCode> told_;  // the last failure that an operator must mend: told once
  bool unflushed_ = true;
  // Given up and not told yet: a lane that stays behind gives up a little with every window.
  core::IntervalSet lost_untold_;
  core::IntervalSet not_again_untold_;
  std::optional<common::SteadyTime> told_out_of_reach_;
};

// What only an operator can mend: told once, retried slowly.
bool needs_operator(common::ErrorCode code);
// Of an answer about many records: it may be one of them, or their number, that the service or we cannot deal with.
bool may_be_one_of_them(common::ErrorCode code);

}  // namespace connector::source
