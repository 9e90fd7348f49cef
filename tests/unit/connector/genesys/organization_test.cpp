#include "connector/genesys/organization.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace connector::genesys {
namespace {

using common::ErrorCode;

TEST(Organization, NeedsAnId) {
  EXPECT_EQ(parse_organization(R"({"id":"o-1","name":"Acme"})")->name, "Acme");
  EXPECT_EQ(parse_organization(R"({"name":"Acme"})").error().code, ErrorCode::kMalformedResponse);
  EXPECT_EQ(parse_organization("<html>").error().code, ErrorCode::kMalformedResponse);
  EXPECT_EQ(parse_organization("[]").error().code, ErrorCode::kMalformedResponse);
}

TEST(TokenInfo, ReadsTheClientUnderItsCapitalisedName) {
  const auto info = parse_token_info(
      R"({"organization":{"id":"o-1","name":"Acme"},"OAuthClient":{"id":"c-1","name":"connector","authorizedGrantType":"CLIENT-CREDENTIALS",
          "state":"active","dateToDelete":"2027-01-01T00:00:00Z"}})");

  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->client_id, "c-1");
  EXPECT_EQ(info->grant_type, "CLIENT-CREDENTIALS");
  EXPECT_EQ(info->date_to_delete, "2027-01-01T00:00:00Z");
  EXPECT_EQ(info->organization.id, "o-1");
}

TEST(Limits, AreTheOnesThatConcernUs) {
  Limits limits;
  ASSERT_TRUE(add_limits(R"({"entities":[
      {"key":"client.credentials.token.rate.per.minute","namespace":"platform.api","value":500},
      {"key":"token.rate.per.minute","namespace":"platform.api","value":300.0},
      {"key":"org.app.user.rate.per.minute","namespace":"platform.api","value":3000},
      {"key":"request.bytes.max","value":512000}, {"key":"no.value"}, 7, null]})",
                         limits));
  ASSERT_TRUE(add_limits(R"({"entities":[{"key":"details.jobs.rate.per.second","value":2},
      {"key":"details.jobs.concurrent.access.max","value":10},{"key":"token.rate.per.minute","value":-1}]})",
                         limits));

  EXPECT_EQ(limits.requests_per_minute, 300) << "the token is under both limits";
  EXPECT_EQ(limits.job_submissions_per_second, 2);
  EXPECT_EQ(limits.concurrent_jobs, 10);
}

TEST(Limits, AListingThatIsNoneIsMalformed) {
  Limits limits;
  EXPECT_EQ(add_limits("{}", limits).error().code, ErrorCode::kMalformedResponse);
  EXPECT_EQ(add_limits("nothing", limits).error().code, ErrorCode::kMalformedResponse);
}

}  // namespace
}  // namespace connector::genesys
