#include "connector/genesys/genesys_api.h"

#include "connector/genesys/oauth.h"
#include "connector/observability/metrics.h"
#include "tests/unit/connector/genesys/genesys_fixture.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace connector::genesys {
namespace {

using common::ErrorCode;
using common::Result;
using common::Secret;
using common::http::Method;
using core::ApiRequest;
using core::ApiResponse;
using core::Lane;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using tests::support::FakeHttpClient;
using tests::support::http_response;
using namespace std::chrono_literals;

const core::SourcePartition kSource{core::StreamName("conversations"), Lane::kLive};

ApiRequest page_request(Lane lane = Lane::kLive) {
  ApiRequest request;
  request.source = {kSource.stream, lane};
  request.method = Method::kPost;
  request.path = "/api/v2/analytics/conversations/details/query";
  request.body = R"({"interval":"a/b"})";
  request.window = "2026-05-04T00:00:00Z/2026-05-04T00:01:00Z";
  request.position = "page 3";
  return request;
}

class GenesysApiTest : public GenesysFixture {
 protected:
  GenesysApi& api() {
    if (!api_) {
      api_.emplace(options_, http_, clock_, metrics_, logger_, 42);
    }
    return *api_;
  }
  FakeHttpClient::Expectation& expect_page() { return http_.expect(Method::kPost, "/details/query"); }
  Result<ApiResponse> send(ApiRequest request = page_request()) { return run(api().send(std::move(request))); }

  std::optional<GenesysApi> api_;
};

TEST_F(GenesysApiTest, SendsWithTheTokenAndGivesTheAnswerBack) {
  give_tokens();
  expect_page().returns(200, R"({"conversations":[]})",
                        {{"ININ-Correlation-Id", "corr-1"}, {"Date", "Mon, 04 May 2026 00:00:07 GMT"}});
  ApiRequest request = page_request();
  request.query = {{"cursor", "a b&c"}};

  const auto answer = send(std::move(request));

  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, R"({"conversations":[]})");
  EXPECT_EQ(answer->correlation_id, "corr-1");
  EXPECT_EQ(answer->date, clock_.utc_now() + 7s);
  EXPECT_EQ(api().clock_skew(), 7s);
  const auto sent = api_requests();
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0]->url, "https://api.example.com/api/v2/analytics/conversations/details/query?cursor=a%20b%26c");
  EXPECT_EQ(sent[0]->headers.find("Authorization"), "Bearer the-access-token");
  EXPECT_EQ(sent[0]->headers.find("Content-Type"), "application/json");
  EXPECT_EQ(sent[0]->body, R"({"interval":"a/b"})");
}

TEST_F(GenesysApiTest, LogsEveryAttemptInOneLineWithoutTheBody) {
  give_tokens();
  expect_page().returns(503, R"({"message":"busy","code":"service.unavailable","contextId":"ctx-1"})").returns(200, "{}");
  ApiRequest request = page_request();
  request.query = {{"cursor", "opaque-cursor"}};

  ASSERT_TRUE(send(std::move(request)).has_value());

  const auto lines = request_lines();
  ASSERT_THAT(lines, SizeIs(2));
  const auto text = [&](std::size_t line, std::string_view key) {
    return common::json::find_string(lines[line], key).value_or("-");
  };
  const auto number = [&](std::size_t line, std::string_view key) {
    return common::json::find_int(lines[line], key).value_or(-1);
  };
  EXPECT_EQ(text(0, "level"), "info");
  EXPECT_EQ(text(0, "method"), "POST");
  EXPECT_EQ(text(0, "path"), "/api/v2/analytics/conversations/details/query");
  EXPECT_EQ(text(0, "lane"), "live");
  EXPECT_EQ(text(0, "stream"), "conversations");
  EXPECT_EQ(text(0, "window"), "2026-05-04T00:00:00Z/2026-05-04T00:01:00Z");
  EXPECT_EQ(text(0, "position"), "page 3");
  EXPECT_EQ(number(0, "status"), 503);
  EXPECT_EQ(number(0, "attempt"), 1);
  EXPECT_EQ(text(0, "correlation_id"), "ctx-1");
  EXPECT_EQ(text(0, "error_code"), "retryable");
  EXPECT_EQ(number(1, "status"), 200);
  EXPECT_EQ(number(1, "attempt"), 2);
  EXPECT_EQ(text(1, "error_code"), "");
  EXPECT_THAT(log_text(), Not(HasSubstr("interval")));
  EXPECT_THAT(log_text(), Not(HasSubstr("opaque-cursor")));
}

