#pragma once

// The bound on every wait of one exchange: a deadline that is moved from phase to phase and closes the socket when it passes.
// Moving it later is free (the pending timer looks again when it fires), so that it can be moved before every read.
// Private to common/http; single-threaded.

#include "common/clock.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>
#include <memory>
#include <string>
#include <utility>

namespace common::http {

class PhaseTimer {
 public:
  PhaseTimer(const boost::asio::any_io_executor& executor, Duration total)
      : state_(std::make_shared<State>(executor, SystemClock().steady_now(), total)) {}
  ~PhaseTimer() { stop(); }
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;

  // From now on `socket` is closed when `limit` (or the total) is over.
  void start(boost::asio::ip::tcp::socket& socket, Duration limit) {
    state_->socket = &socket;
    state_->deadline = deadline_for(limit);
    if (!state_->armed || state_->timer.expiry() > state_->deadline) {
      arm(state_);
    }
  }
  // The socket is not touched any more.
  void stop() {
    state_->socket = nullptr;
    if (state_->armed) {
      state_->armed = false;
      state_->timer.cancel();
    }
  }

  // For waits that are not on a socket.
  SteadyTime deadline_for(Duration limit) {
    state_->by_total = state_->total_deadline - state_->clock.steady_now() <= limit;
    state_->limit = state_->by_total ? state_->total : limit;
    return state_->by_total ? state_->total_deadline : state_->clock.steady_now() + limit;
  }
  // After an address that did not answer in time: true, and unexpired again, unless the whole request is overdue.
  bool next_attempt() {
    if (state_->expired && state_->by_total) {
      return false;
    }
    state_->expired = false;
    return true;
  }
  [[nodiscard]] bool expired() const { return state_->expired; }
  // "timed out after 5s" / "… (the bound on the whole request)".
  [[nodiscard]] std::string describe() const {
    return "timed out after " + format_duration(state_->limit) + (state_->by_total ? " (the bound on the whole request)" : "");
  }

 private:
  // Shared with the timer's handler, which may still be queued when the exchange is over.
  struct State {
    State(const boost::asio::any_io_executor& executor, SteadyTime now, Duration total_limit)
        : timer(executor), total(total_limit), total_deadline(now + total_limit) {}
    boost::asio::steady_timer timer;
    SystemClock clock;
    Duration total;
    SteadyTime total_deadline;
    SteadyTime deadline;
    Duration limit{0};
    boost::asio::ip::tcp::socket* socket = nullptr;
    bool by_total = false;
    bool armed = false;
    bool expired = false;
  };

  static void arm(const std::shared_ptr<State>& state) {
    state->armed = true;
    state->timer.expires_at(state->deadline);
    state->timer.async_wait([state](const boost::system::error_code& error) {
      if (error || state->socket == nullptr) {
        return;  // stopped, or armed anew
      }
      if (state->clock.steady_now() < state->deadline) {
        arm(state);
        return;
      }
      state->armed = false;
      state->expired = true;
      boost::system::error_code ignored;  // whatever close says, the socket is gone
      state->socket->close(ignored);
    });
  }

  std::shared_ptr<State> state_;
};

}  // namespace common::http
