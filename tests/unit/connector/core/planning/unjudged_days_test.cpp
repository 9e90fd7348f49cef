#include "connector/core/planning/unjudged_days.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using common::Interval;
using testing::IsEmpty;

const HomeDay kDay = std::chrono::year(2026) / 5 / 4;

Interval days(int start, int end) {
  return {.start = kDay + std::chrono::days(start), .end = kDay + std::chrono::days(end)};
}

// Four days read at every age, `unjudged` days of them not judged.
Ledger settled(int unjudged = 0) {
  Ledger ledger({}, kDay);
  EXPECT_TRUE(ledger.apply(AgeStarted{.age = 72h, .from = kDay}));
  EXPECT_TRUE(ledger.apply(WindowCompleted{.window = days(0, 4)}));
  EXPECT_TRUE(ledger.apply(PassCompleted{.window = days(0, 4), .age = 72h}));
  for (int day = 0; day < unjudged; ++day) EXPECT_TRUE(ledger.apply(JudgingBegun{days(day, day + 1)}));
  EXPECT_TRUE(ledger.apply(AvailabilitySeen{kDay + 200h}));
  return ledger;
}

Ledger after(Ledger ledger, const std::vector<LedgerChange>& changes) {
  for (const LedgerChange& change : changes) EXPECT_TRUE(ledger.apply(change));
  return ledger;
}

TEST(ForgottenJudgements, OwedIsEachDayThatNoPassWillReadByItself) {
  const Ledger ledger = settled(3);

  const Ledger mended = after(ledger, forgotten_judgements(ledger, {kDay + std::chrono::days(1)}));

  EXPECT_EQ(mended.unjudged().intervals(), std::vector{days(1, 2)}) << "somebody judges that one";
  ASSERT_EQ(mended.owed().size(), 2U);
  EXPECT_EQ(mended.owed()[0], (OwedDay{.window = days(0, 1), .since = kDay + 200h, .after = kDay + 200h}));
  EXPECT_EQ(mended.owed()[1].window, days(2, 3));
}

TEST(ForgottenJudgements, ADayWithAPassToComeIsJudgedThen) {
  Ledger ledger = settled(1);
  ASSERT_TRUE(ledger.apply(AgeStarted{.age = 7 * 24h, .from = kDay}));

  const Ledger mended = after(ledger, forgotten_judgements(ledger, {}));

  EXPECT_THAT(mended.unjudged().intervals(), IsEmpty());
  EXPECT_THAT(mended.owed(), IsEmpty());
}

TEST(ForgottenJudgements, NothingUnjudgedIsNothingToDo) {
  EXPECT_THAT(forgotten_judgements(settled(), {}), IsEmpty());
  EXPECT_THAT(forgotten_judgements(settled(1), {kDay}), IsEmpty());
}

struct MissedCase {
  const char* name;
  Interval window;
  Pass pass;
  bool later_age;
  common::Duration start;
  bool owed;
};
class JudgementMissed : public testing::TestWithParam<MissedCase> {};

TEST_P(JudgementMissed, OwesTheDayUnlessAPassIsToComeOrItIsNoUse) {
  const MissedCase& the = GetParam();
  Ledger ledger = settled().started_at(kDay + the.start);
  if (the.later_age) ASSERT_TRUE(ledger.apply(AgeStarted{.age = 7 * 24h, .from = kDay + the.start}));

  const Ledger changed = after(ledger, judgement_missed(ledger, the.window, the.pass, kDay + 150h));

  ASSERT_EQ(changed.owed().size(), the.owed ? 1U : 0U);
  if (the.owed) EXPECT_EQ(changed.owed()[0], (OwedDay{.window = days(0, 1), .since = kDay + 150h, .after = kDay + 150h}));
}

constexpr Interval half_day() {
  return {.start = common::Instant(std::chrono::sys_days(std::chrono::year(2026) / 5 / 4)),
          .end = common::Instant(std::chrono::sys_days(std::chrono::year(2026) / 5 / 4)) + 12h};
}

INSTANTIATE_TEST_SUITE_P(Passes, JudgementMissed,
                         testing::Values(MissedCase{"ReadByTwoLives", days(0, 1), {.age = 72h}, false, 0h, true},
                                         MissedCase{"ReadByTwoLivesWhenOwed", days(0, 1), {.is_owed = true}, false, 0h, true},
                                         MissedCase{"APassIsToCome", days(0, 1), {.age = 72h}, true, 0h, false},
                                         MissedCase{"ReadInParts", half_day(), {.age = 72h}, false, 0h, true},
                                         MissedCase{"ReadInPartsAgain", half_day(), {.is_owed = true}, false, 0h, false},
                                         MissedCase{"TheLaneBeganInTheDay", half_day(), {.age = 72h}, false, 6h, false}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace connector::core
