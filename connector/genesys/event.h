#pragma once

// Lets coroutines of one executor wait for something that another one finishes. No state: who comes after notify_all() waits for
// the next one, so check the condition again after every wait.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <vector>

namespace connector::genesys {

class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  // Returns on notify_all() or when the coroutine is cancelled.
  boost::asio::awaitable<void> wait();
  void notify_all();

 private:
  std::vector<boost::asio::steady_timer*> waiting_;
};

}  // namespace connector::genesys
