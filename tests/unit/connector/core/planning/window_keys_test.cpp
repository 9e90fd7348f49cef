#include "connector/core/planning/window_keys.h"

#include <gtest/gtest.h>
#include <string>

namespace connector::core {
namespace {

TEST(WindowKeys, TheSameContentIsDropped) {
  WindowKeys keys(1000);
  EXPECT_EQ(keys.see("k", "content", false, {}).verdict, RowVerdict::kNew);
  EXPECT_EQ(keys.see("k", "content", false, {}).verdict, RowVerdict::kSame);
  EXPECT_EQ(keys.distinct(), 1U);
}

TEST(WindowKeys, ALaterRowReplacesAnEarlierOneAndNamesIt) {
  WindowKeys keys(1000);
  keys.see("k", "open", true, {.page = 3, .record = 7});

  const RowSeen seen = keys.see("k", "closed", false, {.page = 4, .record = 1});

  EXPECT_EQ(seen.verdict, RowVerdict::kReplaces);
  EXPECT_EQ(seen.earlier.page, 3U);
  EXPECT_EQ(seen.earlier.record, 7U);
}

TEST(WindowKeys, AnOpenRowNeverReplacesAClosedOne) {
  WindowKeys keys(1000);
  keys.see("k", "closed", false, {});

  EXPECT_EQ(keys.see("k", "open", true, {}).verdict, RowVerdict::kPoorer);
  EXPECT_EQ(keys.see("k", "closed", false, {}).verdict, RowVerdict::kSame) << "the poorer row must leave no trace";
}

// Of a projection without the record's end: the same bytes, and yet another state.
TEST(WindowKeys, ARowThatClosesReplacesAnOpenOneOfTheSameContent) {
  WindowKeys keys(1000);
  keys.see("k", "same", true, {});

  EXPECT_EQ(keys.see("k", "same", false, {}).verdict, RowVerdict::kReplaces);
  EXPECT_EQ(keys.see("k", "same", true, {}).verdict, RowVerdict::kPoorer);
}

TEST(WindowKeys, TellsManyKeysApart) {
  WindowKeys keys(100'000);
  for (int i = 0; i < 50'000; ++i) ASSERT_EQ(keys.see(std::to_string(i), "c", false, {}).verdict, RowVerdict::kNew) << i;
  for (int i = 0; i < 50'000; ++i) ASSERT_EQ(keys.see(std::to_string(i), "c", false, {}).verdict, RowVerdict::kSame) << i;
  EXPECT_EQ(keys.distinct(), 50'000U);
}

TEST(WindowKeys, BeyondItsBoundKeysAreNewAgain) {
  WindowKeys keys(10);
  for (int i = 0; i < 10; ++i) keys.see(std::to_string(i), "c", false, {});
  EXPECT_TRUE(keys.is_full());

  EXPECT_EQ(keys.see("x", "c", false, {}).verdict, RowVerdict::kNew);
  EXPECT_EQ(keys.see("x", "c", false, {}).verdict, RowVerdict::kNew);
  EXPECT_EQ(keys.see("3", "c", false, {}).verdict, RowVerdict::kSame);
}

}  // namespace
}  // namespace connector::core
