#include "connector/observability/metrics.h"

#include "connector/observability/build_info.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <map>
#include <set>
#include <utility>

namespace connector::observability {
namespace {

using core::BreakerState;
using core::SourcePartition;
using core::TransactionOutcome;

constexpr std::string_view kOther = "other";
// The connector's own calls (organisation, limits, checks) are no stream's.
constexpr std::string_view kOwnCalls = "_connector";

// Listed values of the labels that come as text. `outcome`: "ok" or an ErrorCode.
constexpr std::array kOutcomes = std::to_array<std::string_view>(
    {"ok", "retryable", "rate_limited", "unauthorized", "credentials_invalid", "permission_denied", "request_rejected",
     "too_complex", "position_invalid", "malformed_response", "oversize", "config_invalid", "cancelled", "internal"});
constexpr std::array kDropReasons =
    std::to_array<std::string_view>({"duplicate_in_window", "outside_window", "known", "oversize"});
constexpr std::array kGoneOutcomes = std::to_array<std::string_view>({"tombstoned", "kept", "withheld", "present", "unknown"});
constexpr std::array kWatermarks = std::to_array<std::string_view>({"seen_until", "complete_until", "settled_until"});
constexpr std::array kRestartReasons = std::to_array<std::string_view>(
    {"taken_up", "too_complex", "submit_failed", "job_failed", "job_cancelled", "job_expired", "job_unknown",
     "job_never_finished", "position_rejected", "cursor_repeats", "page_unreadable", "availability_behind"});
constexpr std::array kDeadLetterReasons =
    std::to_array<std::string_view>({"not_an_object", "no_key", "oversize", "broker_refused"});
constexpr std::array kProducerReasons = std::to_array<std::string_view>({"start", "fenced", "fatal", "outcome_unknown"});
constexpr std::array kTaskStates =
    std::to_array<std::string_view>({"starting", "waiting_for_kafka", "running", "stopping", "stopped", "fenced", "failed"});
constexpr std::array kBreakerStates = std::to_array<std::string_view>({"closed", "half_open", "open"});
constexpr std::array kTransactionOutcomes =
    std::to_array<std::string_view>({"committed", "aborted", "unknown_applied", "unknown_not_applied"});
constexpr std::array kStatuses = {0,   200, 201, 202, 204, 301, 302, 307, 308, 400, 401, 403, 404,
                                  405, 407, 408, 409, 410, 413, 415, 429, 500, 501, 502, 503, 504};

template <std::size_t Size>
std::string listed(std::string_view value, const std::array<std::string_view, Size>& values) {
  return std::string(std::ranges::find(values, value) != values.end() ? value : kOther);
}

std::string status_label(int status) {
  if (status == 0) {
    return "none";
  }
  return std::ranges::find(kStatuses, status) != kStatuses.end() ? std::to_string(status) : std::string(kOther);
}

double seconds(std::chrono::milliseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

double unix_seconds(common::Instant instant) {
  return std::chrono::duration<double>(instant.time_since_epoch()).count();
}

// Every metric. The constants below index it, so that a name is written once.
enum Id : std::size_t {
  kRequests,
  kRequestDuration,
  kResponseBytes,
  kRetries,
  kBudgetWaits,
  kBudgetWaitSeconds,
  kBudgetAllowed,
  kBudgetRemaining,
  kBreakerState,
  kTokenExpiry,
  kTokenRenewals,
  kClockSkew,
  kPagesRead,
  kRecordsRead,
  kReadBytes,
  kRecordsDropped,
  kUnknownFields,
  kWindowsCompleted,
  kWindowsRestarted,
  kOpenWindows,
  kCompleteUntil,
  kShortWindows,
  kLost,
  kLostAt,
  kWatermark,
  kDataAvailableUntil,
  kLaneFailing,
  kRecordsPublished,
  kPublishedBytes,
  kRecordsGone,
  kDeleteBrakes,
  kDeadLetters,
  kTransactions,
  kTransactionDuration,
  kProducerStarts,
  kInFlightBytes,
  kTaskState,
  kDigestKeys,
  kDigestBytes,
  kDigestLimit,
  kDigestFollowed,
  kDigestOwed,
  kStreamStopped,
  kBuildInfo,
  kMetricCount,
};

std::vector<MetricDescription> describe_all() {
  using enum MetricKind;
  return {
      {"genesys_kafka_requests_total",
       kCounter,
       {"stream", "lane", "outcome", "status"},
       "Requests sent to the API, every attempt counted, by outcome and HTTP status."},
      {"genesys_kafka_request_duration_seconds",
       kHistogram,
       {"lane"},
       "Time from sending a request to the last byte of its answer."},
      {"genesys_kafka_response_bytes_total", kCounter, {"stream", "lane"}, "Bytes of answers as transferred (compressed)."},
      {"genesys_kafka_request_retries_total",
       kCounter,
       {"stream", "lane", "reason"},
       "Attempts that were followed by another one."},
      {"genesys_kafka_budget_waits_total", kCounter, {"lane"}, "Requests that had to wait for the request budget."},
      {"genesys_kafka_budget_wait_seconds_total", kCounter, {"lane"}, "Time that requests waited for the request budget."},
      {"genesys_kafka_budget_allowed_requests_per_minute", kGauge, {}, "Requests a minute that we may send: the share, capped."},
      {"genesys_kafka_budget_remaining_requests", kGauge, {}, "Requests left in the current minute."},
      {"genesys_kafka_breaker_state", kGauge, {"state"}, "1 for the state of the API's circuit breaker."},
      {"genesys_kafka_token_expiry_timestamp_seconds", kGauge, {}, "When the access token expires, Unix time."},
      {"genesys_kafka_token_renewals_total", kCounter, {"result"}, "Requests for an access token."},
      {"genesys_kafka_clock_skew_seconds", kGauge, {}, "The service's clock minus ours."},
      {"genesys_kafka_pages_read_total", kCounter, {"stream", "lane"}, "Pages of records read."},
      {"genesys_kafka_records_read_total", kCounter, {"stream", "lane"}, "Records read, before anything is dropped."},
      {"genesys_kafka_read_bytes_total", kCounter, {"stream", "lane"}, "Bytes of pages read, uncompressed."},
      {"genesys_kafka_records_dropped_total", kCounter, {"stream", "lane", "reason"}, "Records read and rightly not published."},
      {"genesys_kafka_unknown_fields_total",
       kCounter,
       {"stream"},
       "Fields that the stream's definition does not know, each counted when it is first seen; up to 64."},
      {"genesys_kafka_windows_completed_total",
       kCounter,
       {"stream", "lane", "result"},
       "Windows completed; short: fewer records than the service's total said."},
      {"genesys_kafka_windows_restarted_total", kCounter, {"stream", "lane", "reason"}, "Windows begun again."},
      {"genesys_kafka_open_windows", kGauge, {"stream", "lane"}, "Windows begun and not completed."},
      {"genesys_kafka_complete_until_timestamp_seconds",
       kGauge,
       {"stream", "lane"},
       "End of the gap-free prefix that the lane has committed, Unix time: its freshness."},
      {"genesys_kafka_short_windows",
       kGauge,
       {"stream", "lane"},
       "Complete windows with fewer records than the service's total said, not read whole since; the newest 64."},
      {"genesys_kafka_lost_seconds",
       kGauge,
       {"stream", "lane"},
       "Time whose records this lane has not read and cannot any more: the service kept them no longer; the newest 64 ranges."},
      {"genesys_kafka_lost_timestamp_seconds",
       kGauge,
       {"stream", "lane"},
       "When the lane last found that records had expired unread, Unix time, as its ledger says; absent where nothing is lost."},
      {"genesys_kafka_watermark_timestamp_seconds",
       kGauge,
       {"stream", "watermark"},
       "How far the stream has come, Unix time, as its progress records say."},
      {"genesys_kafka_data_available_until_timestamp_seconds",
       kGauge,
       {"stream"},
       "Time before which the service guarantees its jobs' data, Unix time."},
      {"genesys_kafka_lane_failing", kGauge, {"stream", "lane"}, "1 while the lane's last attempt at a window has failed."},
      {"genesys_kafka_records_published_total", kCounter, {"stream", "lane"}, "Records committed to Kafka."},
      {"genesys_kafka_published_bytes_total", kCounter, {"stream", "lane"}, "Bytes of records committed to Kafka."},
      {"genesys_kafka_records_gone_total",
       kCounter,
       {"stream", "outcome"},
       "Records that a whole day's job, or several readings of a state, did not return, by what they turned out to be."},
      {"genesys_kafka_delete_brakes_total",
       kCounter,
       {"stream"},
       "Times that a day's deletions, or those of a state's reading, were held up because there were too many."},
      {"genesys_kafka_dead_letters_total", kCounter, {"stream", "lane", "reason"}, "Records committed to the dead-letter topic."},
      {"genesys_kafka_transactions_total", kCounter, {"outcome"}, "Kafka transactions ended."},
      {"genesys_kafka_transaction_duration_seconds",
       kHistogram,
       {},
       "Time from the begin of a transaction to its known outcome."},
      {"genesys_kafka_producer_starts_total", kCounter, {"reason"}, "Producers started."},
      {"genesys_kafka_in_flight_bytes", kGauge, {}, "Bytes of pages held in memory."},
      {"genesys_kafka_task_state", kGauge, {"state"}, "1 for the state of the task."},
      {"genesys_kafka_digest_keys", kGauge, {"stream"}, "Keys whose published content is remembered."},
      {"genesys_kafka_digest_bytes", kGauge, {"stream"}, "Memory of what is remembered of keys."},
      {"genesys_kafka_digest_limit_bytes", kGauge, {}, "kafka.digests_memory: above it, of all streams, a start is refused."},
      {"genesys_kafka_followed_keys", kGauge, {"stream"}, "Open records that are read again by id."},
      {"genesys_kafka_owed_keys", kGauge, {"stream"}, "Records that wait for a later job to show their complete form."},
      {"genesys_kafka_stream_stopped", kGauge, {"stream"}, "1 while the stream is stopped alone because its topic is unusable."},
      {"genesys_kafka_build_info", kGauge, {"version", "revision", "compiler"}, "1; the labels tell what is running."},
  };
}

}  // namespace

std::string_view to_string(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter:
      return "counter";
    case MetricKind::kGauge:
      return "gauge";
    case MetricKind::kHistogram:
      return "histogram";
  }
  return "";
}

const std::vector<MetricDescription>& metric_descriptions() {
  static const std::vector<MetricDescription> descriptions = describe_all();
  return descriptions;
}

struct PrometheusMetrics::Impl {
  using Labels = prometheus::Labels;

