// The five dialects of docs/seed-systems.md as the product reads them: the definition file, a configuration, the real lanes, the
// real client over loopback HTTP, and a simulated service that speaks the dialect and refuses anything else. Only Kafka is not
// there. Time is the test's: it stands still while an answer is on its way, and goes on when everybody sleeps.

#include "common/http/client.h"
#include "config/config.h"
#include "connector/app/stream_topics.h"
#include "connector/genesys/genesys_api.h"
#include "connector/source/stream_reader.h"
#include "tests/simulator/tests/caller.h"
#include "tests/support/manual_clock.h"
#include "tests/support/process.h"
#include "tests/support/recording_metrics.h"
#include "tests/support/scripted_server.h"
#include "tests/unit/connector/app/deciding_publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace connector::app {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using common::ErrorCode;
using common::Result;
using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using tests::simulator::at;
using tests::support::ReceivedRequest;
using tests::support::Reply;

// Knows how many answers are on their way.
class CountingClient final : public common::http::Client {
 public:
  explicit CountingClient(std::unique_ptr<common::http::Client> real) : real_(std::move(real)) {}
  asio::awaitable<Result<common::http::Response>> send(common::http::Request request) override {
    struct Flight {
      explicit Flight(int& flights) : count(flights) { ++count; }
      ~Flight() { --count; }
      int& count;
    };
    const Flight flight(in_flight);
    co_return co_await real_->send(std::move(request));
  }
  int in_flight = 0;

 private:
  std::unique_ptr<common::http::Client> real_;
};

struct Dialect {
  std::string number;
  std::string definition;
  std::string oauth;      // lines of genesys, {url} and {folder} put in
  bool has_token = true;  // else pages are numbered
  bool has_total = false;
  std::string from;  // of the body: what a window begins with
};

std::ostream& operator<<(std::ostream& out, const Dialect& dialect) {
  return out << dialect.definition;
}

const Dialect kBodyToken{.number = "000",
                         .definition = "dialect-000-body-token",
                         .oauth = "  oauth: {token_url: \"{url}/oauth/token\"}\n",
                         .from = "dateFrom"};
const Dialect kAfterCursor{
    .number = "001",
    .definition = "dialect-001-after-cursor",
    .oauth =
        "  login_url: {url}\n"
        "  oauth: {grant: refresh_token, refresh_token: simulator-refresh-token, token_store: {folder}/store}\n",
    .has_total = true,
    .from = "dateFrom"};
const Dialect kTimeRange{
    .number = "002", .definition = "dialect-002-time-range", .oauth = "  login_url: {url}\n", .has_total = true, .from = "from"};
const Dialect kHeaderCursor{
    .number = "003", .definition = "dialect-003-header-cursor", .oauth = "  login_url: {url}\n", .from = "dateFrom"};
const Dialect kPageCount{.number = "004",
                         .definition = "dialect-004-page-count",
                         .oauth = "  login_url: {url}\n  oauth: {client_auth: body}\n",
                         .has_token = false,
                         .from = "interval"};

std::string put_in(std::string text, const std::string& name, const std::string& value) {
  for (auto found = text.find(name); found != std::string::npos; found = text.find(name, found + value.size()))
    text.replace(found, name.size(), value);
  return text;
}

// One query as the service saw it.
struct Asked {
  common::Instant at;
  std::string method;
  int status = 0;
  std::string target;
  std::string body;
  std::string answer;

  [[nodiscard]] bool is_first_page() const {
    return !target.contains("pageToken") && !body.contains("nextPageToken") && !body.contains("\"after\"") &&
           (!body.contains("pageNumber") || body.contains(R"("pageNumber":1,)"));
  }
  // A question's window: the first member of it that looks like an instant, or like two.
  [[nodiscard]] std::string window_start(const Dialect& dialect) const {
    const std::string name = "\"" + dialect.from + "\":\"";
    const auto begin = body.find(name) + name.size();
    return body.substr(begin, std::string_view("2026-05-02T00:00:00.000Z").size());
  }
  [[nodiscard]] std::string question() const { return target + " " + body; }
};

class InDialect : public testing::Test {
 protected:
  static constexpr const char* kBegin = "2026-05-02T00:00:00Z";
  static constexpr int kPageSize = 10;  // of about 65 records a window
  static constexpr const char* kLive = "{every: 1h, delay: 1m, ages: [90m]}";

