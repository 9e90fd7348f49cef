// `dead-letters list | retry`: records larger than their topic takes become dead letters, are listed, and are published once the
// topic takes them: in the form that may follow what was published, exactly once.

#include "common/json.h"
#include "connector/core/digest/entry.h"
#include "tests/integration/kafka/harness.h"
#include "tests/support/connector_scene.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace tests::integration {
namespace {

using connector::core::DigestEntry;
using connector::core::DigestState;
using support::ConnectorScene;
using support::TopicRecord;
using support::VerbResult;
using testing::AllOf;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// The larger ones of the records are too large: some in both forms, some only with their attributes.
class DeadLettersVerbs : public testing::Test {
 protected:
  static constexpr std::size_t kLimit = 4'400;

  DeadLettersVerbs() : DeadLettersVerbs(support::SceneOptions{}) {}
  explicit DeadLettersVerbs(support::SceneOptions options) : scene(with_worlds_defaults(std::move(options))) {
    scene.configuration.stream = {"topic: {partitions: 3, config: {max.message.bytes: \"" + std::to_string(kLimit) + "\"}}"};
  }

  void work_and_stop() {
    scene.start_connector();
    scene.wait_until_committed();
    scene.wait_until_complete();
    ASSERT_EQ(scene.stop_connector().code, 0);
  }
  void raise_limit(std::size_t bytes = 1'048'576) const {
    set_topic_config(bootstrap, scene.topic(), "max.message.bytes", std::to_string(bytes));
  }
  VerbResult list(std::vector<std::string> more = {}) const { return verb("list", std::move(more)); }
  VerbResult retry(std::vector<std::string> more = {}) const { return verb("retry", std::move(more)); }
  [[nodiscard]] std::vector<TopicRecord> letters() const { return scene.records(scene.dead_letter_topic()); }

  // Keys of which one content is a dead letter twice. (The world goes on, so another content may become another one.)
  [[nodiscard]] std::vector<std::string> doubled() const {
    std::set<std::pair<std::string, std::string>> seen;
    std::vector<std::string> keys;
    for (const TopicRecord& letter : letters()) {
      if (!seen.emplace(*letter.key, *letter.value).second) keys.push_back(*letter.key);
    }
    return keys;
  }
  // By the digests: key → whether it is the job form that is dead.
  [[nodiscard]] std::map<std::string, bool> dead() const {
    std::map<std::string, bool> keys;
    for (const auto& [key, value] : support::read_compacted(scene.reader(), scene.name() + "-digests")) {
      if (key.starts_with('[')) continue;  // the mark
      const auto entry = DigestEntry::parse(value).value();
      if (entry.state != DigestState::kDead) continue;
      keys[std::string(connector::core::parse_digest_key(key).value().record_key)] = entry.is_job_form();
    }
    return keys;
  }
  // The forms in which each key was published, in their order.
  [[nodiscard]] std::map<std::string, std::vector<std::string>> forms() const {
    std::map<std::string, std::vector<std::string>> found;
    for (const TopicRecord& record : scene.records(scene.topic())) found[*record.key].push_back(record.headers.at("gk.form"));
    return found;
  }
  void expect_no_violation() {
    for (const auto& violation : scene.violations()) ADD_FAILURE() << violation.kind << ": " << violation.detail;
  }

  ConnectorScene scene;
  const std::string bootstrap = support::shared_broker().bootstrap();

