// The verb `verify`: a topic that was damaged behind the connector's back, what is found, and what a repair mends.

#include "common/json.h"
#include "common/time_zone.h"
#include "connector/core/planning/buckets.h"
#include "tests/support/connector_scene.h"
#include "tests/support/topic_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace tests::integration {
namespace {

using support::ConnectorScene;
using support::TopicRecord;
using support::VerbResult;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

// A stream whose history was settled whole; the first half of it is what is verified.
class Verify : public testing::Test {
 protected:
  static constexpr std::chrono::seconds kHistory{20};

  explicit Verify(std::vector<std::string> kafka = {})
      : scene({.simulator = {{"--long-share", "0"}, {"--reopen-share", "0"}}, .history = kHistory}) {
    scene.configuration.kafka = std::move(kafka);
    scene.configuration.stream = {"topic: {partitions: 3}"};
    scene.start_connector();
    scene.wait_until_complete();
  }

  VerbResult verify(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{"verify", "conversations",      "--from",   instant(range().start),
                                       "--to",   instant(range().end), "--output", "json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return scene.run_verb(arguments);
  }
  [[nodiscard]] common::Interval range() const {
    const auto begin = std::chrono::time_point_cast<common::Duration>(const_cast<ConnectorScene&>(scene).simulator().begin());
    return {.start = begin, .end = begin + kHistory / 2};
  }
  static std::string instant(common::Instant point) { return common::format_instant(point); }

  // The last record of keys of the range, each from another key, in the order of their partitions.
  [[nodiscard]] std::vector<TopicRecord> last_records() const {
    std::map<std::string, TopicRecord> last;
    for (const TopicRecord& record : scene.records(scene.topic())) {
      const auto value = common::json::parse(record.value.value());
      const auto start = common::parse_instant(common::json::find_string(*value, "conversationStart").value());
      if (range().contains(*start)) last[*record.key] = record;
    }
    std::vector<TopicRecord> records;
    for (auto& [key, record] : last) records.push_back(std::move(record));
    return records;
  }
  // As if it had been read long before the verification.
  void put(TopicRecord record) const {
    record.headers["gk.read-at"] = instant(range().end);
    support::write_record(scene.reader(), scene.topic(), record);
  }
  static TopicRecord changed(TopicRecord record) {
    record.value = record.value->substr(0, record.value->size() - 1) + R"(,"damaged":true})";
    return record;
  }
  static TopicRecord deleted(TopicRecord record) {
    record.value.reset();
    return record;
  }

  ConnectorScene scene;
};

struct Answer {
  std::map<std::string, std::uint64_t> counts;  // of the findings that there are
  std::map<std::string, std::vector<std::string>> keys;
  std::uint64_t service_keys = 0;
  std::uint64_t differences = 0;
  std::uint64_t left = 0;
  std::uint64_t published = 0;
};

std::uint64_t number(const common::json::Value& object, const char* member) {
  const auto* value = common::json::find(object, member);
  return value == nullptr ? 0 : value->to_number<std::uint64_t>();
}

Answer answer_of(const VerbResult& result) {
  const auto document = common::json::parse(result.out);
  if (!document) throw std::runtime_error("not JSON: " + result.out + result.err);
  Answer answer{.counts = {},
                .keys = {},
                .service_keys = number(*document, "service_keys"),
                .differences = number(*document, "differences"),
                .left = number(*document, "left")};
  for (const auto& [name, group] : common::json::find(*document, "findings")->as_object()) {
    if (number(group, "count") == 0) continue;
    answer.counts[std::string(name)] = number(group, "count");
    if (const auto* keys = common::json::find(group, "keys")) {
      for (const auto& key : keys->as_array()) answer.keys[std::string(name)].emplace_back(key.as_string());
    }
  }
  if (const auto* repair = common::json::find(*document, "repair")) answer.published = number(*repair, "published");
  return answer;
}

TEST_F(Verify, FindsExactlyWhatWasDamagedAndRepairMendsWhatCanBe) {
  ASSERT_EQ(scene.stop_connector().code, 0);
  const auto untouched = verify();
  ASSERT_EQ(untouched.code, 0) << untouched.err << untouched.out;
  EXPECT_GT(answer_of(untouched).service_keys, 100U);

  const auto records = last_records();
  ASSERT_GT(records.size(), 10U);
  put(deleted(records[0]));
  put(changed(records[1]));
  TopicRecord hiding = changed(records[2]);
  hiding.headers["gk.form"] = "query";
  put(hiding);
  put(records[3]);
  TopicRecord unexpected = records[4];
  unexpected.key = "unexpected";
  unexpected.value->replace(unexpected.value->find(*records[4].key), records[4].key->size(), *unexpected.key);
  put(unexpected);

  const auto found = verify();
  EXPECT_EQ(found.code, 6) << found.err;
  const Answer damage = answer_of(found);
  EXPECT_THAT(damage.keys.at("missing"), ElementsAre(*records[0].key));
  EXPECT_THAT(damage.keys.at("different"), ElementsAre(*records[1].key));
  EXPECT_THAT(damage.keys.at("regressed"), ElementsAre(*records[2].key));
  EXPECT_THAT(damage.keys.at("repeated"), ElementsAre(*records[3].key));
  EXPECT_THAT(damage.keys.at("unexpected"), ElementsAre("unexpected"));
  EXPECT_EQ(damage.differences, 5U);

  const auto repaired = verify({"--repair", "--yes"});
  EXPECT_EQ(repaired.code, 6) << "what was repeated stays in the log, and what is unexpected is not deleted";
  EXPECT_EQ(answer_of(repaired).published, 3U) << repaired.err << repaired.out;
  EXPECT_EQ(answer_of(repaired).left, 2U);
  EXPECT_THAT(repaired.err, AllOf(HasSubstr("last claimed on host"), HasSubstr("exit code 4")));

  const Answer after = answer_of(verify());
  EXPECT_EQ(after.differences, 2U);
  EXPECT_TRUE(after.counts.contains("repeated") && after.counts.contains("unexpected"));
}

TEST_F(Verify, ARepairIsIdempotentAndTheConnectorGoesOnFromIt) {
  ASSERT_EQ(scene.stop_connector().code, 0);
  const auto records = last_records();
  put(deleted(records[0]));
  put(changed(records[1]));

  const auto unasked = verify({"--repair"});
  EXPECT_EQ(unasked.code, 2) << "nobody can be asked in a pipe";
  EXPECT_THAT(unasked.err, HasSubstr("--yes"));
  EXPECT_EQ(answer_of(verify()).differences, 2U) << "nothing was done";

  const auto repaired = verify({"--repair", "--yes"});
  EXPECT_EQ(repaired.code, 0) << repaired.err << repaired.out;
  EXPECT_EQ(answer_of(repaired).published, 2U);
  EXPECT_EQ(verify().code, 0);
  const auto again = verify({"--repair", "--yes"});
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(answer_of(again).published, 0U);

  const auto times = [&](const std::string& key) {
    return std::ranges::count(scene.records(scene.topic()), key, [](const TopicRecord& record) { return *record.key; });
  };
  const auto before = times(*records[1].key);
  scene.start_connector();
  scene.wait_until_complete();
  EXPECT_EQ(times(*records[1].key), before) << "its digests know what was repaired";
  EXPECT_EQ(scene.stop_connector().code, 0);
  EXPECT_EQ(verify().code, 0);
}

class VerifyAtLeastOnce : public Verify {
 protected:
  VerifyAtLeastOnce() : Verify({"delivery: at_least_once"}) {}
};

TEST_F(VerifyAtLeastOnce, IsRepairedWithoutTransactionsToo) {
  ASSERT_EQ(scene.stop_connector().code, 0);
  const auto records = last_records();
  put(deleted(records[0]));
  put(changed(records[1]));

  const auto repaired = verify({"--repair", "--yes"});

  EXPECT_EQ(repaired.code, 0) << repaired.err << repaired.out;
  EXPECT_EQ(answer_of(repaired).published, 2U);
  EXPECT_EQ(answer_of(verify()).differences, 0U);
  scene.start_connector();
  scene.wait_until_complete();
  EXPECT_EQ(scene.stop_connector().code, 0);
  EXPECT_EQ(answer_of(verify()).counts.count("missing"), 0U);
}

// The first page of a day's job is repaired and committed, the second one never comes.
TEST_F(Verify, ARepairKilledHalfWayIsTakenUpAgainAndNothingIsDoubled) {
  ASSERT_EQ(scene.stop_connector().code, 0);
  auto records = last_records();
  std::ranges::sort(records, {}, [](const TopicRecord& record) {
    return std::string(common::json::find_string(common::json::parse(*record.value).value(), "conversationStart").value());
  });
  const TopicRecord& first = records.front();
  const TopicRecord& last = records.back();
  put(changed(first));
  put(changed(last));
  const auto is_mended = [&] {
    std::string now;
    for (const TopicRecord& record : scene.records(scene.topic())) now = *record.key == *first.key ? *record.value : now;
    return now == *first.value;
  };
  scene.simulator().add_faults(R"({"name": "hang", "match": {"path": "results.*cursor="}, "fault": {"kind": "never_answer"}})");

  support::Process process(
      {.arguments = {support::connector_binary(), "verify", "conversations", "--from", instant(range().start), "--to",
                     instant(range().end), "--repair", "--yes", "--config", scene.configuration_file().string()},
       .output = scene.folder() / "killed.out"});
  const auto deadline = std::chrono::steady_clock::now() + support::kPatience;
  while (scene.simulator().strikes("hang") == 0 || !is_mended()) {
    ASSERT_FALSE(process.wait(25ms)) << support::read_file(scene.folder() / "killed.out");
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << support::read_file(scene.folder() / "killed.out");
  }
  process.kill();
  scene.simulator().reset_faults();

  EXPECT_THAT(answer_of(verify()).keys.at("different"), ElementsAre(*last.key));
  const auto repaired = verify({"--repair", "--yes"});
  EXPECT_EQ(repaired.code, 0) << repaired.err << repaired.out;
  EXPECT_EQ(answer_of(repaired).published, 1U);
  const auto after = verify();
  EXPECT_EQ(after.code, 0) << after.out;
}

TEST_F(Verify, BesideARunningConnectorNothingIsDisturbedAndARepairFencesIt) {
  const auto beside = verify();
  EXPECT_EQ(beside.code, 0) << beside.err << beside.out;
  const auto by_query = verify({"--form", "query"});
  EXPECT_EQ(by_query.code, 0) << by_query.err << by_query.out;
  EXPECT_EQ(answer_of(by_query).service_keys, answer_of(beside).service_keys);
  put(changed(last_records().front()));

  const auto repaired = verify({"--repair", "--yes"});

  EXPECT_EQ(repaired.code, 0) << repaired.err << repaired.out;
  EXPECT_EQ(answer_of(repaired).published, 1U);
  EXPECT_EQ(scene.connector().ended().code, 4);
}

TEST_F(Verify, WhatTheServiceDoesNotGuaranteeYetIsNotVerified) {
  ASSERT_EQ(scene.stop_connector().code, 0);
  const auto tomorrow = instant(ConnectorScene::now() + 24h);
  const auto later = instant(ConnectorScene::now() + 25h);

  const auto nothing = scene.run_verb({"verify", "conversations", "--from", tomorrow, "--to", later});
  EXPECT_EQ(nothing.code, 2);
  EXPECT_THAT(nothing.err, AllOf(HasSubstr("nothing of"), HasSubstr("--form query")));

  const auto some = scene.run_verb({"verify", "conversations", "--from", instant(range().start), "--to", tomorrow});
  EXPECT_THAT(some.err, HasSubstr("verifying up to there"));
  EXPECT_THAT(some.out, HasSubstr("keys of the service"));

  const auto unknown = scene.run_verb({"verify", "users", "--from", instant(range().start), "--to", tomorrow});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("streams: conversations"));
}

// Days by the clock of a zone, which are not UTC's: what the connector has published is what is asked for, compared and mended.
TEST(VerifyFigures, OfDaysOfATimeZoneAreComparedDayByDay) {
  constexpr std::chrono::hours kDays{72};
  ConnectorScene scene({.simulator = {{"--spacing", "1m"}, {"--long-share", "0"}, {"--reopen-share", "0"}}, .history = kDays});
  scene.configuration.definition = "conversation-aggregates";
  scene.configuration.live = "{delay: 300ms, ages: [2s]}";
  scene.configuration.follow = scene.configuration.settle = "";
  scene.configuration.job_page_size = 0;
  scene.configuration.stream = {"query: {granularity: P1D, timeZone: Asia/Kolkata, groupBy: [mediaType], metrics: [nConnected]}"};
  const auto begin = std::chrono::time_point_cast<common::Duration>(scene.simulator().begin());
  const connector::core::Buckets days(std::chrono::days{1}, common::TimeZone::find("Asia/Kolkata").value());
  const common::Instant today = days.start_of(ConnectorScene::now());
  const auto verify = [&](std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{
        "verify",   "conversations", "--from", common::format_instant(begin), "--to", common::format_instant(today - 1h),
        "--output", "json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return scene.run_verb(arguments);
  };
  scene.start_connector();
  scene.wait_until_settled(today, support::kPatience, connector::core::Lane::kLive);
  ASSERT_EQ(scene.stop_connector().code, 0);

  std::vector<TopicRecord> records;  // but what a midnight meanwhile has brought
  for (TopicRecord& record : scene.records(scene.topic())) {
    const auto value = common::json::parse(*record.value).value();
    const auto interval = common::parse_interval(std::string_view(value.at("data").at("interval").as_string())).value();
    EXPECT_EQ(interval, days.at(interval.start)) << *record.value;
    if (interval.start < today) records.push_back(std::move(record));
  }
  ASSERT_GE(records.size(), 6U);
  const auto untouched = verify();
  EXPECT_EQ(untouched.code, 0) << untouched.err << untouched.out;
  EXPECT_EQ(answer_of(untouched).service_keys, records.size());

  TopicRecord changed = records.front();
  changed.value->back() = ',';
  *changed.value += R"("damaged":true})";
  changed.headers["gk.read-at"] = common::format_instant(begin);
  support::write_record(scene.reader(), scene.topic(), changed);
  const auto found = verify();
  EXPECT_EQ(found.code, 6) << found.err;
  EXPECT_THAT(answer_of(found).keys.at("different"), ElementsAre(*changed.key));

  const auto repaired = verify({"--repair", "--yes"});
  EXPECT_EQ(repaired.code, 0) << repaired.err << repaired.out;
  EXPECT_EQ(verify().code, 0);
}

TEST(VerifyWithoutKafka, IsKafkasRefusalAndAsksNothingOfTheService) {
  ConnectorScene scene;
  scene.configuration.bootstrap = "127.0.0.1:1";  // where nothing listens

  const auto refused =
      scene.run_verb({"verify", "conversations", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-02T00:00:00Z"});

  EXPECT_EQ(refused.code, 5) << refused.err;
  EXPECT_EQ(scene.simulator().requests(), 0U);
}

TEST(VerifyWithoutKafka, ATopicThatIsNotThereIsToldBeforeTheServiceIsAsked) {
  ConnectorScene scene;

  const auto refused =
      scene.run_verb({"verify", "conversations", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-02T00:00:00Z"});

  EXPECT_EQ(refused.code, 5) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr(scene.topic() + " does not exist"));
  EXPECT_EQ(scene.simulator().requests(), 0U);
}

}  // namespace
}  // namespace tests::integration
