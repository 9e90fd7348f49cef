#include "connector/core/task/claim.h"

#include <gtest/gtest.h>

namespace connector::core {
namespace {

using common::ErrorCode;

TEST(Claim, ComesBackAsItWasStored) {
  const Claim claim{.incarnation = "a1b2", .host = "node-3", .claimed_at = *common::parse_instant("2026-05-04T09:12:03.386Z")};

  const auto parsed = Claim::parse(claim.serialize());

  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(*parsed, claim);
}

TEST(Claim, KeepsTheMarkOfTheDigests) {
  const Claim claim{.incarnation = "a1",
                    .host = "h",
                    .claimed_at = *common::parse_instant("2026-05-04T09:12:03Z"),
                    .digests = DigestsMark{.incarnation = "a0", .generation = 7}};

  EXPECT_EQ(Claim::parse(claim.serialize()).value(), claim);
}

TEST(Claim, IsStoredInTheDocumentedForm) {
  const Claim claim{.incarnation = "a1", .host = "h", .claimed_at = *common::parse_instant("2026-05-04T09:12:03Z")};

  EXPECT_EQ(claim.serialize(), R"({"v":2,"incarnation":"a1","host":"h","claimed_at":"2026-05-04T09:12:03.000Z"})");
}

struct Refused {
  const char* name;
  const char* stored;
  const char* told;
};

class ClaimRefused : public testing::TestWithParam<Refused> {};

TEST_P(ClaimRefused, SaysWhatIsWrong) {
  const auto parsed = Claim::parse(GetParam().stored);

  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, ErrorCode::kStateRefused);
  EXPECT_NE(parsed.error().message.find(GetParam().told), std::string::npos) << parsed.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    Cases, ClaimRefused,
    testing::Values(
        Refused{"newer", R"({"v":3,"incarnation":"a","host":"h","claimed_at":"2026-05-04T09:12:03Z"})",
                "start the newer program"},
        Refused{"not_json", "{", "damaged"}, Refused{"no_version", R"({"incarnation":"a"})", "no format version"},
        Refused{"no_incarnation", R"({"v":1,"incarnation":"","host":"h","claimed_at":"2026-05-04T09:12:03Z"})", "lacks"},
        Refused{"bad_mark", R"({"v":2,"incarnation":"a","host":"h","claimed_at":"2026-05-04T09:12:03Z","digests":{"v":1}})",
                "mark lacks"},
        Refused{"bad_time", R"({"v":1,"incarnation":"a","host":"h","claimed_at":"yesterday"})", "time"}),
    [](const auto& info) { return std::string{info.param.name}; });

}  // namespace
}  // namespace connector::core
