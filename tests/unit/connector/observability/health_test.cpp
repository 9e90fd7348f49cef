#include "connector/observability/health.h"

#include "common/json.h"
#include "tests/support/manual_clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <optional>
#include <string>
#include <utility>

namespace connector::observability {
namespace {

using common::http::Method;
using common::http::ServerRequest;
using common::http::ServerResponse;
using testing::HasSubstr;
using namespace std::chrono_literals;

class HealthTest : public testing::Test {
 protected:
  ServerResponse ask(const std::string& path, Method method = Method::kGet) {
    std::optional<ServerResponse> response;
    ServerRequest request;
    request.method = method;
    request.path = path;
    boost::asio::co_spawn(io_, handler_(std::move(request)), [&](std::exception_ptr failure, ServerResponse answer) {
      EXPECT_FALSE(failure);
      response = std::move(answer);
    });
    io_.restart();
    io_.poll();
    return response.value();
  }

  boost::asio::io_context io_;
  tests::support::ManualClock clock_;
  HealthState health_{clock_.steady_now()};
  PrometheusMetrics metrics_{{}};
  common::http::Handler handler_ = make_handler(metrics_, health_, clock_);
};

TEST_F(HealthTest, IsLiveWhileTheHeartbeatIsRecentAndNeedsNothingElse) {
  EXPECT_EQ(ask("/health/live").status, 200);

  clock_.advance(kHeartbeatLimit);
  EXPECT_EQ(ask("/health/live").status, 200);

  clock_.advance(1ms);
  const ServerResponse stuck = ask("/health/live");
  EXPECT_EQ(stuck.status, 503);
  EXPECT_THAT(stuck.body, HasSubstr("stuck"));

  health_.beat(clock_.steady_now());
  EXPECT_EQ(ask("/health/live").status, 200);
}

TEST_F(HealthTest, TheHeartbeatKeepsItLiveUntilItIsCancelled) {
  boost::asio::cancellation_signal stop;
  bool ended = false;
  boost::asio::co_spawn(io_, keep_beating(health_, clock_),
                        boost::asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr) { ended = true; }));

  clock_.run_for(io_, 1h);
  EXPECT_TRUE(health_.is_live(clock_.steady_now()));
  EXPECT_FALSE(ended);

  stop.emit(boost::asio::cancellation_type::terminal);
  clock_.run_for(io_, 0ms);
  EXPECT_TRUE(ended);
}

TEST_F(HealthTest, IsReadyOnlyWhenSaidAndSaysWhy) {
  const ServerResponse starting = ask("/health/ready");
  EXPECT_EQ(starting.status, 503);
  EXPECT_EQ(starting.content_type, "application/json");
  EXPECT_EQ(common::json::find_string(common::json::parse(starting.body).value(), "reason"), "starting");

  health_.set_ready(true, "running");
  const ServerResponse running = ask("/health/ready");
  EXPECT_EQ(running.status, 200);
  EXPECT_EQ(common::json::find_string(common::json::parse(running.body).value(), "reason"), "running");

  health_.set_ready(false, "fenced by another instance");
  EXPECT_EQ(ask("/health/ready").status, 503);
}

TEST_F(HealthTest, ServesTheMetricsInPrometheusText) {
  const ServerResponse response = ask("/metrics");

  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.content_type, HasSubstr("text/plain; version=0.0.4"));
  EXPECT_THAT(response.body, HasSubstr("# TYPE genesys_kafka_build_info gauge"));
}

TEST_F(HealthTest, TheIndexNamesThePaths) {
  const ServerResponse response = ask("/");

  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.body, HasSubstr("/metrics"));
  EXPECT_THAT(response.body, HasSubstr("/health/ready"));
}

TEST_F(HealthTest, OtherPathsAreNotFoundAndOtherMethodsNotAllowed) {
  EXPECT_EQ(ask("/secrets").status, 404);
  EXPECT_EQ(ask("/metrics/").status, 404);
  const ServerResponse refused = ask("/metrics", Method::kPost);
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.headers.find("allow"), "GET, HEAD");
}

TEST_F(HealthTest, HeadHasTheStatusWithoutTheBody) {
  const ServerResponse response = ask("/metrics", Method::kHead);

  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(response.body.empty());
}

}  // namespace
}  // namespace connector::observability