  explicit InDialect(Dialect dialect) : dialect_(std::move(dialect)) {
    auto client = common::http::make_client(io.get_executor(), {}, silent());
    EXPECT_TRUE(client);
    client_.emplace(std::move(*client));
  }

  [[nodiscard]] std::string url() const { return server.url() + "/dialects/" + dialect_.number; }

  // The stream `s` from kBegin on, with these lines more.
  void begin(const std::string& live = kLive, const std::string& settings = "") {
    const std::string file = std::string(GK_SOURCE_DIR) + "/config/streams/dialects/" + dialect_.definition + ".yaml";
    const std::string text = "name: acme\ndefinitions: [" + file + "]\ngenesys:\n  api_url: " + url() +
                             "\n  client_id: simulator-client\n  client_secret: simulator-secret\n" +
                             put_in(put_in(dialect_.oauth, "{url}", url()), "{folder}", folder.path().string()) +
                             "kafka: {bootstrap_servers: \"k:9092\"}\nstreams:\n  s:\n    definition: " + dialect_.definition +
                             "\n    start: now\n    page_size: " + std::to_string(kPageSize) + "\n    live: " + live + "\n" +
                             settings;
    const config::Sources sources{.environment = {}, .read_file = [this](const std::string& path) { return read(path); }};
    config::Loaded loaded = config::load(text, "test.yaml", sources, config::built_in_definitions());
    for (const auto& problem : loaded.problems) ADD_FAILURE() << problem.to_string();
    ASSERT_TRUE(loaded.problems.empty());
    options = std::move(loaded.config);
    definitions = std::move(loaded.definitions);
    publisher.emplace(stream_topics(options, definitions).at(0));
    publisher->ledgers[live_source()] = core::Ledger({}, at(kBegin));
    start();
  }
  // A life of the connector: its own token, its own lane, what is committed of the one before.
  void start() {
    api.emplace(options.genesys, *client_, clock, metrics, silent(), 1);
    const source::StreamOptions& stream = options.streams.at(0);
    reader = std::make_unique<source::StreamReader>(definitions.at(stream.definition), stream, source::ResolvedStart{at(kBegin)},
                                                    *api, *publisher, clock, metrics, silent(), 4U << 20U, 1);
    ASSERT_TRUE(reader->has_live());
    ASSERT_FALSE(reader->has_settle());
    asio::co_spawn(io, reader->run_live(),
                   asio::bind_cancellation_slot(cancel.emplace_back().slot(),
                                                [](const std::exception_ptr& thrown, const Result<void>& ended) {
                                                  EXPECT_FALSE(thrown);
                                                  EXPECT_EQ(ended.error().code, ErrorCode::kCancelled) << ended.error().message;
                                                }));
  }
  void stop() {
    for (auto& signal : cancel) signal.emit(asio::cancellation_type::terminal);
    settle();
    cancel.clear();
    reader.reset();
    api.reset();
  }
  void pass(common::Duration duration) {
    const auto until = clock.steady_now() + duration;
    settle();
    while (const auto next = clock.next_deadline()) {
      if (*next > until) break;
      clock.advance(std::chrono::ceil<common::Duration>(*next - clock.steady_now()));
      settle();
    }
    clock.advance(std::chrono::ceil<common::Duration>(until - clock.steady_now()));
    settle();
  }
  // Until nothing can go on before time does.
  void settle() {
    {
      const std::scoped_lock lock(mutex);
      now = clock.utc_now();
    }
    io.restart();
    io.poll();
    constexpr auto kAnswerComes = 30s;  // or a test hangs
    while (client_->in_flight > 0) {
      io.restart();
      ASSERT_GT(io.run_one_for(kAnswerComes), 0U) << "no answer comes";
      io.poll();
    }
    const std::scoped_lock lock(mutex);  // what the server has noted is there to be read
  }
  void TearDown() override {
    stop();
    ASSERT_TRUE(publisher);
    EXPECT_THAT(publisher->contradictions, IsEmpty());
    EXPECT_EQ(publisher->dead_letters, 0U);
  }