  explicit Impl(const std::vector<SourcePartition>& sources) {
    const auto& all = metric_descriptions();
    assert(all.size() == kMetricCount);
    for (std::size_t id = 0; id < all.size(); ++id) {
      const std::string name(all[id].name);
      const std::string help(all[id].help);
      switch (all[id].kind) {
        case MetricKind::kCounter:
          counters[id] = &prometheus::BuildCounter().Name(name).Help(help).Register(registry);
          break;
        case MetricKind::kGauge:
          gauges[id] = &prometheus::BuildGauge().Name(name).Help(help).Register(registry);
          break;
        case MetricKind::kHistogram:
          histograms[id] = &prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
          break;
      }
    }
    for (const SourcePartition& source : sources) {
      streams.insert(source.stream.str());
    }
  }

  // Looking a series up by its labels hashes a few short strings: some microseconds a page, not worth keeping references for.
  void count(Id id, const Labels& labels, double amount) { counters[id]->Add(labels).Increment(amount); }
  void set(Id id, const Labels& labels, double value) { gauges[id]->Add(labels).Set(value); }
  void take_away(Id id, const Labels& labels) { gauges[id]->Remove(&gauges[id]->Add(labels)); }

  [[nodiscard]] std::string stream(const core::StreamName& name) const {
    return streams.contains(name.str()) || name.str() == kOwnCalls ? name.str() : std::string(kOther);
  }
  [[nodiscard]] Labels of(const SourcePartition& source) const {
    return {{"stream", stream(source.stream)}, {"lane", std::string(to_string(source.lane))}};
  }
  [[nodiscard]] Labels of(const SourcePartition& source, std::string label, std::string value) const {
    Labels labels = of(source);
    labels.emplace(std::move(label), std::move(value));
    return labels;
  }
  // 1 for one of the states, 0 for the others, so that a query needs no knowledge of numbers.
  template <std::size_t Size>
  void set_state(Id id, std::string_view state, const std::array<std::string_view, Size>& states) {
    for (const std::string_view one : states) {
      set(id, {{"state", std::string(one)}}, one == state ? 1 : 0);
    }
  }

