#pragma once

// What the tests of connector/genesys stand on: a scripted service, a clock that the test moves, every log line and metric kept.

#include "common/log.h"
#include "connector/genesys/options.h"
#include "tests/support/fake_http_client.h"
#include "tests/support/manual_clock.h"
#include "tests/support/recording_metrics.h"

#include <gtest/gtest.h>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace connector::genesys {

inline constexpr const char* kClientSecret = "the-client-secret";
inline constexpr const char* kTokenBody = R"({"access_token":"the-access-token","token_type":"bearer","expires_in":86400})";

template <class T>
struct Running {
  std::optional<T> result;
  boost::asio::cancellation_signal stop;
  [[nodiscard]] bool done() const { return result.has_value(); }
};

class GenesysFixture : public testing::Test {
 protected:
  GenesysFixture() {
    options_.api_url = "https://api.example.com";
    options_.login_url = "https://login.example.com";
    options_.client_id = "client-1";
    options_.client_secret = common::SecretSource::of_value(common::Secret(kClientSecret));
  }

  // Starts a coroutine as its owner would: cancellable, cancellation a normal result.
  template <class T>
  std::unique_ptr<Running<T>> start(boost::asio::awaitable<T> work) {
    auto running = std::make_unique<Running<T>>();
    boost::asio::co_spawn(
        io_, cancellable(std::move(work)),
        boost::asio::bind_cancellation_slot(running->stop.slot(), [state = running.get()](std::exception_ptr failure, T result) {
          EXPECT_FALSE(failure) << "expected failures are values";
          state->result.emplace(std::move(result));
        }));
    turn();
    return running;
  }
  // Runs until the coroutine ends, letting time pass as needed.
  template <class T>
  T finish(Running<T>& running, common::Duration within = std::chrono::hours{2}) {
    const common::SteadyTime limit = clock_.steady_now() + within;
    turn();
    while (!running.done()) {
      const auto next = clock_.next_deadline();
      if (!next || *next > limit) {
        ADD_FAILURE() << "not finished; " << http_.unexpected().size() << " unexpected requests";
        std::abort();
      }
      pass(std::chrono::ceil<common::Duration>(*next - clock_.steady_now()));
    }
    return *std::move(running.result);
  }
  template <class T>
  T run(boost::asio::awaitable<T> work, common::Duration within = std::chrono::hours{2}) {
    auto running = start(std::move(work));
    return finish(*running, within);
  }
  void turn() {
    io_.restart();
    io_.poll();
  }
  void pass(common::Duration duration) { clock_.run_for(io_, duration); }

  tests::support::FakeHttpClient::Expectation& expect_token() {
    return http_.expect(common::http::Method::kPost, "login.example.com/oauth/token");
  }
  void give_tokens() { expect_token().returns(200, kTokenBody).repeat(); }
  // Requests that went to the API, not to the login host.
  [[nodiscard]] std::vector<const common::http::Request*> api_requests() const {
    std::vector<const common::http::Request*> found;
    for (const auto& request : http_.requests()) {
      if (request.url.starts_with(options_.api_url)) {
        found.push_back(&request);
      }
    }
    return found;
  }
  [[nodiscard]] std::size_t token_requests() const { return http_.requests().size() - api_requests().size(); }
  [[nodiscard]] std::string log_text() const {
    std::string text;
    for (const std::string& line : lines_) {
      text += line + "\n";
    }
    return text;
  }
  [[nodiscard]] std::vector<common::json::Value> request_lines() const {
    std::vector<common::json::Value> found;
    for (const std::string& line : lines_) {
      auto json = common::json::parse(line).value();
      if (common::json::find_string(json, "logger") == "request") {
        found.push_back(std::move(json));
      }
    }
    return found;
  }

  std::vector<std::string> lines_;
  boost::asio::io_context io_;
  tests::support::ManualClock clock_;
  tests::support::FakeHttpClient http_;
  tests::support::RecordingMetrics metrics_;
  GenesysOptions options_;
  common::Logger logger_{{.level = common::LogLevel::kDebug, .format = common::LogFormat::kJson},
                         [this](common::LogLevel, std::string_view line) { lines_.emplace_back(line); }};

 private:
  template <class T>
  static boost::asio::awaitable<T> cancellable(boost::asio::awaitable<T> work) {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    co_return co_await std::move(work);
  }
};

}  // namespace connector::genesys