  void make_fault(const std::string& rule) {
    const auto reply = hook("POST", "/_sim/faults", R"({"rules": [)" + rule + "]}");
    ASSERT_EQ(reply.status, 200) << reply.body;
  }
  void hook_reset() { hook("POST", "/_sim/reset-faults", "{}"); }
  // The service's records from kBegin until `end`, as the dialect shows them now, by key.
  std::map<std::string, std::string> truth(common::Instant end) {
    std::map<std::string, std::string> found;
    std::istringstream lines(hook("GET", std::string("/_sim/truth?dialect=") + dialect_.number + "&from=" + kBegin +
                                             "&to=" + common::format_instant(end))
                                 .body);
    const std::map<std::string, std::string> keys{
        {"000", "/conversationId"}, {"001", "/interaction/id"}, {"002", "/id"}, {"003", "/id"}, {"004", "/conversationId"}};
    for (std::string line; std::getline(lines, line);) {
      const auto record = common::json::parse(line).value();
      found.emplace(std::string(record.at_pointer(keys.at(dialect_.number)).as_string()), line);
    }
    return found;
  }

  // Whatever began before what has been read, in its last state; nothing else, and nothing twice.
  void expect_complete_and_once() {
    const common::Instant read = publisher->committed(live_source()).settled_until();
    ASSERT_GE(read, at(kBegin) + 3h) << "or nothing was tested";
    std::size_t seen = 0;
    for (const auto& [key, record] : truth(read)) {
      const auto found = publisher->topic.find(key);
      if (found == publisher->topic.end()) {
        ADD_FAILURE() << "missing: " << record.substr(0, 300);
        continue;
      }
      EXPECT_EQ(*common::json::parse(found->second.back()), *common::json::parse(record)) << key;
      ++seen;
    }
    EXPECT_GE(seen, 175U);
    const auto all = truth(clock.utc_now());
    for (const auto& [key, values] : publisher->topic) {
      EXPECT_TRUE(all.contains(key)) << key;
      for (std::size_t i = 1; i < values.size(); ++i) {
        EXPECT_NE(*common::json::parse(values[i - 1]), *common::json::parse(values[i])) << key;
      }
    }
  }
  // The queries whose answers had another status, with their places in `asked`.
  [[nodiscard]] std::vector<std::size_t> with_status(int status) const {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (asked[i].status == status) found.push_back(i);
    }
    return found;
  }
  // In the middle of the second window.
  static constexpr const char* kInTheMiddle = R"("match": {"path": "details/query", "nth": 10})";

  static tests::simulator::SimulatorOptions world() {
    tests::simulator::SimulatorOptions options = tests::simulator::small_world();
    options.world.record_bytes = 300;  // many are compared
    return options;
  }
  static core::SourcePartition live_source() { return {.stream = core::StreamName("s"), .lane = core::Lane::kLive}; }

  std::mutex mutex;  // of what the server's thread uses, too: until `server`
  tests::simulator::Simulator simulator{world()};
  common::Instant now = at(kBegin);
  std::vector<Asked> asked;
  int logins = 0;
  tests::support::ScriptedServer server{{}, [this](const ReceivedRequest& request) { return serve(request); }};

  tests::support::TemporaryFolder folder;
  asio::io_context io;
  tests::support::ManualClock clock{at(kBegin)};
  tests::support::RecordingMetrics metrics;
  AppOptions options;
  Definitions definitions;
  std::optional<CountingClient> client_;
  std::optional<genesys::GenesysApi> api;
  std::optional<DecidingPublisher> publisher;
  std::unique_ptr<source::StreamReader> reader;
  std::list<asio::cancellation_signal> cancel;
  std::string log;
  std::string instead_of = "\n\n\n\n";  // of the definition's file, as a user edits it
  std::string by;
  Dialect dialect_;

 private:
  common::Logger silent() {
    return common::Logger({.level = common::LogLevel::kInfo},
                          [this](common::LogLevel, std::string_view line) { log.append(line).append("\n"); });
  }
  [[nodiscard]] Result<std::string> read(const std::string& path) const {
    std::ifstream in(path, std::ios::binary);
    if (!in) return common::fail(ErrorCode::kConfigInvalid, "it is not there");
    return put_in({std::istreambuf_iterator<char>(in), {}}, instead_of, by);
  }
  Reply serve(const ReceivedRequest& request) {
    const std::scoped_lock lock(mutex);
    Reply reply = simulator.handle(request, now);
    if (request.target.contains("details/query")) {
      asked.push_back({.at = now,
                       .method = request.method,
                       .status = reply.status,
                       .target = request.target,
                       .body = request.body,
                       .answer = reply.body});
    } else if (request.target.ends_with("/oauth/token")) {
      logins += reply.status == 200 ? 1 : 0;
    }
    return reply;
  }
  Reply hook(const std::string& method, const std::string& target, const std::string& body = "") {
    const std::scoped_lock lock(mutex);
    return simulator.handle({.method = method, .target = target, .headers = {}, .body = body}, clock.utc_now());
  }
};

