#include "connector/app/verify.h"

#include <gtest/gtest.h>

namespace connector::app {
namespace {

VerifyOutcome found(std::uint64_t missing, std::uint64_t repeated) {
  VerifyOutcome outcome;
  outcome.report.groups[static_cast<std::size_t>(core::Finding::kMissing)].count = missing;
  outcome.report.groups[static_cast<std::size_t>(core::Finding::kRepeated)].count = repeated;
  return outcome;
}

TEST(VerifyOutcome, WithoutARepairEveryDifferenceIsLeft) {
  EXPECT_EQ(found(2, 1).left(), 3U);
}

TEST(VerifyOutcome, WhatIsLeftIsCountedByKeysAndNotByTheRowsThatMendedThem) {
  VerifyOutcome outcome = found(2, 1);
  outcome.repair = RepairOutcome{.asked = 3, .published = 3, .keys = 1};

  EXPECT_EQ(outcome.left(), 2U) << "one key came three times, the other not at all";
}

}  // namespace
}  // namespace connector::app
