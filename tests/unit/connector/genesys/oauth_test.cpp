#include "connector/genesys/oauth.h"

#include "tests/support/fake_http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace connector::genesys {
namespace {

using common::ErrorCode;
using common::Secret;
using testing::HasSubstr;
using testing::Not;
using tests::support::http_response;
using namespace std::chrono_literals;

const common::Instant kNow = common::parse_instant("2026-05-04T09:00:00Z").value();
const Secret kSecret("s3cr/t+value");
const Secret kNoRefresh;

GenesysOptions options() {
  GenesysOptions options;
  options.login_url = "https://login.example.com";
  options.client_id = "client-1";
  options.client_secret = common::SecretSource::of_value(kSecret);
  return options;
}

common::Result<TokenAnswer> parse(const common::http::Response& response, const GenesysOptions& given = options(),
                                  const Secret& refresh = kNoRefresh) {
  return parse_token_answer(given, kSecret, refresh, response, kNow);
}

TEST(TokenRequest, SendsClientCredentialsInBasic) {
  const auto request = token_request(options(), kSecret, kNoRefresh);

  EXPECT_EQ(request.method, common::http::Method::kPost);
  EXPECT_EQ(request.url, "https://login.example.com/oauth/token");
  EXPECT_EQ(request.headers.find("Authorization"), "Basic Y2xpZW50LTE6czNjci90K3ZhbHVl");
  EXPECT_EQ(request.headers.find("Content-Type"), "application/x-www-form-urlencoded");
  EXPECT_EQ(request.body, "grant_type=client_credentials");
}

TEST(TokenRequest, OrInTheBodyEncoded) {
  GenesysOptions given = options();
  given.oauth.client_auth = ClientAuth::kBody;
  given.oauth.token_url = "https://other.example.com/token";

  const auto request = token_request(given, kSecret, kNoRefresh);

  EXPECT_EQ(request.url, "https://other.example.com/token");
  EXPECT_FALSE(request.headers.find("Authorization").has_value());
  EXPECT_EQ(request.body, "grant_type=client_credentials&client_id=client-1&client_secret=s3cr%2Ft%2Bvalue");
}

TEST(TokenRequest, SendsTheRefreshTokenOfThatGrant) {
  GenesysOptions given = options();
  given.oauth.grant = RefreshTokenGrant{};

  EXPECT_EQ(token_request(given, kSecret, Secret("r&1")).body, "grant_type=refresh_token&refresh_token=r%261");
}

struct Base64Case {
  std::string text;
  std::string encoded;
};
class Base64 : public testing::TestWithParam<Base64Case> {};
TEST_P(Base64, PadsAsRfc4648) {
  EXPECT_EQ(basic_credentials("f", Secret(GetParam().text)).reveal(), GetParam().encoded);
}
// The id "f" and the colon come first: "f:", "f:o", "f:oo", "f:\xff\xff".
INSTANTIATE_TEST_SUITE_P(Lengths, Base64,
                         testing::Values(Base64Case{"", "Zjo="}, Base64Case{"o", "Zjpv"}, Base64Case{"oo", "Zjpvbw=="},
                                         Base64Case{"\xff\xff", "Zjr//w=="}));

TEST(TokenAnswer, HasTokenLifeAndRotatedRefreshToken) {
  const auto answer =
      parse(http_response(200, R"({"access_token":"abc","token_type":"Bearer","expires_in":86399,"refresh_token":"next"})"));

  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->access_token, Secret("abc"));
  EXPECT_EQ(answer->life, 86399s);
  EXPECT_EQ(answer->refresh_token, Secret("next"));
}

TEST(TokenAnswer, WithoutALifeCountsAsTheShortestThereIs) {
  EXPECT_EQ(parse(http_response(200, R"({"access_token":"abc"})"))->life, 300s);
}