// --- what all of them must do -------------------------------------------------------------------------------------------------

class EveryDialect : public InDialect, public testing::WithParamInterface<Dialect> {
 protected:
  EveryDialect() : InDialect(GetParam()) {}
};

std::string name_of(const testing::TestParamInfo<Dialect>& info) {
  return "D" + info.param.number;
}

INSTANTIATE_TEST_SUITE_P(All, EveryDialect, testing::Values(kBodyToken, kAfterCursor, kTimeRange, kHeaderCursor, kPageCount),
                         name_of);

TEST_P(EveryDialect, IsReadWholeAndOnceAndNeverAsksWhatItsServiceDoesNotKnow) {
  begin();
  pass(6h);

  expect_complete_and_once();
  EXPECT_GT(asked.size(), 60U) << "pages of pages";
  for (const Asked& one : asked) EXPECT_EQ(one.status, 200) << one.question() << " " << one.answer;
  EXPECT_THAT(log, Not(HasSubstr(R"("level":"warn")")));
  EXPECT_EQ(logins, 1) << "the token lives for a day";
}

TEST_P(EveryDialect, APageThatComesTooSoonIsAskedForAgainAndNotLost) {
  begin();
  make_fault(std::string("{") + kInTheMiddle + R"(, "fault": {"kind": "status", "status": 429, "retry_after": 7}})");
  pass(6h);

  expect_complete_and_once();
  const auto refused = with_status(429);
  ASSERT_EQ(refused.size(), 1U);
  const Asked& again = asked.at(refused[0] + 1);
  EXPECT_EQ(again.question(), asked[refused[0]].question()) << "the same page, not the next one and not the first";
  EXPECT_FALSE(again.is_first_page());
  EXPECT_GE(again.at - asked[refused[0]].at, 7s) << "Retry-After";
}

TEST_P(EveryDialect, APageThatFailsInTransportOrAtTheServerIsAskedForAgain) {
  begin();
  make_fault(R"({"match": {"path": "details/query", "nth": 4}, "fault": {"kind": "status", "status": 503}},)"
             R"({"match": {"path": "details/query", "nth": 10}, "fault": {"kind": "truncate", "after": 60}},)"
             R"({"match": {"path": "details/query", "nth": 13}, "fault": {"kind": "reset_after"}})");
  pass(6h);

  expect_complete_and_once();
  ASSERT_EQ(with_status(503).size(), 1U);
  for (const std::size_t failed : {3U, 9U, 12U})
    EXPECT_EQ(asked.at(failed + 1).question(), asked.at(failed).question()) << failed;
  EXPECT_GE(metrics.count("request_retried"), 2U) << "a connection that had been idle and is reset is replaced without a word";
}

TEST_P(EveryDialect, ATokenThatDiesInTheMiddleOfAWindowIsRenewedOnceAndThePageIsKept) {
  begin();
  make_fault(std::string("{") + kInTheMiddle + R"(, "fault": {"kind": "revoke_tokens"}})");
  pass(6h);

  expect_complete_and_once();
  const auto refused = with_status(401);
  ASSERT_EQ(refused.size(), 1U);
  EXPECT_EQ(asked.at(refused[0] + 1).question(), asked[refused[0]].question()) << "the window does not begin again";
  EXPECT_EQ(logins, 2);
}

TEST_P(EveryDialect, AnotherLifeGoesOnBehindWhatIsCommitted) {
  begin("{every: 1h, delay: 1m, ages: []}");
  pass(130min);
  stop();
  const std::size_t before = asked.size();
  const std::string committed = common::format_instant(publisher->committed(live_source()).complete_until());
  start();
  pass(3h);

  EXPECT_EQ(committed, "2026-05-02T02:00:00.000Z");
  EXPECT_EQ(publisher->committed(live_source()).complete_until(), at("2026-05-02T05:00:00Z"));
  for (std::size_t i = before; i < asked.size(); ++i) {
    EXPECT_GE(asked[i].window_start(dialect_), committed) << "what the end of a chain says does not make it begin again";
  }
}

