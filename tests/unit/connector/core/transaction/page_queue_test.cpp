#include "connector/core/transaction/page_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace connector::core {
namespace {

const common::SteadyTime kCame{std::chrono::seconds{10}};
const SourcePartition kLive{.stream = StreamName{"conversations"}, .lane = Lane::kLive};
const SourcePartition kSettle{.stream = StreamName{"conversations"}, .lane = Lane::kSettle};
const SourcePartition kUsers{.stream = StreamName{"users"}, .lane = Lane::kLive};

// A page whose buffer takes exactly `bytes`; without any it is a ledger-only page.
Page page(const SourcePartition& source, std::size_t bytes) {
  Page made;
  made.source = source;
  if (bytes == 0) return made;
  made.buffer = std::make_unique<std::string>();
  made.buffer->reserve(bytes);
  EXPECT_EQ(made.buffer->capacity(), bytes);
  return made;
}

PageGroup group(const SourcePartition& source, std::size_t bytes, std::string position = {}) {
  PageGroup made;
  made.push_back(page(source, bytes));
  made.front().position = std::move(position);
  return made;
}

std::vector<std::string> positions(const std::vector<Page>& pages) {
  std::vector<std::string> found;
  for (const Page& page : pages) found.push_back(page.position);
  return found;
}

class PageQueueTest : public testing::Test {
 protected:
  // Lines up and enters, which there must be room for.
  void hand_over(PageGroup pages, common::SteadyTime now = kCame) {
    const auto ticket = queue.line_up(pages);
    ASSERT_TRUE(queue.may_enter(ticket));
    queue.enter(ticket, std::move(pages), now);
  }
  void publish(const StreamName& stream) { queue.release(queue.take(stream), PageFate::kCommitted); }

