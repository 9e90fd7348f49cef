#include "connector/genesys/error_body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace connector::genesys {
namespace {

using common::Error;
using common::ErrorCode;
using common::http::Headers;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

const common::Instant kNow = common::parse_instant("2026-05-04T09:00:00Z").value();

std::string body(std::string_view message, std::string_view code = "bad.request") {
  return R"({"message":")" + std::string(message) + R"(","code":")" + std::string(code) +
         R"(","status":400,"contextId":"7dafa55d","details":[],"errors":[]})";
}

Error judge(int status, const std::string& text, const Headers& headers = {}) {
  return classify(status, headers, parse_error_body(text), text, "POST /api/v2/things", kNow);
}

struct ClassCase {
  std::string name;
  int status;
  std::string text;
  ErrorCode code;
};
class ErrorClasses : public testing::TestWithParam<ClassCase> {};

TEST_P(ErrorClasses, FollowStatusAndText) {
  const Error error = judge(GetParam().status, GetParam().text);

  EXPECT_EQ(error.code, GetParam().code) << error.message;
  EXPECT_THAT(error.message, HasSubstr("POST /api/v2/things: HTTP " + std::to_string(GetParam().status)));
}

INSTANTIATE_TEST_SUITE_P(
    Table, ErrorClasses,
    testing::Values(
        ClassCase{"Redirect", 302, "", ErrorCode::kRequestRejected},
        ClassCase{"RedirectWithoutFile", 302, R"({"id":"q"})", ErrorCode::kRequestRejected},
        ClassCase{"PageInAFile", 302, R"({"id":"q","pageSize":500,"downloadUrl":"https://files.example.com/a?signature=s"})",
                  ErrorCode::kOversize},
        ClassCase{"PageInAFileElsewhere", 303, R"({"downloadUrl":"https://files.example.com/a","cursor":"c"})",
                  ErrorCode::kOversize},
        ClassCase{"BadRequest", 400, body("The request could not be understood"), ErrorCode::kRequestRejected},
        ClassCase{"InvalidValue", 400, body("Value [] is not valid for field type [QueryFilterType].", "invalid.value"),
                  ErrorCode::kRequestRejected},
        ClassCase{"PageDepth", 400, body("Pagination may not exceed 100000 results.\\n\\nTip: query in smaller intervals."),
                  ErrorCode::kTooComplex},
        ClassCase{"IntervalOf31Days", 400,
                  body("You must specify a search interval as part of your query that does not exceed 31 days."),
                  ErrorCode::kTooComplex},
        ClassCase{"IntervalOf7Days", 400,
                  body("You must specify a search interval as part of your query that does not exceed 7 days."),
                  ErrorCode::kTooComplex},
        ClassCase{"TooComplex", 400, body("This query is too complex."), ErrorCode::kTooComplex},
        ClassCase{"TooComplexByCode", 400, body("Refused.", "query.too.complex"), ErrorCode::kTooComplex},
        ClassCase{"CursorUnknown", 400, body("Invalid cursor"), ErrorCode::kPositionInvalid},
        ClassCase{"Unauthorized", 401, body("Invalid login credentials.", "bad.credentials"), ErrorCode::kUnauthorized},
        ClassCase{"Forbidden", 403, body("Missing", "missing.permissions"), ErrorCode::kPermissionDenied},
        ClassCase{"ForbiddenByHtml", 403, "<html><body>no</body></html>", ErrorCode::kPermissionDenied},
        ClassCase{"NotFound", 404, body("The requested resource was not found.", "not.found"), ErrorCode::kPositionInvalid},
        ClassCase{"Gone", 410, "", ErrorCode::kPositionInvalid}, ClassCase{"Proxy", 407, "", ErrorCode::kConfigInvalid},
        ClassCase{"ClientTimeout", 408, body("slow", "client.timeout"), ErrorCode::kRetryable},
        ClassCase{"Conflict", 409, "", ErrorCode::kRequestRejected},
        ClassCase{"RequestTooLarge", 413, body("The request is over the size limit.", "request.entity.too.large"),
                  ErrorCode::kRequestRejected},
        ClassCase{"MediaType", 415, "", ErrorCode::kRequestRejected},
        ClassCase{"RateLimited", 429, body("Rate limit exceeded", "too.many.requests"), ErrorCode::kRateLimited},
        ClassCase{"Internal", 500, "", ErrorCode::kRetryable}, ClassCase{"NotImplemented", 501, "", ErrorCode::kRequestRejected},
        ClassCase{"BadGateway", 502, "<html></html>", ErrorCode::kRetryable},
        ClassCase{"Unavailable", 503, "", ErrorCode::kRetryable},
        ClassCase{"GatewayTimeout", 504, body("The request timed out.", "request.timeout"), ErrorCode::kRetryable},
        ClassCase{"DepthTextWithA500IsNoDepth", 500, body("Pagination may not exceed 100000 results."), ErrorCode::kRetryable}),
    [](const auto& tested) { return tested.param.name; });

