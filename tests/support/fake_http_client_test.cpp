#include "tests/support/fake_http_client.h"

#include "tests/support/run_coroutine.h"

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>

namespace tests::support {
namespace {

using common::ErrorCode;
using common::Result;
using common::http::Method;
using common::http::Response;

class FakeHttpClientTest : public testing::Test {
 protected:
  Result<Response> send(Method method, std::string url) {
    return run_coroutine(io_, client_.send({.method = method, .url = std::move(url)}));
  }

  boost::asio::io_context io_;
  FakeHttpClient client_;
};

TEST_F(FakeHttpClientTest, AnswersInOrderAndRemembersWhatWasAsked) {
  client_.expect(Method::kPost, "/oauth/token").returns(503).fails(ErrorCode::kRetryable).returns(200, "{}");

  EXPECT_EQ(send(Method::kPost, "https://login/oauth/token")->status, 503);
  EXPECT_EQ(send(Method::kPost, "https://login/oauth/token").error().code, ErrorCode::kRetryable);
  EXPECT_EQ(client_.unused(), 1U);
  const auto last = send(Method::kPost, "https://login/oauth/token");

  EXPECT_EQ(last->body, "{}");
  EXPECT_GE(last->body.capacity() - last->body.size(), common::http::kBodyPadding);
  EXPECT_EQ(client_.requests().size(), 3U);
  EXPECT_EQ(client_.unused(), 0U);
  EXPECT_TRUE(client_.unexpected().empty());
}

TEST_F(FakeHttpClientTest, TheLastAnswerCanStay) {
  client_.expect(Method::kGet, "/jobs/").returns(202).returns(200).repeat();

  EXPECT_EQ(send(Method::kGet, "https://api/jobs/1")->status, 202);
  EXPECT_EQ(send(Method::kGet, "https://api/jobs/1")->status, 200);
  EXPECT_EQ(send(Method::kGet, "https://api/jobs/1")->status, 200);
}

TEST_F(FakeHttpClientTest, WhatNobodyExpectedIsAnErrorAndKept) {
  client_.expect(Method::kGet, "/a").returns(200);

  EXPECT_EQ(send(Method::kPost, "https://api/a").error().code, ErrorCode::kInternal);

  ASSERT_EQ(client_.unexpected().size(), 1U);
  EXPECT_EQ(client_.unexpected()[0], "POST https://api/a");
}

TEST_F(FakeHttpClientTest, AHeldAnswerComesAfterItsRelease) {
  client_.expect(Method::kGet, "/a").returns(200).held();
  std::optional<Result<Response>> response;
  boost::asio::co_spawn(io_, client_.send({.url = "https://api/a"}),
                        [&](const std::exception_ptr&, Result<Response> result) { response = std::move(result); });
  io_.poll();
  EXPECT_FALSE(response);
  EXPECT_EQ(client_.waiting(), 1U);

  client_.release();
  io_.restart();
  io_.poll();

  ASSERT_TRUE(response && *response);
  EXPECT_EQ((*response)->status, 200);
}

}  // namespace
}  // namespace tests::support