  static constexpr common::Duration kInterval{200};
  PageQueue queue{{.batching = {.commit_interval = kInterval, .commit_bytes = 1'000}, .memory_bytes = 3'000}};
};

// --- room

TEST_F(PageQueueTest, ALargeGroupIsNotStarvedBySmallOnes) {
  hand_over(group(kLive, 1'000));
  PageGroup large = group(kSettle, 2'500);
  const auto first = queue.line_up(large);
  PageGroup small = group(kUsers, 100);
  const auto second = queue.line_up(small);

  EXPECT_FALSE(queue.may_enter(first)) << "there is no room for it";
  EXPECT_FALSE(queue.may_enter(second)) << "there would be room for it, but it is not its turn";
  publish(kLive.stream);
  EXPECT_FALSE(queue.may_enter(second));
  ASSERT_TRUE(queue.may_enter(first));
  queue.enter(first, std::move(large), kCame);
  publish(kSettle.stream);
  EXPECT_TRUE(queue.may_enter(second));
}

TEST_F(PageQueueTest, WhoLeavesTheLineMakesRoomForTheNext) {
  hand_over(group(kLive, 1'000));
  const auto first = queue.line_up(group(kSettle, 2'500));
  const auto second = queue.line_up(group(kUsers, 100));

  queue.leave(first);

  EXPECT_TRUE(queue.may_enter(second));
}

// What waits in line is in memory too, and so is the page that a lane reads on with.
TEST_F(PageQueueTest, RoomIsCountedWithTheLineAndAPageMore) {
  hand_over(group(kLive, 1'000));
  const auto fits = queue.line_up(group(kLive, 1'000));
  EXPECT_TRUE(queue.may_enter(fits)) << "1000 held, 1000 in line, 1000 read meanwhile";

  const auto also_in_line = queue.line_up(group(kUsers, 100));
  EXPECT_FALSE(queue.may_enter(fits));
  queue.leave(also_in_line);
  EXPECT_TRUE(queue.may_enter(fits));
}

TEST_F(PageQueueTest, AGroupLargerThanTheMemoryIsTakenAlone) {
  hand_over(group(kLive, 100));
  PageGroup huge = group(kSettle, 9'000);
  const auto ticket = queue.line_up(huge);
  EXPECT_FALSE(queue.may_enter(ticket));

  publish(kLive.stream);

  ASSERT_TRUE(queue.may_enter(ticket));
  queue.enter(ticket, std::move(huge), kCame);
  EXPECT_FALSE(queue.may_enter(queue.line_up(group(kLive, 100))));
}

TEST_F(PageQueueTest, TheMemoryBoundHoldsWhateverHappens) {
  std::mt19937 random{7};
  const std::array sources{kLive, kSettle, kUsers};
  struct InLine {
    PageQueue::Ticket ticket;
    PageGroup group;
    std::size_t bytes;
  };
  std::deque<InLine> line;
  std::size_t held = 0;
  std::size_t in_line = 0;
  std::size_t entered = 0;
  for (int step = 0; step < 5'000; ++step) {
    const SourcePartition& source = sources[random() % sources.size()];
    switch (random() % 4) {
      case 0:
      case 1: {
        if (line.size() > 3) break;
        const std::size_t bytes = random() % 20 == 0 ? 4'000 : 100 + random() % 700;
        PageGroup pages = group(source, bytes);
        const auto ticket = queue.line_up(pages);
        line.push_back({.ticket = ticket, .group = std::move(pages), .bytes = bytes});
        in_line += bytes;
        break;
      }
      case 2:
        if (random() % 8 == 0) {
          queue.drop(source.stream);
        } else {
          publish(source.stream);
        }
        held = queue.held_bytes();
        break;
      default:
        if (!line.empty() && random() % 8 == 0) {
          queue.leave(line.back().ticket);
          in_line -= line.back().bytes;
          line.pop_back();
        }
    }
    while (!line.empty() && queue.may_enter(line.front().ticket)) {
      const std::size_t bytes = line.front().bytes;
      ASSERT_TRUE(held == 0 || held + in_line + bytes <= 3'000) << step;
      queue.enter(line.front().ticket, std::move(line.front().group), kCame);
      line.pop_front();
      in_line -= bytes;
      held += bytes;
      ++entered;
      ASSERT_EQ(queue.held_bytes(), held) << step;
    }
  }
  EXPECT_GT(entered, 500U);

  for (const auto& stream : {kLive.stream, kUsers.stream}) queue.drop(stream);
  EXPECT_EQ(queue.held_bytes(), 0U);
}

// --- transactions

TEST_F(PageQueueTest, ALonePageWaitsForCompany) {
  EXPECT_FALSE(queue.next(Pace::kUsual));
  hand_over(group(kLive, 100));

  const auto next = queue.next(Pace::kUsual);

  ASSERT_TRUE(next);
  EXPECT_EQ(next->stream, kLive.stream);
  EXPECT_EQ(next->begin_at, kCame + kInterval);
}

TEST_F(PageQueueTest, TheStreamThatMayBeginFirstIsNext) {
  hand_over(group(kUsers, 100), kCame);
  hand_over(group(kLive, 400), kCame + common::Duration{10});
  EXPECT_EQ(queue.next(Pace::kUsual)->stream, kUsers.stream);

  hand_over(group(kSettle, 600), kCame + common::Duration{20});

  EXPECT_EQ(queue.next(Pace::kUsual)->stream, kLive.stream) << "enough bytes wait for it to begin at once";
  EXPECT_EQ(queue.next(Pace::kUsual)->begin_at, kCame + common::Duration{10});
}

TEST_F(PageQueueTest, NothingIsPutOffWhileSomebodyWaits) {
  hand_over(group(kLive, 100));
  EXPECT_EQ(queue.next(Pace::kHurry)->begin_at, kCame);

  queue.begin_flush(kUsers.stream);
  EXPECT_EQ(queue.next(Pace::kUsual)->begin_at, kCame + kInterval) << "nobody waits for this stream";
  queue.begin_flush(kLive.stream);
  queue.begin_flush(kLive.stream);
  queue.end_flush(kLive.stream);
  EXPECT_EQ(queue.next(Pace::kUsual)->begin_at, kCame);
  queue.end_flush(kLive.stream);
  EXPECT_EQ(queue.next(Pace::kUsual)->begin_at, kCame + kInterval);

  const auto in_line = queue.line_up(group(kUsers, 5'000));
  EXPECT_EQ(queue.next(Pace::kUsual)->begin_at, kCame);
  queue.leave(in_line);
  EXPECT_EQ(queue.next(Pace::kUsual)->begin_at, kCame + kInterval);
}

TEST_F(PageQueueTest, TakesWholeGroupsOfOneStreamInOrderUpToTheBatchSize) {
  PageGroup pair = group(kLive, 300, "live 1");
  pair.push_back(page(kLive, 300));
  pair.back().position = "live 2";
  hand_over(std::move(pair));
  hand_over(group(kUsers, 100, "users 1"));
  hand_over(group(kSettle, 400, "settle 1"));
  hand_over(group(kLive, 100, "live 3"));

  EXPECT_EQ(positions(queue.take(kLive.stream)), (std::vector<std::string>{"live 1", "live 2", "settle 1"}));
  EXPECT_EQ(positions(queue.take(kLive.stream)), std::vector<std::string>{"live 3"});
  EXPECT_TRUE(queue.take(kLive.stream).empty());
  EXPECT_EQ(queue.next(Pace::kUsual)->stream, kUsers.stream);
}

TEST_F(PageQueueTest, LedgerOnlyPagesAreBoundedByTheirNumber) {
  for (std::size_t i = 0; i < PageQueue::kMaxLedgerOnlyPages + 1; ++i) hand_over(group(kLive, 0));

  EXPECT_EQ(queue.take(kLive.stream).size(), PageQueue::kMaxLedgerOnlyPages);
  EXPECT_EQ(queue.take(kLive.stream).size(), 1U);
}

TEST_F(PageQueueTest, PagesArePendingUntilTheirFateIsKnown) {
  hand_over(group(kLive, 100));
  hand_over(group(kSettle, 100));
  EXPECT_EQ(queue.pending(kLive), 1U);

  auto taken = queue.take(kLive.stream);
  hand_over(group(kLive, 100));
  EXPECT_EQ(queue.pending(kLive), 2U);
  EXPECT_EQ(queue.held_bytes(), 300U) << "what is in the transaction is held as well";

  queue.release(std::move(taken), PageFate::kCommitted);
  EXPECT_EQ(queue.pending(kLive), 1U);
  EXPECT_EQ(queue.pending(kSettle), 0U);
  EXPECT_EQ(queue.held_bytes(), 100U);
}

// --- dropping

TEST_F(PageQueueTest, AfterADroppedPageNothingIsTakenUntilItsLaneKnows) {
  hand_over(group(kLive, 100));
  queue.drop(kLive.stream);

  EXPECT_EQ(queue.pending(kLive), 0U);
  EXPECT_EQ(queue.held_bytes(), 0U);
  EXPECT_FALSE(queue.next(Pace::kHurry)) << "nothing of it is published";
  for (int attempt = 0; attempt < 2; ++attempt) EXPECT_EQ(queue.dropped_among(group(kLive, 100)), kLive);
  EXPECT_FALSE(queue.dropped_among(group(kSettle, 100))) << "the other lane lost nothing";

  EXPECT_TRUE(queue.tell_dropped(kLive));
  EXPECT_FALSE(queue.tell_dropped(kLive)) << "once";
  EXPECT_FALSE(queue.dropped_among(group(kLive, 100)));
}

TEST_F(PageQueueTest, EveryPageOfAGroupIsLookedAt) {
  hand_over(group(kSettle, 100));
  queue.drop(kSettle.stream);
  PageGroup mixed = group(kLive, 100);
  mixed.push_back(page(kSettle, 100));

  EXPECT_EQ(queue.dropped_among(mixed), kSettle);
}

TEST_F(PageQueueTest, PagesOfARejectedTransactionAreDroppedWithWhatWaitsBehindThem) {
  hand_over(group(kLive, 1'000));
  auto rejected = queue.take(kLive.stream);
  hand_over(group(kLive, 100));
  hand_over(group(kSettle, 100));
  hand_over(group(kUsers, 100));

  queue.drop(kLive.stream);
  EXPECT_FALSE(queue.tell_dropped(kLive)) << "a page of it is still in the transaction";
  queue.release(std::move(rejected), PageFate::kDropped);

  EXPECT_TRUE(queue.tell_dropped(kLive));
  EXPECT_TRUE(queue.tell_dropped(kSettle));
  EXPECT_FALSE(queue.tell_dropped(kUsers));
  EXPECT_EQ(queue.pending(kUsers), 1U);
  EXPECT_EQ(queue.held_bytes(), 100U);
  EXPECT_EQ(queue.next(Pace::kUsual)->stream, kUsers.stream);
}

TEST_F(PageQueueTest, ACommittedLaneIsToldNothing) {
  hand_over(group(kLive, 100));
  publish(kLive.stream);

  EXPECT_FALSE(queue.tell_dropped(kLive));
  EXPECT_FALSE(queue.dropped_among(group(kLive, 100)));
}

// --- spare storage

TEST_F(PageQueueTest, StorageOfAReleasedPageIsSpare) {
  EXPECT_EQ(queue.take_spare_storage().capacity(), std::string{}.capacity());
  PageGroup filled = group(kLive, 500);
  filled.front().buffer->append("record");
  hand_over(std::move(filled));
  publish(kLive.stream);

  const std::string spare = queue.take_spare_storage();

  EXPECT_EQ(spare.capacity(), 500U);
  EXPECT_TRUE(spare.empty());
  EXPECT_EQ(queue.take_spare_storage().capacity(), std::string{}.capacity());
}

TEST_F(PageQueueTest, SpareStorageIsBoundedByItsShareOfTheMemory) {
  for (int i = 0; i < 5; ++i) {
    hand_over(group(kLive, 400));
    publish(kLive.stream);
  }
  hand_over(group(kLive, 2'000));
  publish(kLive.stream);

  std::vector<std::size_t> spare;
  for (int i = 0; i < 3; ++i) spare.push_back(queue.take_spare_storage().capacity());
  EXPECT_EQ(spare, (std::vector<std::size_t>{400, 400, std::string{}.capacity()}))
      << "a third of 3000, and a large page's storage is given back";

  hand_over(group(kLive, 1'000));
  publish(kLive.stream);
  EXPECT_EQ(queue.take_spare_storage().capacity(), 1'000U) << "what was taken no longer counts";
}

TEST_F(PageQueueTest, SpareStorageIsBoundedInNumber) {
  PageGroup many;
  for (std::size_t i = 0; i < PageQueue::kMaxSpare + 2; ++i) many.push_back(page(kLive, 50));
  hand_over(std::move(many));
  publish(kLive.stream);

  for (std::size_t i = 0; i < PageQueue::kMaxSpare; ++i) EXPECT_EQ(queue.take_spare_storage().capacity(), 50U);
  EXPECT_LT(queue.take_spare_storage().capacity(), 50U);
}

}  // namespace
}  // namespace connector::core
