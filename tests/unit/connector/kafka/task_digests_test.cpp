#include "connector/kafka/task_digests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace connector::kafka {
namespace {

using core::RecordFate;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const core::StreamName kCalls{"calls"};
const core::SourcePartition kLive{.stream = kCalls, .lane = core::Lane::kLive};
const common::Instant kNoon = common::parse_instant("2026-05-04T12:00:00Z").value();
const core::HomeDay kDay = std::chrono::floor<std::chrono::days>(kNoon);

struct Row {
  std::string_view key;
  std::uint64_t content = 1;
  bool open = false;
};

class TaskDigestsTest : public testing::Test {
 protected:
  static StreamTopic topic(core::StreamRules rules = {.has_query = true, .has_job = false, .has_by_id = true}) {
    return {.stream = kCalls, .topic = "acme.calls", .settings = {}, .rules = rules, .expiry = {}};
  }
  static core::Ledger ledger_of_the_day() {
    core::Ledger ledger({}, kDay);
    EXPECT_TRUE(ledger.apply(core::WindowCompleted{.window = {.start = kDay, .end = kDay + std::chrono::days{1}}}));
    return ledger;
  }
  Transaction transaction_of(const std::vector<Row>& rows, std::size_t limit = 1'000'000) const {
    Transaction transaction;
    transaction.batch.stream = kCalls;
    core::Page& page = transaction.batch.pages.emplace_back();
    page.source = kLive;
    page.service_date = kNoon;
    for (const Row& row : rows) {
      page.records.push_back({.key = row.key, .value = "{}"});
      page.contents.push_back({.digests = {.common = row.content, .full = row.content}, .home_day = kDay, .open = row.open});
    }
    measure(transaction, {.record = limit, .dead_letter = 100'000});
    return transaction;
  }
  // Decided, and known to be committed.
  std::vector<RecordFate> committed(const std::vector<Row>& rows) {
    Transaction transaction = transaction_of(rows);
    digests.decide(transaction, ledgers);
    digests.apply(transaction);
    return transaction.batch.fates;
  }

  TaskDigests digests{{topic()}};
  core::Ledgers ledgers;
};

TEST_F(TaskDigestsTest, EqualContentIsPublishedOnce) {
  EXPECT_THAT(committed({{"a", 1}, {"b", 1}, {"a", 1}, {"a", 2}}),
              ElementsAre(RecordFate::kPublish, RecordFate::kPublish, RecordFate::kWithheld, RecordFate::kPublish));
  EXPECT_THAT(committed({{"a", 2}, {"b", 3}}), ElementsAre(RecordFate::kWithheld, RecordFate::kPublish));
}

TEST_F(TaskDigestsTest, WhatIsDecidedTravelsWithTheTransactionAndComesBackFromKafka) {
  Transaction transaction = transaction_of({{"a", 1}, {"b", 2}});
  digests.decide(transaction, ledgers);
  ASSERT_THAT(transaction.batch.digests, SizeIs(2));

  TaskDigests restored{{topic()}};
  for (const core::DigestRecord& record : transaction.batch.digests) {
    const std::string_view value = *record.value;
    restored.restore(record.key, &value);
  }
  ASSERT_TRUE(restored.restored());

  Transaction again = transaction_of({{"a", 1}, {"b", 3}});
  restored.decide(again, ledgers);
  EXPECT_THAT(again.batch.fates, ElementsAre(RecordFate::kWithheld, RecordFate::kPublish));
}

// No pass is to come for it by itself: what the query shows now has its job form and its attributes still to get.
TEST_F(TaskDigestsTest, AQueryRowOfADayThatTheJobsAreDoneWithIsOwedToThem) {
  TaskDigests both{{topic({.has_query = true, .has_job = true, .has_by_id = true})}};
  const core::SourcePartition settle{.stream = kCalls, .lane = core::Lane::kSettle};
  ledgers[settle] = core::Ledger({}, kDay);
  Transaction early = transaction_of({{"early"}});
  both.decide(early, ledgers);
  both.apply(early);
  ledgers[settle] = ledger_of_the_day();
  Transaction late = transaction_of({{"late"}});
  both.decide(late, ledgers);
  both.apply(late);

  EXPECT_FALSE(both.of(kCalls)->committed().find("early")->is_owed()) << "a pass is to come";
  EXPECT_TRUE(both.of(kCalls)->committed().find("late")->is_owed());
}

TEST_F(TaskDigestsTest, AnAbortedTransactionIsForgotten) {
  Transaction transaction = transaction_of({{"a", 1}});
  digests.decide(transaction, ledgers);
  digests.discard(transaction);

  EXPECT_THAT(transaction.batch.digests, IsEmpty());
  EXPECT_THAT(committed({{"a", 1}}), ElementsAre(RecordFate::kPublish));
}

// The broker refuses a record after it was decided to publish it: what is remembered is a dead letter, made once.
TEST_F(TaskDigestsTest, ARefusedRecordIsDecidedAgainAsADeadLetterOncePerContent) {
  Transaction transaction = transaction_of({{"a", 1}, {"b", 1}});
  digests.decide(transaction, ledgers);
  transaction.batch.fates[0] = RecordFate::kRefused;

  digests.decide(transaction, ledgers);

  EXPECT_THAT(transaction.batch.fates, ElementsAre(RecordFate::kRefused, RecordFate::kPublish));
  EXPECT_THAT(transaction.batch.digests, SizeIs(2));
  digests.apply(transaction);
  EXPECT_EQ(digests.of(kCalls)->committed().find("a")->state, core::DigestState::kDead);
  Transaction again = transaction_of({{"a", 1}}, 1);  // known to be too large this time
  digests.decide(again, ledgers);
  EXPECT_THAT(again.batch.fates, ElementsAre(RecordFate::kWithheld));
  digests.decide(again, ledgers);
  EXPECT_THAT(again.batch.fates, ElementsAre(RecordFate::kWithheld)) << "decided again, it is too large still";
}

TEST_F(TaskDigestsTest, WhatIsDroppedIsCountedOncePerContentToo) {
  Transaction transaction = transaction_of({{"a", 1}, {"a", 1}});
  transaction.batch.too_large = RecordFate::kDropped;
  transaction.batch.fates.clear();
  measure(transaction, {.record = 1, .dead_letter = 100'000});

  digests.decide(transaction, ledgers);
  digests.decide(transaction, ledgers);

  EXPECT_THAT(transaction.batch.fates, ElementsAre(RecordFate::kDropped, RecordFate::kWithheld));
  digests.apply(transaction);
  EXPECT_THAT(committed({{"a", 2}}), ElementsAre(RecordFate::kPublish));
}

TEST_F(TaskDigestsTest, ARepairIsPublishedThoughItsContentIsKnownAndRemembered) {
  committed({{"a", 1}});
  Transaction transaction = transaction_of({{"a", 1}});
  transaction.batch.pages.front().repair = true;

  digests.decide(transaction, ledgers);
  digests.apply(transaction);

  EXPECT_THAT(transaction.batch.fates, ElementsAre(RecordFate::kPublish));
  EXPECT_THAT(transaction.batch.digests, SizeIs(1));
  EXPECT_THAT(committed({{"a", 1}}), ElementsAre(RecordFate::kWithheld)) << "only what is marked";
}

// Two dead letters are tried again and the broker refuses them, one after the other: neither becomes a second one, and the search
// for those at fault ends.
TEST_F(TaskDigestsTest, ARepairThatIsRefusedAgainMakesNoSecondDeadLetterAndIsNotTriedForEver) {
  Transaction first = transaction_of({{"a", 1}, {"b", 1}});
  first.batch.fates = {RecordFate::kRefused, RecordFate::kRefused};
  digests.decide(first, ledgers);
  digests.apply(first);
  Transaction repair = transaction_of({{"a", 1}, {"b", 1}, {"c", 1}});
  repair.batch.pages.front().repair = true;

  digests.decide(repair, ledgers);
  EXPECT_THAT(repair.batch.fates, ElementsAre(RecordFate::kPublish, RecordFate::kPublish, RecordFate::kPublish));
  repair.batch.fates[0] = RecordFate::kOversize;  // compressed, so only the broker could tell
  digests.decide(repair, ledgers);
  EXPECT_THAT(repair.batch.fates, ElementsAre(RecordFate::kDead, RecordFate::kPublish, RecordFate::kPublish));
  repair.batch.fates[1] = RecordFate::kRefused;
  digests.decide(repair, ledgers);

  EXPECT_THAT(repair.batch.fates, ElementsAre(RecordFate::kDead, RecordFate::kDead, RecordFate::kPublish));
  digests.apply(repair);
  EXPECT_EQ(digests.of(kCalls)->committed().find("a")->state, core::DigestState::kDead);
  EXPECT_EQ(digests.of(kCalls)->committed().find("c")->state, core::DigestState::kProvisional);
  const auto sums = sum_up(repair.batch);
  EXPECT_EQ(sums.at(kLive).withheld, 2U);
  EXPECT_THAT(sums.at(kLive).dead_letters, IsEmpty());
}

// Keys that the service was asked for in vain, after a job whose data is complete to an hour after noon.
Transaction gone_of(std::vector<std::string_view> keys, core::OnDelete on_delete) {
  Transaction transaction;
  transaction.batch.stream = kCalls;
  core::Page& page = transaction.batch.pages.emplace_back();
  page.source = {.stream = kCalls, .lane = core::Lane::kSettle};
  page.form = core::RecordForm::kJob;
  page.gone = on_delete;
  page.service_date = kNoon + std::chrono::hours(3);
  page.availability = kNoon + std::chrono::hours(1);
  for (const std::string_view key : keys) {
    page.records.push_back({.key = key, .value = {}});
    page.contents.push_back({.digests = {}, .home_day = kDay, .open = false});
  }
  measure(transaction, {.record = 1'000'000, .dead_letter = 100'000});
  return transaction;
}

TEST_F(TaskDigestsTest, WhatIsGoneIsATombstoneOnceAndPublishedWhenItComesBack) {
  committed({{"a", 1}, {"b", 1}});
  Transaction transaction = gone_of({"a", "never seen"}, core::OnDelete::kTombstone);
  digests.decide(transaction, ledgers);
  EXPECT_THAT(transaction.batch.fates, ElementsAre(RecordFate::kPublish, RecordFate::kWithheld));
  ASSERT_THAT(transaction.batch.digests, SizeIs(1));
  EXPECT_THAT(*transaction.batch.digests.front().value, testing::HasSubstr("gone"));
  EXPECT_EQ(sum_up(transaction.batch).begin()->second.tombstones, 1U);
  EXPECT_EQ(sum_up(transaction.batch).begin()->second.records, 0U);
  digests.apply(transaction);

  Transaction again = gone_of({"a"}, core::OnDelete::kTombstone);
  digests.decide(again, ledgers);
  EXPECT_THAT(again.batch.fates, ElementsAre(RecordFate::kWithheld));
  digests.apply(again);
  EXPECT_THAT(committed({{"a", 1}, {"b", 1}}), ElementsAre(RecordFate::kPublish, RecordFate::kWithheld));
}

TEST_F(TaskDigestsTest, WhatIsGoneAndKeptIsOnlyRemembered) {
  committed({{"a", 1}});
  Transaction transaction = gone_of({"a"}, core::OnDelete::kKeep);
  digests.decide(transaction, ledgers);
  digests.decide(transaction, ledgers);  // after an abort

  EXPECT_THAT(transaction.batch.fates, ElementsAre(RecordFate::kKept));
  ASSERT_THAT(transaction.batch.digests, SizeIs(1));
  const PublishedSum sum = sum_up(transaction.batch).begin()->second;
  EXPECT_EQ(sum.kept, 1U);
  EXPECT_EQ(sum.tombstones + sum.records + sum.withheld, 0U);
}

TEST_F(TaskDigestsTest, ATombstoneTheBrokerRefusesIsADeadLetterAndTheKeyIsGone) {
  committed({{"a", 1}});
  Transaction transaction = gone_of({"a"}, core::OnDelete::kTombstone);
  digests.decide(transaction, ledgers);
  transaction.batch.fates.front() = RecordFate::kRefused;
  digests.decide(transaction, ledgers);

  EXPECT_THAT(transaction.batch.fates, ElementsAre(RecordFate::kRefused));
  ASSERT_THAT(transaction.batch.digests, SizeIs(1));
  EXPECT_THAT(*transaction.batch.digests.front().value, testing::HasSubstr("gone"));
}

TEST_F(TaskDigestsTest, PagesWithoutContentsArePublishedAsTheyAre) {
  Transaction transaction = transaction_of({{"a", 1}, {"a", 1}});
  transaction.batch.pages.front().contents.clear();
  digests.decide(transaction, ledgers);

  EXPECT_THAT(transaction.batch.fates, ElementsAre(RecordFate::kPublish, RecordFate::kPublish));
  EXPECT_THAT(transaction.batch.digests, IsEmpty());
}

TEST_F(TaskDigestsTest, AnEntryExpiresWhenEveryPassOverItsDayIsDoneAndItIsQuiet) {
  committed({{"a", 1}, {"open", 1, true}});
  core::Ledger live({}, kDay);
  ledgers[kLive] = live;
  const common::Instant much_later = kNoon + std::chrono::days{3};
  EXPECT_FALSE(digests.expire(ledgers, much_later)) << "the lane is not done with the day";

  ASSERT_TRUE(live.apply(core::WindowCompleted{.window = {.start = kDay, .end = kDay + std::chrono::days{1}}}));
  ledgers[kLive] = live;
  EXPECT_FALSE(digests.expire(ledgers, kNoon)) << "not quiet yet";
  auto expired = digests.expire(ledgers, much_later);
  ASSERT_TRUE(expired);
  EXPECT_THAT(expired->batch.digests, ElementsAre(core::DigestRecord{.key = "calls/a", .value = std::nullopt}));
  digests.apply(*expired);
  EXPECT_THAT(committed({{"a", 1}}), ElementsAre(RecordFate::kPublish)) << "beyond the horizon it is new";
}

// Between midnight and the new day's first reading nothing says that it is over.
TEST_F(TaskDigestsTest, WhatLastsForDaysExpiresWhenTheDayAfterItsLastOneIsDoneToo) {
  digests = TaskDigests({topic({.has_query = true, .has_job = false, .has_by_id = false, .many_days = true})});
  committed({{"a", 1}, {"b", 1}});
  const common::Instant much_later = kNoon + std::chrono::days{3};
  ledgers[kLive] = ledger_of_the_day();
  EXPECT_FALSE(digests.expire(ledgers, much_later)) << "the next day has not been read";

  // A reading of the next day returns `b` still.
  Transaction next_day = transaction_of({{"b", 1}});
  next_day.batch.pages.front().contents.front().home_day = kDay + std::chrono::days{1};
  digests.decide(next_day, ledgers);
  EXPECT_THAT(next_day.batch.fates, ElementsAre(RecordFate::kWithheld));
  EXPECT_THAT(next_day.batch.digests, SizeIs(1)) << "after a restart, too, it is known to be there";
  digests.apply(next_day);
  ASSERT_TRUE(ledgers[kLive].apply(
      core::WindowCompleted{.window = {.start = kDay + std::chrono::days{1}, .end = kDay + std::chrono::days{2}}}));

  const auto expired = digests.expire(ledgers, much_later);

  ASSERT_TRUE(expired);
  EXPECT_THAT(expired->batch.digests, ElementsAre(core::DigestRecord{.key = "calls/a", .value = std::nullopt}));
}

// Older than the stream's start nobody remembers what was published, so that a record says it may be a repeat.
TEST_F(TaskDigestsTest, WhatABackfillPublishesBeyondTheHorizonIsMarked) {
  core::Ledger later({}, kDay + std::chrono::days{2});
  const core::SourcePartition backfill{.stream = kCalls, .lane = core::Lane::kBackfill};
  ledgers[kLive] = later;
  Transaction transaction = transaction_of({{"a", 1}, {"b", 1}, {"a", 1}, {"b", 2}});
  transaction.batch.pages.front().source = backfill;
  digests.decide(transaction, ledgers);
  digests.decide(transaction, ledgers);

  EXPECT_EQ(transaction.batch.beyond_horizon, (std::vector<bool>{true, true, false, false})) << "the others are known by now";
  digests.apply(transaction);

  Transaction of_live = transaction_of({{"c", 1}});
  digests.decide(of_live, ledgers);
  EXPECT_THAT(of_live.batch.beyond_horizon, IsEmpty());
  digests.apply(of_live);

  ledgers[kLive] = core::Ledger({}, kDay);
  Transaction within = transaction_of({{"d", 1}});
  within.batch.pages.front().source = backfill;
  digests.decide(within, ledgers);
  EXPECT_THAT(within.batch.beyond_horizon, IsEmpty()) << "its entries live until the lanes are done with the day";
}

TEST_F(TaskDigestsTest, WhatABackfillPublishesOfADayThatIsStillJudgedIsNotBeyondTheHorizon) {
  digests = TaskDigests({topic({.has_query = true, .has_job = true, .has_by_id = true})});
  const core::SourcePartition settle{.stream = kCalls, .lane = core::Lane::kSettle};
  const common::Interval day{.start = kDay, .end = kDay + std::chrono::days{1}};
  ledgers[kLive] = ledger_of_the_day();
  ledgers[settle] = ledger_of_the_day();
  ASSERT_TRUE(ledgers[settle].apply(core::JudgingBegun{day}));
  const auto is_beyond = [&](const std::string& key) {
    Transaction transaction = transaction_of({{key, 1}});
    transaction.batch.pages.front().source = {.stream = kCalls, .lane = core::Lane::kBackfill};
    digests.decide(transaction, ledgers);
    digests.apply(transaction);
    return !transaction.batch.beyond_horizon.empty();
  };

  EXPECT_FALSE(is_beyond("a")) << "its entries live until that is decided";
  ASSERT_TRUE(ledgers[settle].apply(core::JudgingEnded{day}));
  EXPECT_TRUE(is_beyond("b"));
}

TEST_F(TaskDigestsTest, WhatABackfillPublishesExpiresByTheSameRuleAndNotWhileItIsUnderWay) {
  ledgers[kLive] = core::Ledger({}, kDay + std::chrono::days{2});
  committed({{"a", 1}});
  core::Ledger backfill;
  const common::Interval range{.start = kDay, .end = kDay + std::chrono::days{1}};
  ASSERT_TRUE(backfill.apply(core::BackfillBegan{.order = {.id = "a", .range = range}, .at = kNoon}));
  ledgers[{.stream = kCalls, .lane = core::Lane::kBackfill}] = backfill;
  EXPECT_FALSE(digests.expire(ledgers, kNoon + std::chrono::days{3})) << "a window of it may begin again";

  ASSERT_TRUE(backfill.apply(core::WindowCompleted{.window = range}));
  ledgers[{.stream = kCalls, .lane = core::Lane::kBackfill}] = backfill;
  EXPECT_TRUE(digests.expire(ledgers, kNoon + std::chrono::days{3}));
}

TEST_F(TaskDigestsTest, NothingExpiresBeforeEveryLaneHasBegun) {
  digests = TaskDigests({topic({.has_query = true, .has_job = true, .has_by_id = true})});
  committed({{"a", 1}});
  ledgers[kLive] = ledger_of_the_day();

  EXPECT_FALSE(digests.expire(ledgers, kNoon + std::chrono::days{30}));
  ledgers[{.stream = kCalls, .lane = core::Lane::kSettle}] = ledger_of_the_day();
  EXPECT_TRUE(digests.expire(ledgers, kNoon + std::chrono::days{30}));
}

// A stream that has nothing to let go does not hold up another one's.
TEST_F(TaskDigestsTest, OneCallSearchesStreamAfterStream) {
  const core::StreamName others{"others"};
  StreamTopic other = topic();
  other.stream = others;
  digests = TaskDigests({topic(), other});
  committed({{"a", 1}});
  ledgers[kLive] = ledger_of_the_day();
  ledgers[{.stream = others, .lane = core::Lane::kLive}] = ledger_of_the_day();

  for (int i = 0; i < 2; ++i) {
    auto expired = digests.expire(ledgers, kNoon + std::chrono::days{30});
    ASSERT_TRUE(expired) << i;
    digests.discard(*expired);
  }
}

// What a lane left unfinished that was switched off is nobody's to finish: its entries would stay for ever.
TEST_F(TaskDigestsTest, TheLedgerOfALaneThatWasSwitchedOffDoesNotCount) {
  committed({{"a", 1}});
  ledgers[kLive] = ledger_of_the_day();
  ledgers[{.stream = kCalls, .lane = core::Lane::kSettle}] = core::Ledger({}, kDay);

  EXPECT_TRUE(digests.expire(ledgers, kNoon + std::chrono::days{30}));
}

// What was written wrongly once stands in the topic until it is compacted, long after it was mended.
TEST_F(TaskDigestsTest, OnlyTheLastValueOfAKeyIsJudged) {
  const std::string_view bad = "1 provisional closed 0000000000000001 - 0 0 0001-01-01";
  const std::string_view good = "1 provisional closed 0000000000000001 - 0 0 2026-05-04";
  for (const std::string_view* mended : {&good, static_cast<const std::string_view*>(nullptr)}) {
    TaskDigests restored{{topic()}};
    restored.restore("calls/a", &bad);
    ASSERT_FALSE(restored.restored());
    EXPECT_EQ(restored.restored().error().code, common::ErrorCode::kStateRefused);
    EXPECT_THAT(restored.restored().error().message, testing::HasSubstr("calls/a"));

    restored.restore("calls/a", mended);
    EXPECT_TRUE(restored.restored());
    EXPECT_EQ(restored.of(kCalls)->committed().size(), mended == nullptr ? 0U : 1U);

    restored.restore("calls/a", &good);
    restored.restore("calls/a", &bad);
    EXPECT_FALSE(restored.restored()) << "the last one counts";
  }
}

TEST_F(TaskDigestsTest, AKeyThatIsNoneIsJudgedByItsLastValueToo) {
  const std::string_view value = "1 provisional closed 0000000000000001 - 0 0 2026-05-04";
  digests.restore("nobody", &value);
  EXPECT_FALSE(digests.restored());
  digests.restore("nobody", nullptr);
  EXPECT_TRUE(digests.restored());
}

TEST_F(TaskDigestsTest, KeysOfAStreamThatIsNotConfiguredAreLeftAlone) {
  const std::string_view value = "1 provisional closed 0000000000000001 - 0 0 2026-05-04";
  digests.restore("others/a", &value);
  EXPECT_TRUE(digests.restored());
  EXPECT_EQ(digests.of(core::StreamName{"others"}), nullptr);
}

}  // namespace
}  // namespace connector::kafka
