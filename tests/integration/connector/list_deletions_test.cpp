// A list that names ids, read whole again and again over a real broker: what it loses becomes a tombstone, whoever is killed
// when.

#include "tests/integration/kafka/harness.h"
#include "tests/support/connector_scene.h"
#include "tests/support/scripted_server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace tests::integration {
namespace {

using support::ConnectorProcess;
using support::ReceivedRequest;
using support::Reply;
using support::TopicRecord;
using testing::ElementsAre;
using testing::IsEmpty;
using namespace std::chrono_literals;

// Forty queues on two pages, and what a connector asks for at its start.
class ListDeletions : public testing::Test {
 protected:
  ListDeletions()
      : name(fmt::format("lists-{}", std::chrono::system_clock::now().time_since_epoch().count())),
        service({}, [this](const ReceivedRequest& request) { return serve(request); }) {
    for (int i = 0; i < 40; ++i) queues.insert(fmt::format("q{}", 100 + i));
    std::ofstream(folder.path() / "connector.yaml")
        << fmt::format(R"(name: {}
genesys:
  api_url: {}
  login_url: {}
  client_id: c
  client_secret: not-used
  budget: {{share: 1.0, assumed_requests_per_minute: 60000}}
  retry: {{initial: 20ms, max: 100ms, deadline: 1s}}
kafka:
  bootstrap_servers: {}
  commit_interval: 20ms
streams:
  queues: {{definition: queues, start: now, snapshot: {{every: 1s, on_delete: tombstone, delete: {{max_share: 0.1}}}}}}
metrics: {{listen: "127.0.0.1:0"}}
)",
                       name, service.url(), service.url(), support::shared_broker().bootstrap());
  }

  Reply serve(const ReceivedRequest& request) {
    const std::lock_guard lock(mutex);
    if (request.target.starts_with("/oauth/token")) {
      return {.body = R"({"access_token":"t","token_type":"bearer","expires_in":86400})"};
    }
    if (request.target.starts_with("/api/v2/organizations/me")) return {.body = R"({"id":"org-1","name":"Lists"})"};
    if (!request.target.starts_with("/api/v2/routing/queues?")) return {.status = 404, .body = "{}"};
    const bool first = request.target.contains("pageNumber=1");
    if (!first && cut) return {.body = R"({"entities":[],"total":40,"pageCount":2})"};
    if (!first) ++whole_readings;
    std::string entities;
    std::size_t place = 0;
    for (const std::string& queue : queues) {
      if ((place++ < 20) != first) continue;
      entities += fmt::format(R"({}{{"id":"{}","name":"N"{}}})", entities.empty() ? "" : ",", queue, more[queue]);
    }
    return {.body = fmt::format(R"({{"entities":[{}],"total":{},"pageCount":2}})", entities, queues.size())};
  }
  void change(const auto& what) {
    const std::lock_guard lock(mutex);
    what();
  }
  void start() {
    connector.emplace(support::connector_binary(), folder.path() / "connector.yaml",
                      folder.path() / fmt::format("log-{}", ++lives));
    connector->wait_until_ready();
  }
  void until_readings(int count) {
    const int goal = whole_readings + count;
    connector->until("the list is read", [&] { return whole_readings >= goal; });
  }
  [[nodiscard]] std::map<std::string, std::vector<TopicRecord>> topic() const {
    std::map<std::string, std::vector<TopicRecord>> keys;
    for (TopicRecord& record : support::read_topic({.bootstrap = support::shared_broker().bootstrap()}, name + ".queues")) {
      keys[*record.key].push_back(std::move(record));
    }
    return keys;
  }
  [[nodiscard]] std::vector<std::string> deleted() const {
    std::vector<std::string> names;
    for (const auto& [key, records] : topic()) {
      if (!records.back().value) names.push_back(key);
    }
    return names;
  }

  std::string name;
  std::mutex mutex;
  std::set<std::string> queues;
  std::map<std::string, std::string> more;  // members of an entry
  bool cut = false;                         // the second page is missing
  std::atomic<int> whole_readings = 0;      // that may be under way still
  support::ScriptedServer service;
  support::TemporaryFolder folder;
  std::optional<ConnectorProcess> connector;
  int lives = 0;
};

