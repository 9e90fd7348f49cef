#pragma once

// core::Metrics as Prometheus metrics. Every name, help text and label is in metrics.cpp and, for users, in docs/metrics.md (a
// test holds the two together). Labels have listed values: lanes, configured streams, known reasons; anything else becomes
// `other`. Written on the connector's executor; serialize() too.

#include "connector/core/names.h"
#include "connector/core/ports/metrics.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace connector::observability {

enum class MetricKind : std::uint8_t { kCounter, kGauge, kHistogram };
std::string_view to_string(MetricKind kind);

// One metric as documented.
struct MetricDescription {
  std::string_view name;
  MetricKind kind = MetricKind::kCounter;
  std::vector<std::string_view> labels;
  std::string_view help;
};
// All of them, in the order of docs/metrics.md.
const std::vector<MetricDescription>& metric_descriptions();

// Content type of serialize().
inline constexpr std::string_view kPrometheusText = "text/plain; version=0.0.4; charset=utf-8";

// Running totals over all streams and lanes, for the summary that the log gets once a minute.
struct Totals {
  std::uint64_t requests = 0;
  std::uint64_t requests_failed = 0;
  std::uint64_t pages = 0;
  std::uint64_t records_published = 0;
  std::uint64_t bytes_published = 0;
  std::uint64_t dead_letters = 0;
  std::uint64_t transactions = 0;  // committed
  std::uint64_t transactions_aborted = 0;
};

class PrometheusMetrics final : public core::Metrics {
 public:
  // `sources`: every stream and lane that the configuration turns on. Their counters exist from the start, at zero.
  explicit PrometheusMetrics(const std::vector<core::SourcePartition>& sources);
  ~PrometheusMetrics() override;
  PrometheusMetrics(const PrometheusMetrics&) = delete;
  PrometheusMetrics& operator=(const PrometheusMetrics&) = delete;

  // The exposition text of all metrics.
  [[nodiscard]] std::string serialize() const;
  [[nodiscard]] const Totals& totals() const { return totals_; }

  void request_done(const core::SourcePartition& source, std::string_view outcome, int status, std::chrono::milliseconds latency,
                    std::uint64_t wire_bytes) override;
  void request_retried(const core::SourcePartition& source, std::string_view reason) override;
  void throttled(core::Lane lane, std::chrono::milliseconds waited) override;
  void budget(double allowed_per_minute, double remaining) override;
  void breaker(core::BreakerState state) override;
  void token(common::Instant expires_at) override;
  void token_renewed(bool ok) override;
  void clock_skew(common::Duration skew) override;
  void page_read(const core::SourcePartition& source, std::uint64_t records, std::uint64_t bytes) override;
  void records_dropped(const core::SourcePartition& source, std::string_view reason, std::uint64_t count) override;
  void window_completed(const core::SourcePartition& source, bool is_short) override;
  void window_restarted(const core::SourcePartition& source, std::string_view reason) override;
  void windows_open(const core::SourcePartition& source, std::uint64_t count) override;
  void complete_until(const core::SourcePartition& source, common::Instant instant) override;
  void short_windows(const core::SourcePartition& source, std::uint64_t count) override;
  void lost(const core::SourcePartition& source, common::Duration length, std::optional<common::Instant> at) override;
  void watermark(const core::StreamName& stream, std::string_view which, common::Instant instant) override;
  void data_available_until(const core::StreamName& stream, common::Instant instant) override;
  void lane_failing(const core::SourcePartition& source, bool failing) override;
  void records_published(const core::SourcePartition& source, std::uint64_t records, std::uint64_t bytes) override;
  void records_gone(const core::StreamName& stream, std::string_view outcome, std::uint64_t records) override;
  void delete_braked(const core::StreamName& stream) override;
  void unknown_fields(const core::StreamName& stream, std::uint64_t count) override;
  void dead_letters(const core::SourcePartition& source, std::string_view reason, std::uint64_t count) override;
  void transaction_done(core::TransactionOutcome outcome, std::chrono::milliseconds duration) override;
  void producer_started(std::string_view reason) override;
  void bytes_in_flight(std::uint64_t bytes) override;
  void task_state(std::string_view state) override;
  void digests(const core::StreamName& stream, const core::DigestFigures& figures) override;
  void digests_limit(std::uint64_t bytes) override;
  void stream_stopped(const core::StreamName& stream, bool stopped) override;

 private:
  Totals totals_;
  struct Impl;  // prometheus-cpp stops here
  std::unique_ptr<Impl> impl_;
};

}  // namespace connector::observability
