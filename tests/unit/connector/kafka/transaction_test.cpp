#include "connector/kafka/transaction.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace connector::kafka {
namespace {

using core::RecordFate;

const core::ConnectorName kName{"acme"};
const core::SourcePartition kLive{.stream = core::StreamName{"conversations"}, .lane = core::Lane::kLive};
const core::SourcePartition kSettle{.stream = core::StreamName{"conversations"}, .lane = core::Lane::kSettle};
const common::Interval kWindow = *common::parse_interval("2026-05-04T00:00:00.000Z/2026-05-04T01:00:00.000Z");

core::Page page(const core::SourcePartition& source, std::size_t records, std::size_t value_bytes) {
  core::Page made;
  made.source = source;
  made.window = kWindow;
  made.buffer = std::make_unique<std::string>(value_bytes, 'x');
  for (std::size_t i = 0; i < records; ++i) made.records.push_back({.key = "key", .value = *made.buffer});
  return made;
}

core::Ledgers committed() {
  return {{kLive, core::Ledger{{}, kWindow.start}}, {kSettle, core::Ledger{{}, kWindow.start}}};
}

TEST(Transaction, CarriesTheLedgersThatItsPagesMoveAndNoOther) {
  Transaction transaction;
  transaction.number = 7;
  transaction.batch.pages.push_back(page(kLive, 1, 10));
  transaction.batch.pages.back().changes.emplace_back(core::WindowOpened{.window = kWindow, .position = core::AtStart{}});
  transaction.batch.pages.push_back(page(kLive, 1, 10));
  transaction.batch.pages.back().changes.emplace_back(core::WindowCompleted{.window = kWindow, .records = 2});
  const core::Ledgers before = committed();

  ASSERT_TRUE(move_ledgers(transaction, kName, before, "incarnation"));

  ASSERT_EQ(transaction.ledgers.size(), 1U);
  const core::Ledger& moved = transaction.ledgers.at(kLive);
  EXPECT_EQ(moved.complete_until(), kWindow.end);
  EXPECT_EQ(moved.stamp(), (core::CommitStamp{.incarnation = "incarnation", .number = 7}));
  ASSERT_EQ(transaction.batch.state.size(), 1U);
  EXPECT_EQ(transaction.batch.state.front().key, R"(["acme",{"stream":"conversations","lane":"live"}])");
  EXPECT_EQ(*core::Ledger::parse(*transaction.batch.state.front().value), moved);
  EXPECT_EQ(before, committed()) << "moved only once it is committed";
}

// Else a request would be taken up again that was done, or one be lost that was not.
TEST(Transaction, ABackfillsRequestGoesWithItsEnd) {
  const core::SourcePartition backfill{.stream = core::StreamName{"conversations"}, .lane = core::Lane::kBackfill};
  core::Ledgers before = committed();
  before[backfill] = core::Ledger({}, kWindow.start);
  Transaction begins;
  begins.batch.pages.push_back(page(backfill, 0, 1));
  begins.batch.pages.back().changes.emplace_back(core::BackfillBegan{.order = {.id = "a", .range = kWindow}, .at = kWindow.end});
  ASSERT_TRUE(move_ledgers(begins, kName, before, "incarnation"));
  EXPECT_TRUE(begins.batch.control.empty());

  Transaction ends;
  ends.batch.pages.push_back(page(backfill, 0, 1));
  ends.batch.pages.back().changes.emplace_back(core::BackfillEnded{.detail = {}, .at = kWindow.end});
  ASSERT_TRUE(move_ledgers(ends, kName, begins.ledgers, "incarnation"));

  ASSERT_EQ(ends.batch.control.size(), 1U);
  EXPECT_EQ(ends.batch.control.front().key, R"(["acme",{"backfill":"conversations"}])");
  EXPECT_FALSE(ends.batch.control.front().value);
}

TEST(Transaction, TheMarkOfTheDigestsStandsInBothTopics) {
  const core::Claim claim{
      .incarnation = "mine", .host = "h", .claimed_at = {}, .digests = core::DigestsMark{.incarnation = "mine", .generation = 3}};

  const Transaction transaction = mark_transaction(kName, 0, claim);

  ASSERT_EQ(transaction.batch.state.size(), 1U);
  EXPECT_EQ(core::Claim::parse(*transaction.batch.state.front().value).value(), claim);
  ASSERT_EQ(transaction.batch.digests.size(), 1U);
  EXPECT_EQ(transaction.batch.digests.front().key, R"(["acme",{"task":0}])");
  EXPECT_EQ(core::DigestsMark::parse(*transaction.batch.digests.front().value).value(), *claim.digests);
}

TEST(Transaction, AChangeThatContradictsItsLedgerIsRefused) {
  Transaction transaction;
  transaction.batch.stream = kLive.stream;
  transaction.batch.pages.push_back(page(kLive, 1, 10));
  transaction.batch.pages.back().changes.emplace_back(
      core::PageRead{.window = kWindow, .next = core::AtPage{2}, .records = 1, .page = 1});

  const auto moved = move_ledgers(transaction, kName, committed(), "incarnation");

  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code, common::ErrorCode::kInternal);
  EXPECT_TRUE(transaction.batch.state.empty());
}

