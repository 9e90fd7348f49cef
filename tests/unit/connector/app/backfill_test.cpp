#include "connector/app/backfill.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace connector::app {
namespace {

using testing::HasSubstr;

const core::StreamName kCalls("calls");
const common::Instant kNow = common::parse_instant("2026-05-04T10:00:00Z").value();
const common::Interval kJanuary = common::parse_interval("2026-01-01T00:00:00Z/2026-02-01T00:00:00Z").value();

struct Fixture : testing::Test {
  Fixture() {
    options.name = core::ConnectorName("acme");
    options.streams.emplace_back();
    options.streams[0].name = kCalls;
    options.streams[0].definition = "conversation-details";
    definitions["conversation-details"].job.emplace();
    now.has_run[kCalls] = true;
  }
  [[nodiscard]] common::Result<core::BackfillOrder> order(const common::Interval& range = kJanuary,
                                                          const std::string& stream = "calls") const {
    return order_backfill(options, definitions, now, core::StreamName(stream), {.id = {}, .range = range}, kNow);
  }
  void run_of(const common::Interval& range, core::BackfillState state) {
    core::Ledger ledger;
    EXPECT_TRUE(ledger.apply(core::BackfillBegan{.order = {.id = "known", .range = range}, .at = kNow}));
    if (state != core::BackfillState::kRunning) {
      EXPECT_TRUE(ledger.apply(core::BackfillEnded{.state = state, .detail = {}, .at = kNow}));
    }
    now.ledgers[kCalls] = ledger;
  }

  AppOptions options;
  Definitions definitions;
  BackfillsNow now;
};
using OrderBackfill = Fixture;

TEST_F(OrderBackfill, HasAnIdThatNobodyElseHas) {
  const auto first = order();
  const auto second = order();

  ASSERT_TRUE(first && second);
  EXPECT_FALSE(first->id.empty());
  EXPECT_NE(first->id, second->id);
  EXPECT_EQ(first->range, kJanuary);
}

TEST_F(OrderBackfill, IsRefusedBehindWhatTheServiceKeeps) {
  options.streams[0].retention = std::chrono::days{90};
  const auto refused = order();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, common::ErrorCode::kConfigInvalid);
  EXPECT_THAT(refused.error().message, HasSubstr("allowed: 2026-02-03T12:00:00Z or later"));

  EXPECT_TRUE(order({.start = kNow - std::chrono::days{89}, .end = kNow - std::chrono::days{80}}));
  run_of(kJanuary, core::BackfillState::kRunning);
  EXPECT_TRUE(order()) << "the one that runs may still be watched";
}

TEST_F(OrderBackfill, IsRefusedWhereItCannotBeDone) {
  EXPECT_THAT(order(kJanuary, "mails").error().message, HasSubstr("no stream mails"));
  EXPECT_THAT(order({.start = kNow - std::chrono::hours(1), .end = kNow + std::chrono::hours(1)}).error().message,
              HasSubstr("still to come"));
  options.streams[0].settle.enabled = false;
  EXPECT_THAT(order().error().message, HasSubstr("no settle lane"));
  options.streams[0].settle.enabled = true;
  now.has_run.clear();
  EXPECT_THAT(order().error().message, HasSubstr("has never run"));
}

TEST_F(OrderBackfill, OfTheRangeThatIsUnderWayIsThatOne) {
  run_of(kJanuary, core::BackfillState::kRunning);

  EXPECT_EQ(order()->id, "known");
}

TEST_F(OrderBackfill, OfAnotherRangeWaitsForTheOneThatIsUnderWay) {
  run_of({.start = kJanuary.start, .end = kJanuary.start + std::chrono::hours(24)}, core::BackfillState::kRunning);
  EXPECT_THAT(order().error().message, HasSubstr("one at a time"));

  run_of(kJanuary, core::BackfillState::kDone);
  EXPECT_NE(order()->id, "known") << "what has ended can be asked for again";
}

}  // namespace
}  // namespace connector::app