// --- dialects whose pages are named -------------------------------------------------------------------------------------------

class DialectWithToken : public EveryDialect {};
INSTANTIATE_TEST_SUITE_P(All, DialectWithToken, testing::Values(kBodyToken, kAfterCursor, kTimeRange, kHeaderCursor), name_of);

TEST_P(DialectWithToken, ATokenThatIsNoLongerGoodBeginsItsWindowAgainHoweverItIsRefused) {
  begin();
  make_fault(std::string("{") + kInTheMiddle +
             R"(, "fault": {"kind": "unknown_cursor", "status": 400}},)"
             R"({"match": {"path": "details/query", "nth": 30}, "fault": {"kind": "unknown_cursor", "status": 410}})");
  pass(6h);

  expect_complete_and_once();
  for (const int status : {400, 410}) {
    const auto refused = with_status(status);
    ASSERT_EQ(refused.size(), 1U) << status;
    const Asked& last = asked[refused[0]];
    const Asked& next = asked.at(refused[0] + 1);
    EXPECT_FALSE(last.is_first_page());
    EXPECT_TRUE(next.is_first_page()) << next.question();
    EXPECT_EQ(next.window_start(dialect_), last.window_start(dialect_));
    EXPECT_LT(next.at - last.at, 10s) << "no operator is waited for";
  }
  EXPECT_EQ(metrics.count("window_restarted", "position_rejected"), 2U);
}

// --- dialects with a total ----------------------------------------------------------------------------------------------------

class DialectWithTotal : public EveryDialect {};
INSTANTIATE_TEST_SUITE_P(All, DialectWithTotal, testing::Values(kAfterCursor, kTimeRange), name_of);

TEST_P(DialectWithTotal, AChainThatEndsTooSoonIsReadAgain) {
  begin();
  make_fault(std::string("{") + kInTheMiddle + R"(, "fault": {"kind": "cut_chain"}})");
  pass(6h);

  expect_complete_and_once();
  const Asked& next = asked.at(10);
  EXPECT_TRUE(next.is_first_page()) << "fewer than the total: " << next.question();
  EXPECT_EQ(next.window_start(dialect_), asked[9].window_start(dialect_));
}

TEST_P(DialectWithTotal, AChainThatEndsTooSoonAgainAndAgainIsReadInHalves) {
  begin();
  // Whatever the window, until it is a quarter of an hour: fifteen conversations and those that go on, two pages and one.
  make_fault(R"({"match": {"path": "details/query", "limit": 6}, "fault": {"kind": "cut_chain"}})");
  pass(6h);

  expect_complete_and_once();
  std::set<std::string> halves;
  for (const Asked& one : asked) {
    if (one.body.contains("2026-05-02T00:30:00.000Z")) halves.insert(one.window_start(dialect_));
  }
  EXPECT_THAT(halves, Contains("2026-05-02T00:00:00.000Z")) << "after three times";
  EXPECT_THAT(log, HasSubstr("is read in parts"));
}

TEST_P(DialectWithTotal, AWindowOfWhichSomethingStaysMissingIsNotPassedOver) {
  begin("{every: 1h, delay: 1m, min_window: 15m, ages: [90m]}");
  make_fault(R"({"name": "cut", "match": {"path": "details/query"}, "fault": {"kind": "cut_chain"}})");
  pass(2h);

  EXPECT_EQ(publisher->committed(live_source()).complete_until(), at(kBegin)) << "a total that is exact is waited for";
  EXPECT_THAT(log, HasSubstr("the service promises"));

  hook_reset();
  pass(6h);
  expect_complete_and_once();
}

// --- each by itself -----------------------------------------------------------------------------------------------------------

class Dialect000 : public InDialect {
 protected:
  Dialect000() : InDialect(kBodyToken) {}
};

TEST_F(Dialect000, AUserChoosesFieldsAndFilters) {
  begin(kLive,
        "    query:\n      select: [conversationId, startTime, endTime, mediaType]\n"
        "      filter: [{dimension: mediaType, value: voice}]\n");
  pass(6h);

  std::size_t voice = 0;
  for (const auto& [key, record] : truth(publisher->committed(live_source()).settled_until())) {
    const bool wanted = record.contains(R"("mediaType":"voice")");
    voice += wanted ? 1 : 0;
    EXPECT_EQ(publisher->topic.contains(key), wanted) << record;
  }
  EXPECT_GT(voice, 50U);
  for (const auto& [key, values] : publisher->topic) {
    const auto record = common::json::parse(values.back())->as_object();
    EXPECT_TRUE(record.contains("mediaType") && !record.contains("duration") && !record.contains("wrapUpCode")) << values.back();
  }
}

