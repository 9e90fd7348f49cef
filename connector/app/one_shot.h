#pragma once

// What the verbs that end by themselves need of a running connector: an io_context, the HTTP client and the API, and a bound on
// how long one question may take. No Kafka, no listener, no state.

#include "common/clock.h"
#include "common/http/client.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/app/options.h"
#include "connector/genesys/genesys_api.h"
#include "connector/observability/metrics.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace connector::app {

class OneShot final {
 public:
  // kConfigInvalid if a certificate or CA file cannot be used.
  static common::Result<std::unique_ptr<OneShot>> make(const AppOptions& options, const common::Logger& logger,
                                                       common::Duration patience);

  [[nodiscard]] genesys::GenesysApi& api() { return *api_; }
  [[nodiscard]] common::Clock& clock() { return clock_; }
  [[nodiscard]] core::Metrics& metrics() { return *metrics_; }
  // Runs while something is asked, until nothing is left to do on it.
  [[nodiscard]] boost::asio::any_io_executor executor() { return io_.get_executor(); }

  // Performs `question` to its end; after `patience` it is cancelled and answers whatever it makes of that.
  template <class T>
  T ask(boost::asio::awaitable<T> question) {
    std::optional<T> answer;
    std::exception_ptr thrown;
    boost::asio::cancellation_signal cancel;
    boost::asio::steady_timer timer(io_, patience_);
    timer.async_wait([&cancel](const boost::system::error_code& ended_early) {
      if (!ended_early) cancel.emit(boost::asio::cancellation_type::terminal);
    });
    boost::asio::co_spawn(
        io_, patiently(std::move(question)),
        boost::asio::bind_cancellation_slot(cancel.slot(), [&](const std::exception_ptr& exception, std::optional<T> result) {
          thrown = exception;
          answer = std::move(result);
          timer.cancel();
        }));
    io_.restart();
    io_.run();
    if (thrown) std::rethrow_exception(thrown);
    return std::move(*answer);
  }

 private:
  explicit OneShot(common::Duration patience) : patience_(patience) {}

  // The result travels as an optional because co_spawn wants it default-constructible.
  template <class T>
  static boost::asio::awaitable<std::optional<T>> patiently(boost::asio::awaitable<T> question) {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    co_return co_await std::move(question);
  }

  boost::asio::io_context io_{1};
  common::SystemClock clock_;
  common::Duration patience_;
  std::optional<observability::PrometheusMetrics> metrics_;  // nobody scrapes them
  std::unique_ptr<common::http::Client> http_;
  std::optional<genesys::GenesysApi> api_;
};

}  // namespace connector::app
