// Other services than the built-in one, from definition files alone: the dialects of docs/seed-systems.md and a service nobody
// has prepared the connector for, end to end into a real broker, over SIGKILLs: complete, in the last state, and once per
// content.

#include "common/json.h"
#include "tests/support/connector_scene.h"
#include "tests/support/scripted_server.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <ostream>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace tests::integration {
namespace {

using connector::core::Lane;
using support::ConnectorScene;
using support::ReceivedRequest;
using support::Reply;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

std::string source_file(const std::string& path) {
  return support::read_file(std::filesystem::path(GK_SOURCE_DIR) / path);
}

// What a topic holds of each key, in order; nothing twice in a row.
std::map<std::string, std::vector<common::json::Value>> read_once(const ConnectorScene& scene) {
  std::map<std::string, std::vector<common::json::Value>> found;
  for (const auto& record : scene.records(scene.topic())) {
    auto& values = found[record.key.value()];
    values.push_back(common::json::parse(record.value.value()).value());
    if (values.size() > 1) {
      EXPECT_NE(values[values.size() - 2], values.back()) << "twice: " << *record.key;
    }
  }
  return found;
}

// In the middle of a window: some pages of it were given, the next one never comes, and nothing of it is published.
void kill_in_the_middle(ConnectorScene& scene, const std::function<bool()>& is_silent) {
  scene.connector().until("a page does not come", is_silent);
  scene.connector().process.kill();
  EXPECT_THAT(scene.records(scene.topic()), IsEmpty());
}

// --- the dialects -------------------------------------------------------------------------------------------------------------

struct Dialect {
  std::string number;
  std::string definition;
  std::vector<std::string> genesys;
  std::string key;
  std::string end;
};

std::ostream& operator<<(std::ostream& out, const Dialect& dialect) {
  return out << dialect.definition;
}

class DialectEndToEnd : public testing::TestWithParam<Dialect> {};

TEST_P(DialectEndToEnd, IsCompleteAndOnceThoughTheConnectorIsKilled) {
  const Dialect& dialect = GetParam();
  ConnectorScene scene(
      {.simulator = {{"--total-hits", "exact"}},
       .history = 20s,
       .faults = R"({"name": "silent", "match": {"path": "details/query", "nth": 8}, "fault": {"kind": "never_answer"}},)"
                 R"({"match": {"path": "details/query", "every": 9}, "fault": {"kind": "status", "status": 503}})"});
  auto& configuration = scene.configuration;
  configuration.service = scene.simulator().url() + "/dialects/" + dialect.number;
  configuration.definition = dialect.definition;
  configuration.top = {fmt::format("definitions: [{}/config/streams/dialects/{}.yaml]", GK_SOURCE_DIR, dialect.definition)};
  configuration.genesys = dialect.genesys;
  configuration.stream = {"page_size: 30"};  // some thirty pages of the history
  configuration.live = "{every: 500ms, delay: 300ms, min_window: 100ms, ages: [1500ms]}";
  configuration.follow.clear();
  configuration.settle.clear();
  configuration.job_page_size = 0;
  scene.start_connector();
  kill_in_the_middle(scene, [&scene] { return scene.simulator().strikes("silent") > 0; });
  scene.start_connector();
  scene.wait_until_committed();
  scene.connector().process.kill();
  scene.start_connector();
  scene.wait_until_settled(ConnectorScene::now(), support::kPatience, Lane::kLive);
  EXPECT_EQ(scene.stop_connector().code, 0) << scene.log();

  const common::Instant until = scene.ledgers().at(Lane::kLive).settled_until();
  const auto found = read_once(scene);
  std::size_t ended = 0;
  std::istringstream truth(scene.simulator().truth_in_dialect(dialect.number, until));
  for (std::string line; std::getline(truth, line);) {
    const auto record = common::json::parse(line).value();
    const std::string key(record.at_pointer(dialect.key).as_string());
    if (!found.contains(key)) {
      ADD_FAILURE() << "missing: " << line.substr(0, 300);
      continue;
    }
    const auto end = common::json::find_string(record, dialect.end);
    if (!end || common::parse_instant(*end).value() >= until) continue;  // it may have changed since it was read
    EXPECT_EQ(found.at(key).back(), record);
    ++ended;
  }
  EXPECT_GT(ended, 500U);
  std::set<std::string> all;
  std::istringstream whole(scene.simulator().truth_in_dialect(dialect.number, ConnectorScene::now()));
  for (std::string line; std::getline(whole, line);) {
    all.emplace(common::json::parse(line).value().at_pointer(dialect.key).as_string());
  }
  for (const auto& [key, values] : found) EXPECT_TRUE(all.contains(key)) << key;
}

INSTANTIATE_TEST_SUITE_P(
    All, DialectEndToEnd,
    testing::Values(
        Dialect{.number = "000", .definition = "dialect-000-body-token", .key = "/conversationId", .end = "endTime"},
        Dialect{.number = "001",
                .definition = "dialect-001-after-cursor",
                .genesys = {"oauth: {grant: refresh_token, refresh_token: simulator-refresh-token, token_store: refresh-token}"},
                .key = "/interaction/id",
                .end = "conversationEnd"},
        Dialect{.number = "002", .definition = "dialect-002-time-range", .key = "/id", .end = "conversationEnd"},
        Dialect{.number = "003", .definition = "dialect-003-header-cursor", .key = "/id", .end = "conversationEnd"},
        Dialect{.number = "004",
                .definition = "dialect-004-page-count",
                .genesys = {"oauth: {client_auth: body}"},
                .key = "/conversationId",
                .end = "endTime"}),
    [](const auto& info) { return "D" + info.param.number; });

// --- a service nobody has prepared the connector for --------------------------------------------------------------------------

// The ticket desk of docs/stream-definitions.md: asked by GET, answers that name the next page by its URI, a token by form, and
// nothing that the built-in service has besides.
class Desk {
 public:
  Desk() : begin_(std::chrono::floor<std::chrono::seconds>(ConnectorScene::now()) - 200s) {}

