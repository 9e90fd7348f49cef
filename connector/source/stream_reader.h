#pragma once

// The shell that reads one stream: asks core/planning what to do, calls the service, slices pages, hands them to the publisher.
// Lanes run as coroutines of their own and fail alone. It contains no policy and never sees Kafka or HTTP. One executor.

#include "common/clock.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/core/ledger/backfill_mark.h"
#include "connector/core/ports/api.h"
#include "connector/core/ports/metrics.h"
#include "connector/core/ports/publisher.h"
#include "connector/source/definition.h"
#include "connector/source/options.h"
#include "connector/source/page_slicer.h"
#include "connector/source/resolved_start.h"

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace connector::source {

class StreamReader {
 public:
  // `api`, `publisher`, `clock` and `metrics` must outlive the coroutines below. `memory_bytes` bounds the pages a live window
  // may hold before it is handed over (a window that needs more is split); give it a part of what the publisher may hold.
  // `page_bytes`: all of that, which composite records of one page must not exceed unless it cannot be cut.
  StreamReader(Definition definition, StreamOptions options, ResolvedStart start, core::Api& api, core::Publisher& publisher,
               common::Clock& clock, core::Metrics& metrics, common::Logger logger, std::size_t memory_bytes, std::uint64_t seed,
               std::size_t page_bytes = PageSlicer::kMostComposed);
  ~StreamReader();
  StreamReader(const StreamReader&) = delete;
  StreamReader& operator=(const StreamReader&) = delete;

  [[nodiscard]] bool has_live() const;    // the definition has a query and `live.enabled`
  [[nodiscard]] bool has_follow() const;  // there is a live lane, the definition can read by id and `follow.enabled`
  [[nodiscard]] bool has_settle() const;  // the definition has a job and `settle.enabled`

  // Each runs until its coroutine is cancelled (terminal) and then ends with kCancelled; jobs are left running at the service.
  // A failing window is reported, kept in the ledger and tried again later. Only kInternal (a contradiction, our bug) ends a lane
  // by itself. To be spawned by the application, once each, only if has_live() and so on.
  boost::asio::awaitable<common::Result<void>> run_live();
  boost::asio::awaitable<common::Result<void>> run_follow();
  boost::asio::awaitable<common::Result<void>> run_settle();

  // Beside the others, if has_settle(). Ends without an error when the range is read and the ledger says so; cancelled, it can be
  // run again with the same order and goes on. One at a time.
  boost::asio::awaitable<common::Result<void>> run_backfill(core::BackfillOrder order);
  // When run_backfill() of this order has ended, or was never called in this life: deletes its jobs at the service, gives it up.
  boost::asio::awaitable<common::Result<void>> cancel_backfill(core::BackfillOrder order);

  // What was due when the lanes began to run has been done: by live and settle, and by a backfill, it is committed; follow has an
  // answer for every id, which flush() makes sure of (docs/operations.md, "From cron").
  [[nodiscard]] bool is_caught_up(common::Instant due) const;

 private:
  struct Shared;
  void hold_jobs(core::Lane lane);
  std::unique_ptr<Shared> shared_;
};

}  // namespace connector::source