 private:
  static support::SceneOptions with_worlds_defaults(support::SceneOptions options) {
    options.simulator = {{"--long-share", "0"}, {"--reopen-share", "0"}, {"--record-bytes", "4000"}};
    return options;
  }
  VerbResult verb(const std::string& what, std::vector<std::string> more) const {
    more.insert(more.begin(), {"dead-letters", what});
    return scene.run_verb(std::move(more));
  }
};

common::json::Value json_of(const VerbResult& result) {
  auto document = common::json::parse(result.out);
  if (!document) throw std::runtime_error("not JSON: " + result.out + result.err);
  return std::move(*document);
}
std::uint64_t number(const common::json::Value& object, const char* member) {
  const auto* value = common::json::find(object, member);
  return value == nullptr ? 0 : value->to_number<std::uint64_t>();
}
std::uint64_t counted(const common::json::Value& report, const char* finding) {
  return number(*common::json::find(report, "counts"), finding);
}

TEST_F(DeadLettersVerbs, WhatWasTooLargeIsListedAndPublishedOnceWhenItFits) {
  work_and_stop();
  const auto written = letters();
  const auto dead_before = dead();
  const auto forms_before = forms();
  ASSERT_THAT(dead_before.size(), Ge(5U)) << "the world has records larger than the topic takes";

  // Listed, without contents.
  const auto listed = list({"--output", "json", "--max-records", "100000"});
  ASSERT_EQ(listed.code, 0) << listed.err;
  EXPECT_EQ(number(json_of(listed), "count"), written.size());
  std::multiset<std::string> keys;
  for (const auto& letter : common::json::find(json_of(listed), "letters")->as_array()) {
    keys.insert(std::string(letter.at("key").as_string()));
    EXPECT_EQ(letter.at("reason"), "oversize");
    EXPECT_GT(number(letter, "size"), kLimit - 600);
    EXPECT_FALSE(letter.as_object().contains("bytes"));
  }
  std::multiset<std::string> expected;
  for (const TopicRecord& letter : written) expected.insert(*letter.key);
  EXPECT_EQ(keys, expected);
  const auto table = list({"--reason", "oversize", "--max-records", "1"});
  EXPECT_THAT(table.out, AllOf(HasSubstr("larger than its topic takes"), HasSubstr("older (--max-records)"),
                               Not(HasSubstr("conversationId"))));
  EXPECT_THAT(list({"--max-records", "1", "--show-bytes"}).out, HasSubstr("conversationId"));
  EXPECT_THAT(list({"--stream", "users"}).out, HasSubstr("no dead letters"));

  // It does not fit yet: said, and nothing is doubled.
  const auto dry = retry({"--dry-run", "--output", "json"});
  EXPECT_EQ(dry.code, 6) << dry.err;
  EXPECT_GT(counted(json_of(dry), "too_large"), 0U);
  const auto too_soon = retry({"--yes", "--output", "json"});
  EXPECT_EQ(too_soon.code, 6) << too_soon.err;
  EXPECT_EQ(counted(json_of(too_soon), "too_large"), dead_before.size()) << too_soon.out;
  EXPECT_THAT(too_soon.out, HasSubstr("its topic takes " + std::to_string(kLimit)));
  EXPECT_THAT(doubled(), IsEmpty()) << "no second dead letter of one content";
  EXPECT_EQ(forms(), forms_before);

  raise_limit();
  const auto unasked = retry();
  EXPECT_EQ(unasked.code, 2) << "nobody can be asked in a pipe";
  EXPECT_THAT(unasked.err, HasSubstr("--yes"));
  EXPECT_EQ(forms(), forms_before);

  // One of them first, then the rest.
  const std::string& one = dead_before.begin()->first;
  const auto single = retry({"--yes", "--key", one, "--output", "json"});
  EXPECT_EQ(single.code, 0) << single.err << single.out;
  EXPECT_EQ(number(json_of(single), "published"), 1U);
  const auto retried = retry({"--yes", "--output", "json"});
  EXPECT_EQ(retried.code, 0) << retried.err << retried.out;
  EXPECT_EQ(number(json_of(retried), "published"), dead_before.size() - 1);
  EXPECT_THAT(retried.err, AllOf(HasSubstr("last claimed on host"), HasSubstr("exit code 4")));

  const auto forms_after = forms();
  for (const auto& [key, is_job_form] : dead_before) {
    const auto before = forms_before.find(key);
    std::vector<std::string> wanted = before == forms_before.end() ? std::vector<std::string>{} : before->second;
    wanted.emplace_back(is_job_form ? "job" : "query");
    EXPECT_EQ(forms_after.at(key), wanted) << key << ": once, and a dead job form only by a job form";
  }
  EXPECT_THAT(dead(), IsEmpty());

  // Again: nothing is left to do, and nobody is fenced for it.
  const auto offsets = scene.records(scene.offsets_topic()).size();
  const auto again = retry({"--output", "json"});
  EXPECT_EQ(again.code, 0) << again.err << again.out;
  EXPECT_EQ(number(json_of(again), "published"), 0U);
  EXPECT_EQ(counted(json_of(again), "no_longer_dead"), dead_before.size());
  EXPECT_EQ(forms(), forms_after);
  EXPECT_EQ(scene.records(scene.offsets_topic()).size(), offsets) << "the task was not taken over";

  // The connector goes on from it.
  work_and_stop();
  expect_no_violation();
}

TEST_F(DeadLettersVerbs, AConnectorThatRunsIsListedBesideAndFencedByARetry) {
  scene.start_connector();
  scene.wait_until_committed();
  scene.wait_until_complete();
  const auto listed = list();
  EXPECT_EQ(listed.code, 0) << listed.err;
  EXPECT_THAT(listed.out, HasSubstr("conversations  oversize"));
  raise_limit();

  const auto retried = retry({"--yes", "--output", "json"});

  EXPECT_EQ(retried.code, 0) << retried.err << retried.out;
  EXPECT_GT(number(json_of(retried), "published"), 0U);
  EXPECT_EQ(scene.connector().ended().code, 4) << scene.log();
  work_and_stop();
  EXPECT_EQ(retry({"--yes"}).code, 0);
  expect_no_violation();
}

TEST(DeadLettersOfAConnector, ThatNeverRanAreNotThere) {
  const ConnectorScene scene;

  const auto listed = scene.run_verb({"dead-letters", "list"});

  EXPECT_EQ(listed.code, 2);
  EXPECT_THAT(listed.err, HasSubstr(scene.dead_letter_topic()));
}

}  // namespace
}  // namespace tests::integration
