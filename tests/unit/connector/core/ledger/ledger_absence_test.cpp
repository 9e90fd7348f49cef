// What a ledger keeps of keys that a state's readings return no more.

#include "connector/core/ledger/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace connector::core {
namespace {

using testing::HasSubstr;
using testing::Not;

const common::Instant kStart = std::chrono::sys_days(std::chrono::year(2026) / 5 / 4);

TEST(LedgerAbsence, ComesBackFromTheStoredValue) {
  Ledger ledger({}, kStart);
  const std::string without = ledger.serialize();
  const AbsentKeys absent({{.key = 0xFEDCBA9876543210, .readings = 2}, {.key = 7, .readings = 1}});
  ASSERT_TRUE(ledger.apply(AbsenceCounted{absent}));

  EXPECT_THAT(ledger.serialize(), HasSubstr(R"("absent":{"0000000000000007":1,"fedcba9876543210":2})"));
  EXPECT_THAT(ledger.serialize(), HasSubstr(R"("v":2)")) << "what an older release forgets is counted again";
  const auto read = Ledger::parse(ledger.serialize());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->absent(), absent);
  EXPECT_EQ(read->absent().readings(0xFEDCBA9876543210), 2U);
  EXPECT_EQ(read->absent().readings(8), 0U);
  EXPECT_TRUE(read->has_same_progress(ledger));

  ASSERT_TRUE(ledger.apply(AbsenceCounted{}));
  EXPECT_FALSE(read->has_same_progress(ledger));
  EXPECT_EQ(ledger.serialize(), without) << "as older releases wrote it";
}

TEST(LedgerAbsence, IsBounded) {
  const auto keys = [](std::size_t count) {
    std::vector<AbsentKey> all;
    for (std::size_t i = 0; i < count; ++i) all.push_back({.key = ~std::uint64_t{0} - i, .readings = 4'000'000'000});
    return AbsentKeys(std::move(all));
  };
  Ledger ledger({}, kStart);
  ASSERT_TRUE(ledger.apply(AbsenceCounted{keys(AbsentKeys::kMost)}));
  EXPECT_LT(ledger.serialize().size(), std::size_t{20'000});
  EXPECT_TRUE(ledger.has_room_to_open());
  EXPECT_FALSE(ledger.apply(AbsenceCounted{keys(AbsentKeys::kMost + 1)}));
  EXPECT_FALSE(ledger.apply(AbsenceCounted{AbsentKeys({{.key = 1, .readings = 1}, {.key = 1, .readings = 2}})}));
  EXPECT_FALSE(ledger.apply(AbsenceCounted{AbsentKeys({{.key = 1, .readings = 0}})}));
  EXPECT_EQ(ledger.absent().all().size(), AbsentKeys::kMost) << "a refused change leaves it as it was";
}

TEST(LedgerAbsence, DamageIsRefused) {
  const std::string good = [] {
    Ledger ledger({}, kStart);
    EXPECT_TRUE(ledger.apply(AbsenceCounted{AbsentKeys({{.key = 7, .readings = 1}})}));
    return ledger.serialize();
  }();
  const std::string stored = R"({"0000000000000007":1})";
  for (const char* damage : {"[]", "7", R"({"x":1})", R"({"":1})", R"({"7":0})", R"({"7":-1})", R"({"7":"1"})", R"({"7":1.5})",
                             R"({"7":5000000000})", R"({"7":1,"07":1})", R"({"11111111111111111":1})"}) {
    std::string damaged = good;
    damaged.replace(damaged.find(stored), stored.size(), damage);
    const auto read = Ledger::parse(damaged);
    ASSERT_FALSE(read) << damage;
    EXPECT_EQ(read.error().code, common::ErrorCode::kStateRefused);
    EXPECT_THAT(read.error().message, HasSubstr("`absent`"));
  }
}

}  // namespace
}  // namespace connector::core
