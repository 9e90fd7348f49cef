#pragma once

// Awaiting a blocking call. librdkafka's transactional calls block and must not be abandoned while they run, so the await cannot
// be cancelled: every function given here returns within its own short timeout.

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <type_traits>
#include <utility>

namespace connector::kafka {

// Runs `function` on the pool (one thread: calls keep their order) and resumes on the caller's executor with its result. What the
// function refers to must outlive the await. It must not throw.
template <class Function>
boost::asio::awaitable<std::invoke_result_t<Function>> run_blocking(boost::asio::thread_pool& pool, Function function) {
  using Value = std::invoke_result_t<Function>;
  auto initiate = [&pool, function = std::move(function)](auto handler) mutable {
    // The guard keeps the caller's io_context running while nothing but the pool is busy.
    auto guard = boost::asio::make_work_guard(boost::asio::get_associated_executor(handler));
    boost::asio::post(pool, [handler = std::move(handler), guard = std::move(guard), function = std::move(function)]() mutable {
      auto executor = guard.get_executor();
      boost::asio::post(executor, [handler = std::move(handler), guard = std::move(guard), value = function()]() mutable {
        std::move(handler)(std::move(value));
      });
    });
  };
  co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(Value)>(std::move(initiate),
                                                                                                    boost::asio::use_awaitable);
}

}  // namespace connector::kafka
