#include "connector/core/digest/stream_digests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace connector::core {
namespace {

using common::ErrorCode;
using common::Instant;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Optional;
using testing::SizeIs;
using namespace std::chrono_literals;

const HomeDay kDay = std::chrono::year(2026) / 5 / 4;
const std::string kUuid = "9e3779b1-9e37-43d1-814b-f42d4c957f2d";

Instant at(int minutes) {
  return kDay + std::chrono::minutes(minutes);
}

KeyedSighting query(std::string_view key, std::uint64_t common, int minutes, bool open = false) {
  return {key,
          {.form = SightingForm::kQuery, .open = open, .digests = {common, common}, .read_at = at(minutes), .home_day = kDay}};
}
KeyedSighting job(std::string_view key, std::uint64_t common, std::uint64_t full, int availability, bool open = false) {
  return {key,
          {.form = SightingForm::kJob,
           .open = open,
           .digests = {common, full},
           .read_at = at(availability + 100),
           .availability = at(availability),
           .home_day = kDay}};
}

KeyedSighting on_next_day(KeyedSighting row) {
  row.sighting.home_day += std::chrono::days(1);
  return row;
}

class StreamDigestsTest : public testing::Test {
 protected:
  DigestBatch decide(std::vector<KeyedSighting> rows) { return digests.decide(rows); }
  void commit(std::vector<KeyedSighting> rows) { digests.apply(decide(std::move(rows)).number); }

