#pragma once

// Reads what the service has of a range of time, once, from its beginning to its end, by the job or by the query, or the records
// of some keys by their ids: for verbs that look at it beside the lanes, with the lanes' own decisions about pages and jobs. It
// keeps no state and no pages: each page goes to whoever asked, as the publisher would take it. One executor.

#include "common/clock.h"
#include "common/instant.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/core/planning/job_policy.h"
#include "connector/core/planning/query_paging.h"
#include "connector/core/ports/api.h"
#include "connector/core/ports/publisher.h"
#include "connector/source/definition.h"
#include "connector/source/options.h"
#include "connector/source/page_reader.h"
#include "connector/source/request_template.h"

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace connector::source {

struct RangeFigures {
  std::uint64_t requests = 0;
  std::uint64_t rows = 0;         // that began in the range, repetitions included
  std::uint64_t without_key = 0;  // rows that cannot be records
  bool is_short = false;          // the service returned fewer rows than it promised
};

class RangeReader final {
 public:
  // A page with the rows that began in the range, in the order in which they arrived: of one key the later counts. Pages of a
  // window that has to be read again come again.
  using TakePage = std::function<boost::asio::awaitable<common::Result<void>>(core::Page page)>;
  using Progress = std::function<void(const common::Interval& window, const RangeFigures& figures)>;

  // All of them outlive the coroutines.
  RangeReader(const Definition& definition, const StreamOptions& options, core::Api& api, common::Clock& clock,
              common::Logger logger, std::uint64_t seed);

  // The date up to which the service guarantees its job's data.
  boost::asio::awaitable<common::Result<common::Instant>> availability();
  // A job for every UTC day of the range, one after another; all of the range lies behind the availability date. Errors: the
  // service's own, when it repeats them; kCancelled.
  boost::asio::awaitable<common::Result<void>> read_by_job(common::Interval range, TakePage take);
  boost::asio::awaitable<common::Result<void>> read_by_query(common::Interval range, TakePage take);

  // The records of these keys in their query form, many a request; only them. A key that the service refuses to answer for by
  // itself is passed over. The definition has `by_id`.
  boost::asio::awaitable<common::Result<void>> read_by_id(std::vector<core::RecordKey> keys, TakePage take);

  // Rows that began before the range, too, where the service returns them (records that last for days).
  void keep_what_began_before() { keeps_earlier_ = true; }
  void on_progress(Progress progress) { progress_ = std::move(progress); }  // after every page
  [[nodiscard]] const RangeFigures& figures() const { return figures_; }

 private:
  struct Fetched;
  using Awaited = boost::asio::awaitable<common::Result<void>>;

  boost::asio::awaitable<common::Result<core::ApiResponse>> send(core::ApiRequest request);
  boost::asio::awaitable<common::Result<common::json::Value>> ask(core::ApiRequest request);
  boost::asio::awaitable<common::Result<Fetched>> fetch(core::ApiRequest request, const SliceSpec& spec);
  Awaited hand_over(Fetched& fetched, const common::Interval& window, const core::Position& at, const TakePage& take);
  Awaited sleep(common::Duration duration);
  [[nodiscard]] SliceSpec slice_spec(const RecordsRule& records) const;
  double chance();

  boost::asio::awaitable<common::Result<std::vector<common::Interval>>> run_job(common::Interval window, const TakePage& take);
  boost::asio::awaitable<common::Result<std::optional<common::Duration>>> run_query(common::Interval window,
                                                                                    const TakePage& take);
  [[nodiscard]] core::QueryPagingOptions paging_options() const;
  Awaited read_ids(std::span<const core::RecordKey> ids, const TakePage& take);

  const Definition& definition_;
  const StreamOptions& options_;
  core::Api& api_;
  common::Clock& clock_;
  common::Logger logger_;
  std::mt19937_64 random_;
  PageReader pages_;
  Progress progress_;
  common::Interval range_;
  bool keeps_earlier_ = false;
  RangeFigures figures_;
  core::SourcePartition source_;
};

}  // namespace connector::source
