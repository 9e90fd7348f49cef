#include "connector/cli/verbs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>
#include <string>

namespace connector::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct Yaml {
  std::string name = "acme";
  std::string genesys;
  std::string kafka;
  std::string stream;
  std::string start = "2026-01-01T00:00:00Z";
  std::string more;

  [[nodiscard]] std::string text() const {
    return "name: " + name + "\ngenesys:\n  region: eu-central-1\n  client_id: id-1\n  client_secret: not-used\n" + genesys +
           "kafka:\n  bootstrap_servers: kafka-1:9092\n" + kafka +
           "streams:\n  conversations:\n    definition: conversation-details\n    start: " + start + "\n" + stream + more;
  }
};

// One line for each change, its effect and path first; the consequence on the next.
std::string diff(const Yaml& before, const Yaml& after, Output output = Output::kText) {
  const std::map<std::string, std::string> files{{"old.yaml", before.text()}, {"new.yaml", after.text()}};
  std::ostringstream out;
  std::ostringstream err;
  const int code = plan_diff({.config = "new.yaml", .diff = "old.yaml", .output = output},
                             {.environment = {},
                              .read_file = [&](const std::string& path) -> common::Result<std::string> {
                                if (const auto found = files.find(path); found != files.end()) return found->second;
                                return common::fail(common::ErrorCode::kConfigInvalid, "no such file");
                              },
                              .out = out,
                              .err = err});
  EXPECT_EQ(code, 0) << err.str();
  return out.str();
}

TEST(PlanDiff, OfTheSameConfigurationIsNone) {
  EXPECT_THAT(diff({}, {}), HasSubstr("no difference"));
  EXPECT_EQ(diff({}, {}, Output::kJson), "[]\n");
}

struct Case {
  std::string name;
  Yaml before;
  Yaml after;
  std::string line;
  std::string consequence;
};
class Effects : public testing::TestWithParam<Case> {};

TEST_P(Effects, AreToldWithWhatFollows) {
  const std::string told = diff(GetParam().before, GetParam().after);

  EXPECT_THAT(told, AllOf(HasSubstr(GetParam().line), HasSubstr(GetParam().consequence)));
}