// One step of a request fails once in a given way; everything else is well. The request must end well all the same.
struct StepFailure {
  std::string name;
  bool at_token = false;
  std::function<void(FakeHttpClient::Expectation&)> fail;
  std::string reason;  // of the retry; empty if the retry happens inside the token provider
};
class EveryStepFailsInTurn : public GenesysApiTest, public testing::WithParamInterface<StepFailure> {};

TEST_P(EveryStepFailsInTurn, AndTheRequestSucceedsAfterwards) {
  const StepFailure& step = GetParam();
  if (step.at_token) {
    step.fail(expect_token());
  }
  give_tokens();
  if (!step.at_token) {
    step.fail(expect_page());
  }
  expect_page().returns(200, "{}");

  const auto answer = send();

  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(http_.unused(), 0U);
  EXPECT_THAT(http_.unexpected(), IsEmpty());
  EXPECT_EQ(metrics_.count("request_done", "ok"), 1U);
  EXPECT_EQ(metrics_.count("request_retried"), step.at_token ? 0U : 1U);
  if (!step.at_token) {
    EXPECT_EQ(metrics_.count("request_retried", step.reason), 1U) << metrics_.text();
  }
}

using Expectation = FakeHttpClient::Expectation;
INSTANTIATE_TEST_SUITE_P(
    Steps, EveryStepFailsInTurn,
    testing::Values(StepFailure{"TokenTransport", true, [](Expectation& one) { one.fails(ErrorCode::kRetryable); }, ""},
                    StepFailure{"TokenGarbage", true, [](Expectation& one) { one.fails(ErrorCode::kMalformedResponse); }, ""},
                    StepFailure{"Token500", true, [](Expectation& one) { one.returns(500); }, ""},
                    StepFailure{"Token429", true, [](Expectation& one) { one.returns(429, "", {{"Retry-After", "5"}}); }, ""},
                    StepFailure{"TokenHtml", true, [](Expectation& one) { one.returns(200, "<html>"); }, ""},
                    StepFailure{"Transport", false, [](Expectation& one) { one.fails(ErrorCode::kRetryable); }, "retryable"},
                    StepFailure{"Garbage", false, [](Expectation& one) { one.fails(ErrorCode::kMalformedResponse); },
                                "malformed_response"},
                    StepFailure{"HtmlWith200", false,
                                [](Expectation& one) {
                                  one.returns(200, "<html>sign in</html>", {{"Content-Type", "Text/HTML; charset=utf-8"}});
                                },
                                "malformed_response"},
                    StepFailure{"S401", false, [](Expectation& one) { one.returns(401); }, "unauthorized"},
                    StepFailure{"S408", false, [](Expectation& one) { one.returns(408); }, "retryable"},
                    StepFailure{"S429", false, [](Expectation& one) { one.returns(429); }, "rate_limited"},
                    StepFailure{"S500", false, [](Expectation& one) { one.returns(500); }, "retryable"},
                    StepFailure{"S502", false, [](Expectation& one) { one.returns(502, "<html></html>"); }, "retryable"},
                    StepFailure{"S503", false, [](Expectation& one) { one.returns(503); }, "retryable"},
                    StepFailure{"S504", false, [](Expectation& one) { one.returns(504); }, "retryable"}),
    [](const auto& tested) { return tested.param.name; });

