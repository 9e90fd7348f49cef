#include "connector/cli/backfill_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace connector::cli {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const common::Instant kFrom = common::parse_instant("2026-01-01T00:00:00Z").value();
const common::Instant kBegan = common::parse_instant("2026-05-04T10:00:00Z").value();

core::Ledger running(int days_done = 1, common::Duration after = 10min) {
  core::Ledger ledger;
  EXPECT_TRUE(
      ledger.apply(core::BackfillBegan{.order = {.id = "a", .range = {.start = kFrom, .end = kFrom + 4 * 24h}}, .at = kBegan}));
  for (int day = 0; day < days_done; ++day) {
    EXPECT_TRUE(ledger.apply(
        core::WindowCompleted{.window = {.start = kFrom + day * 24h, .end = kFrom + (day + 1) * 24h}, .records = 100}));
  }
  EXPECT_TRUE(ledger.apply(core::BackfillUsed{.requests = 60, .permitted = 240, .at = kBegan + after}));
  return ledger;
}

core::Ledger ended(core::BackfillState state, std::uint64_t set_aside = 0, const std::string& detail = {}) {
  core::Ledger ledger = running(4);
  EXPECT_TRUE(ledger.apply(core::BackfillEnded{.state = state, .detail = detail, .set_aside = set_aside, .at = kBegan + 20min}));
  return ledger;
}

TEST(BackfillReport, SaysHowFarItIsAndWhatItCosts) {
  EXPECT_THAT(progress_of("calls", running()), AllOf(HasSubstr("calls: 25.0 %"), HasSubstr("1 windows, 100 records, 60 requests"),
                                                     HasSubstr("2.5 % of the quota"), HasSubstr("about 30m left")));
}

TEST(BackfillReport, NeverSaysAllBeforeItIs) {
  core::Ledger almost = running(3);
  EXPECT_TRUE(almost.apply(core::WindowCompleted{.window = {.start = kFrom + 72h, .end = kFrom + 96h - 1ms}}));

  EXPECT_THAT(progress_of("calls", almost), HasSubstr("99.9 %"));
}

TEST(BackfillReport, ABarFillsUp) {
  EXPECT_EQ(bar_of(0, 4), "[----]");
  EXPECT_EQ(bar_of(0.5, 4), "[##--]");
  EXPECT_EQ(bar_of(1, 4), "[####]");
}

TEST(BackfillReport, SaysHowItEnded) {
  EXPECT_THAT(end_of("calls", ended(core::BackfillState::kDone)),
              AllOf(HasSubstr("is done"), HasSubstr("4 windows, 400 records"), Not(HasSubstr("still open"))));
  EXPECT_THAT(end_of("calls", ended(core::BackfillState::kDone, 3)), HasSubstr("3 records were still open"));
  EXPECT_THAT(end_of("calls", ended(core::BackfillState::kCancelled)), HasSubstr("is cancelled"));
  EXPECT_THAT(end_of("calls", ended(core::BackfillState::kRefused, 0, "no such thing")), HasSubstr("was refused: no such thing"));
}

