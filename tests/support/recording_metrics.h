#pragma once

// A core::Metrics that remembers every call in order, for tests of everything that reports: look calls up by method and by the
// text of their arguments. `text()` is the whole record, so that a test may search it for what must never be there (G10).

#include "connector/core/ports/metrics.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tests::support {

// One call: `arguments` in order of the signature, spelled as text (`conversations/live`, `ok`, `200`, `17`). `number` is the
// amount that the call adds or sets: records, bytes, milliseconds, Unix milliseconds, 0 or 1.
struct MetricCall {
  std::string method;
  std::vector<std::string> arguments;
  double number = 0;
};

class RecordingMetrics final : public connector::core::Metrics {
 public:
  using Source = connector::core::SourcePartition;

  std::vector<MetricCall> calls;

  [[nodiscard]] std::size_t count(std::string_view method) const {
    return static_cast<std::size_t>(std::ranges::count_if(calls, [&](const MetricCall& call) { return call.method == method; }));
  }
  // Calls of `method` one of whose arguments is exactly `argument`.
  [[nodiscard]] std::size_t count(std::string_view method, std::string_view argument) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(calls, [&](const MetricCall& call) { return call.method == method && has(call, argument); }));
  }
  // The sum of `number` over the calls of `method` (with an argument, if one is given).
  [[nodiscard]] double total(std::string_view method, std::string_view argument = {}) const {
    double sum = 0;
    for (const MetricCall& call : calls) {
      if (call.method == method && (argument.empty() || has(call, argument))) {
        sum += call.number;
      }
    }
    return sum;
  }
  // The newest call of `method`, or null.
  [[nodiscard]] const MetricCall* last(std::string_view method) const {
    auto found = std::find_if(calls.rbegin(), calls.rend(), [&](const MetricCall& call) { return call.method == method; });
    return found == calls.rend() ? nullptr : &*found;
  }
  [[nodiscard]] std::string text() const {
    std::string out;
    for (const MetricCall& call : calls) {
      out += call.method;
      for (const std::string& argument : call.arguments) {
        out += ' ';
        out += argument;
      }
      out += '\n';
    }
    return out;
  }
  void clear() { calls.clear(); }

  void request_done(const Source& source, std::string_view outcome, int status, std::chrono::milliseconds latency,
                    std::uint64_t wire_bytes) override {
    record("request_done", static_cast<double>(latency.count()),
           {name(source), std::string(outcome), std::to_string(status), std::to_string(latency.count()),
            std::to_string(wire_bytes)});
  }
  void request_retried(const Source& source, std::string_view reason) override {
    record("request_retried", 1, {name(source), std::string(reason)});
  }
  void throttled(connector::core::Lane lane, std::chrono::milliseconds waited) override {
    record("throttled", static_cast<double>(waited.count()), {std::string(to_string(lane)), std::to_string(waited.count())});
  }
  void budget(double allowed_per_minute, double remaining) override {
    record("budget", remaining, {std::to_string(allowed_per_minute), std::to_string(remaining)});
  }
  void breaker(connector::core::BreakerState state) override { record("breaker", static_cast<double>(state), {name(state)}); }
  void token(common::Instant expires_at) override { record("token", millis(expires_at), {}); }
  void token_renewed(bool ok) override { record("token_renewed", ok ? 1 : 0, {ok ? "ok" : "failed"}); }
  void clock_skew(common::Duration skew) override { record("clock_skew", static_cast<double>(skew.count()), {}); }

  void page_read(const Source& source, std::uint64_t records, std::uint64_t bytes) override {
    record("page_read", static_cast<double>(records), {name(source), std::to_string(records), std::to_string(bytes)});
  }
  void records_dropped(const Source& source, std::string_view reason, std::uint64_t count) override {
    record("records_dropped", static_cast<double>(count), {name(source), std::string(reason), std::to_string(count)});
  }
  void window_completed(const Source& source, bool is_short) override {
    record("window_completed", 1, {name(source), is_short ? "short" : "full"});
  }
  void window_restarted(const Source& source, std::string_view reason) override {
    record("window_restarted", 1, {name(source), std::string(reason)});
  }
  void windows_open(const Source& source, std::uint64_t count) override {
    record("windows_open", static_cast<double>(count), {name(source), std::to_string(count)});
  }
  void complete_until(const Source& source, common::Instant instant) override {
    record("complete_until", millis(instant), {name(source)});
  }
  void lost(const Source& source, common::Duration length, std::optional<common::Instant> at) override {
    record("lost", static_cast<double>(length.count()),
           {name(source), common::format_duration(length), at ? common::format_instant(*at) : "never"});
  }
  void short_windows(const Source& source, std::uint64_t count) override {
    record("short_windows", static_cast<double>(count), {name(source), std::to_string(count)});
  }
  void watermark(const connector::core::StreamName& stream, std::string_view which, common::Instant instant) override {
    record("watermark", millis(instant), {stream.str(), std::string(which)});
  }
  void data_available_until(const connector::core::StreamName& stream, common::Instant instant) override {
    record("data_available_until", millis(instant), {stream.str()});
  }
  void lane_failing(const Source& source, bool failing) override {
    record("lane_failing", failing ? 1 : 0, {name(source), failing ? "failing" : "well"});
  }

  void records_published(const Source& source, std::uint64_t records, std::uint64_t bytes) override {
    record("records_published", static_cast<double>(records), {name(source), std::to_string(records), std::to_string(bytes)});
  }
  void records_gone(const connector::core::StreamName& stream, std::string_view outcome, std::uint64_t records) override {
    record("records_gone", static_cast<double>(records), {stream.str(), std::string(outcome), std::to_string(records)});
  }
  void unknown_fields(const connector::core::StreamName& stream, std::uint64_t count) override {
    record("unknown_fields", static_cast<double>(count), {stream.str()});
  }
  void delete_braked(const connector::core::StreamName& stream) override { record("delete_braked", 1, {stream.str()}); }
  void dead_letters(const Source& source, std::string_view reason, std::uint64_t count) override {
    record("dead_letters", static_cast<double>(count), {name(source), std::string(reason), std::to_string(count)});
  }
  void transaction_done(connector::core::TransactionOutcome outcome, std::chrono::milliseconds duration) override {
    record("transaction_done", static_cast<double>(duration.count()), {name(outcome), std::to_string(duration.count())});
  }
  void producer_started(std::string_view reason) override { record("producer_started", 1, {std::string(reason)}); }
  void bytes_in_flight(std::uint64_t bytes) override {
    record("bytes_in_flight", static_cast<double>(bytes), {std::to_string(bytes)});
  }
  void task_state(std::string_view state) override { record("task_state", 1, {std::string(state)}); }
  void digests_limit(std::uint64_t bytes) override { record("digests_limit", static_cast<double>(bytes), {}); }
  void digests(const connector::core::StreamName& stream, const connector::core::DigestFigures& figures) override {
    record("digest_keys", static_cast<double>(figures.keys), {stream.str()});
  }
  void stream_stopped(const connector::core::StreamName& stream, bool stopped) override {
    record("stream_stopped", stopped ? 1 : 0, {stream.str(), stopped ? "stopped" : "running"});
  }

 private:
  static bool has(const MetricCall& call, std::string_view argument) {
    return std::ranges::any_of(call.arguments, [&](const std::string& one) { return one == argument; });
  }
  static std::string name(const Source& source) { return source.stream.str() + "/" + std::string(to_string(source.lane)); }
  static std::string name(connector::core::BreakerState state) {
    switch (state) {
      case connector::core::BreakerState::kClosed:
        return "closed";
      case connector::core::BreakerState::kHalfOpen:
        return "half_open";
      case connector::core::BreakerState::kOpen:
        return "open";
    }
    return "?";
  }
  static std::string name(connector::core::TransactionOutcome outcome) {
    switch (outcome) {
      case connector::core::TransactionOutcome::kCommitted:
        return "committed";
      case connector::core::TransactionOutcome::kAborted:
        return "aborted";
      case connector::core::TransactionOutcome::kUnknownApplied:
        return "unknown_applied";
      case connector::core::TransactionOutcome::kUnknownNotApplied:
        return "unknown_not_applied";
    }
    return "?";
  }
  static double millis(common::Instant instant) { return static_cast<double>(instant.time_since_epoch().count()); }
  void record(std::string method, double number, std::vector<std::string> arguments) {
    calls.push_back({.method = std::move(method), .arguments = std::move(arguments), .number = number});
  }
};

}  // namespace tests::support
