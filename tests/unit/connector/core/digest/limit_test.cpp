#include "connector/core/digest/limit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace connector::core {
namespace {

using testing::HasSubstr;

constexpr std::size_t kMiB = 1U << 20U;

TEST(DigestsLimit, AStartWithMoreIsRefusedWithTheRemedy) {
  const DigestsLimit limit(100 * kMiB);
  EXPECT_TRUE(limit.check_start(1, 100 * kMiB));

  const auto refused = limit.check_start(1'500'000, 100 * kMiB + 1);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, common::ErrorCode::kConfigInvalid);
  EXPECT_THAT(refused.error().message, HasSubstr("1500000 keys takes 101MiB"));
  EXPECT_THAT(refused.error().message, HasSubstr("kafka.digests_memory (100MiB): raise it"));
}

TEST(DigestsLimit, ARunningConnectorTellsOnceThatItIsPassedAndOnceThatItIsNotAnyMore) {
  DigestsLimit limit(100 * kMiB);
  EXPECT_EQ(limit.check(100 * kMiB), DigestsLimit::Told::kNothing);
  EXPECT_EQ(limit.check(101 * kMiB), DigestsLimit::Told::kPassed);
  EXPECT_EQ(limit.check(102 * kMiB), DigestsLimit::Told::kNothing);
  EXPECT_EQ(limit.check(95 * kMiB), DigestsLimit::Told::kNothing) << "it does not flap";
  EXPECT_EQ(limit.check(89 * kMiB), DigestsLimit::Told::kWithin);
  EXPECT_EQ(limit.check(101 * kMiB), DigestsLimit::Told::kPassed);
}

}  // namespace
}  // namespace connector::core