struct FinalFailure {
  std::string name;
  int status;
  std::string body;
  ErrorCode code;
};
class FinalFailures : public GenesysApiTest, public testing::WithParamInterface<FinalFailure> {};

TEST_P(FinalFailures, AreReturnedAfterOneAttemptWithTheServicesWords) {
  give_tokens();
  expect_page().returns(GetParam().status, GetParam().body);

  const auto answer = send();

  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, GetParam().code);
  EXPECT_THAT(answer.error().message, HasSubstr("contextId ctx-7"));
  EXPECT_THAT(api_requests(), SizeIs(1));
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, FinalFailures,
    testing::Values(
        FinalFailure{"Request", 400, R"({"message":"wrong","code":"bad.request","contextId":"ctx-7"})",
                     ErrorCode::kRequestRejected},
        FinalFailure{"Depth", 400,
                     R"({"message":"Pagination may not exceed 100000 results.","code":"bad.request","contextId":"ctx-7"})",
                     ErrorCode::kTooComplex},
        FinalFailure{"Permission", 403, R"({"message":"no","code":"missing.permissions","contextId":"ctx-7"})",
                     ErrorCode::kPermissionDenied},
        FinalFailure{"Job", 404, R"({"message":"gone","code":"not.found","contextId":"ctx-7"})", ErrorCode::kPositionInvalid}),
    [](const auto& tested) { return tested.param.name; });

TEST_F(GenesysApiTest, TransportErrorsThatWillNotChangeAreNotRepeated) {
  give_tokens();
  expect_page().fails(ErrorCode::kConfigInvalid, "certificate not trusted");

  EXPECT_EQ(send().error().code, ErrorCode::kConfigInvalid);
  EXPECT_THAT(api_requests(), SizeIs(1));
}

TEST_F(GenesysApiTest, A401RenewsTheTokenOnceAndASecond401IsReturned) {
  give_tokens();
  expect_page().returns(401).repeat();

  const auto answer = send();

  EXPECT_EQ(answer.error().code, ErrorCode::kUnauthorized);
  EXPECT_EQ(token_requests(), 2U);
  EXPECT_THAT(api_requests(), SizeIs(2));
}

TEST_F(GenesysApiTest, AConflictIsAnAnswerOnlyWhereTheRequestTakesIt) {
  give_tokens();
  expect_page().returns(409, R"({"message":"another one runs"})").returns(409, R"({"message":"another one runs"})");
  ApiRequest request = page_request();
  request.takes_conflict = true;

  const auto answer = send(std::move(request));

  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 409);
  const auto refused = send();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kRequestRejected);
}

TEST_F(GenesysApiTest, A429IsWaitedForAndNeverDodgedWithANewToken) {
  give_tokens();
  expect_page().returns(429, R"({"message":"Rate limit exceeded","code":"too.many.requests.retry.after"})",
                        {{"Retry-After", "13"}});
  expect_page().returns(200, "{}");
  const auto before = clock_.steady_now();

  ASSERT_TRUE(send().has_value());

  EXPECT_GE(clock_.steady_now() - before, 13s);
  EXPECT_LT(clock_.steady_now() - before, 20s);
  EXPECT_EQ(token_requests(), 1U);
}