  [[nodiscard]] std::string url() const { return server_.url(); }
  [[nodiscard]] common::Instant begin() const { return begin_; }
  // Once, after so many requests more.
  void be_silent_after(int requests) {
    const std::scoped_lock lock(mutex_);
    until_silent_ = requests;
  }
  [[nodiscard]] bool is_silent() const {
    const std::scoped_lock lock(mutex_);
    return until_silent_ && *until_silent_ < 0;
  }
  [[nodiscard]] std::vector<std::string> refusals() const {
    const std::scoped_lock lock(mutex_);
    return refusals_;
  }
  // A ticket is opened every 250 ms, 800 before the test; every third one is new, which nobody asks for.
  static bool is_wanted(std::int64_t number) { return number % 3 != 0; }
  [[nodiscard]] std::string number(std::int64_t ticket) const { return fmt::format("T-{:06}", ticket); }
  // A second after it was opened a ticket is closed, and then it stays as it is.
  [[nodiscard]] common::json::Value ticket(std::int64_t index, common::Instant now) const {
    const common::Instant opened = begin_ + index * 250ms;
    common::json::Object inner{{"number", number(index)}, {"opened", common::format_instant(opened)}};
    if (now >= opened + 1s) inner["closed"] = common::format_instant(opened + 1s);
    return common::json::Object{{"ticket", std::move(inner)}, {"subject", fmt::format("ticket {} \"quoted\" \u00fc", index)}};
  }

 private:
  static Reply json(int status, const common::json::Value& body) {
    Reply reply{.status = status, .body = common::json::serialize(body)};
    reply.headers.add("Content-Type", "application/json; charset=utf-8");
    return reply;
  }
  Reply refuse(int status, const std::string& why) {
    refusals_.push_back(fmt::format("{} {}", status, why));
    return json(status, common::json::Object{{"problem", why}});
  }

  Reply serve(const ReceivedRequest& request) {
    const std::scoped_lock lock(mutex_);
    if (request.target == "/token") {
      const bool good = request.method == "POST" && request.body.contains("grant_type=client_credentials") &&
                        request.body.contains("client_id=connector") && request.body.contains("client_secret=simulator-secret") &&
                        !request.headers.find("Authorization");
      return good ? json(200, common::json::Object{{"access_token", "desk-token"}, {"token_type", "Bearer"}, {"expires_in", 600}})
                  : refuse(401, "token: " + request.body);
    }
    if (request.headers.find("Authorization") != "Bearer desk-token") return refuse(401, "no token");
    if (!request.target.starts_with("/v3/tickets?")) return refuse(404, request.method + " " + request.target);
    if (request.method != "GET" || !request.body.empty()) return refuse(405, request.method + " with " + request.body);
    if (until_silent_ && (*until_silent_)-- == 0) return {.fault = support::Fault::kNeverAnswer};
    return list(request.target);
  }

