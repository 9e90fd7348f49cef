#include "connector/genesys/token_provider.h"

#include "connector/genesys/oauth.h"
#include "tests/unit/connector/genesys/genesys_fixture.h"

#include <gmock/gmock.h>

#include <unistd.h>
#include <filesystem>
#include <fstream>
#include <string>

namespace connector::genesys {
namespace {

using common::ErrorCode;
using common::Result;
using common::Secret;
using testing::HasSubstr;
using testing::Not;
using tests::support::http_response;
using namespace std::chrono_literals;

class TokenProviderTest : public GenesysFixture {
 protected:
  TokenProviderTest() {
    std::string name = testing::TempDir() + "token-provider-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~TokenProviderTest() override { std::filesystem::remove_all(folder_); }

  TokenProvider& provider() {
    if (!provider_) {
      provider_.emplace(options_, http_, clock_, metrics_, logger_, 1);
    }
    return *provider_;
  }
  boost::asio::awaitable<Result<Token>> token(common::Duration patience = 10min) {
    return provider().token(clock_.steady_now() + patience);
  }
  void use_refresh_token(const std::string& configured) {
    options_.oauth.grant =
        RefreshTokenGrant{.refresh_token = common::SecretSource::of_value(Secret(configured)), .token_store = folder_ / "store"};
  }
  static std::string answer(const std::string& access, const std::string& refresh) {
    return R"({"access_token":")" + access + R"(","expires_in":3600,"refresh_token":")" + refresh + R"("})";
  }
  [[nodiscard]] std::string last_body() const { return http_.requests().back().body; }

  std::filesystem::path folder_;
  std::optional<TokenProvider> provider_;
};

TEST_F(TokenProviderTest, AsksOnceAndGivesTheTokenToEverybody) {
  expect_token().returns(200, kTokenBody).held();
  auto first = start(token());
  auto second = start(token());
  auto third = start(token());
  http_.release();

  EXPECT_EQ(finish(*first)->value, Secret("the-access-token"));
  EXPECT_EQ(finish(*second)->value, Secret("the-access-token"));
  EXPECT_EQ(finish(*third)->value, Secret("the-access-token"));
  EXPECT_EQ(run(token())->value, Secret("the-access-token"));
  EXPECT_EQ(http_.requests().size(), 1U);
  EXPECT_EQ(metrics_.count("token_renewed", "ok"), 1U);
  EXPECT_EQ(metrics_.total("token"), static_cast<double>((clock_.utc_now() + 24h).time_since_epoch().count()));
}

TEST_F(TokenProviderTest, RenewsWhenNineTenthsOfTheLifeAreOver) {
  give_tokens();
  run(token()).value();
  clock_.advance(21h + 35min);
  run(token()).value();
  EXPECT_EQ(token_requests(), 1U);

  clock_.advance(1min);
  run(token()).value();

  EXPECT_EQ(token_requests(), 2U);
}

TEST_F(TokenProviderTest, AFailingTokenEndpointIsTriedAgainUntilItAnswers) {
  expect_token()
      .fails(ErrorCode::kRetryable)
      .returns(503)
      .returns(200, "<html>")
      .returns(429, "", {{"Retry-After", "20"}})
      .returns(200, kTokenBody);
  const auto before = clock_.steady_now();

  EXPECT_TRUE(run(token()).has_value());

  EXPECT_EQ(http_.requests().size(), 5U);
  EXPECT_GE(clock_.steady_now() - before, 20s);
  EXPECT_EQ(metrics_.count("token_renewed", "failed"), 4U);
}

TEST_F(TokenProviderTest, GivesUpAtTheDeadlineWithTheReason) {
  expect_token().returns(503).repeat();

  const auto result = run(token(30s));

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kRetryable);
  EXPECT_THAT(result.error().message, HasSubstr("HTTP 503"));
}

TEST_F(TokenProviderTest, AWrongSecretIsSaidAtOnceAndTriedAgainOnceAMinute) {
  expect_token().returns(401, R"({"error":"invalid_client","description":"authentication failed"})").repeat();

  for (int i = 0; i < 5; ++i) {
    const auto result = run(token());
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, ErrorCode::kCredentialsInvalid);
    EXPECT_THAT(result.error().message, HasSubstr("client-1"));
    EXPECT_LE(result.error().retry_after.value(), 60s);
    pass(5s);
  }
  EXPECT_EQ(http_.requests().size(), 1U);

