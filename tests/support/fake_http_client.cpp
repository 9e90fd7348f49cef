#include "tests/support/fake_http_client.h"

#include "common/clock.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <stdexcept>
#include <utility>

namespace tests::support {

using common::ErrorCode;
using common::fail;
using common::Result;
using common::http::Headers;
using common::http::Method;
using common::http::Request;
using common::http::Response;

struct FakeHttpClient::Held {
  explicit Held(const boost::asio::any_io_executor& executor) : event(executor, common::SteadyTime::max()) {}
  boost::asio::steady_timer event;  // never expires: cancelled to release
  bool released = false;
};

Response http_response(int status, std::string body, Headers headers) {
  Response response{.status = status, .headers = std::move(headers), .body = std::move(body)};
  response.wire_bytes = response.body.size();
  response.body.reserve(response.body.size() + common::http::kBodyPadding);
  return response;
}

FakeHttpClient::Expectation& FakeHttpClient::Expectation::returns(Response response) {
  answers_.push_back({.result = std::move(response)});
  return *this;
}

FakeHttpClient::Expectation& FakeHttpClient::Expectation::returns(int status, std::string body, Headers headers) {
  return returns(http_response(status, std::move(body), std::move(headers)));
}

FakeHttpClient::Expectation& FakeHttpClient::Expectation::fails(ErrorCode code, std::string message) {
  answers_.push_back({.result = fail(code, std::move(message))});
  return *this;
}

FakeHttpClient::Expectation& FakeHttpClient::Expectation::held() {
  if (answers_.empty()) {
    throw std::logic_error("held() comes after the answer that is held");
  }
  answers_.back().held = true;
  return *this;
}

FakeHttpClient::Expectation& FakeHttpClient::Expectation::repeat() {
  repeat_ = true;
  return *this;
}

FakeHttpClient::Expectation& FakeHttpClient::expect(Method method, std::string url_part) {
  return expectations_.emplace_back(method, std::move(url_part));
}

void FakeHttpClient::release() {
  for (auto& held : std::exchange(held_, {})) {
    held->released = true;
    held->event.cancel();
  }
}

boost::asio::awaitable<bool> FakeHttpClient::wait_for_release() {
  // Shared with release(), which may run after the waiting coroutine is gone.
  const auto held = std::make_shared<Held>(co_await boost::asio::this_coro::executor);
  held_.push_back(held);
  co_await held->event.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  held_.remove(held);
  co_return held->released;
}

boost::asio::awaitable<Result<Response>> FakeHttpClient::send(Request request) {
  const std::string description = std::string(to_string(request.method)) + ' ' + request.url;
  const auto method = request.method;
  const auto url = request.url;
  requests_.push_back(std::move(request));
  for (auto& expectation : expectations_) {
    if (expectation.method_ != method || !url.contains(expectation.url_part_) || expectation.answers_.empty()) {
      continue;
    }
    auto answer = expectation.answers_.front();
    if (!expectation.repeat_ || expectation.answers_.size() > 1) {
      expectation.answers_.pop_front();
    }
    if (answer.held && !co_await wait_for_release()) {
      co_return fail(ErrorCode::kCancelled, description + ": cancelled");
    }
    if (answer.result) {
      auto& body = answer.result->body;  // a copied string has no spare capacity
      body.reserve(body.size() + common::http::kBodyPadding);
    }
    co_return std::move(answer.result);
  }
  unexpected_.push_back(description);
  co_return fail(ErrorCode::kInternal, "unexpected request: " + description);
}

std::size_t FakeHttpClient::unused() const {
  std::size_t count = 0;
  for (const auto& expectation : expectations_) {
    count += expectation.repeat_ ? 0 : expectation.answers_.size();
  }
  return count;
}

}  // namespace tests::support
