#include "connector/core/transaction/batching.h"

#include <gtest/gtest.h>

namespace connector::core {
namespace {

const common::SteadyTime kCame{std::chrono::seconds{10}};
const BatchPolicy kPolicy{.commit_interval = common::Duration{200}, .commit_bytes = 1'000};

TEST(Batching, ALonePageWaitsForCompanyOnce) {
  EXPECT_EQ(begin_at({.oldest = kCame, .bytes = 999, .hurry = false}, kPolicy), kCame + common::Duration{200});
}

TEST(Batching, EnoughBytesOrHurryBeginAtOnce) {
  EXPECT_EQ(begin_at({.oldest = kCame, .bytes = 1'000, .hurry = false}, kPolicy), kCame);
  EXPECT_EQ(begin_at({.oldest = kCame, .bytes = 1, .hurry = true}, kPolicy), kCame);
}

TEST(Batching, TheFirstGroupIsAlwaysTakenAndTheLastMustFit) {
  EXPECT_TRUE(takes_another(0, 5'000, kPolicy));
  EXPECT_TRUE(takes_another(600, 400, kPolicy));
  EXPECT_FALSE(takes_another(600, 401, kPolicy));
}

}  // namespace
}  // namespace connector::core
