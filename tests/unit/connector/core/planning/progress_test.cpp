#include "connector/core/planning/progress.h"

#include <gtest/gtest.h>
#include <fstream>
#include <iterator>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using common::Instant;
using common::SteadyTime;

const Instant kStart = common::parse_instant("2026-05-04T00:00:00Z").value();
const SteadyTime kNow{1'000'000s};
const StreamName kCalls("conversations");
const StreamName kUsers("users");

std::string fixture(const std::string& name) {
  std::ifstream file(std::string(GK_STATE_FIXTURES) + "/v1/" + name);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

Ledger read_until(Instant end) {
  Ledger ledger({}, kStart);
  if (end > kStart) EXPECT_TRUE(ledger.apply(WindowCompleted{.window = {.start = kStart, .end = end}}));
  return ledger;
}

StreamProgress seen(common::Duration after_start, Instant start = kStart) {
  return {.start = start, .marks = {.seen_until = kStart + after_start}, .basis = Basis::kPolicy};
}

TEST(ProgressRecord, IsWrittenAsItsFixtureOfVersion1) {
  const ProgressRecord record{.stream = kCalls,
                              .topic = "acme.conversations",
                              .progress = {.start = kStart,
                                           .marks = {.seen_until = kStart + 81h + 30min, .complete_until = kStart + 72h},
                                           .basis = Basis::kService},
                              .offsets = {1204, 0, 977}};
  EXPECT_EQ(record.serialize(), fixture("progress.json"));
}

TEST(Progress, BeginsWhereTheLaneBeginsThatCompletenessRestsOn) {
  const Ledger settle = read_until(kStart + 24h);
  Ledger live({}, kStart + 20h);

  EXPECT_EQ(progress_of(&live, &settle, Basis::kService).start, kStart);
  EXPECT_EQ(progress_of(&live, nullptr, Basis::kService).start, std::nullopt) << "the settle lane has not begun";
  EXPECT_EQ(progress_of(&live, nullptr, Basis::kPolicy).start, kStart + 20h);
  EXPECT_TRUE(progress_of(nullptr, nullptr, Basis::kService).is_unknown());
}

TEST(ProgressSchedule, TellsOfWhatHasMovedAndNotMoreOftenThanSaid) {
  ProgressSchedule schedule(10s);
  EXPECT_EQ(schedule.next_due(), SteadyTime::max());
  schedule.moved(kCalls, seen(1min));
  ASSERT_EQ(schedule.due(kNow), kCalls) << "once at the start: what was told before is not known";
  schedule.begin(kCalls, kNow);
  schedule.told(kCalls, seen(1min));

  EXPECT_EQ(schedule.due(kNow + 1h), std::nullopt) << "nothing has moved";
  EXPECT_EQ(schedule.next_due(), SteadyTime::max());
  schedule.moved(kCalls, seen(2min));
  EXPECT_EQ(schedule.due(kNow + 10s - 1ms), std::nullopt);
  EXPECT_EQ(schedule.next_due(), kNow + 10s);
  EXPECT_EQ(schedule.due(kNow + 10s), kCalls);
}

TEST(ProgressSchedule, AnAttemptInVainIsMadeAgainNotSooner) {
  ProgressSchedule schedule(10s);
  schedule.moved(kCalls, seen(1min));
  schedule.begin(kCalls, kNow);

  EXPECT_EQ(schedule.due(kNow + 9s), std::nullopt);
  EXPECT_EQ(schedule.due(kNow + 10s), kCalls);
}

TEST(ProgressSchedule, WhatMovedWhileItWasToldIsToldNext) {
  ProgressSchedule schedule(10s);
  schedule.moved(kCalls, seen(1min));
  schedule.begin(kCalls, kNow);
  schedule.moved(kCalls, seen(2min));
  schedule.told(kCalls, seen(1min));

  EXPECT_EQ(schedule.due(kNow + 10s), kCalls);
}

TEST(ProgressSchedule, OfSeveralTheOneThatWaitsLongest) {
  ProgressSchedule schedule(10s);
  for (const StreamName& stream : {kCalls, kUsers}) schedule.moved(stream, seen(1min));
  schedule.begin(kCalls, kNow);

  EXPECT_EQ(schedule.due(kNow + 20s), kUsers);
  schedule.begin(kUsers, kNow + 20s);
  EXPECT_EQ(schedule.due(kNow + 20s), kCalls);
}

TEST(ProgressSchedule, NothingIsToldBeforeTheFirstCommit) {
  ProgressSchedule schedule(10s);
  schedule.moved(kCalls, {});

  EXPECT_EQ(schedule.due(kNow), std::nullopt);
  EXPECT_EQ(schedule.next_due(), SteadyTime::max());
}

TEST(ProgressSchedule, NoMarkGoesBackUnlessTheStreamBeginsAnew) {
  ProgressSchedule schedule(10s);
  schedule.moved(kCalls, seen(2min));

  EXPECT_EQ(schedule.moved(kCalls, seen(1min)).marks.seen_until, kStart + 2min);
  EXPECT_EQ(schedule.moved(kCalls, seen(1min, kStart - 24h)).marks.seen_until, kStart + 1min);
}

// `on_changed_membership: re_read` begins where the stream began before.
TEST(ProgressSchedule, AStreamThatBeginsAnewWhereItBeganHasItsMarksTakenBack) {
  ProgressSchedule schedule(10s);
  schedule.moved(kCalls, seen(2min));

  schedule.begin_anew(kCalls);

  EXPECT_EQ(schedule.due(kNow), std::nullopt) << "nothing is known of it";
  EXPECT_EQ(schedule.moved(kCalls, seen(1min)).marks.seen_until, kStart + 1min);
  EXPECT_EQ(schedule.due(kNow), kCalls);
}

}  // namespace
}  // namespace connector::core
