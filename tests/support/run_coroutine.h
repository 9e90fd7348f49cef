#pragma once

// Runs one coroutine on an io_context until it is done and hands out its value; an exception becomes the test's.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

namespace tests::support {

template <class T>
T run_coroutine(boost::asio::io_context& io, boost::asio::awaitable<T> coroutine) {
  std::optional<T> value;
  std::exception_ptr failure;
  boost::asio::co_spawn(io, std::move(coroutine), [&](const std::exception_ptr& thrown, T result) {
    failure = thrown;
    value.emplace(std::move(result));
    io.stop();
  });
  io.restart();
  io.run();
  if (failure) {
    std::rethrow_exception(failure);
  }
  if (!value) {
    throw std::runtime_error("the coroutine waits for something that never comes");
  }
  return std::move(*value);
}

}  // namespace tests::support
