#include "connector/observability/health.h"

#include "common/json.h"
#include "connector/observability/build_info.h"

#include <boost/asio/this_coro.hpp>

#include <utility>

namespace connector::observability {
namespace {

using common::http::ServerRequest;
using common::http::ServerResponse;

constexpr int kServiceUnavailable = 503;  // what a probe reads as "no"

ServerResponse json_answer(bool good, common::json::Object members) {
  return {.status = good ? 200 : kServiceUnavailable,
          .content_type = "application/json",
          .body = common::json::serialize(members) + "\n",
          .headers = {{"Cache-Control", "no-store"}}};
}

ServerResponse text_answer(int status, std::string text) {
  return {.status = status, .content_type = "text/plain; charset=utf-8", .body = std::move(text), .headers = {}};
}

ServerResponse live(const HealthState& health, common::SteadyTime now) {
  const bool good = health.is_live(now);
  return json_answer(good, {{"status", good ? "live" : "stuck"}, {"heartbeat_age_ms", health.beat_age(now).count()}});
}

ServerResponse ready(const HealthState& health) {
  return json_answer(health.is_ready(), {{"status", health.is_ready() ? "ready" : "not ready"}, {"reason", health.reason()}});
}

ServerResponse answer(const ServerRequest& request, const PrometheusMetrics& metrics, const HealthState& health,
                      const common::Clock& clock) {
  const bool known =
      request.path == "/" || request.path == "/metrics" || request.path == "/health/live" || request.path == "/health/ready";
  if (!known) {
    return text_answer(404, "not found\n");
  }
  if (request.method != common::http::Method::kGet && request.method != common::http::Method::kHead) {
    ServerResponse refused = text_answer(405, "only GET and HEAD\n");
    refused.headers.add("Allow", "GET, HEAD");
    return refused;
  }
  if (request.path == "/metrics") {
    return {.status = 200, .content_type = std::string(kPrometheusText), .body = metrics.serialize(), .headers = {}};
  }
  if (request.path == "/health/live") {
    return live(health, clock.steady_now());
  }
  if (request.path == "/health/ready") {
    return ready(health);
  }
  return text_answer(200, "genesys-kafka " + std::string(kVersion) + "\n\n/metrics\n/health/live\n/health/ready\n");
}

// A free coroutine: it owns its request, and nothing of it lives in the lambda that calls it.
boost::asio::awaitable<ServerResponse> serve(ServerRequest request, const PrometheusMetrics& metrics, const HealthState& health,
                                             const common::Clock& clock) {
  ServerResponse response = answer(request, metrics, health, clock);
  if (request.method == common::http::Method::kHead) {
    response.body.clear();
  }
  co_return response;
}

}  // namespace

boost::asio::awaitable<void> keep_beating(HealthState& health, common::Clock& clock) {
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  for (;;) {
    health.beat(clock.steady_now());
    if (const auto slept = co_await clock.sleep_for(kHeartbeatEvery); !slept) {
      co_return;
    }
  }
}

common::http::Handler make_handler(const PrometheusMetrics& metrics, const HealthState& health, const common::Clock& clock) {
  return [&metrics, &health, &clock](ServerRequest request) { return serve(std::move(request), metrics, health, clock); };
}

}  // namespace connector::observability