// Its first days expired while it waited: the others are there, and nobody may take it for whole.
TEST(BackfillReport, SaysWhatWasLostOfIt) {
  core::Ledger ledger;
  ASSERT_TRUE(
      ledger.apply(core::BackfillBegan{.order = {.id = "a", .range = {.start = kFrom, .end = kFrom + 4 * 24h}}, .at = kBegan}));
  ASSERT_TRUE(ledger.apply(core::OutOfReach{{.start = kFrom, .end = kFrom + 36h}}));
  EXPECT_THAT(progress_of("calls", ledger), HasSubstr("; 36h of it lost"));
  EXPECT_THAT(progress_of("calls", running()), Not(HasSubstr("lost")));
  ASSERT_TRUE(ledger.apply(core::WindowCompleted{.window = {.start = kFrom + 36h, .end = kFrom + 4 * 24h}, .records = 250}));
  ASSERT_TRUE(ledger.apply(core::BackfillEnded{.state = core::BackfillState::kDone, .detail = {}, .at = kBegan + 20min}));

  EXPECT_THAT(end_of("calls", ledger),
              AllOf(HasSubstr("is done"), HasSubstr("but 36h of it could not be read any more"), HasSubstr("`retention`"),
                    HasSubstr(": 2026-01-01T00:00:00.000Z/2026-01-02T12:00:00.000Z")));
  const std::string json = common::json::serialize(to_json("calls", ledger));
  EXPECT_THAT(json, AllOf(HasSubstr(R"("lost":["2026-01-01T00:00:00.000Z/2026-01-02T12:00:00.000Z"])"),
                          HasSubstr(R"("state":"done")"), HasSubstr(R"("lost_seconds":1.296E5)")));
  EXPECT_EQ(exit_code_of(ledger), 6) << "as of verify and dead-letters retry: something is left";

  const core::Ledger whole = ended(core::BackfillState::kDone);
  EXPECT_THAT(end_of("calls", whole), Not(HasSubstr("any more")));
  EXPECT_THAT(common::json::serialize(to_json("calls", whole)), Not(HasSubstr("lost")));
  EXPECT_EQ(exit_code_of(whole), 0);
  EXPECT_EQ(exit_code_of(ended(core::BackfillState::kCancelled)), 7);
  EXPECT_EQ(exit_code_of(ended(core::BackfillState::kRefused)), 2);
}

TEST(BackfillReport, NamesTheFirstOfManyRangesThatWereLost) {
  core::Ledger ledger;
  ASSERT_TRUE(
      ledger.apply(core::BackfillBegan{.order = {.id = "a", .range = {.start = kFrom, .end = kFrom + 10 * 24h}}, .at = kBegan}));
  for (int day = 1; day < 10; day += 2)
    ASSERT_TRUE(ledger.apply(core::WindowCompleted{.window = {.start = kFrom + day * 24h, .end = kFrom + (day + 1) * 24h}}));
  ASSERT_TRUE(ledger.apply(core::OutOfReach{{.start = kFrom, .end = kFrom + 10 * 24h}}));
  ASSERT_TRUE(ledger.apply(core::BackfillEnded{.state = core::BackfillState::kDone, .detail = {}, .at = kBegan + 20min}));

  EXPECT_THAT(end_of("calls", ledger),
              AllOf(HasSubstr("but 5d of it"), HasSubstr("2026-01-05T00:00:00.000Z/"),
                    Not(HasSubstr("2026-01-07T00:00:00.000Z/")), HasSubstr("and 2 more (--output json")));
}

TEST(BackfillReport, IsOneMovingLineOnATerminalAndALineNowAndThenInAPipe) {
  std::ostringstream out;
  std::ostringstream err;
  const Surroundings pipe{.environment = {}, .read_file = {}, .confirm = {}, .out = out, .err = err};
  BackfillReport lines("calls", pipe);
  for (const auto after : {1s, 2s, 12s, 13s}) lines.tell(running(1, after));
  lines.close();
  const std::string told = err.str();
  EXPECT_EQ(std::ranges::count(told, '\n'), 2);
  EXPECT_THAT(told, Not(HasSubstr("\r")));

  err.str("");
  const Surroundings terminal{.environment = {}, .read_file = {}, .confirm = {}, .out = out, .err = err, .terminal = true};
  BackfillReport bar("calls", terminal);
  bar.tell(running(1, 1s));
  bar.tell(running(2, 2s));
  bar.close();
  EXPECT_EQ(std::ranges::count(err.str(), '\n'), 1);
  EXPECT_THAT(err.str(), AllOf(HasSubstr("\r"), HasSubstr("[###############---------------]")));
  EXPECT_EQ(out.str(), "") << "results only";
}

}  // namespace
}  // namespace connector::cli
