#include "connector/core/digest/vanished_day.h"

#include "connector/core/digest/reconcile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>
#include <string>
#include <vector>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using common::SteadyTime;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

const HomeDay kDay = std::chrono::year(2026) / 5 / 4;
const common::Instant kAvailable = kDay + 30h;

std::vector<RecordKey> keys(const std::vector<std::string>& names) {
  return {names.begin(), names.end()};
}
std::vector<std::string> names(const std::vector<RecordKey>& keys) {
  std::vector<std::string> result;
  for (const RecordKey& key : keys) result.push_back(key.str());
  return result;
}

// A day of a hundred records, of which some are looked for.
class VanishedDayTest : public testing::Test {
 protected:
  static MissedByPass missed(const std::vector<std::string>& missing, std::uint64_t known = 100, std::uint64_t gone = 0) {
    return {.day = kDay,
            .availability = kAvailable,
            .known = known,
            .gone = gone,
            .missing = missing.size(),
            .keys = keys(missing),
            .witnesses = keys({"w1", "w2"})};
  }
  VanishedFindings take(const std::vector<std::string>& missing, std::uint64_t known = 100, std::uint64_t gone = 0) {
    return day.take(missed(missing, known, gone), now);
  }
  // What is asked for now; the test fails if nothing is.
  AskVanished asked() {
    VanishedPlan plan = day.next(now);
    const auto* ask = std::get_if<AskVanished>(&plan);
    EXPECT_NE(ask, nullptr) << "nothing is asked for";
    return ask == nullptr ? AskVanished{} : *ask;
  }
  VanishedFindings answer(AskVanished ask) {
    std::vector<std::string_view> found;
    for (const std::string& key : service) found.emplace_back(key);
    return day.answered(std::move(ask), found, now);
  }
  VanishedFindings ask_and_answer() { return answer(asked()); }
  [[nodiscard]] std::optional<common::Duration> wait() {
    const VanishedPlan plan = day.next(now);
    const auto* at = std::get_if<AskVanishedAt>(&plan);
    return at == nullptr ? std::nullopt : std::optional(std::chrono::duration_cast<common::Duration>(at->when - now));
  }
  [[nodiscard]] bool is_over() { return day.is_decided() && std::holds_alternative<VanishedDecided>(day.next(now)); }

  std::set<std::string> service{"w1", "w2"};  // what it has
  SteadyTime now;
  VanishedDay day{{.confirm = 1h, .max_share = 0.05, .max_ids = 3, .again = 10min}};
};

TEST_F(VanishedDayTest, WhatIsAbsentTwiceTheToldTimeApartIsGone) {
  EXPECT_THAT(take({"a"}).gone, IsEmpty());
  const AskVanished first = asked();
  EXPECT_THAT(names(first.ids), ElementsAre("a"));
  EXPECT_EQ(first.witness.str(), "w1") << "in the same request";
  EXPECT_THAT(answer(first).gone, IsEmpty()) << "once is not enough";
  EXPECT_EQ(wait(), 1h);
  EXPECT_FALSE(day.is_decided());

  now += 1h;
  EXPECT_THAT(names(ask_and_answer().gone), ElementsAre("a"));
  EXPECT_TRUE(is_over());
}

TEST_F(VanishedDayTest, WhatTheServiceHasAfterAllIsNot) {
  take({"a", "b"});
  service.insert("a");
  EXPECT_EQ(ask_and_answer().present, 1U);

  now += 1h;
  service.insert("b");
  const VanishedFindings second = ask_and_answer();
  EXPECT_EQ(second.present, 1U) << "it was hidden for a while";
  EXPECT_THAT(second.gone, IsEmpty());
  EXPECT_TRUE(is_over());
}

TEST_F(VanishedDayTest, NothingMissingIsNothingToAsk) {
  take({});

  EXPECT_TRUE(is_over());
}

TEST_F(VanishedDayTest, AsManyAreAskedForAsARequestTakesBesideTheKnownOne) {
  take({"a", "b", "c"});

  EXPECT_THAT(names(asked().ids), ElementsAre("a", "b"));
  EXPECT_THAT(names(asked().ids), ElementsAre("c"));
}

// The brake needs to know of all of them.
TEST_F(VanishedDayTest, NoSecondLookBeforeAllHaveBeenLookedForOnce) {
  take({"a", "b", "c"});
  ask_and_answer();
  AskVanished late = asked();
  now += 3h;
  EXPECT_FALSE(wait()) << "an answer is awaited";
  answer(std::move(late));

  EXPECT_EQ(wait(), 1h);
}

struct BrakeCase {
  const char* name;
  double max_share;
  std::uint64_t known;
  std::uint64_t gone_before;
  std::size_t absent;
  bool brakes;
};
class Brake : public testing::TestWithParam<BrakeCase> {};

