#include "connector/genesys/rate_headers.h"

#include <gtest/gtest.h>

#include <string>

namespace connector::genesys {
namespace {

using common::http::Headers;
using namespace std::chrono_literals;

const common::Instant kNow = common::parse_instant("2026-05-04T09:00:00Z").value();

TEST(RateHeaders, AreReadWhateverTheirCase) {
  const core::RateHeaders rate =
      parse_rate_headers({{"ININ-RateLimit-Count", "17"}, {"inin-ratelimit-allowed", "300"}, {"ININ-RATELIMIT-RESET", "61"}});

  EXPECT_EQ(rate.count, 17U);
  EXPECT_EQ(rate.allowed, 300U);
  EXPECT_EQ(rate.reset, 61s);
}

struct NonsenseCase {
  std::string name;
  std::string value;
};
class RateHeaderNonsense : public testing::TestWithParam<NonsenseCase> {};

TEST_P(RateHeaderNonsense, IsTakenForAbsent) {
  const std::string& value = GetParam().value;
  const Headers headers{{"inin-ratelimit-count", value},
                        {"inin-ratelimit-allowed", value},
                        {"inin-ratelimit-reset", value},
                        {"Retry-After", value}};

  const core::RateHeaders rate = parse_rate_headers(headers);

  EXPECT_FALSE(rate.count.has_value());
  EXPECT_FALSE(rate.allowed.has_value());
  EXPECT_FALSE(rate.reset.has_value());
  EXPECT_FALSE(parse_retry_after(headers, kNow).has_value());
}

INSTANTIATE_TEST_SUITE_P(Values, RateHeaderNonsense,
                         testing::Values(NonsenseCase{"Empty", ""}, NonsenseCase{"Negative", "-1"}, NonsenseCase{"Text", "soon"},
                                         NonsenseCase{"Fraction", "1.5"}, NonsenseCase{"Trailing", "13s"},
                                         NonsenseCase{"Huge", "99999999999999999999999"},
                                         NonsenseCase{"Large", "18446744073709551615"}),
                         [](const auto& tested) { return tested.param.name; });

TEST(RetryAfter, IsSecondsOrAnHttpDate) {
  EXPECT_EQ(parse_retry_after({{"retry-after", "13"}}, kNow), 13s);
  EXPECT_EQ(parse_retry_after({{"retry-after", "0"}}, kNow), 0s);
  EXPECT_EQ(parse_retry_after({{"Retry-After", "Mon, 04 May 2026 09:00:30 GMT"}}, kNow), 30s);
  EXPECT_EQ(parse_retry_after({{"Retry-After", "Mon, 04 May 2026 08:00:00 GMT"}}, kNow), 0s) << "a date in the past is now";
  EXPECT_EQ(parse_retry_after({}, kNow), std::nullopt);
}

TEST(RetryAfter, IsAnHourAtMost) {
  EXPECT_EQ(parse_retry_after({{"Retry-After", "1777885200"}}, kNow), 1h) << "a time of day, not 56 years";
  EXPECT_EQ(parse_retry_after({{"Retry-After", "Mon, 04 May 2099 09:00:00 GMT"}}, kNow), 1h);
}

}  // namespace
}  // namespace connector::genesys