  pass(60s);
  EXPECT_FALSE(run(token()).has_value());
  EXPECT_EQ(http_.requests().size(), 2U);
  EXPECT_THAT(log_text(), HasSubstr(R"("level":"error")"));
}

TEST_F(TokenProviderTest, AReplacedSecretFileIsReadAgainWithoutWaiting) {
  const auto file = folder_ / "secret";
  std::ofstream(file) << "wrong\n";
  options_.client_secret = common::SecretSource::of_file(file, Secret("wrong"));
  expect_token().returns(401, R"({"error":"invalid_client"})").returns(200, kTokenBody);
  ASSERT_FALSE(run(token()).has_value());

  std::ofstream(file) << "right\n";

  EXPECT_TRUE(run(token(), 0s).has_value());
  EXPECT_EQ(http_.requests().back().headers.find("Authorization"),
            "Basic " + basic_credentials("client-1", Secret("right")).reveal());
}

TEST_F(TokenProviderTest, ASecretFileThatDisappearsLeavesTheKnownSecretInUse) {
  options_.client_secret = common::SecretSource::of_file(folder_ / "gone", Secret("known"));
  give_tokens();

  EXPECT_TRUE(run(token()).has_value());
  EXPECT_THAT(log_text(), HasSubstr("could not be read again"));
}

TEST_F(TokenProviderTest, ACallerThatIsCancelledWhileAskingLeavesTheTaskToTheNext) {
  expect_token().returns(200, kTokenBody).held().returns(200, kTokenBody);
  auto first = start(token());
  auto second = start(token());

  first->stop.emit(boost::asio::cancellation_type::terminal);
  turn();

  EXPECT_EQ(finish(*first).error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(finish(*second).has_value());
}

TEST_F(TokenProviderTest, CallersThatWaitCanBeCancelled) {
  expect_token().returns(200, kTokenBody).held();
  auto first = start(token());
  auto second = start(token());

  second->stop.emit(boost::asio::cancellation_type::terminal);
  turn();
  EXPECT_EQ(finish(*second).error().code, ErrorCode::kCancelled);

  http_.release();
  EXPECT_TRUE(finish(*first).has_value());
}

TEST_F(TokenProviderTest, ARotatedRefreshTokenIsStoredAndUsedNextTime) {
  use_refresh_token("configured");
  expect_token().returns(200, answer("a1", "rotated-1")).returns(200, answer("a2", "rotated-2"));

  run(token()).value();
  EXPECT_THAT(last_body(), HasSubstr("refresh_token=configured"));
  EXPECT_EQ(TokenStore(folder_ / "store").load().value(), Secret("rotated-1"));

  clock_.advance(1h);
  run(token()).value();
  EXPECT_THAT(last_body(), HasSubstr("refresh_token=rotated-1"));
  EXPECT_EQ(TokenStore(folder_ / "store").load().value(), Secret("rotated-2"));
}

TEST_F(TokenProviderTest, AfterARestartTheStoredRefreshTokenComesFirst) {
  use_refresh_token("configured");
  ASSERT_TRUE(TokenStore(folder_ / "store").save(Secret("stored")));
  expect_token().returns(200, answer("a1", "stored"));

  run(token()).value();

  EXPECT_THAT(last_body(), HasSubstr("refresh_token=stored"));
}

TEST_F(TokenProviderTest, AStoredRefreshTokenThatIsRefusedYieldsToAFreshOneInTheConfiguration) {
  use_refresh_token("fresh");
  ASSERT_TRUE(TokenStore(folder_ / "store").save(Secret("revoked")));
  expect_token().returns(400, R"({"error":"invalid_grant"})").returns(200, answer("a1", "rotated"));

  EXPECT_TRUE(run(token(), 0s).has_value());
  EXPECT_THAT(last_body(), HasSubstr("refresh_token=fresh"));
  EXPECT_EQ(TokenStore(folder_ / "store").load().value(), Secret("rotated"));
}

TEST_F(TokenProviderTest, ADamagedTokenStoreIsRefusedAndNothingIsSent) {
  use_refresh_token("configured");
  std::ofstream(folder_ / "store") << "damaged";

  const auto result = run(token());

  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kStateRefused);
  EXPECT_TRUE(http_.requests().empty());
}

TEST_F(TokenProviderTest, ARotatedTokenThatCannotBeStoredIsAnErrorInTheLogAndStillUsed) {
  use_refresh_token("configured");
  std::get<RefreshTokenGrant>(options_.oauth.grant).token_store = folder_ / "missing" / "store";
  expect_token().returns(200, answer("a1", "rotated-1")).returns(200, answer("a2", "rotated-1"));

  EXPECT_TRUE(run(token()).has_value());
  EXPECT_THAT(log_text(), HasSubstr("could not be stored"));
  clock_.advance(1h);
  EXPECT_TRUE(run(token()).has_value());
  EXPECT_THAT(last_body(), HasSubstr("refresh_token=rotated-1"));
}

TEST_F(TokenProviderTest, NoLogLineHoldsASecretOrAToken) {
  use_refresh_token("the-configured-refresh");
  const std::string basic = basic_credentials("client-1", Secret(kClientSecret)).reveal();
  expect_token()
      .returns(400, R"({"error":"invalid_grant","error_description":"the-configured-refresh for the-client-secret, )" + basic +
                        R"("})")
      .returns(200, answer("the-access-token", "the-rotated-refresh"));
  ASSERT_FALSE(run(token()).has_value());
  pass(60s);
  ASSERT_TRUE(run(token()).has_value());

  for (const std::string& secret : {std::string("the-configured-refresh"), std::string("the-rotated-refresh"),
                                    std::string("the-access-token"), std::string(kClientSecret), basic}) {
    EXPECT_THAT(log_text(), Not(HasSubstr(secret)));
    EXPECT_THAT(metrics_.text(), Not(HasSubstr(secret)));
  }
  EXPECT_THAT(log_text(), HasSubstr("invalid_grant")) << "the scenario must have logged the refusal";
}

}  // namespace
}  // namespace connector::genesys