TEST_P(Brake, HoldsWhenMoreThanTheShareOfADayIsAbsent) {
  const BrakeCase& the = GetParam();
  VanishedDay day({.confirm = 1h, .max_share = the.max_share, .max_ids = 50});
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < the.absent; ++i) missing.push_back("k" + std::to_string(i));
  day.take({.day = kDay,
            .availability = kAvailable,
            .known = the.known,
            .gone = the.gone_before,
            .missing = missing.size(),
            .keys = keys(missing),
            .witnesses = keys({"w"})},
           SteadyTime());
  bool braked = false;
  std::size_t gone = 0;
  SteadyTime now;
  for (VanishedPlan plan = day.next(now); !std::holds_alternative<VanishedDecided>(plan); plan = day.next(now)) {
    if (const auto* at = std::get_if<AskVanishedAt>(&plan)) {
      now = at->when;
      continue;
    }
    const std::vector<std::string_view> found{"w"};
    const VanishedFindings findings = day.answered(std::get<AskVanished>(plan), found, now);
    braked = braked || findings.is_braked;
    if (findings.is_braked) EXPECT_EQ(findings.withheld, the.absent);
    gone += findings.gone.size();
  }

  EXPECT_EQ(braked, the.brakes);
  EXPECT_EQ(gone, the.brakes ? 0 : the.absent);
  EXPECT_TRUE(day.is_decided());
}

