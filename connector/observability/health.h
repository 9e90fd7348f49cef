#pragma once

// Live and ready, and the HTTP handler that serves them beside the metrics. Live: the executor turns (a heartbeat on it is
// recent); Kafka and the API have no part in it. Ready: the configuration is valid and the task is owned or stands by. Outages
// are metrics, not health. One executor.

#include "common/clock.h"
#include "common/http/server.h"
#include "connector/observability/metrics.h"

#include <boost/asio/awaitable.hpp>
#include <string>

namespace connector::observability {

// How old the heartbeat may be. It beats once a second; what holds the executor up for longer than this is a defect.
inline constexpr common::Duration kHeartbeatEvery{1'000};
inline constexpr common::Duration kHeartbeatLimit{15'000};

class HealthState {
 public:
  explicit HealthState(common::SteadyTime now) : last_beat_(now) {}

  void beat(common::SteadyTime now) { last_beat_ = now; }
  // `reason` in a few words: "running", "standing by", "starting", "fenced by another instance".
  void set_ready(bool ready, std::string reason) {
    ready_ = ready;
    reason_ = std::move(reason);
  }

  [[nodiscard]] bool is_live(common::SteadyTime now) const { return now - last_beat_ <= kHeartbeatLimit; }
  [[nodiscard]] common::Duration beat_age(common::SteadyTime now) const {
    return std::chrono::duration_cast<common::Duration>(now - last_beat_);
  }
  [[nodiscard]] bool is_ready() const { return ready_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  common::SteadyTime last_beat_;
  bool ready_ = false;
  std::string reason_ = "starting";
};

// Beats until cancelled or the clock is stopped.
boost::asio::awaitable<void> keep_beating(HealthState& health, common::Clock& clock);

// GET and HEAD of /metrics, /health/live, /health/ready and / (an index); 404 and 405 otherwise. The references outlive the
// server.
common::http::Handler make_handler(const PrometheusMetrics& metrics, const HealthState& health, const common::Clock& clock);

}  // namespace connector::observability
