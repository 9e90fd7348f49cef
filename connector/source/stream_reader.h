#pragma once

// The shell that reads one stream: asks core/planning what to do, calls the service, slices pages, hands them to the publisher.
// Lanes run as coroutines of their own and fail alone. It contains no policy and never sees Kafka or HTTP. One executor.

#include "common/clock.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/core/ports/api.h"
#include "connector/core/ports/metrics.h"
#include "connector/core/ports/publisher.h"
#include "connector/source/definition.h"
#include "connector/source/options.h"
#include "connector/source/resolved_start.h"

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace connector::source {

class StreamReader {
 public:
  // `api`, `publisher`, `clock` and `metrics` must outlive the coroutines below. `memory_bytes` bounds the pages a live window
  // may hold before it is handed over (a window that needs more is split); give it a part of what the publisher may hold.
  StreamReader(Definition definition, StreamOptions options, ResolvedStart start, core::Api& api, core::Publisher& publisher,
               common::Clock& clock, core::Metrics& metrics, common::Logger logger, std::size_t memory_bytes, std::uint64_t seed);
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

 private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

}  // namespace connector::source