TEST(Transaction, RecordsThatTheirTopicCannotTakeAreMarkedInTheirPlaces) {
  Transaction transaction;
  core::TransactionBatch& batch = transaction.batch;
  batch.pages.push_back(page(kLive, 1, 10));
  batch.pages.push_back(page(kLive, 1, 5'000));
  batch.pages.push_back(page(kSettle, 1, 10));

  measure(transaction, {.record = 5'000, .dead_letter = 100'000});

  EXPECT_EQ(batch.fates, (std::vector{RecordFate::kPublish, RecordFate::kOversize, RecordFate::kPublish}))
      << "headers and framing count as well";
  EXPECT_LT(batch.dead_letter_limit, 100'000U);
  EXPECT_GT(batch.dead_letter_limit, 90'000U);
}

TEST(Transaction, WhatIsTooLargeIsDroppedWhereThatIsWanted) {
  Transaction transaction;
  core::TransactionBatch& batch = transaction.batch;
  batch.too_large = RecordFate::kDropped;
  batch.pages.push_back(page(kLive, 1, 5'000));

  measure(transaction, {.record = 5'000, .dead_letter = 100'000});

  EXPECT_EQ(batch.fates, (std::vector{RecordFate::kDropped}));
  const auto sums = sum_up(batch);
  EXPECT_EQ(sums.at(kLive).dropped, 1U);
  EXPECT_EQ(sums.at(kLive).records, 0U);
  EXPECT_TRUE(sums.at(kLive).dead_letters.empty());
}

TEST(Transaction, WhatWasPublishedIsSummedUpBySourcePartition) {
  core::TransactionBatch batch;
  batch.pages.push_back(page(kLive, 3, 10));
  batch.pages.push_back(page(kSettle, 1, 20));
  batch.pages.back().dead_letters.push_back({.reason = "no_key", .detail = {}, .key = {}, .bytes = {}});
  batch.fates = {RecordFate::kPublish, RecordFate::kOversize, RecordFate::kRefused, RecordFate::kSuspect};

  const auto sums = sum_up(batch);

  ASSERT_EQ(sums.size(), 2U);
  EXPECT_EQ(sums.at(kLive).records, 1U);
  EXPECT_EQ(sums.at(kLive).bytes, 10U);
  EXPECT_EQ(sums.at(kLive).dead_letters, (std::map<std::string, std::uint64_t>{{"oversize", 1}, {"broker_refused", 1}}));
  EXPECT_EQ(sums.at(kSettle).records, 1U) << "a suspect that went through is published";
  EXPECT_EQ(sums.at(kSettle).bytes, 20U);
  EXPECT_EQ(sums.at(kSettle).dead_letters, (std::map<std::string, std::uint64_t>{{"no_key", 1}}));
}

TEST(Transaction, AKeyThatARepairPublishesTwiceIsOneRepairedKey) {
  core::TransactionBatch batch;
  batch.pages.push_back(page(kSettle, 2, 10));
  batch.pages.push_back(page(kSettle, 2, 10));
  for (core::Page& one : batch.pages) one.repair = true;
  batch.pages.back().records.back().key = "withheld";
  batch.pages.push_back(page(kLive, 1, 10));
  batch.pages.back().records.back().key = "not a repair";
  batch.fates = {RecordFate::kPublish, RecordFate::kPublish, RecordFate::kSuspect, RecordFate::kWithheld, RecordFate::kPublish};

  std::set<std::string> keys;
  add_repaired(batch, keys);

  EXPECT_EQ(keys, (std::set<std::string>{"key"}));
}

}  // namespace
}  // namespace connector::kafka
