#include "connector/kafka/state_store.h"

#include <gtest/gtest.h>

namespace connector::kafka {
namespace {

using common::ErrorCode;

class StateStore : public testing::Test {
 protected:
  common::Result<void> take(std::string_view key, std::string_view value) { return take_stored(location, key, &value, state); }
  common::Result<void> take_tombstone(std::string_view key) { return take_stored(location, key, nullptr, state); }

  const StateLocation location{.name = core::ConnectorName{"acme"}, .topic = "acme-offsets", .partition = 0};
  const core::SourcePartition live{.stream = core::StreamName{"conversations"}, .lane = core::Lane::kLive};
  const std::string ledger = core::Ledger{{}, common::Instant{}}.serialize();
  const std::string claim = core::Claim{.incarnation = "i", .host = "h", .claimed_at = {}}.serialize();
  core::StoredState state;
};

TEST_F(StateStore, KeysAreThoseOfKafkaConnect) {
  EXPECT_EQ(ledger_key(location.name, live), R"(["acme",{"stream":"conversations","lane":"live"}])");
  EXPECT_EQ(claim_key(location.name, 0), R"(["acme",{"task":0}])");
}

TEST_F(StateStore, TakesClaimAndLedgers) {
  ASSERT_TRUE(take(claim_key(location.name, 0), claim));
  ASSERT_TRUE(take(ledger_key(location.name, live), ledger));

  ASSERT_TRUE(state.claim);
  EXPECT_EQ(state.claim->incarnation, "i");
  EXPECT_TRUE(state.ledgers.contains(live));
}

TEST_F(StateStore, ATombstoneRemoves) {
  ASSERT_TRUE(take(claim_key(location.name, 0), claim));
  ASSERT_TRUE(take(ledger_key(location.name, live), ledger));

  ASSERT_TRUE(take_tombstone(claim_key(location.name, 0)));
  ASSERT_TRUE(take_tombstone(ledger_key(location.name, live)));

  EXPECT_FALSE(state.claim);
  EXPECT_TRUE(state.ledgers.empty());
}

TEST_F(StateStore, PassesOverWhatIsNotOurs) {
  for (const char* key :
       {"", "not json", "{}", R"(["other",{"task":0}])", R"(["acme",{"task":1}])",
        R"(["acme",{"stream":"s","lane":"unheard-of"}])", R"(["acme",{"stream":"s"}])", R"([1,2])", R"(["acme"])"}) {
    EXPECT_TRUE(take(key, "whatever")) << key;
  }
  EXPECT_FALSE(state.claim);
  EXPECT_TRUE(state.ledgers.empty());
}

TEST_F(StateStore, RefusesADamagedLedgerAndNamesItsKey) {
  const auto taken = take(ledger_key(location.name, live), "{");

  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::kStateRefused);
  EXPECT_NE(taken.error().message.find("conversations"), std::string::npos) << taken.error().message;
  EXPECT_NE(taken.error().message.find("acme-offsets"), std::string::npos);
}

TEST_F(StateStore, WhatCannotBeReadIsLeftOutForThoseWhoMendIt) {
  const core::SourcePartition settle{.stream = live.stream, .lane = core::Lane::kSettle};
  const auto readable = readable_state(location, {{claim_key(location.name, 0), claim},
                                                  {ledger_key(location.name, live), ledger},
                                                  {ledger_key(location.name, settle), "{"}});

  EXPECT_TRUE(readable.claim);
  EXPECT_TRUE(readable.ledgers.contains(live));
  EXPECT_FALSE(readable.ledgers.contains(settle));
  EXPECT_EQ(ledger_source(location.name, ledger_key(location.name, settle)), settle);
  EXPECT_FALSE(ledger_source(location.name, claim_key(location.name, 0)));
}

TEST_F(StateStore, RefusesAClaimOfANewerVersion) {
  const auto taken = take(claim_key(location.name, 0), R"({"v":9})");

  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::kStateRefused);
}

}  // namespace
}  // namespace connector::kafka
