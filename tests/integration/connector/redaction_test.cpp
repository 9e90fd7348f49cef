// A stream with a redaction and a projection, end to end: what they remove is in no topic, log or answer of a verb, and
// everything else is as it always is: complete, once per content, verifiable.

#include "common/json.h"
#include "tests/support/connector_scene.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace tests::integration {
namespace {

using support::ConnectorScene;
using support::TopicRecord;
using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;
using namespace std::chrono_literals;

constexpr std::chrono::seconds kHistory{20};
constexpr const char* kKey = "s3cr3t-pseudonyms-0123456789";

std::string bad_records() {
  std::string rules;
  for (const char* record : {"not_object", "no_id"}) {
    for (const auto& [form, path] : std::map<std::string, std::string>{{"query", "details/query"}, {"job", "/results"}}) {
      rules +=
          (rules.empty() ? "" : ", ") +
          fmt::format(
              R"({{"name": "{0}-{1}", "match": {{"path": "{2}", "limit": 1}}, "fault": {{"kind": "bad_record", "record": "{0}"}}}})",
              record, form, path);
    }
  }
  return rules;
}

class RedactedStream : public testing::Test {
 protected:
  RedactedStream()
      : scene({.simulator = {{"--long-share", "0"}, {"--reopen-share", "0"}}, .history = kHistory, .faults = bad_records()}) {
    std::ofstream(scene.folder() / "pseudonyms") << kKey << "\n";
  }
  [[nodiscard]] std::string key_line() const { return "key: \"${file:" + (scene.folder() / "pseudonyms").string() + "}\""; }
  void work(std::vector<std::string> stream) {
    scene.configuration.stream = std::move(stream);
    scene.start_connector();
    scene.wait_until_complete();
    ASSERT_EQ(scene.stop_connector().code, 0);
  }
  // Every topic of the connector, every part of its messages; the logs of all lives.
  [[nodiscard]] std::vector<std::string> everything_written() const {
    std::vector<std::string> texts{scene.log()};
    for (const std::string& topic : {scene.topic(), scene.dead_letter_topic(), scene.offsets_topic(), scene.name() + "-digests",
                                     scene.name() + "-progress", scene.control_topic()}) {
      for (const TopicRecord& record : scene.records(topic)) {
        texts.push_back(record.key.value_or("") + "\n" + record.value.value_or(""));
        for (const auto& [name, value] : record.headers) texts.back() += "\n" + name + "=" + value;
      }
    }
    return texts;
  }
  [[nodiscard]] support::VerbResult verify() {
    const auto begin = std::chrono::time_point_cast<common::Duration>(scene.simulator().begin());
    return scene.run_verb({"verify", "conversations", "--from", common::format_instant(begin), "--to",
                           common::format_instant(begin + kHistory / 2)});
  }
  void expect_once_per_content() const {
    std::map<std::string, std::string> last;
    for (const TopicRecord& record : scene.records(scene.topic())) {
      auto& before = last[*record.key];
      EXPECT_NE(before, record.value.value()) << *record.key;
      before = *record.value;
    }
    EXPECT_GT(last.size(), 100U);
  }

  ConnectorScene scene;
};

TEST_F(RedactedStream, NothingOfWhatIsRemovedLeavesTheProcess) {
  work({"topic: {partitions: 3}", "redaction:", "  drop: [/participants/*/participantName, /participants/*/attributes]",
        "  hash: [/participants/*/sessions/*/ani]", "  " + key_line()});

  const auto personal = AllOf(Not(HasSubstr("participantName")), Not(HasSubstr("customerTier")),
                              Not(HasSubstr("tel:+15550100001")), Not(HasSubstr(kKey)));
  EXPECT_THAT(everything_written(), Each(personal));
  int hashed = 0;
  for (const TopicRecord& record : scene.records(scene.topic())) {
    const auto at = record.value->find(R"("ani":")");
    if (at == std::string::npos) continue;
    EXPECT_THAT(record.value->substr(at, 73), MatchesRegex(R"("ani":"[0-9a-f]{64}",)"));
    ++hashed;
  }
  EXPECT_GT(hashed, 10);
  std::map<std::string, int> reasons;
  for (const TopicRecord& letter : scene.records(scene.dead_letter_topic())) {
    ++reasons[letter.headers.at("gk.reason")];
    ASSERT_TRUE(letter.value) << "no bytes are no tombstone";
    if (letter.headers.at("gk.reason") == "not_an_object") EXPECT_EQ(*letter.value, "");
    EXPECT_NE(letter.headers.at("gk.size"), "0");
  }
  EXPECT_GT(reasons["not_an_object"], 0);
  EXPECT_GT(reasons["no_key"], 0);

  expect_once_per_content();
  const auto verified = verify();
  EXPECT_EQ(verified.code, 0) << verified.out << verified.err;
  const auto sampled = scene.run_verb({"sample", "conversations", "--max-records", "5"});
  EXPECT_EQ(sampled.code, 0) << sampled.err;
  EXPECT_THAT(sampled.out, HasSubstr("conversationId"));
  const auto shown = scene.run_verb({"config", "show"});
  for (const auto* result : {&verified, &sampled}) {
    EXPECT_THAT(result->out, personal);
    EXPECT_THAT(result->err, personal);
  }
  // (That one names what is removed.)
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_THAT(shown.out, AllOf(HasSubstr("redaction.key"), Not(HasSubstr(kKey))));
}

TEST_F(RedactedStream, FlatRecordsAreCompleteOnceAndVerifiable) {
  work({"topic: {partitions: 3}", "projection:", "  fields:", "    conversationId: /conversationId",
        "    start: /conversationStart", "    mediaType: {from: /participants/*/sessions/*/mediaType, take: first}",
        "    tier: {from: /participants/*/attributes/customerTier, take: first}"});

  for (const TopicRecord& record : scene.records(scene.topic())) {
    const auto value = common::json::parse(record.value.value());
    ASSERT_TRUE(value) << *record.value;
    for (const auto& member : value->as_object()) {
      EXPECT_THAT(std::string(member.key()), testing::AnyOf("conversationId", "start", "mediaType", "tier"));
    }
    EXPECT_EQ(common::json::find_string(*value, "conversationId"), record.key);
    EXPECT_EQ(common::json::find(*value, "tier") != nullptr, record.headers.at("gk.form") == "job") << *record.value;
  }
  expect_once_per_content();
  const auto verified = verify();
  EXPECT_EQ(verified.code, 0) << verified.out << verified.err;
}

TEST_F(RedactedStream, AChangedRedactionIsToldAndPublishesEachRecordOnceMore) {
  work({"topic: {partitions: 3}"});
  const std::size_t before = scene.records(scene.topic()).size();

  work({"topic: {partitions: 3}", "redaction: {drop: [/participants/*/participantName]}"});

  EXPECT_THAT(scene.log(), HasSubstr("what counts as a change of a record is another"));
  const auto records = scene.records(scene.topic());
  ASSERT_GT(records.size(), before);
  const auto is_redacted = [](const TopicRecord& record) { return !record.value->contains("participantName"); };
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count_if(records, is_redacted)), records.size() - before)
      << "what was published before stays as it was";
}

}  // namespace
}  // namespace tests::integration