TEST_F(GenesysApiTest, A429HoldsTheOtherLanesBackToo) {
  give_tokens();
  expect_page().returns(429, "", {{"Retry-After", "30"}}).returns(200, "{}").returns(200, "{}");
  auto limited = start(api().send(page_request()));
  const auto before = clock_.steady_now();

  EXPECT_TRUE(send(page_request(Lane::kSettle)).has_value());

  EXPECT_GE(clock_.steady_now() - before, 30s);
  EXPECT_TRUE(finish(*limited).has_value());
  EXPECT_GE(metrics_.total("throttled", "settle"), 29'000);
}

TEST_F(GenesysApiTest, A429OfTheJobsOwnLimitHoldsOnlyThatLaneBack) {
  give_tokens();
  http_.expect(Method::kPost, "/details/jobs")
      .returns(
          429,
          R"({"message":"m","code":"too.many.requests","limit":{"namespace":"analytics","key":"details.jobs.rate.per.second"}})",
          {{"Retry-After", "60"}})
      .returns(202, R"({"jobId":"j"})");
  expect_page().returns(200, "{}");
  ApiRequest submit = page_request(Lane::kSettle);
  submit.path = "/api/v2/analytics/conversations/details/jobs";
  auto limited = start(api().send(std::move(submit)));
  const auto before = clock_.steady_now();

  EXPECT_TRUE(send().has_value());

  EXPECT_LT(clock_.steady_now() - before, 2s);
  EXPECT_TRUE(finish(*limited).has_value());
  EXPECT_GE(clock_.steady_now() - before, 60s);
}

TEST_F(GenesysApiTest, GivesUpAtTheDeadlineAndSaysAfterHowManyAttempts) {
  options_.retry.deadline = 60s;
  options_.breaker.failures = 1000;
  give_tokens();
  expect_page().returns(503).repeat();
  const auto before = clock_.steady_now();

  const auto answer = send();

  EXPECT_EQ(answer.error().code, ErrorCode::kRetryable);
  EXPECT_THAT(answer.error().message, HasSubstr("attempts"));
  EXPECT_GT(api_requests().size(), 3U);
  EXPECT_LE(clock_.steady_now() - before, 62s);
}

TEST_F(GenesysApiTest, AnOutageOpensTheBreakerAndOneProbeEndsIt) {
  options_.retry.deadline = 1h;
  give_tokens();
  expect_page().returns(503).returns(503).returns(503).returns(503).returns(503).returns(503).returns(200, "{}").repeat();
  const auto before = clock_.steady_now();
  std::vector<std::unique_ptr<Running<Result<ApiResponse>>>> all;
  for (int i = 0; i < 8; ++i) {
    all.push_back(start(api().send(page_request())));
  }

  for (auto& one : all) {
    EXPECT_TRUE(finish(*one).has_value());
  }

  // Five failures open it for 30 s, one failed probe for another 60 s; the next probe is good.
  EXPECT_GE(clock_.steady_now() - before, 90s);
  EXPECT_LE(clock_.steady_now() - before, 200s);
  EXPECT_GT(metrics_.count("breaker", "open"), 0U);
  EXPECT_EQ(metrics_.last("breaker")->arguments.front(), "closed");
  EXPECT_EQ(api_requests().size(), 6U + 8U);
}

TEST_F(GenesysApiTest, RateLimitsNeverOpenTheBreaker) {
  give_tokens();
  auto& pages = expect_page();
  for (int i = 0; i < 20; ++i) {
    pages.returns(429, "", {{"Retry-After", "1"}});
  }
  pages.returns(200, "{}");

  ASSERT_TRUE(send().has_value());

  EXPECT_EQ(metrics_.count("breaker", "open"), 0U);
}

TEST_F(GenesysApiTest, KeepsTheShareOfWhatTheHeadersAllow) {
  give_tokens();
  expect_page()
      .returns(200, "{}", {{"inin-ratelimit-count", "1"}, {"inin-ratelimit-allowed", "60"}, {"inin-ratelimit-reset", "61"}})
      .repeat();
  ASSERT_TRUE(send().has_value());
  std::vector<std::unique_ptr<Running<Result<ApiResponse>>>> all;
  for (int i = 0; i < 100; ++i) {
    all.push_back(start(api().send(page_request(i % 2 == 0 ? Lane::kLive : Lane::kBackfill))));
  }

  pass(60s);

  // 0.8 × 60 a minute.
  EXPECT_LE(api_requests().size(), 48U + 1U);
  EXPECT_GE(api_requests().size(), 40U);
  for (auto& one : all) {
    EXPECT_TRUE(finish(*one).has_value());
  }
  EXPECT_DOUBLE_EQ(api().budget().permitted_per_minute(), 48);
}

TEST_F(GenesysApiTest, WaitingForATurnDoesNotUseUpTheDeadline) {
  options_.retry.deadline = 20s;
  options_.budget.max_requests_per_minute = 2;
  give_tokens();
  expect_page().returns(200, "{}").repeat();
  std::vector<std::unique_ptr<Running<Result<ApiResponse>>>> all;
  for (int i = 0; i < 6; ++i) {
    all.push_back(start(api().send(page_request())));
  }

  for (auto& one : all) {
    EXPECT_TRUE(finish(*one).has_value()) << "two a minute: the last waits longer than the deadline";
  }
}

// While a renewal fails the old token is good, and so is everybody's place in the queue: were it given up at every look, two that
// wait would let each other pass for ever.
TEST_F(GenesysApiTest, AFailingRenewalDoesNotCostThePlaceInTheQueue) {
  options_.budget.max_requests_per_minute = 60;
  expect_token()
      .returns(200, R"({"access_token":"the-access-token","token_type":"bearer","expires_in":10000})")
      .fails(ErrorCode::kRetryable)
      .repeat();
  expect_page().returns(200, "{}").repeat();
  ASSERT_TRUE(send().has_value());
  pass(9'100s);
  ASSERT_TRUE(send().has_value());
  const auto before = clock_.steady_now();
  std::vector<std::unique_ptr<Running<Result<ApiResponse>>>> all;
  for (int i = 0; i < 6; ++i) {
    all.push_back(start(api().send(page_request())));
  }
  for (auto& one : all) {
    EXPECT_TRUE(finish(*one).has_value());
  }
  EXPECT_LE(clock_.steady_now() - before, 10s);
}

TEST_F(GenesysApiTest, AHugeErrorBodyIsNotReadAsJson) {
  give_tokens();
  expect_page().returns(400, "[" + std::string(1U << 20U, ' ') + "]");
  const auto refused = send();
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("too much for an error body, 1048578 bytes"));
}

// A request is cancelled in each of the states in which it can be; nothing it held may be lost for the next one.
class CancelledAnywhere : public GenesysApiTest {};

TEST_F(CancelledAnywhere, WhileTheTokenIsAskedFor) {
  expect_token().returns(200, kTokenBody).held();
  auto request = start(api().send(page_request()));
  request->stop.emit(boost::asio::cancellation_type::terminal);
  EXPECT_EQ(finish(*request).error().code, ErrorCode::kCancelled);

  give_tokens();
  expect_page().returns(200, "{}");
  EXPECT_TRUE(send().has_value());
}

TEST_F(CancelledAnywhere, WhileTheRequestIsOut) {
  give_tokens();
  expect_page().returns(200, "{}").held().returns(200, "{}");
  auto request = start(api().send(page_request()));
  ASSERT_EQ(http_.waiting(), 1U);
  request->stop.emit(boost::asio::cancellation_type::terminal);
  EXPECT_EQ(finish(*request).error().code, ErrorCode::kCancelled);

  EXPECT_TRUE(send().has_value());
  EXPECT_EQ(metrics_.count("request_done", "cancelled"), 1U);
}

TEST_F(CancelledAnywhere, WhileItWaitsForTheBudget) {
  options_.budget.max_requests_per_minute = 1;
  give_tokens();
  expect_page().returns(200, "{}").repeat();
  ASSERT_TRUE(send().has_value());
  auto waiting = start(api().send(page_request()));
  ASSERT_FALSE(waiting->done());
  ASSERT_EQ(api().budget().waiting(Lane::kLive), 1U);

  waiting->stop.emit(boost::asio::cancellation_type::terminal);

  EXPECT_EQ(finish(*waiting).error().code, ErrorCode::kCancelled);
  EXPECT_EQ(api().budget().waiting(Lane::kLive), 0U);
  EXPECT_TRUE(send().has_value());
}

TEST_F(CancelledAnywhere, WhileItWaitsToTryAgain) {
  give_tokens();
  expect_page().returns(503, "", {{"Retry-After", "60"}}).returns(200, "{}");
  auto waiting = start(api().send(page_request()));
  ASSERT_FALSE(waiting->done());

  waiting->stop.emit(boost::asio::cancellation_type::terminal);

  EXPECT_EQ(finish(*waiting).error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(send().has_value());
}

TEST_F(CancelledAnywhere, WhileItIsTheBreakersProbe) {
  options_.breaker.failures = 1;
  options_.retry.deadline = 1h;
  give_tokens();
  expect_page().returns(503).returns(200, "{}").held().returns(200, "{}");
  auto probe = start(api().send(page_request()));
  pass(31s);
  ASSERT_EQ(http_.waiting(), 1U);
  auto other = start(api().send(page_request()));
  pass(10s);
  ASSERT_FALSE(other->done()) << "only one probe at a time";

  probe->stop.emit(boost::asio::cancellation_type::terminal);
  EXPECT_EQ(finish(*probe).error().code, ErrorCode::kCancelled);

  EXPECT_TRUE(finish(*other, 5s).has_value());
}

TEST_F(GenesysApiTest, TheTokenIsNotSentToAnotherHost) {
  give_tokens();
  for (const std::string url : {"https://evil.example.com/api", "http://api.example.com/api", "https://api.example.com:444/api",
                                "https://api.example.com@evil.example.com/api"}) {
    ApiRequest request = page_request();
    request.path = url;
    const auto answer = send(std::move(request));
    ASSERT_FALSE(answer.has_value()) << url;
    EXPECT_EQ(answer.error().code, ErrorCode::kConfigInvalid);
  }
  EXPECT_THAT(http_.requests(), IsEmpty());
}

TEST_F(GenesysApiTest, APageThatIsAFileElsewhereIsNotFetchedAndItsAddressIsToldToNobody) {
  give_tokens();
  expect_page().returns(302, R"({"id":"q","downloadUrl":"https://files.example.net/a?X-Signature=let-me-in","cursor":"c"})",
                        {{"Location", "https://files.example.net/a?X-Signature=let-me-in"}});

  const auto answer = send(page_request());

  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kOversize);
  EXPECT_THAT(answer.error().message, HasSubstr("ask for smaller ones (job_page_size)"));
  EXPECT_THAT(answer.error().message + log_text(), Not(HasSubstr("let-me-in")));
  EXPECT_THAT(api_requests(), SizeIs(1));
  EXPECT_THAT(http_.requests(), SizeIs(2)) << "for the token, and for the page";
}

TEST_F(GenesysApiTest, AnAbsoluteUrlOfTheSameHostIsFollowed) {
  give_tokens();
  http_.expect(Method::kGet, "https://api.example.com/api/v2/next?page=2").returns(200, "{}");
  ApiRequest request;
  request.source = kSource;
  request.path = "https://api.example.com/api/v2/next?page=2";

  EXPECT_TRUE(send(std::move(request)).has_value());
  EXPECT_EQ(common::json::find_string(request_lines().back(), "path"), "/api/v2/next");
}

TEST_F(GenesysApiTest, StorageIsHandedOnToEveryAttempt) {
  give_tokens();
  expect_page().returns(503, std::string(100'000, 'x')).returns(200, "{}");
  ApiRequest request = page_request();
  request.response_storage.reserve(1'000'000);

  ASSERT_TRUE(send(std::move(request)).has_value());

  const auto sent = api_requests();
  EXPECT_GE(sent[0]->response_storage.capacity(), 1'000'000U);
  EXPECT_GE(sent[1]->response_storage.capacity(), 100'000U) << "the failed answer's storage";
}

TEST_F(GenesysApiTest, TheSkewComesFromTheNewestDate) {
  give_tokens();
  expect_page()
      .returns(200, "{}", {{"Date", "Mon, 04 May 2026 00:01:00 GMT"}})
      .returns(200, "{}", {{"Date", "Mon, 04 May 2026 00:00:10 GMT"}})
      .returns(200, "{}", {{"Date", "not a date"}});
  ASSERT_TRUE(send().has_value());
  const common::Duration skew = api().clock_skew();
  EXPECT_EQ(skew, 60s);

  ASSERT_TRUE(send().has_value());
  ASSERT_TRUE(send().has_value());

  EXPECT_EQ(api().clock_skew(), skew) << "an older answer says nothing new";
  EXPECT_EQ(metrics_.total("clock_skew"), 60'000);
}

// Who waits by it must not wait for as long as the clock was wrong.
TEST_F(GenesysApiTest, TheSkewIsTrueWhenTheHostsClockIsSetBetweenTwoAnswers) {
  give_tokens();
  expect_page().returns(200, "{}", {{"Date", "Mon, 04 May 2026 00:01:00 GMT"}});
  ASSERT_TRUE(send().has_value());

  clock_.advance(10min);
  EXPECT_EQ(api().clock_skew(), 60s);
  clock_.set_utc(clock_.utc_now() + 240h);
  EXPECT_EQ(api().clock_skew(), 60s - 240h);
  clock_.set_utc(clock_.utc_now() - 240h);
  EXPECT_EQ(api().clock_skew(), 60s);
}

TEST_F(GenesysApiTest, WrongCredentialsComeBackAtOnce) {
  expect_token().returns(401, R"({"error":"invalid_client","description":"authentication failed"})");
  const auto before = clock_.steady_now();

  const auto answer = send();

  EXPECT_EQ(answer.error().code, ErrorCode::kCredentialsInvalid);
  EXPECT_THAT(answer.error().message, HasSubstr("client-1"));
  EXPECT_EQ(answer.error().retry_after, 60s);
  EXPECT_EQ(clock_.steady_now(), before);
}

TEST_F(GenesysApiTest, LimitsOfTheOrganisationChangeTheBudget) {
  give_tokens();
  http_.expect(Method::kGet, "/limits/namespaces/platform.api")
      .returns(200,
               R"({"entities":[{"key":"client.credentials.token.rate.per.minute","namespace":"platform.api","value":1000}]})");
  http_.expect(Method::kGet, "/limits/namespaces/analytics")
      .returns(200, R"({"entities":[{"key":"details.jobs.concurrent.access.max","value":5},
                                     {"key":"details.jobs.rate.per.second","value":2}]})");

  const auto limits = run(api().load_limits());

  ASSERT_TRUE(limits.has_value());
  EXPECT_EQ(limits->concurrent_jobs, 5);
  EXPECT_DOUBLE_EQ(api().budget().permitted_per_minute(), 800);
}

struct LimitsRefusal {
  std::string name;
  int status;
  std::string body;
};
class LimitsRefused : public GenesysApiTest, public testing::WithParamInterface<LimitsRefusal> {};
TEST_P(LimitsRefused, AreLoggedAndDoNotStopTheStart) {
  give_tokens();
  http_.expect(Method::kGet, "/limits/").returns(GetParam().status, GetParam().body).repeat();

  const auto limits = run(api().load_limits());

  ASSERT_TRUE(limits.has_value());
  EXPECT_FALSE(limits->requests_per_minute.has_value());
  EXPECT_DOUBLE_EQ(api().budget().permitted_per_minute(), 240);
  EXPECT_THAT(log_text(), HasSubstr("limits could not be read"));
}
INSTANTIATE_TEST_SUITE_P(Kinds, LimitsRefused,
                         testing::Values(LimitsRefusal{"Forbidden", 403, ""}, LimitsRefusal{"Unknown", 404, ""},
                                         LimitsRefusal{"NotAListing", 200, "{}"}),
                         [](const auto& tested) { return tested.param.name; });

TEST_F(GenesysApiTest, OrganisationAndTokenAreRead) {
  give_tokens();
  http_.expect(Method::kGet, "/api/v2/organizations/me").returns(200, R"({"id":"org-1","name":"Acme"})");
  http_.expect(Method::kGet, "/api/v2/tokens/me?preserveIdleTTL=true").returns(200, R"({"OAuthClient":{"id":"client-1"}})");

  EXPECT_EQ(run(api().organization())->id, "org-1");
  EXPECT_EQ(run(api().token_info())->client_id, "client-1");
  EXPECT_EQ(metrics_.count("request_done", "_connector/live"), 2U);
}

TEST_F(GenesysApiTest, AnOrganisationThatIsNamedIsNotAskedForAndNeitherAreItsLimits) {
  options_.organization_id = "desk-example";
  give_tokens();

  const auto organization = run(api().organization());
  const auto limits = run(api().load_limits());

  ASSERT_TRUE(organization);
  EXPECT_EQ(organization->id, "desk-example");
  ASSERT_TRUE(limits);
  EXPECT_FALSE(limits->requests_per_minute);
  EXPECT_THAT(api_requests(), IsEmpty());
}

TEST_F(GenesysApiTest, OfANamedOrganisationTooWrongCredentialsAreKnownAtOnce) {
  options_.organization_id = "desk-example";
  http_.expect(Method::kPost, "/oauth/token").returns(400, R"({"error":"invalid_client"})");

  EXPECT_EQ(run(api().organization()).error().code, ErrorCode::kCredentialsInvalid);
}

// G10: a whole life, with peers that repeat what they were sent, leaves no secret in any log line, error or metric.
TEST_F(GenesysApiTest, NoSecretReachesLogsErrorsOrMetrics) {
  const std::string basic = basic_credentials("client-1", Secret(kClientSecret)).reveal();
  const std::string echo = "you sent Bearer the-access-token, Basic " + basic + ", secret the-client-secret";
  const std::string error_body = R"({"message":")" + echo + R"(","code":"echo","contextId":"the-access-token"})";
  expect_token()
      .returns(503, R"({"error":"Basic )" + basic + R"("})")
      .returns(400, R"({"error":"invalid_client","error_description":")" + std::string(290, 'x') + R"(the-client-secret"})")
      .returns(200, kTokenBody)
      .repeat();
  expect_page()
      .returns(500, error_body)
      .returns(429, error_body, {{"Retry-After", "1"}})
      .returns(401, error_body)
      .returns(504, "<html><title>" + std::string(75, 'x') + "the-access-token</title></html>")
      .returns(200, "<html><title>" + echo + "</title></html>", {{"Content-Type", "text/html"}})
      .returns(502, "<html><title>" + echo + "</title></html>", {{"ININ-Correlation-Id", "the-access-token"}})
      .returns(403, error_body);
  observability::PrometheusMetrics prometheus({kSource});
  GenesysApi second(options_, http_, clock_, prometheus, logger_, 7);
  std::string errors;

  errors += send().error().message;  // the credentials are refused
  pass(60s);
  errors += send().error().message;
  expect_page().returns(403, error_body);
  errors += run(second.send(page_request())).error().message;

  const std::string everything = log_text() + errors + metrics_.text() + prometheus.serialize();
  for (const std::string& secret : {std::string(kClientSecret), std::string("the-access-token"), basic}) {
    EXPECT_EQ(everything.find(secret), std::string::npos) << secret;
  }
  for (const std::string half : {"the-a", "the-c"}) {
    EXPECT_EQ(everything.find(half), std::string::npos) << "cut in two: " << half;
  }
  EXPECT_THAT(everything, HasSubstr("***")) << "the scenario must have met the echoes";
  EXPECT_GT(lines_.size(), 8U);
}

}  // namespace
}  // namespace connector::genesys
