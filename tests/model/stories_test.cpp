// Worlds of one or two conversations in which a rule of docs/records.md decides: told hour by hour, with the exact sequence of
// records that comes of them.

#include "tests/model/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace tests::model {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;
using testing::AnyOf;
using testing::ElementsAre;

const Instant kMidnight = std::chrono::sys_days(std::chrono::year(2026) / 5 / 4);

// The connector runs from midnight on, with all its lanes; nothing goes wrong unless the story says so.
class Story : public testing::Test {
 protected:
  Story() {
    scenario.seed = 1;
    scenario.stream.name = connector::core::StreamName{"conversations"};
    scenario.stream.definition = "conversation-details";
    scenario.stream.start = kMidnight;
    scenario.stream.live.every = 1h;
    scenario.stream.live.delay = 30s;
    scenario.stream.live.ages = {};
    scenario.stream.settle.ages = {0h};
    scenario.begins = kMidnight;
    scenario.calm_from = kMidnight;
    scenario.ends = kMidnight + days{20};
    lake_behind(6h);
  }

  // Its first version: open.
  void begins(const std::string& key, Duration after) {
    scenario.world.conversations.push_back(
        {.key = key, .start = kMidnight + after, .versions = {{.at = kMidnight + after, .content = 0, .attributes = 1}}});
  }
  // The next versions of the conversation that began last.
  void closes(Duration after) {
    next_version(after);
    last_version().end = kMidnight + after;
  }
  void reopens(Duration after) {
    next_version(after);
    last_version().end.reset();
  }
  void changes(Duration after) { next_version(after); }
  void changes_attributes(Duration after) {
    next_version(after);
    --last_version().content;
    ++last_version().attributes;
  }

  void lake_behind(Duration lag) {
    scenario.world.availability.clear();
    for (Instant at = kMidnight - days{2}; at < scenario.ends; at += 10min) {
      scenario.world.availability.push_back({.at = at, .date = at - lag});
    }
  }

  // All records, as `key#version form`.
  std::vector<std::string> published() {
    const RunResult result = run(scenario, KeepLog::kYes);
    std::string log;
    for (const std::string& line : result.log) log += line + "\n";
    EXPECT_FALSE(result.broken) << *result.broken << "\n" << log;
    std::vector<std::string> records;
    for (const PublishedRecord& record : result.published) {
      records.push_back(record.key + "#" + std::to_string(record.version) + (record.form == Form::kJob ? " job" : " query"));
    }
    return records;
  }

  Scenario scenario;

 private:
  Version& last_version() { return scenario.world.conversations.back().versions.back(); }
  void next_version(Duration after) {
    auto& versions = scenario.world.conversations.back().versions;
    versions.push_back(versions.back());
    last_version().at = kMidnight + after;
    ++last_version().content;
  }
};

TEST_F(Story, AConversationThatIsReopenedAfterItWasSealedIsSettledAgainThoughNoPassIsToCome) {
  scenario.stream.settle.window = 6h;
  lake_behind(10min);
  begins("c", 1h);
  closes(1h + 20min);
  reopens(7h);
  closes(7h + 30min);

  EXPECT_THAT(published(), ElementsAre("c#1 query", "c#1 job", "c#3 job"));
}

TEST_F(Story, WhatTheIndexShowsLateIsFoundByAReadAtALaterAge) {
  scenario.stream.settle.enabled = false;
  scenario.stream.live.ages = {6h};
  begins("c", 1h);
  closes(1h + 10min);
  scenario.world.conversations.back().late = 3h;

  EXPECT_THAT(published(), ElementsAre("c#1 query"));
}

TEST_F(Story, AnEvaluationDaysLaterComesWithTheNextPassAndWhatDidNotChangeDoesNot) {
  scenario.stream.settle.ages = {0h, days{3}, days{7}};
  begins("c", 1h);
  closes(1h + 10min);
  changes_attributes(days{5});
  begins("d", 2h);
  closes(2h + 10min);

  EXPECT_THAT(published(), ElementsAre("c#1 query", "d#1 query", "c#1 job", "d#1 job", "c#2 job"));
}

TEST_F(Story, MonthsAwayLoseAndRepeatNothing) {
  scenario.stream.settle.ages = {0h, days{3}, days{7}};
  scenario.faults = {{.at = kMidnight + 36h, .kind = FaultKind::kKill, .duration = days{60}}};
  scenario.calm_from = kMidnight + days{62};
  scenario.ends = kMidnight + days{90};
  lake_behind(6h);
  begins("c", 1h);
  closes(1h + 10min);
  begins("meanwhile", days{30});
  closes(days{30} + 10min);

  EXPECT_THAT(published(), AnyOf(ElementsAre("c#1 query", "c#1 job", "meanwhile#1 query", "meanwhile#1 job"),
                                 ElementsAre("c#1 query", "c#1 job", "meanwhile#1 job")));
}

