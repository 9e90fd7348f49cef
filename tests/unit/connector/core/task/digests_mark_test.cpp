#include "connector/core/task/digests_mark.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace connector::core {
namespace {

using common::ErrorCode;

const DigestsMark kSecond{.incarnation = "b", .generation = 2};

TEST(DigestsMark, ComesBackAsItWasStored) {
  EXPECT_EQ(kSecond.serialize(), R"({"v":1,"incarnation":"b","generation":2})");
  EXPECT_EQ(DigestsMark::parse(kSecond.serialize()).value(), kSecond);
}

TEST(DigestsMark, ReadsItsFixtureOfVersion1) {
  const std::ifstream file(std::string{GK_STATE_FIXTURES} + "/v1/digests-mark.json");
  std::ostringstream text;
  text << file.rdbuf();

  const auto parsed = DigestsMark::parse(text.str());

  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->incarnation, "5f1d0c6a9b3e47288d0e6f4b21c7a935");
  EXPECT_EQ(parsed->generation, 7U);
}

TEST(DigestsMark, WhatCannotBeReadIsRefused) {
  for (const char* stored : {"{", R"({"v":2,"incarnation":"b","generation":2})", R"({"incarnation":"b","generation":2})",
                             R"({"v":1,"incarnation":"","generation":2})", R"({"v":1,"incarnation":"b","generation":0})",
                             R"({"v":1,"incarnation":"b"})"}) {
    const auto parsed = DigestsMark::parse(stored);
    ASSERT_FALSE(parsed) << stored;
    EXPECT_EQ(parsed.error().code, ErrorCode::kStateRefused) << stored;
  }
}

// A connector of a version without digests, or one whose loss was accepted, has none to expect.
TEST(DigestsMark, WhereNoneIsExpectedAnyTopicWillDo) {
  EXPECT_TRUE(check_digests_mark(std::nullopt, std::nullopt, "acme-digests"));
  EXPECT_TRUE(check_digests_mark(std::nullopt, kSecond, "acme-digests"));
}

TEST(DigestsMark, TheOneOfTheClaimWillDo) {
  EXPECT_TRUE(check_digests_mark(kSecond, kSecond, "acme-digests"));
}

// At least once: killed between the digests' mark and the claim; or the offsets topic is a copy, whose ledgers read again only.
TEST(DigestsMark, ANewerOneWillDo) {
  EXPECT_TRUE(check_digests_mark(kSecond, DigestsMark{.incarnation = "c", .generation = 3}, "acme-digests"));
}

struct Wrong {
  const char* name;
  std::optional<DigestsMark> found;
  const char* said;
};
class WrongDigests : public testing::TestWithParam<Wrong> {};

TEST_P(WrongDigests, AreRefusedWithBothWaysOut) {
  const auto checked = check_digests_mark(kSecond, GetParam().found, "acme-digests");

  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::kStateRefused);
  for (const char* part : {"acme-digests", GetParam().said, "Restore the topic", "offsets accept-lost-digests"}) {
    EXPECT_NE(checked.error().message.find(part), std::string::npos) << checked.error().message;
  }
}

INSTANTIATE_TEST_SUITE_P(DigestsMark, WrongDigests,
                         testing::Values(Wrong{"Emptied", std::nullopt, "emptied or made again"},
                                         Wrong{"Rewound", DigestsMark{.incarnation = "a", .generation = 1}, "older"},
                                         Wrong{"Foreign", DigestsMark{.incarnation = "x", .generation = 2}, "another connector"}),
                         [](const auto& info) { return std::string{info.param.name}; });

TEST(DigestsMark, TheNextOneFollowsBoth) {
  EXPECT_EQ(next_mark(std::nullopt, std::nullopt, "a"), (DigestsMark{.incarnation = "a", .generation = 1}));
  EXPECT_EQ(next_mark(kSecond, DigestsMark{.incarnation = "x", .generation = 5}, "c").generation, 6U);
  EXPECT_EQ(next_mark(kSecond, std::nullopt, "c").generation, 3U);
}

}  // namespace
}  // namespace connector::core
