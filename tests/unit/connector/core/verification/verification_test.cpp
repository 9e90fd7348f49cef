#include "connector/core/verification/verification.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <ostream>

namespace connector::core {

// For gtest's messages and the names of the cases.
static void PrintTo(Finding finding, std::ostream* out) {
  *out << to_string(finding);
}

namespace {

using namespace std::chrono_literals;
using common::Instant;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Instant kBegan{100'000s};
constexpr Instant kEarlier{90'000s};  // read before the verification, within the job's data
constexpr Instant kAvailability{95'000s};
constexpr Instant kBehindTheJob{96'000s};  // read before the verification, beyond the job's data
constexpr Instant kLater{100'001s};        // read while the verification ran
constexpr ContentDigests kPlain{.common = 1, .full = 1};
constexpr ContentDigests kWithAttributes{.common = 1, .full = 2};
constexpr ContentDigests kOther{.common = 3, .full = 3};
constexpr ContentDigests kOtherAttributes{.common = 1, .full = 4};

// What the topic has of the key, in order.
struct Stored {
  std::optional<ContentDigests> content;  // none: cannot be read
  RecordForm form = RecordForm::kQuery;
  Instant read_at = kEarlier;
  bool tombstone = false;
  bool open = false;
};
constexpr Stored kTombstone{.content = std::nullopt, .tombstone = true};
constexpr Stored kGarbage{.content = std::nullopt};

struct Case {
  std::string name;
  std::vector<Stored> topic;
  std::optional<ServiceRow> service;
  Finding expected;
  bool repairable = false;
  StreamRules rules = {};
};

Stored query(ContentDigests content, Instant read_at = kEarlier) {
  return {.content = content, .form = RecordForm::kQuery, .read_at = read_at};
}
Stored job(ContentDigests content, Instant read_at = kEarlier) {
  return {.content = content, .form = RecordForm::kJob, .read_at = read_at};
}
ServiceRow by_job(ContentDigests content, bool open = false) {
  return {.key = "k", .content = content, .open = open, .form = RecordForm::kJob, .availability = kAvailability};
}
ServiceRow by_query(ContentDigests content, bool open = false) {
  return {.key = "k", .content = content, .open = open, .form = RecordForm::kQuery, .availability = std::nullopt};
}

void take_topic(Verification& verification, const std::vector<Stored>& topic, std::string_view key = "k") {
  for (const Stored& stored : topic) {
    verification.take(TopicRecord{.key = key,
                                  .tombstone = stored.tombstone,
                                  .in_range = stored.content ? std::optional(true) : std::nullopt,
                                  .content = stored.content,
                                  .open = stored.open,
                                  .form = stored.form,
                                  .read_at = stored.read_at});
  }
}

class Judgement : public testing::TestWithParam<Case> {};

TEST_P(Judgement, OfAKeyFollowsTheStreamsRules) {
  const Case& one = GetParam();
  for (const bool service_first : {true, false}) {
    SCOPED_TRACE(service_first ? "service first" : "topic first");
    Verification verification(one.rules, kBegan);

    if (service_first && one.service) verification.take(*one.service);
    take_topic(verification, one.topic);
    if (!service_first && one.service) verification.take(*one.service);

    EXPECT_EQ(verification.judge("k"), one.expected);
    EXPECT_EQ(verification.is_repairable("k"), one.repairable);
    EXPECT_EQ(verification.report(10).of(one.expected).count, one.topic.empty() && !one.service ? 0U : 1U);
  }
}

INSTANTIATE_TEST_SUITE_P(
    ByTheJob, Judgement,
    testing::Values(
        Case{"NowhereAtAll", {}, {}, Finding::kEqual}, Case{"NotInTheTopic", {}, by_job(kPlain), Finding::kMissing, true},
        Case{"OpenAndNotInTheTopic", {}, by_job(kPlain, true), Finding::kMissing, true},
        Case{"DeletedInTheTopic", {job(kPlain), kTombstone}, by_job(kPlain), Finding::kMissing, true},
        Case{"PublishedAgainAfterATombstone", {job(kPlain), kTombstone, job(kPlain)}, by_job(kPlain), Finding::kEqual},
        Case{"NotAtTheService", {job(kPlain)}, {}, Finding::kUnexpected},
        Case{"SameJobForm", {job(kWithAttributes)}, by_job(kWithAttributes), Finding::kEqual},
        Case{"OtherAttributes", {job(kOtherAttributes)}, by_job(kWithAttributes), Finding::kDifferent, true},
        Case{"OnlyTheLastCounts", {job(kOther), job(kPlain)}, by_job(kPlain), Finding::kEqual},
        Case{"AnOlderContentLast", {job(kPlain), job(kOther)}, by_job(kPlain), Finding::kDifferent, true},
        Case{"NoRecordAtAll", {job(kPlain), kGarbage}, by_job(kPlain), Finding::kDifferent, true},
        Case{"QueryFormOfARecordWithoutAttributes", {query(kPlain)}, by_job(kPlain), Finding::kEqual},
        Case{"QueryFormThatAwaitsItsAttributes", {query(kPlain)}, by_job(kWithAttributes), Finding::kProvisional},
        Case{"QueryFormOfAnotherContent", {query(kOther)}, by_job(kPlain), Finding::kDifferent, true},
        Case{"QueryFormThatTheJobCannotKnowOf", {query(kOther, kBehindTheJob)}, by_job(kPlain), Finding::kProvisional},
        Case{"AttributesHidden", {job(kWithAttributes), query(kPlain)}, by_job(kWithAttributes), Finding::kRegressed, true},
        Case{"AttributesHiddenForLong",
             {job(kWithAttributes), query(kPlain), query(kOther), query(kPlain)},
             by_job(kWithAttributes),
             Finding::kRegressed,
             true},
        Case{"AttributesBackAgain",
             {job(kWithAttributes), query(kPlain), job(kWithAttributes)},
             by_job(kWithAttributes),
             Finding::kEqual},
        Case{"OpenInTheLakeOnly", {query(kOther)}, by_job(kPlain, true), Finding::kProvisional},
        Case{"OpenInTheLakeOfAStreamWithoutQuery",
             {job(kOther)},
             by_job(kPlain, true),
             Finding::kDifferent,
             true,
             {.has_query = false, .has_job = true, .has_by_id = false}},
        Case{"PublishedMeanwhile", {job(kPlain), job(kOther, kLater)}, by_job(kPlain), Finding::kChanging},
        Case{"BegunMeanwhile", {query(kPlain, kLater)}, {}, Finding::kChanging},
        Case{"EqualMeanwhile", {job(kPlain, kLater)}, by_job(kPlain), Finding::kEqual}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    ByTheQuery, Judgement,
    testing::Values(
        Case{"NotInTheTopic", {}, by_query(kPlain), Finding::kMissing, true},
        Case{"Same", {query(kPlain)}, by_query(kPlain), Finding::kEqual},
        Case{"Other", {query(kOther)}, by_query(kPlain), Finding::kDifferent, true},
        Case{"OpenWhereAClosedOneIsPublished", {query(kOther)}, by_query(kPlain, true), Finding::kProvisional},
        Case{"OpenAndChanged", {{.content = kOther, .open = true}}, by_query(kPlain, true), Finding::kDifferent, true},
        Case{"JobFormOfTheSame", {job(kWithAttributes)}, by_query(kPlain), Finding::kEqual},
        Case{"JobFormOfAnotherCannotBeCompared", {job(kOther)}, by_query(kPlain), Finding::kProvisional},
        Case{"AttributesHiddenNeedTheJob", {job(kWithAttributes), query(kPlain)}, by_query(kPlain), Finding::kRegressed}),
    [](const auto& info) { return info.param.name; });

class VerificationTest : public testing::Test {
 protected:
  Verification verification{{}, kBegan};
};

TEST_F(VerificationTest, ARepeatedContentIsFoundWhateverFollows) {
  verification.take(by_job(kPlain));
  take_topic(verification, {query(kPlain), query(kPlain), query(kOther), job(kPlain)});

  const auto report = verification.report(10);

  EXPECT_THAT(report.of(Finding::kRepeated).keys, ElementsAre("k"));
  EXPECT_EQ(report.of(Finding::kEqual).count, 1U);
  EXPECT_EQ(report.differences(), 1U);
}

TEST_F(VerificationTest, TheSameContentInAnotherFormIsARepetitionToo) {
  take_topic(verification, {query(kPlain), job(kPlain)});
  EXPECT_EQ(verification.report(10).of(Finding::kRepeated).count, 1U);
}

TEST_F(VerificationTest, NeitherAChangeBackNorAttributesNorATombstoneBetweenIsARepetition) {
  take_topic(verification, {query(kPlain), query(kOther), query(kPlain), job(kWithAttributes), kTombstone, job(kWithAttributes)});
  EXPECT_EQ(verification.report(10).of(Finding::kRepeated).count, 0U);
}

TEST_F(VerificationTest, RecordsThatBeganOutsideTheRangeTakeNoPlace) {
  verification.take(TopicRecord{.key = "k", .in_range = false, .content = kPlain});
  verification.take(TopicRecord{.key = "t", .tombstone = true});

  const auto report = verification.report(10);

  EXPECT_EQ(report.topic_records, 0U);
  EXPECT_EQ(verification.judge("k"), Finding::kEqual);
}

TEST_F(VerificationTest, WhatDoesNotSayWhenItBeganCountsIfTheServiceHasIt) {
  verification.take(TopicRecord{.key = "k", .content = kOther});
  EXPECT_EQ(verification.report(10).differences(), 0U) << "it may be of another range";

  verification.take(by_job(kPlain));
  EXPECT_EQ(verification.judge("k"), Finding::kDifferent);
}

TEST_F(VerificationTest, ADeadLetterIsNotMissingAsLongAsItsContentIsTheServices) {
  verification.take(by_job(kPlain));
  verification.note_dead_letter("k", kPlain.full);
  EXPECT_EQ(verification.judge("k"), Finding::kDeadLetter);

  verification.take(by_job(kOther));
  EXPECT_EQ(verification.judge("k"), Finding::kMissing);

  verification.note_dead_letter("k", kOther.full);
  verification.note_dead_letter("k", std::nullopt);
  EXPECT_EQ(verification.judge("k"), Finding::kMissing);
}

TEST_F(VerificationTest, OfTwoRowsTheLaterCountsUnlessItIsPoorer) {
  take_topic(verification, {job(kPlain)});

  verification.take(by_job(kOther));
  verification.take(by_job(kPlain));
  verification.take(by_job(kOther, true));

  EXPECT_EQ(verification.judge("k"), Finding::kEqual);
}

TEST_F(VerificationTest, ARowIsRepairedOnceHoweverOftenItsWindowIsRead) {
  verification.take(by_job(kPlain));
  ASSERT_TRUE(verification.is_repairable("k"));
  verification.note_repaired("k");

  verification.take(by_job(kPlain));
  EXPECT_FALSE(verification.is_repairable("k"));
  EXPECT_EQ(verification.report(10).of(Finding::kMissing).count, 1U) << "what was found stays found";

  verification.take(by_job(kOther));
  EXPECT_TRUE(verification.is_repairable("k")) << "the service says something else by now";
}

TEST_F(VerificationTest, AShortAnswerAccusesNothingOfBeingUnexpected) {
  take_topic(verification, {query(kPlain)});
  verification.note_short_answer();
  EXPECT_EQ(verification.report(10).differences(), 0U);
}

TEST(VerificationAsOwner, NothingChangesMeanwhileWhenNobodyElseWrites) {
  Verification verification({}, std::nullopt);
  verification.take(by_job(kPlain));
  take_topic(verification, {job(kOther, kLater)});
  EXPECT_EQ(verification.judge("k"), Finding::kDifferent);
}

TEST_F(VerificationTest, AReportListsTheFirstKeysAndCountsAll) {
  for (const char* key : {"d", "b", "e", "a", "c"}) {
    ServiceRow row = by_job(kPlain);
    row.key = key;
    verification.take(row);
  }

  const auto report = verification.report(2);

  EXPECT_EQ(report.service_keys, 5U);
  EXPECT_EQ(report.of(Finding::kMissing).count, 5U);
  EXPECT_THAT(report.of(Finding::kMissing).keys, ElementsAre("a", "b"));
  EXPECT_THAT(report.of(Finding::kDifferent).keys, IsEmpty());
}

// Where a projection hides the end, what is published never says that it was open.
TEST(Openness, IsWhatWasRememberedOfTheRecordThatStandsInTheTopic) {
  const auto judged = [](std::optional<std::uint64_t> remembered, bool open) {
    Verification verification({}, kBegan);
    verification.take(by_query(kPlain, true));
    take_topic(verification, {query(kOther)});
    verification.note_remembered("k", remembered, open);
    return verification.judge("k");
  };

  EXPECT_EQ(judged(kOther.common, true), Finding::kDifferent) << "open then and open now: it has changed";
  EXPECT_EQ(judged(kOther.common, false), Finding::kProvisional) << "the index lags: it was closed";
  EXPECT_EQ(judged(kPlain.common, true), Finding::kProvisional) << "of another record than the topic's last";
  EXPECT_EQ(judged(std::nullopt, true), Finding::kProvisional);
}

TEST(Openness, OfKeysThatNobodyHasTakenNothingIsKept) {
  Verification verification({}, kBegan);
  verification.note_remembered("other", kPlain.common, true);

  EXPECT_EQ(verification.report(10).of(Finding::kEqual).count, 0U);
}

}  // namespace
}  // namespace connector::core