class Dialect001 : public InDialect {
 protected:
  Dialect001() : InDialect(kAfterCursor) {}
  [[nodiscard]] std::string stored() const {
    std::ifstream in(folder.path() / "store");
    return std::string{std::istreambuf_iterator<char>(in), {}};
  }
};

TEST_F(Dialect001, ItsLastPageIsNamedByNullAndThatIsTheEnd) {
  begin();
  pass(6h);

  expect_complete_and_once();
  std::size_t ends = 0;
  for (std::size_t i = 0; i + 1 < asked.size(); ++i) {
    if (!asked[i].answer.contains(R"("nextPage":null)")) continue;
    ++ends;
    EXPECT_TRUE(asked[i + 1].is_first_page());
    EXPECT_THAT(asked[i + 1].body, Not(HasSubstr("null")));
  }
  EXPECT_GE(ends, 8U);
}

TEST_F(Dialect001, IsAskedByGetWithABodyIfItsFileSaysSo) {
  instead_of = "    method: POST\n";
  by = "    method: GET\n    send_body: true\n";
  begin();
  pass(6h);

  expect_complete_and_once();
  for (const Asked& one : asked) EXPECT_EQ(one.method, "GET");
}

TEST_F(Dialect001, EachRefreshTokenIsUsedOnceAndTheNewOneIsThereAfterARestart) {
  begin();
  pass(90min);
  const std::string first = stored();
  make_fault(R"({"match": {"path": "details/query", "nth": 3}, "fault": {"kind": "revoke_tokens"}})");
  pass(2h);
  const std::string second = stored();
  stop();
  start();
  pass(3h);

  EXPECT_THAT(first, HasSubstr("sim-refresh-"));
  EXPECT_NE(second, first);
  EXPECT_NE(stored(), second);
  EXPECT_EQ(logins, 3);
  expect_complete_and_once();
}

TEST_F(Dialect001, AUsersViewAndClausesAreAskedFor) {
  begin(kLive,
        "    query:\n      viewId: all-queues\n      groupBy: [queueId]\n"
        "      filter: {clauses: [{dimension: mediaType, value: voice}]}\n");
  pass(3h);

  ASSERT_FALSE(asked.empty());
  for (const Asked& one : asked) {
    EXPECT_EQ(one.status, 200) << one.answer;
    EXPECT_THAT(one.body, HasSubstr(R"("viewId":"all-queues")"));
  }
  EXPECT_GT(publisher->topic.size(), 20U);
}

class Dialect003 : public InDialect {
 protected:
  Dialect003() : InDialect(kHeaderCursor) {}
};

TEST_F(Dialect003, WithoutTheHeaderTheNextPageIsTakenFromTheBody) {
  begin("{every: 1h, delay: 1m, ages: [90m]}", "    query: {metrics: [tHandle], groupings: [queueId]}\n");
  make_fault(R"({"name": "lost", "match": {"path": "details/query"}, "fault": {"kind": "cursor_in_body"}})");
  pass(6h);

  expect_complete_and_once();
}

TEST_F(Dialect003, TheHeaderComesAndGoesInTheMiddleOfAChain) {
  begin();
  make_fault(R"({"match": {"path": "details/query", "every": 2}, "fault": {"kind": "cursor_in_body"}})");
  pass(6h);

  expect_complete_and_once();
}

class Dialect004 : public InDialect {
 protected:
  Dialect004() : InDialect(kPageCount) {}
};

TEST_F(Dialect004, TheCountOfPagesEndsAWindowAndNoEmptyPageIsAskedFor) {
  begin(kLive, "    query: {groupBy: [queueId], filters: [{dimension: mediaType, value: voice}]}\n");
  pass(6h);

  ASSERT_GT(asked.size(), 20U);
  for (const Asked& one : asked) {
    EXPECT_EQ(one.status, 200) << one.answer;
    EXPECT_THAT(one.answer, Not(HasSubstr(R"("data":[])")));
  }
}

}  // namespace
}  // namespace connector::app
