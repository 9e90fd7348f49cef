#include "connector/kafka/topic_admin.h"

#include <gtest/gtest.h>

namespace connector::kafka {
namespace {

using common::ErrorCode;
using Verdict = AccessFinding::Verdict;

TopicDescription topic(const std::string& name) {
  return {.name = name, .exists = true, .id = "id", .partitions = 1, .config = {{"cleanup.policy", "compact"}}};
}

TEST(OffsetsTopic, MustBeCompactedAndOnlyThat) {
  EXPECT_TRUE(check_state_topic(topic("o"), 1));
  for (const char* policy : {"delete", "compact,delete"}) {
    auto wrong = topic("o");
    wrong.config["cleanup.policy"] = policy;
    const auto checked = check_state_topic(wrong, 1);
    ASSERT_FALSE(checked) << policy;
    EXPECT_EQ(checked.error().code, ErrorCode::kStateRefused);
  }
}

TEST(OffsetsTopic, KeepsItsNumberOfPartitions) {
  EXPECT_FALSE(check_state_topic(topic("o"), 2));
}

TEST(OffsetsTopic, DiffersOnlyWhereASettingIsKnownAndOther) {
  auto other = topic("o");
  other.config["segment.ms"] = "604800000";

  const auto found = differences(other, state_topic_config());

  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0], "segment.ms is 604800000, recommended 3600000");
}

TEST(TopicDescription, ReadsItsLimitOrTakesTheBrokersDefault) {
  auto described = topic("t");
  EXPECT_EQ(described.max_message_bytes(), 1'048'588U);
  described.config["max.message.bytes"] = "20000";
  EXPECT_EQ(described.max_message_bytes(), 20'000U);
  described.config["max.message.bytes"] = "nonsense";
  EXPECT_EQ(described.max_message_bytes(), 1'048'588U);
}

TEST(AssessAccess, IsFineWhenEverythingIsAllowed) {
  for (const auto& finding : assess_access({topic("o")}, topic("d"), {topic("t")}, false, "")) {
    EXPECT_EQ(finding.verdict, Verdict::kFine) << finding.subject;
  }
}

// It is read and written, and need not be proven to be compacted.
TEST(AssessAccess, TheControlTopicNeedsReadAndWriteAlone) {
  TopicDescription control{.name = "c", .exists = true, .id = "id", .partitions = 1};
  const auto verdict = [&] { return assess_access({topic("o")}, topic("d"), {}, false, "", control).back(); };
  EXPECT_EQ(verdict().verdict, Verdict::kFine);
  EXPECT_EQ(verdict().subject, "topic c");

  control.readable = false;
  EXPECT_EQ(verdict().verdict, Verdict::kWrong);
  EXPECT_NE(verdict().remedy.find("Write and Read"), std::string::npos) << verdict().remedy;
}

struct Lack {
  const char* name;
  TopicDescription described;
  bool may_create;
  Verdict verdict;
  const char* remedy;
};
class AccessLack : public testing::TestWithParam<Lack> {};

TEST_P(AccessLack, IsNamedWithItsRemedy) {
  const auto findings = assess_access({topic("o")}, topic("d"), {GetParam().described}, GetParam().may_create, "");

  ASSERT_EQ(findings.size(), 3U);
  EXPECT_EQ(findings[2].verdict, GetParam().verdict);
  EXPECT_NE(findings[2].remedy.find(GetParam().remedy), std::string::npos) << findings[2].remedy;
}

INSTANTIATE_TEST_SUITE_P(
    Cases, AccessLack,
    testing::Values(Lack{"hidden", {.name = "t", .describable = false}, true, Verdict::kWrong, "allow Write"},
                    Lack{"missing", {.name = "t"}, false, Verdict::kWrong, "kafka.topics.create"},
                    Lack{"to_be_made", {.name = "t"}, true, Verdict::kUnproven, "allow Create"},
                    Lack{"not_writable", {.name = "t", .exists = true, .writable = false}, true, Verdict::kWrong, "allow Write"}),
    [](const auto& info) { return std::string{info.param.name}; });

}  // namespace
}  // namespace connector::kafka
