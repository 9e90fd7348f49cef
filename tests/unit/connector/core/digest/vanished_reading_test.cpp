#include "connector/core/digest/vanished_reading.h"

#include "connector/core/digest/reconcile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

const common::Instant kBegin = HomeDay(std::chrono::year(2026) / 5 / 4);

// A list of a hundred entries, read once a minute; what is remembered of it, as the digests do.
class VanishedReadingTest : public testing::Test {
 protected:
  VanishedReadingTest() {
    for (int i = 0; i < 100; ++i) service.insert("k" + std::to_string(i));
    for (const std::string& key : service) remembered[key] = {.read_at = Second(std::chrono::floor<std::chrono::seconds>(now))};
    now += 1min;
  }
  PassKeys returned() const {
    PassKeys keys(1'000);
    keys.begin();
    for (const std::string& key : service) keys.add(key);
    return keys;
  }
  // A whole reading; what it finds gone is remembered so.
  VanishedReadingFindings read() {
    const PassKeys keys = returned();
    VanishedReading reading(options, keys, absent, now);
    for (const auto& [key, entry] : remembered) reading.look_at(key, entry);
    VanishedReadingFindings findings = reading.take();
    absent = AbsentKeys(findings.absent);
    for (const RecordKey& key : findings.gone) remembered[key.str()] = gone_entry(remembered[key.str()], now);
    now += 1min;
    return findings;
  }
  std::vector<std::string> gone() {
    std::vector<std::string> names;
    for (const RecordKey& key : read().gone) names.push_back(key.str());
    return names;
  }

  VanishedReadingOptions options;
  common::Instant now = kBegin;
  std::set<std::string> service;
  std::map<std::string, DigestEntry> remembered;
  AbsentKeys absent;
};

TEST_F(VanishedReadingTest, GoneIsWhatThreeReadingsInARowLack) {
  service.erase("k7");
  service.erase("k8");
  EXPECT_THAT(gone(), IsEmpty());
  EXPECT_THAT(gone(), IsEmpty());
  EXPECT_THAT(gone(), ElementsAre("k7", "k8"));
  EXPECT_THAT(absent.all(), IsEmpty());
  EXPECT_THAT(gone(), IsEmpty()) << "once";
}

TEST_F(VanishedReadingTest, WhatIsThereAgainBeginsAnew) {
  service.erase("k7");
  read();
  read();
  service.insert("k7");
  EXPECT_THAT(gone(), IsEmpty());
  service.erase("k7");
  EXPECT_THAT(gone(), IsEmpty());
  EXPECT_THAT(gone(), IsEmpty());
  EXPECT_THAT(gone(), ElementsAre("k7"));
}

TEST_F(VanishedReadingTest, OneReadingIsEnoughIfTold) {
  options.confirm = 1;
  service.erase("k7");
  EXPECT_THAT(gone(), ElementsAre("k7"));
}

TEST_F(VanishedReadingTest, AReadingThatDoesNotTellOnlyClearsWhatItReturned) {
  service.erase("k7");
  service.erase("k8");
  read();
  read();
  service.insert("k8");
  absent = AbsentKeys(without_returned(absent, returned()));
  EXPECT_EQ(absent.readings(PassKeys::hash("k7")), 2U);
  EXPECT_EQ(absent.readings(PassKeys::hash("k8")), 0U);
  service.erase("k8");
  EXPECT_THAT(gone(), ElementsAre("k7"));
}

TEST_F(VanishedReadingTest, MoreThanTheShareIsHeldAndCountsForNothing) {
  for (int i = 0; i < 5; ++i) service.erase("k" + std::to_string(i));
  read();
  service.erase("k5");
  const auto held = read();
  EXPECT_TRUE(held.is_braked);
  EXPECT_EQ(held.withheld, 6U);
  EXPECT_THAT(held.gone, IsEmpty());
  EXPECT_THAT(absent.all(), IsEmpty());

  service.insert("k5");
  EXPECT_THAT(gone(), IsEmpty());
  EXPECT_THAT(gone(), IsEmpty());
  EXPECT_THAT(gone(), ElementsAre("k0", "k1", "k2", "k3", "k4"));
}

TEST_F(VanishedReadingTest, WhatIsGoneAlreadyCountsForTheShare) {
  options.confirm = 1;
  for (int i = 0; i < 3; ++i) service.erase("k" + std::to_string(i));
  EXPECT_EQ(gone().size(), 3U);
  for (int i = 3; i < 6; ++i) service.erase("k" + std::to_string(i));
  EXPECT_TRUE(read().is_braked) << "a list that is lost bit by bit";
  service.insert("k5");
  EXPECT_THAT(gone(), ElementsAre("k3", "k4"));
}

TEST_F(VanishedReadingTest, AnEmptyAnswerIsNeverBelieved) {
  options = {.confirm = 1, .max_share = 1};
  service.clear();
  const auto held = read();
  EXPECT_TRUE(held.is_braked);
  EXPECT_EQ(held.withheld, 100U);

  service.insert("k1");
  EXPECT_EQ(gone().size(), 99U) << "the brake is off";
}

TEST_F(VanishedReadingTest, NothingIsGoneOfAnEmptyTopic) {
  service.clear();
  remembered.clear();
  const auto findings = read();
  EXPECT_FALSE(findings.is_braked);
  EXPECT_EQ(findings.missing, 0U);
}

TEST_F(VanishedReadingTest, WhatWasReadInTheSameSecondOrLaterIsNotMissed) {
  options.confirm = 1;
  service.erase("k7");
  remembered["k7"].read_at = std::chrono::floor<std::chrono::seconds>(now);
  EXPECT_THAT(gone(), IsEmpty());
  EXPECT_THAT(gone(), ElementsAre("k7"));
}

TEST_F(VanishedReadingTest, MoreThanTheLedgerHoldsIsHeld) {
  options = {.confirm = 2, .max_share = 1};
  for (int i = 0; i < 1'000; ++i) remembered["old" + std::to_string(i)] = {.read_at = Second(0s)};
  const auto held = read();
  EXPECT_TRUE(held.is_braked);
  EXPECT_EQ(held.withheld, 1'000U);
}

class ReadingFactsTest : public testing::Test {
 protected:
  ReadingFactsTest() { keys.begin(); }
  NotWhole judge(std::uint64_t distinct) { return facts.judge(distinct, false, keys); }
  PassKeys keys{10};
  ReadingFacts facts;
};

TEST_F(ReadingFactsTest, AReadingWithoutATotalIsWholeIfNothingSpeaksAgainstIt) {
  facts.page(100, 0, 0, std::nullopt);
  facts.page(0, 0, 0, std::nullopt);
  EXPECT_EQ(judge(100), NotWhole::kNone);
}

TEST_F(ReadingFactsTest, FewerThanTheServiceCountsAreNotAll) {
  facts.page(100, 0, 0, 130);
  facts.page(29, 0, 0, 130);
  EXPECT_EQ(judge(129), NotWhole::kTotal);
  EXPECT_EQ(judge(130), NotWhole::kNone);
}

TEST_F(ReadingFactsTest, ACountThatMovesSaysThatTheListDid) {
  facts.page(100, 0, 0, 130);
  facts.page(29, 0, 0, 129);
  EXPECT_EQ(judge(129), NotWhole::kTotal);
}

TEST_F(ReadingFactsTest, BehindTheLastPageTheCountSaysNothing) {
  facts.page(100, 0, 0, 100);
  facts.page(0, 0, 0, 0);
  EXPECT_EQ(judge(100), NotWhole::kNone);
}

TEST_F(ReadingFactsTest, AKeyThatComesTwiceSaysThatPagesShifted) {
  facts.page(100, 0, 0, std::nullopt);
  facts.page(30, 1, 0, std::nullopt);
  EXPECT_EQ(judge(129), NotWhole::kRepeated);
}

TEST_F(ReadingFactsTest, APageThatEndsTheReadingByRepeatingSaysNothing) {
  facts.page(100, 0, 0, std::nullopt);
  facts.page(100, 100, 0, std::nullopt);
  facts.ended_by_repeat();
  EXPECT_EQ(judge(100), NotWhole::kNone);
}

TEST_F(ReadingFactsTest, WhatHasNoKeyMayBeWhatIsMissed) {
  facts.page(100, 0, 1, std::nullopt);
  EXPECT_EQ(judge(100), NotWhole::kDeadLetters);
}

TEST_F(ReadingFactsTest, WhatDidNotFitIntoMemoryDoesNotTell) {
  facts.page(100, 0, 0, std::nullopt);
  EXPECT_EQ(facts.judge(100, true, keys), NotWhole::kMemory);
  for (int i = 0; i < 11; ++i) keys.add(std::to_string(i));
  EXPECT_EQ(judge(100), NotWhole::kMemory);
}

}  // namespace
}  // namespace connector::core
