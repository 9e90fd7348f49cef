#include "connector/core/transaction/read_back.h"

#include <gtest/gtest.h>

namespace connector::core {
namespace {

const SourcePartition kLive{.stream = StreamName{"conversations"}, .lane = Lane::kLive};

StoredState stored(const std::string& claim, const std::string& writer, std::uint64_t number) {
  StoredState state;
  if (!claim.empty()) state.claim = Claim{.incarnation = claim, .host = "h", .claimed_at = {}};
  if (!writer.empty()) {
    state.ledgers[kLive] = Ledger{};
    state.ledgers[kLive].set_stamp({.incarnation = writer, .number = number});
  }
  return state;
}

Ownership owner(bool claimed) {
  return {.incarnation = "mine", .claimed = claimed, .inherited = {"old"}};
}

struct Case {
  const char* name;
  StoredState state;
  bool claimed;
  std::optional<std::uint64_t> in_doubt;
  bool foreign;
  bool applied;
  bool lost = false;
};

class ReadBackCase : public testing::TestWithParam<Case> {};

TEST_P(ReadBackCase, TellsOwnerAndOutcome) {
  const auto finding = assess(GetParam().state, owner(GetParam().claimed), GetParam().in_doubt);

  EXPECT_EQ(finding.foreign, GetParam().foreign);
  EXPECT_EQ(finding.applied, GetParam().applied);
  EXPECT_EQ(finding.lost, GetParam().lost);
}

INSTANTIATE_TEST_SUITE_P(Cases, ReadBackCase,
                         testing::Values(Case{"nothing_stored_yet", {}, false, std::nullopt, false, false},
                                         Case{"predecessor_before_our_claim", stored("old", "old", 7), false, 0, false, false},
                                         Case{"our_claim_was_applied", stored("mine", "old", 7), false, 0, false, true},
                                         Case{"our_batch_was_applied", stored("mine", "mine", 3), true, 3, false, true},
                                         Case{"our_batch_was_not_applied", stored("mine", "mine", 2), true, 3, false, false},
                                         Case{"first_batch_not_applied", stored("mine", "old", 9), true, 1, false, false},
                                         Case{"nothing_in_doubt", stored("mine", "mine", 3), true, std::nullopt, false, false},
                                         Case{"rival_claimed", stored("rival", "mine", 3), true, 3, true, false},
                                         Case{"rival_wrote_a_ledger", stored("mine", "rival", 3), true, 3, true, false},
                                         Case{"our_claim_has_vanished", stored("", "mine", 3), true, 3, false, false, true},
                                         Case{"all_is_gone", {}, true, std::nullopt, false, false, true},
                                         Case{"the_claim_before_ours_is_back", stored("old", "old", 3), true, 3, false, false,
                                              true}),
                         [](const auto& info) { return std::string{info.param.name}; });

TEST(ReadBack, NamesEveryIncarnationFound) {
  EXPECT_EQ(incarnations_in(stored("a", "b", 1)), (std::set<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace connector::core