TEST_F(ListDeletions, OfAListBecomeTombstonesOverRestartsAndWhatComesBackIsPublishedAgain) {
  start();
  until_readings(2);
  change([&] { queues.erase("q103"); });
  // Killed after about a reading each: the counts are in the ledger.
  for (int life = 0; life < 3; ++life) {
    until_readings(2);
    connector->process.kill();
    start();
  }
  connector->until("the tombstone is there", [&] { return !deleted().empty(); });

  EXPECT_THAT(deleted(), ElementsAre("q103"));
  const TopicRecord tombstone = topic().at("q103").back();
  EXPECT_EQ(tombstone.headers.at("gk.deleted"), "true");
  EXPECT_EQ(tombstone.headers.at("gk.lane"), "live");
  EXPECT_EQ(topic().at("q103").size(), 2U) << "once";
  EXPECT_EQ(topic().at("q104").size(), 1U) << "nothing is repeated by anybody's death";

  change([&] { queues.insert("q103"); });
  connector->until("it is back", [&] { return deleted().empty(); });
  EXPECT_EQ(topic().at("q103").size(), 3U);
  EXPECT_EQ(connector->process.terminate(10s).code, 0) << connector->log();
}

TEST_F(ListDeletions, OfAListThatIsCutOrLosesTooMuchNothingIsDeleted) {
  start();
  until_readings(2);
  change([&] { cut = true; });
  connector->until("the reading is said not to be whole",
                   [&] { return connector->log().contains("a reading does not tell which records the service no longer has"); });
  change([&] {
    cut = false;
    for (int i = 0; i < 10; ++i) queues.erase(fmt::format("q{}", 100 + i));
  });
  connector->until("the brake holds",
                   [&] { return connector->metric("genesys_kafka_delete_brakes_total", {R"(stream="queues")"}) >= 4; });
  EXPECT_THAT(deleted(), IsEmpty());

  change([&] {
    for (int i = 0; i < 8; ++i) queues.insert(fmt::format("q{}", 100 + i));
  });
  connector->until("two are gone", [&] { return deleted().size() == 2; });
  EXPECT_THAT(deleted(), ElementsAre("q108", "q109"));
  EXPECT_EQ(connector->process.terminate(10s).code, 0) << connector->log();
}

// An entry that is too large for its topic, of a list whose entries say when they were made: long before any reading.
TEST_F(ListDeletions, AnEntryThatWasTooLargeIsPublishedByARetryOnceItFits) {
  std::ofstream(folder.path() / "lists.yaml") << R"(
name: lists
key: /id
start: /dateCreated
window: none
query:
  request: {method: GET, path: /api/v2/routing/queues}
  records: /entities
  total: {pointer: /total, trust: approximate}
  pages: {kind: page-number, number: {query: pageNumber}, size: {query: pageSize}, page_count: /pageCount, max_size: 500}
)";
  std::string text = support::read_file(folder.path() / "connector.yaml");
  const std::string was = "queues: {definition: queues, start: now,";
  text.replace(text.find(was), was.size(),
               "queues: {definition: lists, start: now, topic: {config: {max.message.bytes: \"2000\"}},");
  std::ofstream(folder.path() / "connector.yaml") << "definitions: [lists.yaml]\n" << text;
  for (const std::string& queue : queues) more[queue] = R"(,"dateCreated":"2025-03-04T05:06:07Z")";
  more["q103"] += R"(,"description":")" + std::string(4'000, 'x') + "\"";
  start();
  until_readings(2);
  connector->until("it is a dead letter", [&] { return connector->metric("genesys_kafka_dead_letters_total") >= 1; });
  ASSERT_EQ(connector->process.terminate(10s).code, 0) << connector->log();
  ASSERT_FALSE(topic().contains("q103"));
  set_topic_config(support::shared_broker().bootstrap(), name + ".queues", "max.message.bytes", "1048576");

  const auto retry = [&] {
    const auto err = folder.path() / "retry.err";
    support::Process verb({.arguments = {support::connector_binary(), "dead-letters", "retry", "--yes", "--config",
                                         (folder.path() / "connector.yaml").string()},
                           .output = folder.path() / "retry.out",
                           .error_output = err});
    const auto status = verb.wait(60s);
    EXPECT_TRUE(status) << "it does not end";
    EXPECT_EQ(status ? status->code.value_or(-1) : -1, 0)
        << support::read_file(folder.path() / "retry.out") << support::read_file(err);
  };
  retry();
  ASSERT_TRUE(topic().contains("q103")) << "that it began before its dead letter's reading is no reason to pass it over";
  retry();
  start();
  until_readings(3);

  EXPECT_EQ(topic().at("q103").size(), 1U) << "once, whoever reads it again";
  EXPECT_EQ(topic().at("q104").size(), 1U);
  EXPECT_EQ(connector->process.terminate(10s).code, 0) << connector->log();
}

}  // namespace
}  // namespace tests::integration
