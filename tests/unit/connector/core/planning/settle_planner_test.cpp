#include "connector/core/planning/settle_planner.h"

#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <vector>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using common::Instant;
using common::Interval;

Instant at(const std::string& text) {
  return common::parse_instant(text.size() == 10 ? text + "T00:00:00Z" : text + "Z").value();
}

std::string show(const Interval& window) {
  return common::format_instant(window.start, false) + "/" + common::format_instant(window.end, false);
}

std::string show(const SettlePlan& plan) {
  if (const auto* resume = std::get_if<ResumeWindow>(&plan)) return "resume " + show(resume->open.window);
  if (const auto* submit = std::get_if<SubmitWindow>(&plan)) return "submit " + show(submit->window);
  if (const auto* ask = std::get_if<AskAvailability>(&plan)) return "ask until " + common::format_instant(ask->until, false);
  return "wait for jobs";
}

SettlePlan plan(const SettlePlanOptions& options, const Ledger& ledger, std::optional<Instant> availability,
                const std::vector<Interval>& running) {
  return plan_settle(options, ledger, {.availability = availability, .now = at("2028-01-01")}, running);
}

TEST(SettlePlanner, BeginsWithAPartialDay) {
  const Ledger ledger({}, at("2026-05-04T10:30:00"));

  EXPECT_EQ(show(plan({}, ledger, at("2026-05-08"), {})), "submit 2026-05-04T10:30:00Z/2026-05-05T00:00:00Z");
}

TEST(SettlePlanner, TakesWholeDaysOldestFirst) {
  const Ledger ledger({}, at("2026-05-04T10:30:00"));
  const std::vector<Interval> running{{.start = at("2026-05-04T10:30:00"), .end = at("2026-05-05")}};

  EXPECT_EQ(show(plan({}, ledger, at("2026-05-08"), running)), "submit 2026-05-05T00:00:00Z/2026-05-06T00:00:00Z");
}

TEST(SettlePlanner, LiesOnAGridWithinTheDay) {
  const Ledger ledger({}, at("2026-05-04T10:30:00"));

  EXPECT_EQ(show(plan({.window = 6h}, ledger, at("2026-05-08"), {})), "submit 2026-05-04T10:30:00Z/2026-05-04T12:00:00Z");
  // A length that does not divide the day: the last window of the day is shorter.
  EXPECT_EQ(show(settle_window_at(at("2026-05-04T21:00:00"), 7h)), "2026-05-04T21:00:00Z/2026-05-05T00:00:00Z");
}

TEST(SettlePlanner, SubmitsNothingBeyondTheAvailabilityDate) {
  const Ledger ledger({}, at("2026-05-04"));

  EXPECT_EQ(show(plan({}, ledger, at("2026-05-04T23:59:59"), {})), "ask until 2026-05-05T00:00:00Z");
  EXPECT_EQ(show(plan({}, ledger, at("2026-05-05"), {})), "submit 2026-05-04T00:00:00Z/2026-05-05T00:00:00Z");
}

TEST(SettlePlanner, NoDateNoProgress) {
  EXPECT_EQ(show(plan({}, Ledger({}, at("2026-05-04")), std::nullopt, {})), "ask until 2026-05-05T00:00:00Z");
}

TEST(SettlePlanner, AnOpenWindowIsTakenUpEvenIfTheDateIsNotKnown) {
  Ledger ledger({}, at("2026-05-04"));
  ASSERT_TRUE(ledger.apply(WindowOpened{{.start = at("2026-05-04"), .end = at("2026-05-05")},
                                        AtJob{.job = JobId("j"), .cursor = "c", .submitted = at("2026-05-06")}}));

  EXPECT_EQ(show(plan({}, ledger, std::nullopt, {})), "resume 2026-05-04T00:00:00Z/2026-05-05T00:00:00Z");
}

TEST(SettlePlanner, KeepsToItsJobs) {
  const Ledger ledger({}, at("2026-05-04"));
  const std::vector<Interval> running{{.start = at("2026-05-04"), .end = at("2026-05-05")},
                                      {.start = at("2026-05-05"), .end = at("2026-05-06")}};

  EXPECT_EQ(show(plan({.max_jobs = 2}, ledger, at("2026-06-01"), running)), "wait for jobs");
  EXPECT_EQ(show(plan({.max_jobs = 3}, ledger, at("2026-06-01"), running)), "submit 2026-05-06T00:00:00Z/2026-05-07T00:00:00Z");
}

TEST(SettlePlanner, FillsAGapUpToWhatIsComplete) {
  Ledger ledger({}, at("2026-05-04"));
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = {.start = at("2026-05-04"), .end = at("2026-05-04T06:00:00")}}));
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = {.start = at("2026-05-04T12:00:00"), .end = at("2026-05-05")}}));

  EXPECT_EQ(show(plan({}, ledger, at("2026-06-01"), {})), "submit 2026-05-04T06:00:00Z/2026-05-04T12:00:00Z");
}

TEST(SettlePlanner, AFullLedgerFinishesBeforeItBegins) {
  Ledger ledger({}, at("2026-05-04"));
  std::vector<Interval> running;
  while (ledger.has_room_to_open()) {
    const auto i = static_cast<int>(ledger.open().size());
    const Interval window{.start = at("2026-05-04") + i * 24h, .end = at("2026-05-05") + i * 24h};
    ASSERT_TRUE(ledger.apply(WindowOpened{window, AtStart{}}));
    running.push_back(window);
  }

  EXPECT_EQ(show(plan({.max_jobs = 1000}, ledger, at("2027-06-01"), running)), "wait for jobs");
}

TEST(SettlePlanner, NewestFirstIfTold) {
  Ledger ledger({}, at("2026-05-04T10:30:00"));
  const SettlePlanOptions options{.newest_first = true};
  std::string order;
  while (true) {
    const SettlePlan next = plan(options, ledger, at("2026-05-07T05:00:00"), {});
    order += show(next) + "\n";
    const auto* submit = std::get_if<SubmitWindow>(&next);
    if (submit == nullptr) break;
    ASSERT_TRUE(ledger.apply(WindowCompleted{.window = submit->window}));
  }

  EXPECT_EQ(order,
            "submit 2026-05-06T00:00:00Z/2026-05-07T00:00:00Z\n"
            "submit 2026-05-05T00:00:00Z/2026-05-06T00:00:00Z\n"
            "submit 2026-05-04T10:30:00Z/2026-05-05T00:00:00Z\n"
            "ask until 2026-05-08T00:00:00Z\n");
}

// Two jobs of one day can return the same conversation.
TEST(SettlePlanner, OneJobADayHoweverShortItsWindows) {
  const Ledger ledger({}, at("2026-05-04"));
  const std::vector<Interval> running{{.start = at("2026-05-04"), .end = at("2026-05-04T06:00:00")}};

  EXPECT_EQ(show(plan({.window = 6h}, ledger, at("2026-06-01"), running)), "submit 2026-05-05T00:00:00Z/2026-05-05T06:00:00Z");
  EXPECT_EQ(show(plan({.window = 6h, .sequential_days = false}, ledger, at("2026-06-01"), running)),
            "submit 2026-05-04T06:00:00Z/2026-05-04T12:00:00Z");
}

}  // namespace
}  // namespace connector::core