INSTANTIATE_TEST_SUITE_P(
    PlanDiff, Effects,
    testing::Values(
        Case{"Filters",
             {},
             {.stream = "    query: {segmentFilters: []}\n"},
             "refused: streams.conversations.query",
             "on_changed_membership"},
        Case{"FiltersTakenUp",
             {},
             {.stream = "    query: {segmentFilters: []}\n    on_changed_membership: continue\n"},
             "from now: streams.conversations.query",
             "what was read before stays"},
        Case{"FiltersReadAgain",
             {},
             {.stream = "    query: {segmentFilters: []}\n    on_changed_membership: re_read\n"},
             "reads: streams.conversations.query",
             "again from 2026-01-01T00:00:00Z; what has not changed is not published again as long as its key is remembered"},
        Case{"FiltersReadAgainFromNow",
             {.start = "now"},
             {.stream = "    query: {segmentFilters: []}\n    on_changed_membership: re_read\n", .start = "now"},
             "reads: streams.conversations.query",
             "again from where the stream first began"},
        Case{"FiltersReadAgainFromAnotherStart",
             {},
             {.stream = "    query: {segmentFilters: []}\n    on_changed_membership: re_read\n", .start = "2025-01-01T00:00:00Z"},
             "reads: streams.conversations.start: 2026-01-01T00:00:00Z -> 2025-01-01T00:00:00Z",
             "read again from there"},
        Case{"FiltersReadAgainAndTheStartIsNow",
             {},
             {.stream = "    query: {segmentFilters: []}\n    on_changed_membership: re_read\n", .start = "now"},
             "no effect: streams.conversations.start",
             "first ran with"},
        Case{"Projection",
             {},
             {.stream = "    projection: {fields: {id: /conversationId, start: /conversationStart}}\n"},
             "publishes again: streams.conversations.projection: whole records -> 2 field(s)",
             "published once more when it is read next"},
        Case{"Redaction",
             {.stream = "    redaction: {drop: [/a]}\n"},
             {.stream = "    redaction: {drop: [/a, /b]}\n"},
             "publishes again: streams.conversations.redaction: drop [/a], hash [] -> drop [/a, /b], hash []",
             "stays in the topic until it is compacted away or expires"},
        Case{"RedactionKey",
             {.stream = "    redaction: {hash: [/a], key: not-the-real-key-1}\n"},
             {.stream = "    redaction: {hash: [/a], key: not-the-real-key-2}\n"},
             "publishes again: streams.conversations.redaction.key: a key -> another key",
             "No hash equals its former one"},
        Case{
            "RecordKeyHashedOtherwise",
            {.more = "  agents: {definition: agent-status, start: now, redaction: {hash: [/userId], key: not-the-real-key-1}}\n"},
            {.more = "  agents: {definition: agent-status, start: now, redaction: {hash: [/userId], key: not-the-real-key-2}}\n"},
            "refused: streams.agents.redaction: hashes of the record key -> other hashes of the record key",
            "on_changed_membership"},
        Case{"AgeAdded",
             {},
             {.stream = "    settle: {ages: [0h, 72h, 7d, 30d]}\n"},
             "reads: streams.conversations.settle.ages: (none) -> 30d",
             "older records are not"},
        Case{"AgeRemoved",
             {},
             {.stream = "    live: {ages: [10m]}\n"},
             "from now: streams.conversations.live.ages: 6h -> (none)",
             "any more"},
        Case{"LaneAdded",
             {.stream = "    settle: off\n"},
             {},
             "reads: streams.conversations.settle: off -> on",
             "2026-01-01T00:00:00Z"},
        Case{"LaneRemoved",
             {},
             {.stream = "    settle: off\n"},
             "from now: streams.conversations.settle: on -> off",
             "its ledger stays"},
        Case{"Start", {}, {.start = "2025-01-01T00:00:00Z"}, "no effect: streams.conversations.start", "first ran with"},
        Case{"Topic",
             {},
             {.stream = "    topic: other\n"},
             "stops the stream: streams.conversations.topic.name: acme.conversations -> other",
             "another name too"},
        Case{"TopicPattern",
             {},
             {.kafka = "  topics: {stream_pattern: \"x-{stream}\"}\n"},
             "stops the stream: streams.conversations.topic.name: acme.conversations -> x-conversations",
             "former topic"},
        Case{"Partitions",
             {},
             {.stream = "    topic: {partitions: 12}\n"},
             "no effect: streams.conversations.topic.partitions",
             "left as they are"},
        Case{"StreamAdded",
             {},
             {.more = "  calls:\n    definition: conversation-details\n    start: now\n"},
             "new state: streams.calls",
             "read from now into acme.calls"},
        Case{"StreamRemoved",
             {.more = "  calls:\n    definition: conversation-details\n    start: now\n"},
             {},
             "from now: streams.calls",
             "read no longer"},
        Case{"Name", {}, {.name = "other"}, "new state: name: acme -> other", "another connector"},
        Case{"Timeout", {}, {.kafka = "  transaction_timeout: 50s\n"}, "from now: kafka.transaction_timeout", "no state"},
        Case{"Offsets",
             {},
             {.kafka = "  topics: {offsets: {name: else}}\n"},
             "refused: kafka.topics.offsets.name",
             "keep the name"},
        Case{"Digests",
             {},
             {.kafka = "  topics: {digests: {name: else}}\n"},
             "refused: kafka.topics.digests.name",
             "until `offsets accept-lost-digests`"},
        Case{"RetentionSet",
             {},
             {.stream = "    retention: 90d\n"},
             "from now: streams.conversations.retention: no bound -> 90d",
             "not asked for any more: what a lane has not read of it is lost to it"},
        Case{"RetentionShorter",
             {.stream = "    retention: 90d\n"},
             {.stream = "    retention: 60d\n"},
             "from now: streams.conversations.retention: 90d -> 60d",
             "nothing is read again for it. What lies before "},
        Case{"RetentionLonger",
             {.stream = "    retention: 60d\n"},
             {.stream = "    retention: 90d\n"},
             "from now: streams.conversations.retention: 60d -> 90d",
             "nothing is read again for it. What lies further back can be asked for"},
        Case{"RetentionTakenAway",
             {.stream = "    retention: 60d\n"},
             {},
             "from now: streams.conversations.retention: 60d -> no bound",
             "--reread FROM/TO"},
        Case{"RetentionLeavesOutAnAge",
             {},
             {.stream = "    retention: 7d\n"},
             "from now: streams.conversations.settle.ages: 7d -> (none)",
             "nothing is read again at this age any more"},
        Case{"Pace",
             {},
             {.stream = "    live: {every: 30s}\n"},
             "from now: streams.conversations.live.every: 1m -> 30s",
             "no state is touched"}),
    [](const auto& info) { return info.param.name; });

TEST(PlanDiff, TheGravestComesFirst) {
  const std::string told =
      diff({}, {.genesys = "  budget: {share: 0.4}\n", .stream = "    query: {segmentFilters: []}\n    live: {ages: [1m]}\n"});

  EXPECT_LT(told.find("refused:"), told.find("reads:"));
  EXPECT_LT(told.find("reads:"), told.find("from now:"));
}

TEST(PlanDiff, SecretsAreNotShown) {
  EXPECT_THAT(diff({}, {.genesys = "  budget: {share: 0.4}\n"}), Not(HasSubstr("not-used")));
}

}  // namespace
}  // namespace connector::cli