  StreamDigests digests{StreamName("conversations"), StreamRules{}};
};

std::vector<DigestReason> reasons(const DigestBatch& batch) {
  std::vector<DigestReason> result;
  for (const RowDecision& decision : batch.decisions) result.push_back(decision.reason);
  return result;
}

TEST_F(StreamDigestsTest, DecidesEachRowAndSaysWhatToStore) {
  const DigestBatch batch = decide({query(kUuid, 1, 10, true), query("other", 2, 10)});

  ASSERT_THAT(batch.decisions, SizeIs(2));
  EXPECT_EQ(batch.decisions[0].outcome, DigestOutcome::kPublish);
  EXPECT_THAT(
      batch.records,
      ElementsAre(
          DigestRecord{"conversations/" + kUuid, "1 provisional open 0000000000000001 - 1777853400 1777853400 2026-05-04"},
          DigestRecord{"conversations/other", "1 provisional closed 0000000000000002 - 1777853400 1777853400 2026-05-04"}));
}

TEST_F(StreamDigestsTest, WhatIsUnchangedWritesNothing) {
  commit({query("a", 1, 10)});

  const DigestBatch batch = decide({query("a", 1, 20)});

  EXPECT_THAT(reasons(batch), ElementsAre(DigestReason::kUnchanged));
  EXPECT_THAT(batch.records, IsEmpty());
}

TEST_F(StreamDigestsTest, ALaterRowOfABatchSeesTheEarlierOne) {
  const DigestBatch batch = decide({query("a", 1, 10), query("a", 1, 10), query("a", 2, 10), query("a", 3, 10, true)});

  EXPECT_THAT(reasons(batch),
              ElementsAre(DigestReason::kNew, DigestReason::kUnchanged, DigestReason::kChanged, DigestReason::kInDoubt));
  ASSERT_THAT(batch.records, SizeIs(1)) << "one record a key, as it is in the end";
  EXPECT_THAT(batch.records[0].value, Optional(HasSubstr("0000000000000002")));
  EXPECT_THAT(batch.records[0].value, Optional(HasSubstr("doubt")));
}

TEST_F(StreamDigestsTest, ALaterBatchSeesTheEarlierOneThatIsUnderWay) {
  const DigestBatch first = decide({query("a", 1, 10)});
  const DigestBatch second = decide({query("a", 1, 20), query("b", 1, 20)});

  EXPECT_THAT(reasons(second), ElementsAre(DigestReason::kUnchanged, DigestReason::kNew));
  EXPECT_EQ(digests.committed().size(), 0U);

  digests.apply(first.number);
  EXPECT_EQ(digests.committed().size(), 1U);
  EXPECT_TRUE(digests.find("b"));
  digests.apply(second.number);
  EXPECT_EQ(digests.committed().size(), 2U);
  EXPECT_EQ(digests.pending_batches(), 0U);
}

TEST_F(StreamDigestsTest, AnEarlierCommitDoesNotHideALaterDecision) {
  const DigestBatch first = decide({query("a", 1, 10)});
  decide({query("a", 2, 20)});

  digests.apply(first.number);

  EXPECT_EQ(digests.committed().find("a")->common, 1U);
  EXPECT_EQ(digests.find("a")->common, 2U);
}

TEST_F(StreamDigestsTest, WhatIsDiscardedIsDecidedAgainTheSameWay) {
  commit({query("a", 1, 10)});
  const std::vector<KeyedSighting> rows{query("a", 2, 20), query("b", 1, 20)};
  const DigestBatch first = decide(rows);

  digests.discard(first.number);

  EXPECT_EQ(digests.find("a")->common, 1U);
  EXPECT_FALSE(digests.find("b"));
  const DigestBatch again = decide(rows);
  EXPECT_EQ(reasons(again), reasons(first));
  EXPECT_EQ(again.records, first.records);
  EXPECT_GT(again.number, first.number);
}

TEST_F(StreamDigestsTest, DiscardingABatchVoidsEveryLaterOneAndNoEarlierOne) {
  const DigestBatch first = decide({query("a", 1, 10)});
  const DigestBatch second = decide({query("a", 2, 20), query("b", 1, 20)});
  decide({query("a", 3, 30), query("b", 2, 30), query("c", 1, 30)});

  digests.discard(second.number);

  EXPECT_EQ(digests.pending_batches(), 1U);
  EXPECT_EQ(digests.find("a")->common, 1U);
  EXPECT_FALSE(digests.find("b"));
  EXPECT_FALSE(digests.find("c"));
  digests.apply(first.number);
  EXPECT_EQ(digests.find("a")->common, 1U);
}

TEST_F(StreamDigestsTest, CountsWhatWasCommittedOnly) {
  const DigestBatch batch = decide({query("a", 1, 10), query("a", 1, 20)});
  EXPECT_EQ(digests.counters(), DigestCounters{});
  digests.discard(batch.number);
  EXPECT_EQ(digests.counters(), DigestCounters{});

  KeyedSighting oversize = query("b", 1, 20);
  oversize.sighting.publishable = Publishable::kNo;
  commit({query("a", 1, 10), query("a", 1, 20), oversize});

  EXPECT_EQ(digests.counters().published, 1U);
  EXPECT_EQ(digests.counters().dead_letters, 1U);
  EXPECT_EQ(digests.counters().of(DigestReason::kNew), 2U);
  EXPECT_EQ(digests.counters().of(DigestReason::kUnchanged), 1U);
}

TEST_F(StreamDigestsTest, RestoresWhatItStored) {
  commit({query(kUuid, 1, 10, true), query("gone", 1, 10), job("sealed", 1, 5, 20)});
  const DigestBatch batch = decide({query(kUuid, 2, 30)});
  StreamDigests restored{StreamName("conversations"), StreamRules{}};

  for (const auto& record : batch.records) {
    ASSERT_TRUE(restored.restore(parse_digest_key(record.key)->record_key, record.value));
  }
  ASSERT_TRUE(restored.restore("gone", digests.find("gone")->serialize()));
  ASSERT_TRUE(restored.restore("gone", std::nullopt));

  EXPECT_EQ(restored.find(kUuid), digests.find(kUuid));
  EXPECT_FALSE(restored.find("gone"));
  EXPECT_EQ(restored.committed().size(), 1U);
}

TEST_F(StreamDigestsTest, RefusesADamagedEntryAndNamesItsKey) {
  const auto restored = digests.restore("a", "rubbish");

  ASSERT_FALSE(restored);
  EXPECT_EQ(restored.error().code, ErrorCode::kStateRefused);
  EXPECT_THAT(restored.error().message, HasSubstr("conversations/a"));
}

TEST_F(StreamDigestsTest, ChangesOfOtherDecisionsGoTheSameWay) {
  commit({query("a", 1, 10), query("b", 1, 10)});
  const std::vector<std::pair<std::string, std::optional<DigestEntry>>> changes{{"a", gone_entry(*digests.find("a"), at(30))},
                                                                                {"b", std::nullopt}};

  const DigestBatch batch = digests.change(changes);

  EXPECT_THAT(batch.records, ElementsAre(DigestRecord{"conversations/a", "1 gone closed - - 1777854600 1777854600 2026-05-04"},
                                         DigestRecord{"conversations/b", std::nullopt}));
  EXPECT_THAT(reasons(decide({query("a", 1, 40), query("b", 1, 40)})), ElementsAre(DigestReason::kReturned, DigestReason::kNew));
}

// Owed days.

TEST_F(StreamDigestsTest, KnowsWhatAJobOfADayMaySettle) {
  commit({query("a", 1, 30), query("b", 1, 40), query("open", 1, 30, true)});
  commit({job("a", 1, 5, 20), job("b", 1, 5, 20), job("open", 1, 5, 20, true)});

  EXPECT_EQ(digests.due(kDay, std::nullopt, at(30)), 0U) << "a job must know beyond the read";
  EXPECT_EQ(digests.due(kDay, std::nullopt, at(35)), 1U);
  EXPECT_EQ(digests.due(kDay, std::nullopt, at(45)), 2U) << "the open one is to close first";
  EXPECT_EQ(digests.due(kDay, at(35), at(45)), 1U) << "what the last pass should have shown is not asked for again";
  EXPECT_EQ(digests.due(kDay + std::chrono::days(1), std::nullopt, at(45)), 0U);
  EXPECT_EQ(digests.committed().owed_count(), 3U);
}

// What a job shows open it owes itself, from the second to which its data is complete.
TEST_F(StreamDigestsTest, AFractionOfASecondDoesNotHideWhatTheLastJobLeftOwed) {
  digests = StreamDigests(StreamName("conversations"), StreamRules{.has_by_id = false});
  KeyedSighting row = job("open", 1, 5, 20, true);
  row.sighting.availability = at(20) + 10ms;
  commit({query("open", 1, 10, true), row});

  EXPECT_EQ(digests.due(kDay, at(20) + 10ms, at(20) + 20ms), 0U) << "no job could pay it yet";
  EXPECT_EQ(digests.due(kDay, at(20) + 10ms, at(30)), 1U);
}

// Expiry.

class Expiry : public StreamDigestsTest {
 protected:
  std::vector<std::string> expire(Instant now, bool done_with_day = true, std::size_t step = 2) {
    std::vector<std::string> keys;
    for (DigestIndex::Cursor cursor; !cursor.at_end();) {
      const auto batch = digests.expire(cursor, step, rules, now, [&](HomeDay) { return done_with_day; });
      if (!batch) continue;
      EXPECT_LE(batch->records.size(), step);
      for (const DigestRecord& record : batch->records) {
        EXPECT_EQ(record.value, std::nullopt);
        keys.push_back(record.key);
      }
      numbers.push_back(batch->number);
    }
    std::ranges::sort(keys);
    return keys;
  }
  ExpiryRules rules{.quiet = 1h, .give_up = 24h * 90};
  std::vector<BatchNumber> numbers;
};

TEST_F(Expiry, ClosedQuietAndSettled) {
  commit({query("a", 1, 10), query("b", 1, 20), on_next_day(query("open", 1, 10, true))});

  EXPECT_THAT(expire(at(69)), IsEmpty()) << "not quiet yet";
  EXPECT_THAT(expire(at(75)), ElementsAre("conversations/a"));
  for (const BatchNumber number : numbers) digests.apply(number);
  EXPECT_FALSE(digests.find("a"));
  EXPECT_EQ(digests.counters().expired, 1U);
  EXPECT_EQ(digests.committed().size(), 2U);
}

// Its tombstone is still to come, however long no reading told what is gone.
TEST_F(Expiry, OfAStateWhatIsAbsentStaysUntilItIsGone) {
  digests = StreamDigests(StreamName("conversations"),
                          {.has_query = true, .has_job = false, .has_by_id = false, .many_days = true, .awaits_absence = true});
  commit({query("absent", 1, 10), query("other", 1, 10)});
  EXPECT_THAT(expire(at(10) + 24h * 400), IsEmpty());

  KeyedSighting gone = query("absent", 0, 20);
  gone.sighting.form = SightingForm::kAbsent;
  gone.sighting.availability = at(20);
  commit({gone});
  EXPECT_THAT(expire(at(20) + 59min), IsEmpty());
  EXPECT_THAT(expire(at(20) + 1h), ElementsAre("conversations/absent"));
}

// What it was before it became a dead letter is in the topic, and is deleted there when it is gone.
TEST_F(Expiry, OfAStateWhatBecameADeadLetterStaysUntilItIsGone) {
  digests = StreamDigests(StreamName("conversations"),
                          {.has_query = true, .has_job = false, .has_by_id = false, .many_days = true, .awaits_absence = true});
  KeyedSighting too_large = query("large", 2, 20);
  too_large.sighting.publishable = Publishable::kNo;
  commit({query("large", 1, 10)});
  commit({too_large});

  EXPECT_THAT(expire(at(20) + 24h * 400), IsEmpty());
}

// While history is caught up everything has just been read.
TEST_F(Expiry, WhatAJobHasSealedGoesAfterMinutes) {
  rules.quiet = 6h;
  commit({job("sealed", 1, 5, 20), query("closed", 1, 120), on_next_day(job("owed", 1, 5, 20))});
  commit({on_next_day(query("owed", 2, 120))});

  EXPECT_THAT(expire(at(120) + 4min), IsEmpty());
  EXPECT_THAT(expire(at(120) + 5min), ElementsAre("conversations/sealed"));
  EXPECT_THAT(expire(at(120) + 6h), ElementsAre("conversations/closed"));
}

TEST_F(Expiry, QuietMayBeShorterThanThat) {
  rules.quiet = 1s;
  commit({job("sealed", 1, 5, 20)});

  EXPECT_THAT(expire(at(120) + 1s), ElementsAre("conversations/sealed"));
}

// It was asked for while it was provisional; then a job sealed it, and its day was done.
TEST_F(Expiry, AnAnswerByIdInFlightDoesNotBringBackWhatHasGone) {
  commit({query("a", 1, 10)});
  commit({job("a", 1, 5, 20)});
  ASSERT_THAT(expire(at(600)), SizeIs(1));
  for (const BatchNumber number : numbers) digests.apply(number);
  KeyedSighting answer = query("a", 1, 599);
  answer.sighting.form = SightingForm::kById;
  answer.sighting.known_when_asked = true;

  const DigestBatch batch = decide({answer});

  EXPECT_EQ(batch.decisions.front().outcome, DigestOutcome::kNothing);
  EXPECT_THAT(batch.records, IsEmpty());
  answer.sighting.known_when_asked = false;
  answer.sighting.requested = Requested::kRepair;
  EXPECT_EQ(decide({answer}).decisions.front().outcome, DigestOutcome::kPublish) << "whom it was asked for by an operator";
}

TEST_F(Expiry, NothingGoesWhilePassesWaitForHowLongEver) {
  commit({query("a", 1, 10), job("sealed", 1, 5, 10), query("open", 1, 10, true)});

  EXPECT_THAT(expire(at(10) + 24h * 400, false), IsEmpty());
}

TEST_F(Expiry, WhatIsOwedStaysUntilItIsPaidOrGivenUp) {
  commit({query("paid", 1, 30), on_next_day(query("unpaid", 1, 30))});
  commit({job("paid", 1, 5, 20), on_next_day(job("unpaid", 1, 5, 20))});
  EXPECT_THAT(expire(at(600)), IsEmpty());

  commit({job("paid", 1, 40, 31)});
  EXPECT_THAT(expire(at(600)), ElementsAre("conversations/paid"));
  EXPECT_THAT(expire(at(30) + 24h * 90), ElementsAre("conversations/unpaid")) << "the other one is on its way out already";
}

// The job that the other one needs returns the whole day: what had gone would be published again with it.
TEST_F(Expiry, NothingGoesOfADayOfWhichAnotherRecordIsOwed) {
  commit({job("settled", 1, 5, 20), query("owed", 1, 30)});
  commit({job("owed", 1, 5, 20)});

  EXPECT_THAT(expire(at(600)), IsEmpty());

  commit({job("owed", 1, 5, 31)});
  EXPECT_THAT(expire(at(600)), ElementsAre("conversations/owed", "conversations/settled"));
}

TEST_F(Expiry, NothingGoesOfADayOfWhichAnotherRecordIsOpenUntilThatIsGivenUp) {
  commit({job("settled", 1, 5, 20), query("open", 1, 30, true)});

  EXPECT_THAT(expire(at(600)), IsEmpty());
  EXPECT_THAT(expire(at(30) + 24h * 90), ElementsAre("conversations/open", "conversations/settled"));
}

// However old it is: the day's job returns it, too.
TEST_F(Expiry, WhatIsClosedAndSealedIsNotGivenUpWhileItsDayIsAwaited) {
  commit({job("settled", 1, 5, 20)});
  const Instant later = at(0) + 24h * 100;
  KeyedSighting owed = query("owed", 1, 30);
  owed.sighting.read_at = later;
  owed.sighting.home_day_settled = true;
  commit({owed});

  EXPECT_THAT(expire(later + 2h), IsEmpty());
}

TEST_F(Expiry, WhereNothingCanBecomeOwedTheOpenOnesHoldNobodyBack) {
  digests = StreamDigests(StreamName("conversations"), StreamRules{.has_job = false});
  commit({query("closed", 1, 10), query("open", 1, 10, true)});
  EXPECT_THAT(expire(at(600)), ElementsAre("conversations/closed"));

  digests = StreamDigests(StreamName("conversations"), StreamRules{.has_query = false, .has_by_id = false});
  commit({job("closed", 1, 5, 10), job("open", 1, 5, 10, true)});
  EXPECT_THAT(expire(at(600)), ElementsAre("conversations/closed"));
}

TEST_F(Expiry, AnOpenWantedOrDoubtfulOneIsGivenUpInTheEnd) {
  commit({query("open", 1, 10, true), query("doubtful", 1, 10)});
  commit({job("wanted", 1, 5, -90, true), query("doubtful", 2, 20, true)});

  EXPECT_THAT(expire(at(10) + 24h * 90 - 1s), IsEmpty());
  EXPECT_THAT(expire(at(10) + 24h * 90), ElementsAre("conversations/doubtful", "conversations/open", "conversations/wanted"));
}

// `dead-letters retry` looks at it.
TEST_F(Expiry, ADeadLetterStaysUntilItIsPublishedOrGivenUpAndHoldsNobodyBack) {
  KeyedSighting large = query("large", 1, 10);
  large.sighting.publishable = Publishable::kNo;
  commit({large, query("a", 1, 10)});
  EXPECT_THAT(expire(at(600)), ElementsAre("conversations/a"));
  EXPECT_THAT(expire(at(10) + 24h * 90), ElementsAre("conversations/large")) << "the other one is on its way out already";

  digests = StreamDigests(StreamName("conversations"), StreamRules{});
  commit({large});
  commit({query("large", 2, 20)});
  EXPECT_THAT(expire(at(600)), ElementsAre("conversations/large"));
}

TEST_F(Expiry, WhatATransactionUnderWayChangesStays) {
  commit({query("a", 1, 10), query("b", 1, 10)});
  decide({query("a", 2, 500)});

  EXPECT_THAT(expire(at(600)), ElementsAre("conversations/b"));
}

TEST_F(Expiry, IsVoidWithItsTransaction) {
  commit({query("a", 1, 10)});
  ASSERT_THAT(expire(at(600)), SizeIs(1));
  EXPECT_FALSE(digests.find("a"));

  digests.discard(numbers.front());

  EXPECT_TRUE(digests.find("a"));
  EXPECT_THAT(expire(at(600)), SizeIs(1));
}

TEST_F(Expiry, AsksForEachDayOnceAStep) {
  commit({query("a", 1, 10), query("b", 1, 10), query("c", 1, 10)});
  int asked = 0;
  DigestIndex::Cursor cursor;

  digests.expire(cursor, 100, rules, at(600), [&](HomeDay) {
    ++asked;
    return false;
  });

  EXPECT_EQ(asked, 1);
  EXPECT_TRUE(cursor.at_end());
}

}  // namespace
}  // namespace connector::core