TEST(TokenAnswer, TellsEverythingThatIsWrongWithItAtOnce) {
  const auto answer = parse(http_response(200, R"({"token_type":"mac","expires_in":"soon"})"));

  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kMalformedResponse);
  EXPECT_THAT(answer.error().message, HasSubstr("access_token is missing"));
  EXPECT_THAT(answer.error().message, HasSubstr("token_type is not bearer"));
  EXPECT_THAT(answer.error().message, HasSubstr("expires_in is not a positive number"));
}

struct RefusalCase {
  std::string name;
  int status;
  std::string body;
  ErrorCode code;
};
class TokenRefusals : public testing::TestWithParam<RefusalCase> {};

TEST_P(TokenRefusals, AreClassified) {
  const auto answer = parse(http_response(GetParam().status, GetParam().body));

  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, GetParam().code) << answer.error().message;
  EXPECT_THAT(answer.error().message, HasSubstr("https://login.example.com/oauth/token"));
}

INSTANTIATE_TEST_SUITE_P(
    Table, TokenRefusals,
    testing::Values(
        RefusalCase{"WrongSecret400", 400, R"({"error":"invalid_client","description":"authentication failed"})",
                    ErrorCode::kCredentialsInvalid},
        RefusalCase{"UnknownClient401", 401, R"({"error":"invalid_client","error_description":"client not found"})",
                    ErrorCode::kCredentialsInvalid},
        RefusalCase{"Grant", 400, R"({"error":"unauthorized_client"})", ErrorCode::kCredentialsInvalid},
        RefusalCase{"Forbidden", 403, "", ErrorCode::kCredentialsInvalid},
        RefusalCase{"NotThere", 404, "<html><title>Not here</title></html>", ErrorCode::kConfigInvalid},
        RefusalCase{"Moved", 301, "", ErrorCode::kConfigInvalid}, RefusalCase{"Proxy", 407, "", ErrorCode::kConfigInvalid},
        RefusalCase{"Timeout", 408, "", ErrorCode::kRetryable}, RefusalCase{"Limited", 429, "", ErrorCode::kRateLimited},
        RefusalCase{"Broken", 500, "{}", ErrorCode::kRetryable}, RefusalCase{"Unavailable", 503, "<html>", ErrorCode::kRetryable},
        RefusalCase{"HtmlWith200", 200, "<html>sign in</html>", ErrorCode::kMalformedResponse},
        RefusalCase{"EmptyWith200", 200, "", ErrorCode::kMalformedResponse}),
    [](const auto& tested) { return tested.param.name; });

TEST(TokenRefusal, NamesTheClientTheReasonAndWhatToCheck) {
  const auto answer = parse(http_response(
      400, R"({"error":"invalid_client","description":"authentication failed","error_description":"authentication failed"})",
      {{"ININ-Correlation-Id", "corr-9"}}));

  EXPECT_THAT(answer.error().message, HasSubstr("client-1"));
  EXPECT_THAT(answer.error().message, HasSubstr("invalid_client: authentication failed"));
  EXPECT_THAT(answer.error().message, HasSubstr("genesys.client_secret"));
  EXPECT_THAT(answer.error().message, HasSubstr("corr-9"));
}

TEST(TokenRefusal, NeverRepeatsASecretThatThePeerEchoes) {
  const std::string basic = basic_credentials("client-1", kSecret).reveal();
  GenesysOptions given = options();
  given.oauth.grant = RefreshTokenGrant{};
  const auto answer = parse(http_response(400, R"({"error":"invalid_client","error_description":"got s3cr/t+value and )" + basic +
                                                   R"( and refresh-7"})"),
                            given, Secret("refresh-7"));

  EXPECT_THAT(answer.error().message, Not(HasSubstr("s3cr/t+value")));
  EXPECT_THAT(answer.error().message, Not(HasSubstr(basic)));
  EXPECT_THAT(answer.error().message, Not(HasSubstr("refresh-7")));
  EXPECT_THAT(answer.error().message, HasSubstr("***"));
}

TEST(TokenRefusal, KeepsRetryAfter) {
  EXPECT_EQ(parse(http_response(429, "", {{"Retry-After", "7"}})).error().retry_after, 7s);
}

}  // namespace
}  // namespace connector::genesys