TEST(ErrorMessage, NamesTheMissingPermissionsAndTheRemedy) {
  const Error error = judge(403, body("Unable to perform the requested action. You must have at least one of the following "
                                      "permissions assigned: [analytics:conversationDetail:view, "
                                      "analytics:agentConversationDetail:view]",
                                      "missing.any.permissions"));

  EXPECT_THAT(error.message, HasSubstr("analytics:conversationDetail:view"));
  EXPECT_THAT(error.message, HasSubstr("analytics:agentConversationDetail:view"));
  EXPECT_THAT(error.message, HasSubstr("missing.any.permissions"));
  EXPECT_THAT(error.message, HasSubstr("role"));
}

TEST(ErrorMessage, NamesPermissionsThatStandOnlyInTheParameters) {
  const Error error = judge(403, R"({"message":"You are missing: %s","code":"missing.permissions",
                                     "messageParams":{"permissions":"analytics:userDetail:view"},"contextId":"c"})");

  EXPECT_THAT(error.message, HasSubstr("analytics:userDetail:view"));
}

TEST(ErrorMessage, HasTheContextIdOrElseTheCorrelationHeader) {
  EXPECT_THAT(judge(400, body("x")).message, HasSubstr("contextId 7dafa55d"));
  EXPECT_THAT(judge(500, "", {{"inin-correlation-id", "abc-1"}}).message, HasSubstr("contextId abc-1"));
  EXPECT_THAT(judge(500, R"({"message":"m","code":"c","contextId":""})", {{"ININ-Correlation-Id", "abc-2"}}).message,
              HasSubstr("contextId abc-2"));
}

TEST(ErrorMessage, SaysWhatAnHtmlPageIsWithoutRepeatingIt) {
  const std::string page = "<!DOCTYPE html><HTML><head><Title> Sign in\nto the proxy </title></head><body>" +
                           std::string(5000, 'x') + "</body></html>";

  const Error error = judge(502, page);

  EXPECT_THAT(error.message, HasSubstr("HTML page titled 'Sign in to the proxy'"));
  EXPECT_THAT(error.message, HasSubstr(std::to_string(page.size()) + " bytes"));
  EXPECT_LT(error.message.size(), 300U);
}

TEST(ErrorMessage, IsBoundedAndOnOneLineWhateverTheServiceWrites) {
  const Error error = judge(400, body(std::string(20'000, 'm') + "\\n\\u0000\\r", std::string(5'000, 'c')));

  EXPECT_LT(error.message.size(), 1'000U);
  for (const char letter : error.message) {
    EXPECT_GE(static_cast<unsigned char>(letter), ' ');
  }
}

struct SummaryCase {
  std::string name;
  std::string text;
  std::string summary;
};
class BodySummaries : public testing::TestWithParam<SummaryCase> {};
TEST_P(BodySummaries, SayWhatItIs) {
  EXPECT_EQ(summarise_body(GetParam().text), GetParam().summary);
  EXPECT_FALSE(parse_error_body(GetParam().text).has_value());
}
INSTANTIATE_TEST_SUITE_P(
    Kinds, BodySummaries,
    testing::Values(SummaryCase{"Empty", "", "an empty body"}, SummaryCase{"Garbage", "\x01\x02{", "not JSON, 3 bytes"},
                    SummaryCase{"CutShort", R"({"message":"a)", "not JSON, 13 bytes"},
                    SummaryCase{"OtherJson", R"({"conversations":[]})", "JSON that is no error body, 20 bytes"},
                    SummaryCase{"Array", "[1]", "JSON that is no error body, 3 bytes"},
                    SummaryCase{"Html", "<html></html>", "an HTML page, 13 bytes"},
                    SummaryCase{"TitleTurnedRound", "<html></title><title>", "an HTML page, 21 bytes"}),
    [](const auto& tested) { return tested.param.name; });

TEST(ErrorBody, MembersOfTheWrongTypeAreLeftOut) {
  const auto error = parse_error_body(R"({"message":7,"code":"c","contextId":[],"limit":"no","messageParams":[1]})");

  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->code, "c");
  EXPECT_EQ(error->message, "");
  EXPECT_EQ(error->context_id, "");
  EXPECT_FALSE(error->limit.has_value());
}

TEST(ErrorBody, NamesTheLimitThatWasExceeded) {
  const auto error = parse_error_body(
      R"({"message":"m","code":"too.many.requests","limit":{"key":"details.jobs.rate.per.second","namespace":"analytics","value":2}})");

  ASSERT_TRUE(error && error->limit);
  EXPECT_EQ(error->limit->name_space, "analytics");
  EXPECT_EQ(error->limit->key, "details.jobs.rate.per.second");
}

TEST(RetryAfterOfErrors, IsKeptWhereWaitingHelps) {
  const Headers headers{{"Retry-After", "13"}};

  EXPECT_EQ(judge(429, "", headers).retry_after, 13s);
  EXPECT_EQ(judge(503, "", headers).retry_after, 13s);
  EXPECT_EQ(judge(400, "", headers).retry_after, std::nullopt);
}

}  // namespace
}  // namespace connector::genesys