  Reply list(const std::string& target) {
    std::multimap<std::string, std::string> parameters;
    std::istringstream text(target.substr(target.find('?') + 1));
    for (std::string pair; std::getline(text, pair, '&');) {
      std::string value = pair.substr(pair.find('=') + 1);
      for (auto at = value.find("%3A"); at != std::string::npos; at = value.find("%3A")) value.replace(at, 3, ":");
      parameters.emplace(pair.substr(0, pair.find('=')), value);
    }
    static const std::set<std::string> kKnown{"since", "until", "limit", "status", "expand", "after"};
    for (const auto& [name, value] : parameters) {
      if (!kKnown.contains(name)) return refuse(400, "parameter " + name);
    }
    const auto only = [&](const std::string& name) {
      return parameters.contains(name) ? parameters.find(name)->second : std::string();
    };
    const auto since = common::parse_instant(only("since"));
    const auto until = common::parse_instant(only("until"));
    const auto limit = only("limit").empty() ? 0 : std::stol(only("limit"));
    std::vector<std::string> statuses;
    for (auto [at, end] = parameters.equal_range("status"); at != end; ++at) statuses.push_back(at->second);
    if (!since || !until || limit < 1 || limit > 50) return refuse(400, "since, until or limit: " + target);
    if (only("expand") != "all" || statuses != std::vector<std::string>{"open", "closed"})
      return refuse(400, "filters: " + target);

    const common::Instant now = ConnectorScene::now();
    const auto index_from = [&](common::Instant at) { return std::max<std::int64_t>(0, (at - begin_ + 249ms) / 250ms); };
    std::vector<std::int64_t> wanted;
    for (auto index = index_from(*since); index < index_from(std::min(*until, now)); ++index) {
      if (is_wanted(index)) wanted.push_back(index);
    }
    const std::int64_t after = only("after").empty() ? -1 : std::stol(only("after"));
    common::json::Array tickets;
    std::optional<std::int64_t> last;
    bool more = false;
    for (const std::int64_t index : wanted) {
      if (index <= after) continue;
      more = std::ssize(tickets) == limit;
      if (more) break;
      tickets.push_back(ticket(index, now));
      last = index;
    }
    common::json::Object links;
    if (more) {
      std::string next = target.substr(0, target.find("&after="));
      links["next"] = server_.url() + next + "&after=" + std::to_string(*last);
    }
    return json(200,
                common::json::Object{{"result", common::json::Object{{"tickets", std::move(tickets)}, {"count", wanted.size()}}},
                                     {"links", std::move(links)}});
  }

  common::Instant begin_;
  mutable std::mutex mutex_;
  std::optional<int> until_silent_;
  std::vector<std::string> refusals_;
  support::ScriptedServer server_{{}, [this](const ReceivedRequest& request) { return serve(request); }};
};

// The definition as it stands in the documentation, and nothing else.
std::string definition_of_the_documentation() {
  const std::string page = source_file("docs/stream-definitions.md");
  const auto name = page.find("name: desk-tickets");
  const auto begin = page.rfind("```yaml\n", name) + std::string_view("```yaml\n").size();
  return page.substr(begin, page.find("```", name) - begin);
}

TEST(AServiceOfAnotherKind, IsReadByItsDefinitionAlone) {
  Desk desk;
  ConnectorScene scene;
  const auto file = scene.folder() / "desk-tickets.yaml";
  std::ofstream(file) << definition_of_the_documentation();
  auto& configuration = scene.configuration;
  configuration.service = desk.url() + "/v3";
  configuration.definition = "desk-tickets";
  configuration.client_id = "connector";
  configuration.start = common::format_instant(desk.begin());
  configuration.top = {"definitions: [desk-tickets.yaml]"};
  configuration.genesys = {"organization_id: desk-example",
                           fmt::format("oauth: {{token_url: \"{}/token\", client_auth: body}}", desk.url())};
  configuration.stream = {"query: {status: [open, closed]}", "page_size: 25"};
  configuration.live = "{every: 500ms, delay: 300ms, min_window: 100ms, ages: [1500ms]}";
  configuration.follow.clear();
  configuration.settle.clear();
  configuration.job_page_size = 0;

  const auto checked = scene.run_verb({"check"});
  EXPECT_EQ(checked.code, 0) << checked.out << checked.err;
  const auto sample = scene.run_verb({"sample", "conversations"});
  EXPECT_EQ(sample.code, 0) << sample.err;
  EXPECT_THAT(sample.out, HasSubstr(R"("number":"T-)"));

  desk.be_silent_after(6);
  scene.start_connector();
  kill_in_the_middle(scene, [&desk] { return desk.is_silent(); });
  scene.start_connector();
  scene.wait_until_committed();
  scene.connector().process.kill();
  scene.start_connector();
  scene.wait_until_settled(ConnectorScene::now(), support::kPatience, Lane::kLive);
  EXPECT_EQ(scene.stop_connector().code, 0) << scene.log();

  const common::Instant until = scene.ledgers().at(Lane::kLive).settled_until();
  const auto found = read_once(scene);
  std::size_t closed = 0;
  for (std::int64_t index = 0; desk.begin() + index * 250ms < until; ++index) {
    const std::string key = desk.number(index);
    EXPECT_EQ(found.contains(key), Desk::is_wanted(index)) << key;
    if (!found.contains(key)) continue;
    EXPECT_EQ(found.at(key).back(), desk.ticket(index, until + 1h)) << "closed when it was read for the last time";
    ++closed;
  }
  EXPECT_GT(closed, 500U);
  EXPECT_THAT(desk.refusals(), IsEmpty());
}

}  // namespace
}  // namespace tests::integration
