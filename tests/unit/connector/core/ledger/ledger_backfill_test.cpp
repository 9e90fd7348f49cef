// The ledger of a backfill: what it is asked for, how it ends, and its stored form.

#include "connector/core/ledger/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace connector::core {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;

const common::Instant kFrom = common::parse_instant("2026-01-01T00:00:00Z").value();
const common::Instant kNow = common::parse_instant("2026-05-04T10:00:00Z").value();
const common::Interval kFirstDay{.start = kFrom, .end = kFrom + 24h};

BackfillBegan january(const std::string& id = "a") {
  return {.order = {.id = id, .range = {.start = kFrom, .end = kFrom + 31 * 24h}, .parallel = 2}, .at = kNow};
}

std::string fixture(const std::string& name) {
  std::ifstream file(std::filesystem::path(GK_STATE_FIXTURES) / "v3" / name);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// G12: these files are what version 3 wrote; they are never edited.
TEST(LedgerBackfill, IsReadFromItsFixturesAndWrittenTheSame) {
  for (const char* name : {"ledger-backfill.json", "ledger-backfill-ended.json"}) {
    const auto ledger = Ledger::parse(fixture(name));
    ASSERT_TRUE(ledger) << name << ": " << ledger.error().message;
    EXPECT_EQ(ledger->serialize() + "\n", fixture(name));
  }
  const auto running = Ledger::parse(fixture("ledger-backfill.json")).value();
  ASSERT_TRUE(running.backfill());
  EXPECT_TRUE(running.backfill()->is_running());
  EXPECT_EQ(running.backfill()->order.weight, 1.5);
  EXPECT_EQ(running.backfill()->requests, 12U);
  EXPECT_EQ(Ledger::parse(fixture("ledger-backfill-ended.json"))->backfill()->set_aside, 4U);
}

// An older program would drop the member, and with it where the backfill ends.
TEST(LedgerBackfill, TakesTheNewVersionAndOnlyABackfillDoes) {
  Ledger ledger({}, kFrom);
  EXPECT_THAT(ledger.serialize(), HasSubstr(R"("v":2)"));
  ASSERT_TRUE(ledger.apply(january()));
  EXPECT_THAT(ledger.serialize(), HasSubstr(R"("v":3)"));
  std::string older = ledger.serialize();
  older.replace(older.find(R"("v":3)"), 5, R"("v":2)");
  EXPECT_FALSE(Ledger::parse(older)->backfill()) << "no member of version 2, whatever it is called";
}

TEST(LedgerBackfill, BeginsAnewWhateverTheLastOneRead) {
  Ledger ledger({.organization_id = "org", .cluster_id = {}, .topic_id = {}, .membership = {}, .content = {}}, kNow);
  ASSERT_TRUE(ledger.apply(january()));
  ASSERT_TRUE(ledger.apply(WindowCompleted{.window = kFirstDay, .records = 5}));
  ASSERT_TRUE(ledger.apply(BackfillEnded{.state = BackfillState::kDone, .detail = {}, .at = kNow}));

  ASSERT_TRUE(ledger.apply(january("b")));

  EXPECT_EQ(ledger.start(), kFrom);
  EXPECT_THAT(ledger.complete().intervals(), IsEmpty());
  EXPECT_EQ(ledger.backfill()->order.id, "b");
  EXPECT_EQ(ledger.backfill()->records, 0U);
  EXPECT_EQ(ledger.identity().organization_id, "org");
}

TEST(LedgerBackfill, IsOneAtATime) {
  Ledger ledger;
  EXPECT_FALSE(ledger.apply(BackfillUsed{.requests = 1, .permitted = 1, .at = kNow})) << "nothing is under way";
  EXPECT_FALSE(ledger.apply(BackfillEnded{.detail = {}, .at = kNow}));
  ASSERT_TRUE(ledger.apply(january()));
  EXPECT_FALSE(ledger.apply(january("b")));
  EXPECT_EQ(ledger.backfill()->order.id, "a");
}

TEST(LedgerBackfill, ThatEndsLeavesNothingOpen) {
  Ledger ledger;
  ASSERT_TRUE(ledger.apply(january()));
  ASSERT_TRUE(ledger.apply(
      WindowOpened{.window = kFirstDay, .position = AtJob{.job = JobId("j"), .cursor = std::nullopt, .submitted = kNow}}));

  ASSERT_TRUE(ledger.apply(BackfillEnded{.state = BackfillState::kCancelled, .detail = {}, .set_aside = 2, .at = kNow + 1min}));

  EXPECT_THAT(ledger.open(), IsEmpty());
  EXPECT_EQ(ledger.backfill()->state, BackfillState::kCancelled);
  EXPECT_EQ(ledger.backfill()->updated, kNow + 1min);
  EXPECT_EQ(Ledger::parse(ledger.serialize()).value(), ledger);
}

TEST(LedgerBackfill, ALongReasonIsCutBetweenCharacters) {
  Ledger ledger;
  ASSERT_TRUE(ledger.apply(january()));
  std::string reason = "x";
  while (reason.size() < 400) reason += "ü";

  ASSERT_TRUE(ledger.apply(BackfillEnded{.state = BackfillState::kRefused, .detail = reason, .at = kNow}));

  const auto read = Ledger::parse(ledger.serialize());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->backfill()->detail.size(), 299U);
}

TEST(LedgerBackfill, DamageIsRefusedNotGuessedAt) {
  for (const char* member :
       {R"("range":"2026-01-01T00:00:00.000Z/2026-02-01T00:00:00.000Z")", R"("parallel":3)", R"("state":"running")",
        R"("records":130)", R"("began":"2026-05-04T10:00:00.000Z")", R"("permitted":2.4E2)"}) {
    std::string stored = fixture("ledger-backfill.json");
    const auto place = stored.find(member);
    ASSERT_NE(place, std::string::npos) << member;
    stored.replace(place, std::string(member).size(), R"("x":0)");
    const auto ledger = Ledger::parse(stored);
    ASSERT_FALSE(ledger) << member;
    EXPECT_EQ(ledger.error().code, common::ErrorCode::kStateRefused);
    EXPECT_THAT(ledger.error().message, HasSubstr("offsets"));
  }
}

}  // namespace
}  // namespace connector::core