TEST_F(Story, WhatOnlyAJobShowsAndShowsOpenIsReadByIdUntilItCloses) {
  begins("c", 1h);
  closes(days{5});
  scenario.world.conversations.back().late = 30h;

  EXPECT_THAT(published(), ElementsAre("c#0 query", "c#1 query", "c#1 job"));
}

TEST_F(Story, WhatTheLakeSpellsOtherwiseIsNotTakenForAChange) {
  scenario.world.spells_apart = true;
  scenario.stream.settle.window = 6h;
  scenario.stream.settle.ages = {0h, days{1}};
  scenario.stream.live.ages = {12h};
  lake_behind(10min);
  begins("c", 1h);
  closes(1h + 10min);

  EXPECT_THAT(published(), ElementsAre("c#1 query", "c#1 job"));
}

TEST_F(Story, AWindowBeforeMidnightIsReadAgainOnItsOwnDay) {
  scenario.stream.follow.enabled = false;
  scenario.stream.live.ages = {3h};
  begins("c", 23h + 59min + 30s);
  closes(24h + 30min);

  EXPECT_THAT(published(), ElementsAre("c#0 query", "c#1 query", "c#1 job"));
}

TEST_F(Story, AJobThatKnowsLessThanWasPublishedTakesNothingBackAndTheDayIsSettledAgain) {
  scenario.stream.settle.window = 6h;
  scenario.stream.live.ages = {6h};
  scenario.world.availability = {{.at = kMidnight - days{2}, .date = kMidnight - 1h},
                                 {.at = kMidnight + 10h, .date = kMidnight + 6h + 30min},
                                 {.at = kMidnight + 30h, .date = kMidnight + 29h},
                                 {.at = kMidnight + days{3}, .date = kMidnight + days{3} - 1h},
                                 {.at = kMidnight + days{18}, .date = kMidnight + days{18} - 1h}};
  begins("c", 1h);
  closes(1h + 10min);
  changes(7h);

  EXPECT_THAT(published(), ElementsAre("c#1 query", "c#2 query", "c#2 job"));
}

TEST_F(Story, AHostWhoseClockIsMonthsAheadForgetsNothing) {
  scenario.stream.settle.enabled = false;
  scenario.faults = {{.at = kMidnight + 36h, .kind = FaultKind::kClock, .duration = days{200}}};
  scenario.calm_from = kMidnight + days{10};
  begins("c", 1h);
  closes(days{5});

  EXPECT_THAT(published(), ElementsAre("c#0 query", "c#1 query"));
}

TEST_F(Story, AHostWhoseClockLagsAndIsSetRightIsNotWaitedFor) {
  scenario.stream.settle.enabled = false;
  scenario.stream.follow.enabled = false;
  scenario.faults = {{.at = kMidnight + 36h, .kind = FaultKind::kClock, .duration = -days{30}}};
  scenario.calm_from = kMidnight + 40h;
  begins("c", days{3});
  closes(days{3} + 10min);

  EXPECT_THAT(published(), ElementsAre("c#1 query"));
}

TEST_F(Story, AHostWhoseClockIsAheadAndIsSetRightIsNotWaitedFor) {
  scenario.stream.settle.enabled = false;
  scenario.stream.follow.enabled = false;
  scenario.faults = {{.at = kMidnight + 36h, .kind = FaultKind::kClock, .duration = days{30}}};
  scenario.calm_from = kMidnight + 40h;
  begins("c", days{3});
  closes(days{3} + 10min);

  EXPECT_THAT(published(), ElementsAre("c#1 query"));
}

TEST_F(Story, WithoutTransactionsWhatWasWrittenByADyingConnectorIsWrittenAgainAndNothingIsLost) {
  scenario.exactly_once = false;
  scenario.stream.settle.ages = {0h, days{3}};
  for (int kill = 0; kill < 20; ++kill) {
    scenario.faults.push_back({.at = kMidnight + 1h + kill * 6h, .kind = FaultKind::kKill, .duration = 1min});
  }
  scenario.calm_from = kMidnight + days{6};
  begins("c", 1h);
  closes(1h + 10min);
  changes(2h);

  const auto records = published();

  ASSERT_FALSE(records.empty());
  EXPECT_EQ(records.back(), "c#2 job");
}

}  // namespace
}  // namespace tests::model
