#include "connector/core/planning/watermarks.h"

#include <gtest/gtest.h>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using common::Instant;

const Instant kStart = common::parse_instant("2026-05-04T00:00:00Z").value();

Ledger complete_until(Instant end) {
  Ledger ledger({}, kStart);
  EXPECT_TRUE(ledger.apply(WindowCompleted{.window = {.start = kStart, .end = end}}));
  return ledger;
}

TEST(Watermarks, ComeFromTheLanesThatThereAre) {
  const Ledger live = complete_until(kStart + 50h);
  Ledger settle = complete_until(kStart + 24h);
  ASSERT_TRUE(settle.apply(AgeStarted{.age = 72h, .from = kStart}));

  EXPECT_EQ(watermarks_of(&live, &settle),
            (Watermarks{.seen_until = kStart + 50h, .complete_until = kStart + 24h, .settled_until = kStart + 24h}))
      << "what was settled before the age was begun stays so";
  EXPECT_EQ(watermarks_of(&live, nullptr), Watermarks{.seen_until = kStart + 50h});
  EXPECT_EQ(watermarks_of(nullptr, &settle).seen_until, std::nullopt);
}

TEST(Watermarks, SettledIsWhatEveryAgeHasRead) {
  Ledger settle({}, kStart);
  ASSERT_TRUE(settle.apply(AgeStarted{.age = 72h, .from = kStart}));
  ASSERT_TRUE(settle.apply(AgeStarted{.age = 168h, .from = kStart}));
  ASSERT_TRUE(settle.apply(WindowCompleted{.window = {.start = kStart, .end = kStart + 96h}}));
  ASSERT_TRUE(settle.apply(PassCompleted{.window = {.start = kStart, .end = kStart + 48h}, .age = 72h}));
  EXPECT_EQ(watermarks_of(nullptr, &settle).settled_until, kStart);

  ASSERT_TRUE(settle.apply(PassCompleted{.window = {.start = kStart, .end = kStart + 24h}, .age = 168h}));
  EXPECT_EQ(watermarks_of(nullptr, &settle).settled_until, kStart + 24h);
  EXPECT_EQ(watermarks_of(nullptr, &settle).complete_until, kStart + 96h);
}

// A first reading proves nothing where the service guarantees nothing.
TEST(Watermarks, ByPolicyNothingIsCompleteBeforeItWasReadAtEveryAge) {
  Ledger live({}, kStart);
  ASSERT_TRUE(live.apply(AgeStarted{.age = 10min, .from = kStart}));
  ASSERT_TRUE(live.apply(AgeStarted{.age = 6h, .from = kStart}));
  ASSERT_TRUE(live.apply(WindowCompleted{.window = {.start = kStart, .end = kStart + 8h}}));
  ASSERT_TRUE(live.apply(WindowCompleted{.window = {.start = kStart, .end = kStart + 7h}, .pass = {.age = 10min}}));
  ASSERT_TRUE(live.apply(WindowCompleted{.window = {.start = kStart, .end = kStart + 2h}, .pass = {.age = 6h}}));

  EXPECT_EQ(watermarks_of(&live, nullptr, Basis::kPolicy),
            (Watermarks{.seen_until = kStart + 8h, .complete_until = kStart + 2h, .settled_until = kStart + 2h}));
}

TEST(Watermarks, NoneGoesBack) {
  Watermarks marks{.seen_until = kStart + 2h, .complete_until = kStart + 1h};

  marks.advance({.seen_until = kStart + 1h, .complete_until = kStart + 2h, .settled_until = kStart});
  EXPECT_EQ(marks, (Watermarks{.seen_until = kStart + 2h, .complete_until = kStart + 2h, .settled_until = kStart}));
  marks.advance({});
  EXPECT_EQ(marks, (Watermarks{.seen_until = kStart + 2h, .complete_until = kStart + 2h, .settled_until = kStart}));
}

}  // namespace
}  // namespace connector::core
