#include "connector/core/planning/job_availability.h"

#include <gtest/gtest.h>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using common::Instant;

const Instant kNow = common::parse_instant("2026-05-06T10:00:00Z").value();

TEST(ByAge, WhatIsOldEnoughToTheSecondIsCompleteAndALittleLessMayBeAskedFor) {
  EXPECT_EQ(available_by_age(1h, kNow + 999ms), kNow - 1h);
  EXPECT_EQ(plannable_by_age(1h, kNow + 999ms), kNow - 1h - 2s);
}

TEST(JobAvailability, IsWhatAPageTells) {
  JobAvailability one(std::nullopt);
  one.submitted(kNow, kNow - 5h);
  EXPECT_EQ(one.behind(), kNow - 5h);
  EXPECT_EQ(one.of_page(kNow - 3h, kNow), kNow - 3h);
  EXPECT_EQ(one.of_page(std::nullopt, kNow), std::nullopt) << "which page it is of is for others to say";

  JobAvailability by_age(1h);
  by_age.submitted(kNow);
  EXPECT_EQ(by_age.of_page(kNow - 3h, kNow), kNow - 3h) << "though it need not";
}

TEST(JobAvailability, WithoutADateIsByTheAgeWhenItWasSubmitted) {
  JobAvailability one(1h);
  EXPECT_EQ(one.of_page(std::nullopt, kNow), std::nullopt);
  one.submitted(kNow, kNow - 1min);
  EXPECT_EQ(one.behind(), kNow - 1h) << "no date counts";
  EXPECT_EQ(one.of_page(std::nullopt, kNow + 8h), kNow - 1h) << "what has aged since is not in it";
  one.submitted(kNow + 9h);
  EXPECT_EQ(one.of_page(std::nullopt, kNow + 9h), kNow + 8h) << "another job's data is younger";
}

TEST(JobAvailability, IsNoLaterThanThePresentIsFoundToBe) {
  JobAvailability one(1h);
  one.submitted(kNow);
  EXPECT_EQ(one.of_page(std::nullopt, kNow - 9h), kNow - 10h);
}

TEST(JobAvailability, TakenUpAgainKnowsAsMuchAsItDidBefore) {
  JobAvailability one(1h);
  one.taken_up(kNow, kNow - 3h);
  EXPECT_EQ(one.behind(), kNow - 3h) << "the ledger says what it was submitted behind";
  one.taken_up(kNow + 5h, std::nullopt);
  EXPECT_EQ(one.behind(), kNow - 3h) << "once";

  JobAvailability ahead(1h);
  ahead.taken_up(kNow, kNow + 1min);
  EXPECT_EQ(ahead.behind(), kNow - 1h) << "it has seen more since";

  JobAvailability unseen(1h);
  unseen.taken_up(kNow, std::nullopt);
  EXPECT_EQ(unseen.behind(), kNow - 1h);

  JobAvailability dated(std::nullopt);
  dated.taken_up(kNow, kNow - 3h);
  EXPECT_EQ(dated.behind(), std::nullopt) << "its pages tell";
}

}  // namespace
}  // namespace connector::core
