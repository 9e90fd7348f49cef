#include "connector/core/transaction/refusal_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace connector::core {
namespace {

// A broker that refuses whole requests holding a bad record, and a producer that stops at the first refusal.
std::vector<std::size_t> attempt(const TransactionBatch& batch, const std::set<std::size_t>& bad, std::size_t request_size) {
  std::vector<std::size_t> request;
  std::vector<std::size_t> refused;
  std::size_t limit = request_size;
  bool suspects = false;
  const auto send = [&] {
    if (refused.empty() && std::ranges::any_of(request, [&](std::size_t place) { return bad.contains(place); }))
      refused = request;
    request.clear();
  };
  for (std::size_t place = 0; place < batch.fates.size(); ++place) {
    const RecordFate fate = batch.fates[place];
    if (fate == RecordFate::kRefused || fate == RecordFate::kOversize) continue;
    const bool suspect = fate == RecordFate::kSuspect;
    if (suspect != suspects || request.size() == limit) send();
    suspects = suspect;
    limit = suspect ? std::min(batch.suspect_chunk, request_size) : request_size;
    request.push_back(place);
  }
  send();
  return refused;
}

TEST(RefusalSearch, TheRecordAtFaultGetsTheFateThatIsAskedFor) {
  TransactionBatch batch;
  batch.fates.assign(3, RecordFate::kPublish);
  batch.fates[0] = RecordFate::kDropped;

  ASSERT_TRUE(narrow(batch, {1}, RecordFate::kDropped));

  EXPECT_EQ(batch.fates, (std::vector{RecordFate::kDropped, RecordFate::kDropped, RecordFate::kPublish}));
}

class RefusalSearch : public testing::TestWithParam<std::set<std::size_t>> {};

TEST_P(RefusalSearch, FindsExactlyTheBadRecordsInBoundedAttempts) {
  const std::set<std::size_t>& bad = GetParam();
  TransactionBatch batch;
  batch.fates.assign(100, RecordFate::kPublish);

  int attempts = 0;
  for (; attempts < 100; ++attempts) {
    const auto refused = attempt(batch, bad, 32);
    if (refused.empty()) break;
    ASSERT_TRUE(narrow(batch, refused));
  }

  // Per bad record the five halvings of 32, and one attempt that condemns it.
  EXPECT_LE(attempts, 1 + static_cast<int>(bad.size()) * 8);
  for (std::size_t place = 0; place < batch.fates.size(); ++place) {
    EXPECT_EQ(batch.fates[place] == RecordFate::kRefused, bad.contains(place)) << place;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, RefusalSearch,
                         testing::Values(std::set<std::size_t>{}, std::set<std::size_t>{0}, std::set<std::size_t>{99},
                                         std::set<std::size_t>{17, 18}, std::set<std::size_t>{3, 40, 77},
                                         std::set<std::size_t>{31, 32, 63, 64}));

TEST(RefusalSearch, SaysWhenNoRecordWasNamed) {
  TransactionBatch batch;
  batch.fates.assign(3, RecordFate::kPublish);

  EXPECT_FALSE(narrow(batch, {}));
}

TEST(RefusalSearch, LeavesOversizeRecordsAlone) {
  TransactionBatch batch;
  batch.fates = {RecordFate::kOversize, RecordFate::kPublish, RecordFate::kPublish};

  ASSERT_TRUE(narrow(batch, {1, 2}));

  EXPECT_EQ(batch.fates[0], RecordFate::kOversize);
  EXPECT_EQ(batch.fates[1], RecordFate::kSuspect);
  EXPECT_EQ(batch.suspect_chunk, 1U);
}

}  // namespace
}  // namespace connector::core