  prometheus::Registry registry;
  std::map<std::size_t, prometheus::Family<prometheus::Counter>*> counters;  // owned by the registry
  std::map<std::size_t, prometheus::Family<prometheus::Gauge>*> gauges;
  std::map<std::size_t, prometheus::Family<prometheus::Histogram>*> histograms;
  std::set<std::string> streams;
};

namespace {

// From a cached answer to the slowest query the service allows before its own 504.
const prometheus::Histogram::BucketBoundaries& request_buckets() {
  static const prometheus::Histogram::BucketBoundaries buckets{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
  return buckets;
}
// From one round trip to the broker to the transaction timeout.
const prometheus::Histogram::BucketBoundaries& transaction_buckets() {
  static const prometheus::Histogram::BucketBoundaries buckets{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60};
  return buckets;
}

}  // namespace

PrometheusMetrics::PrometheusMetrics(const std::vector<SourcePartition>& sources) : impl_(std::make_unique<Impl>(sources)) {
  // Counters that an alert takes a rate of exist before the first event; timestamps do not, for 0 would be 1970.
  for (const SourcePartition& source : sources) {
    const Impl::Labels labels = impl_->of(source);
    for (const Id id : {kResponseBytes, kPagesRead, kRecordsRead, kReadBytes, kRecordsPublished, kPublishedBytes}) {
      impl_->count(id, labels, 0);
    }
    impl_->set(kOpenWindows, labels, 0);
    impl_->set(kShortWindows, labels, 0);
    impl_->set(kLost, labels, 0);
    impl_->set(kLaneFailing, labels, 0);
    impl_->set(kStreamStopped, {{"stream", source.stream.str()}}, 0);
    impl_->count(kDeleteBrakes, {{"stream", source.stream.str()}}, 0);
    impl_->count(kUnknownFields, {{"stream", source.stream.str()}}, 0);
    for (const std::string_view outcome : kGoneOutcomes) {
      impl_->count(kRecordsGone, {{"stream", source.stream.str()}, {"outcome", std::string(outcome)}}, 0);
    }
    impl_->count(kWindowsCompleted, impl_->of(source, "result", "full"), 0);
    impl_->count(kWindowsCompleted, impl_->of(source, "result", "short"), 0);
    for (const std::string_view reason : kDeadLetterReasons) {
      impl_->count(kDeadLetters, impl_->of(source, "reason", std::string(reason)), 0);
    }
  }
  for (const core::Lane lane : core::kAllLanes) {
    impl_->count(kBudgetWaits, {{"lane", std::string(to_string(lane))}}, 0);
    impl_->count(kBudgetWaitSeconds, {{"lane", std::string(to_string(lane))}}, 0);
  }
  for (const std::string_view outcome : kTransactionOutcomes) {
    impl_->count(kTransactions, {{"outcome", std::string(outcome)}}, 0);
  }
  for (const std::string_view result : {"ok", "failed"}) {
    impl_->count(kTokenRenewals, {{"result", std::string(result)}}, 0);
  }
  impl_->set_state(kBreakerState, "closed", kBreakerStates);
  impl_->set_state(kTaskState, "starting", kTaskStates);
  impl_->set(kInFlightBytes, {}, 0);
  impl_->set(kBuildInfo,
             {{"version", std::string(kVersion)}, {"revision", std::string(kRevision)}, {"compiler", std::string(kCompiler)}}, 1);
}

PrometheusMetrics::~PrometheusMetrics() = default;

std::string PrometheusMetrics::serialize() const {
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

void PrometheusMetrics::request_done(const SourcePartition& source, std::string_view outcome, int status,
                                     std::chrono::milliseconds latency, std::uint64_t wire_bytes) {
  ++totals_.requests;
  if (outcome != "ok") ++totals_.requests_failed;
  Impl::Labels labels = impl_->of(source, "outcome", listed(outcome, kOutcomes));
  labels.emplace("status", status_label(status));
  impl_->count(kRequests, labels, 1);
  impl_->count(kResponseBytes, impl_->of(source), static_cast<double>(wire_bytes));
  impl_->histograms[kRequestDuration]
      ->Add({{"lane", std::string(to_string(source.lane))}}, request_buckets())
      .Observe(seconds(latency));
}

void PrometheusMetrics::request_retried(const SourcePartition& source, std::string_view reason) {
  impl_->count(kRetries, impl_->of(source, "reason", listed(reason, kOutcomes)), 1);
}

void PrometheusMetrics::throttled(core::Lane lane, std::chrono::milliseconds waited) {
  const Impl::Labels labels{{"lane", std::string(to_string(lane))}};
  impl_->count(kBudgetWaits, labels, 1);
  impl_->count(kBudgetWaitSeconds, labels, seconds(waited));
}

void PrometheusMetrics::budget(double allowed_per_minute, double remaining) {
  impl_->set(kBudgetAllowed, {}, allowed_per_minute);
  impl_->set(kBudgetRemaining, {}, remaining);
}

void PrometheusMetrics::breaker(BreakerState state) {
  impl_->set_state(kBreakerState, kBreakerStates[static_cast<std::size_t>(state)], kBreakerStates);
}

void PrometheusMetrics::token(common::Instant expires_at) {
  impl_->set(kTokenExpiry, {}, unix_seconds(expires_at));
}

void PrometheusMetrics::token_renewed(bool ok) {
  impl_->count(kTokenRenewals, {{"result", ok ? "ok" : "failed"}}, 1);
}

void PrometheusMetrics::clock_skew(common::Duration skew) {
  impl_->set(kClockSkew, {}, seconds(skew));
}

void PrometheusMetrics::page_read(const SourcePartition& source, std::uint64_t records, std::uint64_t bytes) {
  ++totals_.pages;
  const Impl::Labels labels = impl_->of(source);
  impl_->count(kPagesRead, labels, 1);
  impl_->count(kRecordsRead, labels, static_cast<double>(records));
  impl_->count(kReadBytes, labels, static_cast<double>(bytes));
}

void PrometheusMetrics::records_dropped(const SourcePartition& source, std::string_view reason, std::uint64_t count) {
  impl_->count(kRecordsDropped, impl_->of(source, "reason", listed(reason, kDropReasons)), static_cast<double>(count));
}

void PrometheusMetrics::window_completed(const SourcePartition& source, bool is_short) {
  impl_->count(kWindowsCompleted, impl_->of(source, "result", is_short ? "short" : "full"), 1);
}

void PrometheusMetrics::window_restarted(const SourcePartition& source, std::string_view reason) {
  impl_->count(kWindowsRestarted, impl_->of(source, "reason", listed(reason, kRestartReasons)), 1);
}

void PrometheusMetrics::windows_open(const SourcePartition& source, std::uint64_t count) {
  impl_->set(kOpenWindows, impl_->of(source), static_cast<double>(count));
}

void PrometheusMetrics::complete_until(const SourcePartition& source, common::Instant instant) {
  impl_->set(kCompleteUntil, impl_->of(source), unix_seconds(instant));
}

void PrometheusMetrics::short_windows(const SourcePartition& source, std::uint64_t count) {
  impl_->set(kShortWindows, impl_->of(source), static_cast<double>(count));
}

void PrometheusMetrics::lost(const SourcePartition& source, common::Duration length, std::optional<common::Instant> at) {
  const Impl::Labels labels = impl_->of(source);
  impl_->set(kLost, labels, std::chrono::duration<double>(length).count());
  at ? impl_->set(kLostAt, labels, unix_seconds(*at)) : impl_->take_away(kLostAt, labels);
}

void PrometheusMetrics::watermark(const core::StreamName& stream, std::string_view which, common::Instant instant) {
  impl_->set(kWatermark, {{"stream", impl_->stream(stream)}, {"watermark", listed(which, kWatermarks)}}, unix_seconds(instant));
}

void PrometheusMetrics::data_available_until(const core::StreamName& stream, common::Instant instant) {
  impl_->set(kDataAvailableUntil, {{"stream", impl_->stream(stream)}}, unix_seconds(instant));
}

void PrometheusMetrics::lane_failing(const SourcePartition& source, bool failing) {
  impl_->set(kLaneFailing, impl_->of(source), failing ? 1 : 0);
}

void PrometheusMetrics::records_published(const SourcePartition& source, std::uint64_t records, std::uint64_t bytes) {
  totals_.records_published += records;
  totals_.bytes_published += bytes;
  impl_->count(kRecordsPublished, impl_->of(source), static_cast<double>(records));
  impl_->count(kPublishedBytes, impl_->of(source), static_cast<double>(bytes));
}

void PrometheusMetrics::records_gone(const core::StreamName& stream, std::string_view outcome, std::uint64_t records) {
  impl_->count(kRecordsGone, {{"stream", impl_->stream(stream)}, {"outcome", listed(outcome, kGoneOutcomes)}},
               static_cast<double>(records));
}

void PrometheusMetrics::unknown_fields(const core::StreamName& stream, std::uint64_t count) {
  impl_->count(kUnknownFields, {{"stream", impl_->stream(stream)}}, static_cast<double>(count));
}

void PrometheusMetrics::delete_braked(const core::StreamName& stream) {
  impl_->count(kDeleteBrakes, {{"stream", impl_->stream(stream)}}, 1);
}

void PrometheusMetrics::dead_letters(const SourcePartition& source, std::string_view reason, std::uint64_t count) {
  totals_.dead_letters += count;
  impl_->count(kDeadLetters, impl_->of(source, "reason", listed(reason, kDeadLetterReasons)), static_cast<double>(count));
}

void PrometheusMetrics::transaction_done(TransactionOutcome outcome, std::chrono::milliseconds duration) {
  ++(outcome == TransactionOutcome::kCommitted || outcome == TransactionOutcome::kUnknownApplied ? totals_.transactions
                                                                                                 : totals_.transactions_aborted);
  impl_->count(kTransactions, {{"outcome", std::string(kTransactionOutcomes[static_cast<std::size_t>(outcome)])}}, 1);
  impl_->histograms[kTransactionDuration]->Add({}, transaction_buckets()).Observe(seconds(duration));
}

void PrometheusMetrics::producer_started(std::string_view reason) {
  impl_->count(kProducerStarts, {{"reason", listed(reason, kProducerReasons)}}, 1);
}

void PrometheusMetrics::bytes_in_flight(std::uint64_t bytes) {
  impl_->set(kInFlightBytes, {}, static_cast<double>(bytes));
}

void PrometheusMetrics::task_state(std::string_view state) {
  impl_->set_state(kTaskState, state, kTaskStates);
  if (std::ranges::find(kTaskStates, state) == kTaskStates.end()) {
    impl_->set(kTaskState, {{"state", std::string(kOther)}}, 1);
  }
}

void PrometheusMetrics::digests(const core::StreamName& stream, const core::DigestFigures& figures) {
  const auto set = [&](Id id, std::uint64_t value) {
    impl_->set(id, {{"stream", impl_->stream(stream)}}, static_cast<double>(value));
  };
  set(kDigestKeys, figures.keys);
  set(kDigestBytes, figures.bytes);
  set(kDigestFollowed, figures.followed);
  set(kDigestOwed, figures.owed);
}

void PrometheusMetrics::digests_limit(std::uint64_t bytes) {
  impl_->set(kDigestLimit, {}, static_cast<double>(bytes));
}

void PrometheusMetrics::stream_stopped(const core::StreamName& stream, bool stopped) {
  impl_->set(kStreamStopped, {{"stream", impl_->stream(stream)}}, stopped ? 1 : 0);
}

}  // namespace connector::observability
