#include "tests/simulator/tests/caller.h"

namespace tests::simulator {
namespace {

constexpr std::string_view kOrganization = "/api/v2/organizations/me";

struct LogIn {
  std::string name;
  std::string id;
  std::string secret;
  std::string form;
  std::string error;
  std::string description;
};
void PrintTo(const LogIn& log_in, std::ostream* out) {
  *out << log_in.name;
}

class TokenRefusal : public testing::TestWithParam<LogIn> {};

TEST_P(TokenRefusal, HasTheShapeOfTheLoginHost) {
  Caller caller(small_world(), at("2026-05-03T00:00:00Z"));

  const auto reply = caller.token(GetParam().id, GetParam().secret, GetParam().form);

  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(common::json::find_string(Caller::json(reply), "error"), GetParam().error);
  EXPECT_EQ(common::json::find_string(Caller::json(reply), "error_description"), GetParam().description);
}

INSTANTIATE_TEST_SUITE_P(
    Of, TokenRefusal,
    testing::Values(LogIn{"secret", "simulator-client", "wrong", "grant_type=client_credentials", "invalid_client",
                          "authentication failed"},
                    LogIn{"client", "nobody", "x", "grant_type=client_credentials", "invalid_client", "client not found"},
                    LogIn{"grant", "simulator-client", "simulator-secret", "grant_type=password", "unsupported_grant_type",
                          "grant type not supported"},
                    LogIn{"refresh", "simulator-client", "simulator-secret", "grant_type=refresh_token&refresh_token=x",
                          "invalid_grant", "refresh token not found"}),
    testing::PrintToStringParamName());

TEST(Tokens, ExpireAndAreRevoked) {
  Caller caller(small_world(), at("2026-05-03T00:00:00Z"));

  EXPECT_EQ(caller.get(kOrganization).status, 200);
  caller.now += std::chrono::hours{24};
  const auto expired = caller.get(kOrganization);
  EXPECT_EQ(expired.status, 401);
  EXPECT_EQ(Caller::code(expired), "bad.credentials");
  caller.log_in();
  EXPECT_EQ(caller.send("DELETE", "/api/v2/tokens/me").status, 200);
  EXPECT_EQ(caller.get(kOrganization).status, 401);
  caller.bearer.clear();
  EXPECT_EQ(Caller::code(caller.get(kOrganization)), "authentication.required");
}

TEST(Tokens, RefreshTokensRotate) {
  SimulatorOptions options = small_world();
  options.tokens.refresh_token = "first";
  Caller caller(options, at("2026-05-03T00:00:00Z"));
  const auto refresh = [&](const std::string& token) {
    return caller.token("simulator-client", "simulator-secret", "grant_type=refresh_token&refresh_token=" + token);
  };

  const auto granted = refresh("first");

  EXPECT_EQ(granted.status, 200);
  const std::string second = common::json::find_string(Caller::json(granted), "refresh_token").value();
  EXPECT_EQ(refresh("first").status, 400);
  EXPECT_EQ(refresh(second).status, 200);
}

TEST(Tokens, BodyCredentialsOnlyWhenAllowed) {
  support::ReceivedRequest request{
      .method = "POST",
      .target = "/oauth/token",
      .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
      .body = "grant_type=client_credentials&client_id=simulator-client&client_secret=simulator%2Dsecret"};
  SimulatorOptions options = small_world();

  EXPECT_EQ(Simulator(options).handle(request, at("2026-05-03T00:00:00Z")).status, 400);
  options.tokens.accept_body_credentials = true;
  EXPECT_EQ(Simulator(options).handle(request, at("2026-05-03T00:00:00Z")).status, 200);
}

SimulatorOptions limited(std::uint32_t requests) {
  SimulatorOptions options = small_world();
  options.rate.per_window = requests;
  return options;
}

TEST(RateLimit, CountsPerTokenAndSaysWhenToComeBack) {
  Caller caller(limited(3), at("2026-05-03T00:00:00Z"));

  EXPECT_EQ(Caller::header(caller.get(kOrganization), "inin-ratelimit-count"), "1");
  caller.now += std::chrono::milliseconds{20'500};
  caller.get(kOrganization);
  const auto third = caller.get(kOrganization);
  EXPECT_EQ(Caller::header(third, "inin-ratelimit-count"), "3");
  EXPECT_EQ(Caller::header(third, "inin-ratelimit-allowed"), "3");
  EXPECT_EQ(Caller::header(third, "inin-ratelimit-reset"), "40");
  const auto refused = caller.get(kOrganization);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(Caller::header(refused, "Retry-After"), "40");
  EXPECT_EQ(Caller::code(refused), "too.many.requests.retry.after");
  EXPECT_EQ(Caller::message(refused), "Rate limit exceeded the maximum. Retry the request in [40] seconds");
  EXPECT_EQ(common::json::find_string(Caller::json(refused).at("limit"), "key"), "client.credentials.token.rate.per.minute");
  caller.log_in();
  EXPECT_EQ(caller.get(kOrganization).status, 200);
}

TEST(RateLimit, ANewWindowBeginsAfterTheOld) {
  Caller caller(limited(1), at("2026-05-03T00:00:00Z"));

  EXPECT_EQ(caller.get(kOrganization).status, 200);
  EXPECT_EQ(caller.get(kOrganization).status, 429);
  caller.now += std::chrono::seconds{60};
  EXPECT_EQ(caller.get(kOrganization).status, 200);
}

TEST(RateLimit, PerClientANewTokenDoesNotHelp) {
  SimulatorOptions options = limited(1);
  options.rate.per_client = true;
  Caller caller(options, at("2026-05-03T00:00:00Z"));

  caller.get(kOrganization);
  caller.log_in();

  EXPECT_EQ(caller.get(kOrganization).status, 429);
}

}  // namespace
}  // namespace tests::simulator
