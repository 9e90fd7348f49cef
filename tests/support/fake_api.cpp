#include "tests/support/fake_api.h"

#include "common/http/message.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace tests::support {

namespace asio = boost::asio;

connector::core::ApiUsage FakeApi::usage(const connector::core::SourcePartition& source) const {
  const auto sent = std::ranges::count(requests, source, &connector::core::ApiRequest::source);
  return {.requests = static_cast<std::uint64_t>(sent), .permitted = 300};
}

asio::awaitable<common::Result<connector::core::ApiResponse>> FakeApi::send(connector::core::ApiRequest request) {
  requests.push_back(request);
  FakeAnswer scripted = handler_(request);
  // Through the loop, as a real call: what runs beside it gets its turn.
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  auto state = co_await asio::this_coro::cancellation_state;
  if (std::holds_alternative<Hang>(scripted) && state.cancelled() == asio::cancellation_type::none) {
    asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await never.async_wait(asio::as_tuple(asio::use_awaitable));
    state = co_await asio::this_coro::cancellation_state;
  }
  if (state.cancelled() != asio::cancellation_type::none) {
    ++cancelled;
    co_return common::fail(common::ErrorCode::kCancelled, "call cancelled");
  }
  if (auto* error = std::get_if<common::Error>(&scripted)) co_return common::fail(std::move(*error));
  co_return std::move(std::get<connector::core::ApiResponse>(scripted));
}

std::size_t FakeApi::count(std::string_view path_part) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(requests, [&](const auto& request) { return request.path.find(path_part) != std::string::npos; }));
}

FakeAnswer answer(std::string body, int status) {
  body.reserve(body.size() + common::http::kBodyPadding);
  return connector::core::ApiResponse{.status = status, .body = std::move(body), .correlation_id = "fake"};
}

FakeAnswer refuse(common::ErrorCode code, std::string message) {
  return common::Error{.code = code, .message = std::move(message), .retry_after = std::nullopt};
}

}  // namespace tests::support
