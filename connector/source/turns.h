#pragma once

// Who reads may come one at a time, in the order of asking. One executor.

#include "common/result.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <list>
#include <utility>

namespace connector::source {

class Turns {
 public:
  // Gives the turn back when it goes. Movable.
  class Turn {
   public:
    explicit Turn(Turns& turns) : turns_(&turns) {}
    ~Turn() { give_back(); }
    Turn(Turn&& other) noexcept : turns_(std::exchange(other.turns_, nullptr)) {}
    Turn& operator=(Turn&& other) noexcept {
      give_back();
      turns_ = std::exchange(other.turns_, nullptr);
      return *this;
    }

   private:
    void give_back() {
      if (turns_ != nullptr) std::exchange(turns_, nullptr)->next();
    }
    Turns* turns_;
  };

  // kCancelled: the caller was, while it waited.
  boost::asio::awaitable<common::Result<Turn>> take();

 private:
  struct Waiter {
    boost::asio::steady_timer woken;
    bool has_turn = false;
  };
  void next();

  bool taken_ = false;
  std::list<Waiter> waiting_;
};

}  // namespace connector::source