INSTANTIATE_TEST_SUITE_P(Days, Brake,
                         testing::Values(BrakeCase{"AtTheShare", 0.05, 100, 0, 5, false},
                                         BrakeCase{"AboveTheShare", 0.05, 100, 0, 6, true},
                                         BrakeCase{"WhatIsGoneAlreadyCounts", 0.05, 100, 3, 3, true},
                                         BrakeCase{"UpToTheShareWithThem", 0.05, 100, 3, 2, false},
                                         BrakeCase{"MoreGoneThanTheShareByNow", 0.05, 100, 7, 1, true},
                                         BrakeCase{"ASmallDayHasNoPart", 0.05, 19, 0, 1, true},
                                         BrakeCase{"ASmallDayWithALargerShare", 0.5, 2, 0, 1, false},
                                         BrakeCase{"NothingMayGo", 0, 100'000, 0, 1, true},
                                         BrakeCase{"EverythingMayGo", 1, 100, 0, 100, false},
                                         BrakeCase{"AShareThatIsNoBinaryFraction", 0.29, 100, 0, 29, false},
                                         BrakeCase{"OverManyRequests", 0.05, 4'000, 0, 201, true}),
                         [](const auto& info) { return info.param.name; });

TEST_F(VanishedDayTest, MoreThanCanBeAskedForBrakesAtOnce) {
  MissedByPass much = missed({"a"}, 1'000'000);
  much.missing = MissedByPass::kMostAsked + 1;

  const VanishedFindings findings = day.take(std::move(much), now);

  EXPECT_TRUE(findings.is_braked);
  EXPECT_EQ(findings.withheld, MissedByPass::kMostAsked + 1);
  EXPECT_TRUE(is_over());
}

TEST_F(VanishedDayTest, AnAnswerWithoutTheKnownIdSaysNothing) {
  take({"a"});
  service.erase("w1");

  const VanishedFindings findings = ask_and_answer();

  EXPECT_EQ(findings.present + findings.unknown + findings.withheld + findings.gone.size(), 0U);
  EXPECT_EQ(wait(), 10min);
  now += 10min;
  EXPECT_EQ(asked().witness.str(), "w2") << "the other may have been deleted itself";
}

TEST_F(VanishedDayTest, ASilentServiceIsAskedFiveTimesThenNothingIsKnown) {
  take({"a", "b", "c"});
  service.clear();
  std::uint64_t unknown = 0;
  int asks = 0;
  while (!day.is_decided()) {
    unknown += ask_and_answer().unknown;
    ++asks;
    now += 10min;
  }

  EXPECT_EQ(asks, 5);
  EXPECT_EQ(unknown, 3U);
  EXPECT_TRUE(is_over());
}

TEST_F(VanishedDayTest, AnAnswerInBetweenBeginsTheCountAnew) {
  take({"a"});
  service.clear();
  for (int i = 0; i < 4; ++i) {
    ask_and_answer();
    now += 10min;
  }
  service = {"w1", "w2"};
  ask_and_answer();
  now += 1h;
  service.clear();
  ask_and_answer();

  EXPECT_FALSE(day.is_decided());
}

TEST_F(VanishedDayTest, WithoutAKnownIdNothingIsAsked) {
  MissedByPass alone = missed({"a"});
  alone.witnesses.clear();

  EXPECT_EQ(day.take(std::move(alone), now).unknown, 1U);
  EXPECT_TRUE(is_over());
}

TEST_F(VanishedDayTest, WhatCannotBeAskedForTogetherIsHalvedAndOneAloneIsUnknown) {
  take({"a", "b"});
  day.refused(asked());
  EXPECT_THAT(names(asked().ids), ElementsAre("a"));
  AskVanished second = asked();
  EXPECT_THAT(names(second.ids), ElementsAre("b"));

  EXPECT_EQ(day.refused(std::move(second)).unknown, 1U);
}

TEST_F(VanishedDayTest, ARefusedIdDoesNotHoldUpTheOthers) {
  take({"a", "b", "c"});
  ask_and_answer();
  EXPECT_EQ(day.refused(asked()).unknown, 1U);

  now += 1h;
  EXPECT_THAT(names(ask_and_answer().gone), UnorderedElementsAre("a", "b"));
  EXPECT_TRUE(is_over());
}

TEST_F(VanishedDayTest, ARefusedSecondLookLeavesItsIdUnknown) {
  take({"a"});
  ask_and_answer();
  now += 1h;

  EXPECT_EQ(day.refused(asked()).unknown, 1U);
  EXPECT_TRUE(is_over());
}

TEST_F(VanishedDayTest, AServiceThatRefusesEverythingIsNotAskedForEachId) {
  take({"a", "b", "c", "d", "e", "f", "g", "h"});
  std::uint64_t unknown = 0;
  int asks = 0;
  while (!day.is_decided()) {
    unknown += day.refused(asked()).unknown;
    ++asks;
  }

  EXPECT_EQ(asks, 5) << "two pairs, three ids";
  EXPECT_EQ(unknown, 8U);
}

TEST_F(VanishedDayTest, AFailedRequestIsMadeAgainLater) {
  take({"a"});
  day.put_back(asked(), now + 5min);
  EXPECT_EQ(wait(), 5min);
  EXPECT_FALSE(day.is_decided());

  now += 5min;
  EXPECT_THAT(names(asked().ids), ElementsAre("a"));
}

TEST_F(VanishedDayTest, AnotherPassGoesOnWhereTheFirstLookWas) {
  take({"a", "b"});
  ask_and_answer();
  now += 30min;

  take({"b", "c"});  // it returned a

  EXPECT_THAT(names(asked().ids), ElementsAre("c"));
}

TEST_F(VanishedDayTest, PassesThatComeMoreOftenThanASecondLookDoNotPutItOff) {
  take({"a"});
  ask_and_answer();
  now += 30min;
  take({"a"});

  EXPECT_EQ(wait(), 30min);
  now += 30min;
  EXPECT_THAT(names(ask_and_answer().gone), ElementsAre("a"));
}

TEST_F(VanishedDayTest, AnotherPassMayFindThatThereAreTooMany) {
  take({"a", "b", "c", "d", "e"});
  for (int i = 0; i < 3; ++i) ask_and_answer();
  now += 10min;

  EXPECT_TRUE(take({"a", "b", "c", "d", "e"}, 80).is_braked);
  EXPECT_TRUE(is_over());
}

TEST_F(VanishedDayTest, AnAnswerToWhatWasAskedBeforeAnotherPassIsVoid) {
  take({"a"});
  AskVanished before = asked();
  AskVanished refused_before = before;
  AskVanished failed_before = before;
  take({});

  EXPECT_THAT(answer(std::move(before)).gone, IsEmpty());
  EXPECT_EQ(day.refused(std::move(refused_before)).unknown, 0U);
  day.put_back(std::move(failed_before), now);
  EXPECT_TRUE(is_over());
}

TEST_F(VanishedDayTest, APassWithoutARowIsJudgedBesideAnIdOfTheOneBefore) {
  take({});
  MissedByPass later = missed({"a"});
  later.witnesses.clear();
  day.take(std::move(later), now);

  EXPECT_EQ(asked().witness.str(), "w1");
}

// What is looked for at all.

DigestEntry entry(DigestState state, common::Duration read_after) {
  return {.state = state, .read_at = std::chrono::floor<std::chrono::seconds>(kDay + read_after), .home_day = kDay};
}

struct CandidateCase {
  const char* name;
  DigestEntry entry;
  bool may_have_vanished;
};
class Candidate : public testing::TestWithParam<CandidateCase> {};

TEST_P(Candidate, IsWhatTheJobShouldHaveReturned) {
  EXPECT_EQ(may_have_vanished(GetParam().entry, kAvailable), GetParam().may_have_vanished);
}

DigestEntry owed(DigestEntry entry, common::Duration at) {
  entry.owed_at = std::chrono::floor<std::chrono::seconds>(kDay + at);
  return entry;
}

INSTANTIATE_TEST_SUITE_P(
    Entries, Candidate,
    testing::Values(CandidateCase{"Provisional", entry(DigestState::kProvisional, 1h), true},
                    CandidateCase{"Sealed", entry(DigestState::kSealed, 25h), true},
                    CandidateCase{"KnownByNameOnly", entry(DigestState::kWanted, 25h), true},
                    CandidateCase{"DeadLetter", entry(DigestState::kDead, 1h), true},
                    CandidateCase{"GoneAlready", entry(DigestState::kGone, 1h), false},
                    CandidateCase{"GoneButShownByAnOlderJob", owed(entry(DigestState::kGone, 28h), 28h), true},
                    CandidateCase{"ReadAfterTheJobsData", entry(DigestState::kProvisional, 31h), false},
                    CandidateCase{"ReadInTheSameSecond", entry(DigestState::kProvisional, 30h), false},
                    CandidateCase{"SeenAfterTheJobsDataButNotPublished", owed(entry(DigestState::kSealed, 25h), 31h), false},
                    CandidateCase{"OwedForLonger", owed(entry(DigestState::kSealed, 25h), 29h), true}),
    [](const auto& info) { return info.param.name; });

TEST(MissedByPassSearch, CountsTheDayAndNamesWhatThePassDidNotReturn) {
  PassKeys returned(10);
  returned.begin();
  returned.add("there");
  MissedByPassSearch search(returned, kDay, kAvailable);
  search.look_at("there", entry(DigestState::kSealed, 1h));
  search.look_at("absent", entry(DigestState::kSealed, 1h));
  search.look_at("wanted", entry(DigestState::kWanted, 1h));
  search.look_at("gone", entry(DigestState::kGone, 1h));
  search.look_at("new", entry(DigestState::kProvisional, 31h));

  const MissedByPass missed = search.take();

  EXPECT_THAT(names(missed.keys), ElementsAre("absent", "wanted"));
  EXPECT_EQ(missed.missing, 2U);
  EXPECT_EQ(missed.known, 5U);
  EXPECT_EQ(missed.gone, 1U);
  EXPECT_THAT(names(missed.witnesses), ElementsAre("there"));
}

TEST(MissedByPassSearch, KeepsNoMoreKeysThanAreAskedFor) {
  PassKeys returned(10);
  returned.begin();
  MissedByPassSearch search(returned, kDay, kAvailable);
  for (std::size_t i = 0; i < MissedByPass::kMostAsked + 5; ++i)
    search.look_at(std::to_string(i), entry(DigestState::kSealed, 1h));

  const MissedByPass missed = search.take();

  EXPECT_THAT(missed.keys, SizeIs(MissedByPass::kMostAsked));
  EXPECT_EQ(missed.missing, MissedByPass::kMostAsked + 5);
}

TEST(PassKeys, AreWholeOnlyFromTheFirstPageOfOneJobOn) {
  PassKeys keys(10);
  EXPECT_FALSE(keys.is_whole()) << "taken up in the middle";
  keys.add("a");
  EXPECT_FALSE(keys.is_whole());

  keys.begin();
  keys.add("b");
  EXPECT_TRUE(keys.is_whole());
  EXPECT_TRUE(keys.contains("b"));
  EXPECT_FALSE(keys.contains("a")) << "of another job";
  EXPECT_FALSE(keys.contains("c"));
  keys.add("c");
  EXPECT_TRUE(keys.contains("c"));
}

TEST(PassKeys, MoreThanThereIsRoomForAreNotWhole) {
  PassKeys keys(2);
  keys.begin();
  keys.add("a");
  keys.add("b");
  EXPECT_TRUE(keys.is_whole());
  EXPECT_FALSE(keys.has_overflown());

  keys.add("c");

  EXPECT_FALSE(keys.is_whole());
  EXPECT_TRUE(keys.has_overflown());
  keys.begin();
  EXPECT_TRUE(keys.is_whole()) << "of the next job";
}

TEST(PassKeys, KeepSomeThatAreKnownToExist) {
  PassKeys keys(100);
  keys.begin();
  for (int i = 0; i < 20; ++i) keys.add(std::to_string(i));

  EXPECT_THAT(keys.witnesses(), SizeIs(PassKeys::kWitnesses));
}

TEST(OnDelete, IsSpeltAsConfigured) {
  EXPECT_EQ(to_string(OnDelete::kKeep), "keep");
  EXPECT_EQ(to_string(OnDelete::kTombstone), "tombstone");
}

}  // namespace
}  // namespace connector::core
