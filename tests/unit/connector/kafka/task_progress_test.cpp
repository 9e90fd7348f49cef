#include "connector/kafka/task_progress.h"

#include "tests/support/recording_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace connector::kafka {
namespace {

using namespace std::chrono_literals;
using core::Lane;
using core::Ledger;
using core::SourcePartition;

const common::Instant kStart = *common::parse_instant("2026-05-04T00:00:00Z");
const common::SteadyTime kNow{1'000'000s};
const core::StreamName kCalls{"calls"};
const SourcePartition kLive{.stream = kCalls, .lane = Lane::kLive};
const SourcePartition kSettle{.stream = kCalls, .lane = Lane::kSettle};

Ledger read_until(common::Instant end) {
  Ledger ledger({}, kStart);
  if (end > kStart) EXPECT_TRUE(ledger.apply(core::WindowCompleted{.window = {.start = kStart, .end = end}}));
  ledger.set_stamp({.incarnation = "i", .number = 1});
  return ledger;
}

class TaskProgressTest : public testing::Test {
 protected:
  [[nodiscard]] double metric(const std::string& mark) const {
    double last = 0;
    for (const auto& call : metrics.calls) {
      if (call.method == "watermark" && call.arguments.back() == mark) last = call.number;
    }
    return last;
  }
  static double number(common::Instant instant) { return static_cast<double>(instant.time_since_epoch().count()); }

  tests::support::RecordingMetrics metrics;
  TaskProgress progress{{{.stream = kCalls, .topic = "acme.calls"}}, {.enabled = true, .every = 10s}, metrics};
};

TEST_F(TaskProgressTest, ALedgerThatHasReadNothingTakesTheWatermarksBack) {
  progress.committed(core::Ledgers{{kLive, read_until(kStart + 72h)}, {kSettle, read_until(kStart + 48h)}});
  ASSERT_EQ(metric("complete_until"), number(kStart + 48h));

  for (const SourcePartition& source : {kLive, kSettle}) progress.replaced(source, Ledger({}, kStart));

  EXPECT_EQ(metric("seen_until"), number(kStart));
  EXPECT_EQ(metric("complete_until"), number(kStart));
  EXPECT_EQ(metric("settled_until"), number(kStart));
  EXPECT_EQ(progress.due(kNow), std::nullopt);
  progress.committed(core::Ledgers{{kLive, read_until(kStart + 1h)}, {kSettle, Ledger({}, kStart)}});
  ASSERT_EQ(progress.due(kNow), kCalls);
  const std::string told = progress.record(kCalls, {}).value.value();
  EXPECT_NE(told.find(R"("complete_until":null)"), std::string::npos) << told;
}

TEST_F(TaskProgressTest, OfJobsWhoseDataIsCompleteByAgeNobodySaysThatTheServiceDoes) {
  const auto told = [&](bool by_age) {
    TaskProgress one{{{.stream = kCalls, .topic = "acme.calls", .by_age = by_age}}, {.enabled = true, .every = 10s}, metrics};
    one.committed(core::Ledgers{{kLive, read_until(kStart + 72h)}, {kSettle, read_until(kStart + 48h)}});
    EXPECT_EQ(metric("complete_until"), number(kStart + 48h)) << "up to where the jobs have come, all the same";
    EXPECT_EQ(one.due(kNow), kCalls);
    return one.record(kCalls, {}).value.value();
  };

  EXPECT_THAT(told(true), testing::HasSubstr(R"("basis":"policy")"));
  EXPECT_THAT(told(false), testing::HasSubstr(R"("basis":"service")"));
}

TEST_F(TaskProgressTest, ALedgerThatWasOnlyGivenAnotherIdentityTakesNothingBack) {
  progress.committed(core::Ledgers{{kSettle, read_until(kStart + 48h)}});

  progress.replaced(kSettle, read_until(kStart + 48h));

  EXPECT_EQ(metric("complete_until"), number(kStart + 48h));
  EXPECT_EQ(progress.due(kNow), kCalls);
}

// Every start gives a stream the ledger of a backfill, which mostly was never asked for anything.
TEST_F(TaskProgressTest, ALedgerOfABackfillTakesNothingBack) {
  progress.committed(core::Ledgers{{kSettle, read_until(kStart + 48h)}});

  progress.replaced({.stream = kCalls, .lane = Lane::kBackfill}, Ledger({}, kStart));

  EXPECT_EQ(metric("complete_until"), number(kStart + 48h));
  EXPECT_EQ(progress.due(kNow), kCalls);
  EXPECT_EQ(metrics.count("complete_until"), 1U) << "its progress is told by its ledger alone";
}

TEST_F(TaskProgressTest, WhatALaneHasLostIsToldOfABackfillToo) {
  Ledger live = read_until(kStart);
  ASSERT_TRUE(live.apply(core::OutOfReach{.window = {.start = kStart, .end = kStart + 36h}, .at = kStart + 96h}));
  const SourcePartition source{.stream = kCalls, .lane = Lane::kBackfill};
  Ledger backfill;
  ASSERT_TRUE(backfill.apply(
      core::BackfillBegan{.order = {.id = "b", .range = {.start = kStart, .end = kStart + 48h}}, .at = kStart + 96h}));
  ASSERT_TRUE(backfill.apply(core::OutOfReach{.window = {.start = kStart, .end = kStart + 1h}, .at = kStart + 72h}));

  progress.committed(core::Ledgers{{kLive, live}, {kSettle, read_until(kStart + 48h)}, {source, backfill}});

  EXPECT_EQ(metrics.count("lost"), 3U);
  EXPECT_EQ(metrics.count("lost", "36h"), 1U);
  EXPECT_EQ(metrics.count("lost", "0s"), 1U) << "of settle";
  EXPECT_EQ(metrics.count("lost", "1h"), 1U);
  EXPECT_EQ(metrics.count("lost", "2026-05-08T00:00:00.000Z"), 1U) << "when, of live";
  EXPECT_EQ(metrics.count("lost", "2026-05-07T00:00:00.000Z"), 1U) << "of the backfill";
  EXPECT_EQ(metrics.count("lost", "never"), 1U);

  progress.replaced(kLive, Ledger({}, kStart));
  EXPECT_EQ(metrics.count("lost", "never"), 2U) << "it begins anew";
}

TEST_F(TaskProgressTest, WhileHeldNothingIsDueAndOnlyTheFirstTroubleIsNew) {
  progress.committed(core::Ledgers{{kSettle, read_until(kStart + 48h)}});
  ASSERT_EQ(progress.due(kNow), kCalls);

  EXPECT_TRUE(progress.hold(kNow + 60s));
  EXPECT_EQ(progress.due(kNow + 1h), std::nullopt);
  EXPECT_EQ(progress.next_due(), common::SteadyTime::max());
  EXPECT_FALSE(progress.may_resume(kNow + 59s));
  EXPECT_TRUE(progress.may_resume(kNow + 60s));
  progress.resume();
  EXPECT_EQ(progress.due(kNow + 60s), kCalls);
  EXPECT_FALSE(progress.hold(kNow + 120s)) << "it could not be written meanwhile";

  progress.resume();
  progress.record(kCalls, {});
  progress.written(kCalls);
  EXPECT_TRUE(progress.hold(kNow + 180s));
}

}  // namespace
}  // namespace connector::kafka
