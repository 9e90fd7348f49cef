// Built-in streams as a user configures them, against the simulated service, for days: lanes, digests and their expiry as in the
// product, without HTTP and Kafka. In the end the topic holds what the service says, and nothing of it twice.

#include "common/http/message.h"
#include "config/config.h"
#include "connector/app/stream_topics.h"
#include "connector/source/keyed_hash.h"
#include "connector/source/page_slicer.h"
#include "connector/source/pagination.h"
#include "connector/source/request_template.h"
#include "connector/source/stream_reader.h"
#include "tests/simulator/audits.h"
#include "tests/simulator/tests/caller.h"
#include "tests/support/fake_api.h"
#include "tests/support/manual_clock.h"
#include "tests/support/recording_metrics.h"
#include "tests/unit/connector/app/deciding_publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace connector::app {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using common::ErrorCode;
using common::Result;
using testing::IsEmpty;
using tests::simulator::at;
using tests::simulator::Caller;
using tests::simulator::SimulatorOptions;
using tests::support::FakeAnswer;

class SimulatedStream : public testing::Test {
 protected:
  static constexpr const char* kBegin = "2026-05-02T00:00:00Z";

  explicit SimulatedStream(const char* begins = kBegin) : begins(at(begins)) {}

  static SimulatorOptions world(common::Instant begins) {
    SimulatorOptions options = tests::simulator::small_world();
    options.world.start = begins - 24h;
    options.world.users = 4;
    options.world.queues = 2;
    return options;
  }

  // The stream `s` with these settings, from `begins` on.
  void begin(const std::string& settings) {
    const std::string text =
        "name: acme\ngenesys: {region: eu-central-1, client_id: c, client_secret: secret}\n"
        "kafka: {bootstrap_servers: \"k:9092\"}\nstreams:\n  s:\n" +
        settings;
    config::Loaded loaded = config::load(text, "test.yaml", {}, config::built_in_definitions());
    for (const auto& problem : loaded.problems) ADD_FAILURE() << problem.to_string();
    ASSERT_TRUE(loaded.problems.empty());
    options.name = loaded.config.name;
    options.streams = loaded.config.streams;
    definitions = std::move(loaded.definitions);
    stream = options.streams.at(0);
    definition = definitions.at(stream.definition);
    publisher.emplace(stream_topics(options, definitions).at(0));
    for (const core::Lane lane : lanes_of(stream, definition)) publisher->ledgers[{stream.name, lane}] = core::Ledger({}, begins);
    live();
  }
  // Or another life of it.
  void live() {
    for (auto& signal : cancel) signal.emit(asio::cancellation_type::terminal);
    clock.run_for(io, 0s);
    const common::Logger logger({.level = common::LogLevel::kWarn},
                                [this](common::LogLevel, std::string_view line) { log.emplace_back(line); });
    reader = std::make_unique<source::StreamReader>(definition, stream, source::ResolvedStart{begins}, api, *publisher, clock,
                                                    metrics, logger, 4U << 20U, 1);
    if (reader->has_live()) spawn(reader->run_live());
    if (reader->has_settle()) spawn(reader->run_settle());
  }
  void pass(common::Duration duration) {
    for (common::Duration passed{0}; passed < duration; passed += 1h) {
      clock.run_for(io, std::min<common::Duration>(1h, duration - passed));
      publisher->expire(clock.utc_now());
    }
  }
  void TearDown() override {
    for (auto& signal : cancel) signal.emit(asio::cancellation_type::terminal);
    clock.run_for(io, 0s);
    ASSERT_TRUE(publisher);
    EXPECT_THAT(publisher->contradictions, IsEmpty());
    EXPECT_EQ(publisher->dead_letters, 0U);
    EXPECT_THAT(log, IsEmpty()) << "nothing to warn of";
  }

  // What the query says of an interval just now, by key.
  std::map<std::string, std::string> ask(const common::Interval& interval) {
    const source::QuerySource& query = *definition.query;
    source::SliceSpec spec{.records = query.records, .key = definition.key, .wanted = {}};
    std::map<std::string, std::string> found;
    for (std::int64_t page = 1; page < 100; ++page) {
      source::RequestBuilder builder = source::query_request(definition, stream, interval);
      source::put_position(builder, query.pages, core::AtPage{page}, source::page_size_of(query.pages, 0));
      auto answer = serve(std::move(builder).build({}));
      if (const auto* error = std::get_if<common::Error>(&answer)) {
        ADD_FAILURE() << error->message;
        break;
      }
      source::PageSlicer slicer;
      source::SlicedPage sliced;
      auto& body = std::get<core::ApiResponse>(answer).body;
      EXPECT_TRUE(slicer.slice(spec, body, sliced));
      for (const auto& record : sliced.records) found[std::string(record.key)] = record.value;
      if (sliced.elements == 0 || std::holds_alternative<source::NoPages>(query.pages)) break;
    }
    return found;
  }

  // No key has two equal contents in a row.
  void expect_no_repeats() const {
    for (const auto& [key, values] : publisher->topic) {
      for (std::size_t i = 1; i < values.size(); ++i) {
        EXPECT_NE(*common::json::parse(values[i - 1]), *common::json::parse(values[i])) << key;
      }
    }
  }
  [[nodiscard]] const std::string& last_of(const std::string& key) const {
    static const std::string kNothing;
    const auto found = publisher->topic.find(key);
    return found == publisher->topic.end() ? kNothing : found->second.back();
  }

  const common::Instant begins;
  Caller caller{world(begins), begins};
  asio::io_context io;
  tests::support::ManualClock clock{begins};
  tests::support::RecordingMetrics metrics;
  tests::support::FakeApi api{[this](const core::ApiRequest& request) { return serve(request); }};
  AppOptions options;
  Definitions definitions;
  source::StreamOptions stream;
  source::Definition definition;
  std::optional<DecidingPublisher> publisher;
  std::unique_ptr<source::StreamReader> reader;
  std::list<asio::cancellation_signal> cancel;
  std::vector<std::string> log;

 private:
  FakeAnswer serve(const core::ApiRequest& request) {
    std::string target = request.path;
    for (const auto& [name, value] : request.query) {
      target += (target.contains('?') ? "&" : "?") + name + "=" + common::http::percent_encode(value);
    }
    caller.now = clock.utc_now();
    auto reply = caller.send(common::http::to_string(request.method), target, request.body);
    if (reply.status == 401) {
      caller.log_in();
      reply = caller.send(common::http::to_string(request.method), target, request.body);
    }
    std::string body = reply.shared_body ? *reply.shared_body : reply.body;
    if (reply.status < 200 || reply.status > 299) {
      const auto code = reply.status == 404 ? ErrorCode::kPositionInvalid : ErrorCode::kRequestRejected;
      return tests::support::refuse(code, request.path + ": " + std::to_string(reply.status) + " " + body);
    }
    body.reserve(body.size() + common::http::kBodyPadding);
    return core::ApiResponse{.status = reply.status, .body = std::move(body), .date = clock.utc_now(), .correlation_id = "c"};
  }
  void spawn(asio::awaitable<Result<void>> lane) {
    auto& signal = cancel.emplace_back();
    asio::co_spawn(io, std::move(lane),
                   asio::bind_cancellation_slot(signal.slot(), [](const std::exception_ptr& thrown, const Result<void>& ended) {
                     EXPECT_FALSE(thrown);
                     EXPECT_EQ(ended.error().code, ErrorCode::kCancelled) << ended.error().message;
                   }));
  }
};

// What is compared of a record of user-details: whose, of which list, from when; and when it ended, if it has.
struct Status {
  common::Instant start;
  std::optional<common::Instant> end;
};
Status status_of(const std::string& record) {
  const auto value = common::json::parse(record).value();
  const auto& status = value.at("status").as_object();
  const auto instant = [](const common::json::Value& text) {
    return common::parse_instant(std::string_view(text.as_string())).value();
  };
  Status found{.start = instant(status.at("startTime")), .end = std::nullopt};
  if (const auto* end = status.if_contains("endTime")) found.end = instant(*end);
  return found;
}

class SimulatedUserDetails : public SimulatedStream {
 protected:
  // Everything that touched the time since the beginning, but what has begun or ended too shortly ago to have been read.
  void expect_the_truth(common::Duration unread) {
    const common::Instant now = clock.utc_now();
    const auto truth = ask({.start = at(kBegin), .end = now});
    std::size_t closed = 0;
    for (const auto& [key, record] : truth) {
      const Status status = status_of(record);
      if (status.start >= now - unread) continue;
      ASSERT_NE(last_of(key), "") << key << " is missing: " << record;
      if (status.end && *status.end >= now - unread) continue;
      EXPECT_EQ(*common::json::parse(last_of(key)), *common::json::parse(record)) << key;
      closed += status.end ? 1 : 0;
    }
    EXPECT_GT(closed, 100U) << "or nothing was tested";
    for (const auto& [key, values] : publisher->topic) EXPECT_TRUE(truth.contains(key)) << key << ": " << values.back();
  }
  void expect_no_step_back() const {
    for (const auto& [key, values] : publisher->topic) {
      for (std::size_t i = 1; i < values.size(); ++i) {
        EXPECT_TRUE(status_of(values[i]).end || !status_of(values[i - 1]).end) << key << " is open again";
      }
    }
  }
};

TEST_F(SimulatedUserDetails, ByTheQueryAloneEveryStatusIsThereAndEndsWhereItEnded) {
  begin("    definition: user-details\n    start: now\n    settle: off\n    live: {every: 5m, ages: [1h]}\n");
  pass(50h);

  expect_the_truth(10min);
  expect_no_repeats();
  expect_no_step_back();
  EXPECT_LT(publisher->remembered(), publisher->topic.size()) << "what is over is forgotten";
}

TEST_F(SimulatedUserDetails, JobsConfirmWhatTheQueryShowedAndRepeatNothingOfIt) {
  begin(
      "    definition: user-details\n    start: now\n    live: {every: 5m, ages: []}\n"
      "    settle: {ages: [0h, 12h, 30h], poll_initial: 1s, poll_max: 5s}\n");
  pass(80h);

  expect_the_truth(10min);
  expect_no_repeats();
  expect_no_step_back();
  EXPECT_GE(publisher->committed({stream.name, core::Lane::kSettle}).complete_until(), at("2026-05-05T00:00:00Z"));
}

TEST_F(SimulatedUserDetails, ByJobsAloneEveryStatusIsThereWhenItsDayIsSettled) {
  begin(
      "    definition: user-details\n    start: now\n    live: off\n"
      "    settle: {ages: [0h, 12h], poll_initial: 1s, poll_max: 5s}\n");
  pass(80h);

  const common::Instant settled = at("2026-05-05T00:00:00Z");
  std::size_t seen = 0;
  for (const auto& [key, record] : ask({.start = at(kBegin), .end = settled})) {
    const Status status = status_of(record);
    if (!status.end || *status.end >= settled) continue;
    EXPECT_EQ(*common::json::parse(last_of(key)), *common::json::parse(record)) << key;
    ++seen;
  }
  EXPECT_GT(seen, 100U);
  expect_no_repeats();
  expect_no_step_back();
}

TEST_F(SimulatedStream, AggregatesSettleAndTheLastFiguresStay) {
  begin(
      "    definition: conversation-aggregates\n    start: now\n    live: {ages: [10m, 1h]}\n"
      "    query: {granularity: PT15M, groupBy: [queueId, mediaType], metrics: [nConnected, tConversationDuration]}\n");
  pass(30h);

  // All conversations of buckets that are an hour old and more are over, and so are their figures.
  const common::Instant settled = clock.utc_now() - 75min;
  const auto truth = ask(
      {.start = at(kBegin), .end = common::start_of_day(settled) + (settled - common::start_of_day(settled)) / 15min * 15min});
  EXPECT_GT(truth.size(), 400U);
  for (const auto& [key, record] : truth) {
    EXPECT_EQ(*common::json::parse(last_of(key)), *common::json::parse(record)) << key;
  }
  expect_no_repeats();
  std::size_t changed = 0;
  for (const auto& [key, values] : publisher->topic) changed += values.size() > 1 ? 1 : 0;
  EXPECT_GT(changed, 10U) << "figures of buckets that were read soon have changed, or nothing was tested";
  EXPECT_EQ(publisher->committed({stream.name, core::Lane::kLive}).settled_until(), at("2026-05-03T05:00:00Z"));
}

TEST_F(SimulatedStream, ObservationsOnChangeAreNotRepeatedOverDays) {
  const std::string queue = caller.simulator.service().world.queue(0);
  begin(
      "    definition: queue-observations\n    start: now\n    snapshot: {every: 10m}\n"
      "    query:\n      metrics: [oWaiting, oInteracting, oMemberUsers, oOnQueueUsers]\n"
      "      filter: {type: or, predicates: [{dimension: queueId, value: " +
      queue + "}]}\n");
  pass(75h);

  const auto truth = ask({});
  EXPECT_GT(truth.size(), 1U);
  for (const auto& [key, record] : truth) {
    EXPECT_EQ(*common::json::parse(last_of(key)), *common::json::parse(record)) << key;
  }
  expect_no_repeats();
  EXPECT_EQ(api.requests.size(), 75U * 6 + 1);
}

// The query shows some services' audits, the job all: each is there once.
TEST_F(SimulatedStream, AuditsAreThereOnceWhoeverShowedThem) {
  begin(
      "    definition: audits\n    start: now\n    live: {every: 5m, ages: [1h]}\n"
      "    settle: {ages: [0h, 12h], poll_initial: 1s, poll_max: 5s}\n");
  pass(50h);

  const auto& world = caller.simulator.service().world;
  const common::Instant settled = at("2026-05-04T00:00:00Z");
  std::size_t of_the_job_alone = 0;
  std::size_t soon = 0;
  for (std::uint64_t number = 0; tests::simulator::audit_time(world, number) < clock.utc_now() - 10min; ++number) {
    const common::Instant time = tests::simulator::audit_time(world, number);
    const bool in_realtime = tests::simulator::is_in_realtime(world, number);
    if (time < at(kBegin) || (time >= settled && !in_realtime)) continue;
    const auto found = publisher->topic.find(tests::simulator::audit_id(world, number));
    ASSERT_NE(found, publisher->topic.end()) << number;
    EXPECT_EQ(found->second.size(), 1U) << "audits do not change";
    of_the_job_alone += in_realtime ? 0 : 1;
    soon += time >= settled ? 1 : 0;
  }
  EXPECT_GT(of_the_job_alone, 100U);
  EXPECT_GT(soon, 20U);
  EXPECT_EQ(publisher->committed({stream.name, core::Lane::kSettle}).complete_until(), settled);
}

TEST_F(SimulatedStream, UserAggregatesOfADayEach) {
  begin(
      "    definition: user-aggregates\n    start: now\n    live: {ages: [1h]}\n"
      "    query: {granularity: P1D, groupBy: [userId], metrics: [tSystemPresence, tAgentRoutingStatus]}\n");
  pass(76h);

  const auto truth = ask({.start = at(kBegin), .end = at("2026-05-05T00:00:00Z")});
  EXPECT_EQ(truth.size(), 12U) << "three days of four users";
  EXPECT_EQ(publisher->topic.size(), 12U);
  for (const auto& [key, record] : truth) EXPECT_EQ(*common::json::parse(last_of(key)), *common::json::parse(record)) << key;
  expect_no_repeats();
}

// --- days and hours of a time zone ---

// Over the end of summer time in Berlin, in the night to the 25th.
class SimulatedAutumn : public SimulatedStream {
 protected:
  SimulatedAutumn() : SimulatedStream("2026-10-24T10:00:00Z") {}

  // Counts of the group in all quarters of an hour of the interval, as the service has them now.
  std::int64_t counted(const std::string& queue, const std::string& interval) {
    source::StreamOptions quarters = stream;
    quarters.live.buckets = core::Buckets(15min);
    quarters.query["granularity"] = "PT15M";
    std::swap(stream, quarters);
    std::int64_t count = 0;
    for (const auto& [key, record] : ask(common::parse_interval(interval).value())) {
      const auto value = common::json::parse(record).value();
      if (value.at("group").at("queueId").as_string() == queue) count += count_of(value);
    }
    std::swap(stream, quarters);
    return count;
  }
  static std::int64_t count_of(const common::json::Value& record) {
    return record.at("data").at("metrics").at(0).at("stats").at("count").as_int64();
  }
  void expect_figures_of(const std::vector<std::string>& intervals) {
    std::set<std::string> keys;
    for (const std::string& interval : intervals) {
      for (std::uint32_t number = 0; number < 2; ++number) {
        const std::string queue = caller.simulator.service().world.queue(number);
        const std::string& key = *keys.insert(R"([{"queueId":")" + queue + "\"},\"" + interval + "\"]").first;
        ASSERT_NE(last_of(key), "") << key;
        EXPECT_EQ(count_of(common::json::parse(last_of(key)).value()), counted(queue, interval)) << key;
      }
    }
    for (const auto& [key, values] : publisher->topic) EXPECT_TRUE(keys.contains(key)) << key << " is no such bucket";
    expect_no_repeats();
  }
  void expect_nothing_asked_of_zones() const {
    for (const auto& request : api.requests) {
      EXPECT_EQ(request.body.find("timeZone"), std::string::npos) << request.body;
      EXPECT_EQ(request.body.find("granularity"), std::string::npos) << request.body;
    }
  }
};

TEST_F(SimulatedAutumn, FiguresOfDaysOfBerlinAreOfThe25HoursToo) {
  begin(
      "    definition: conversation-aggregates\n    start: now\n    live: {ages: [1h, 30h]}\n"
      "    query: {granularity: P1D, timeZone: Europe/Berlin, groupBy: [queueId], metrics: [nConnected]}\n");
  pass(37h);  // the day has just ended
  live();
  pass(60h);

  expect_nothing_asked_of_zones();
  EXPECT_EQ(api.requests.size(), 4U + 4 + 3) << "four days, once and at their ages";
  expect_figures_of({"2026-10-23T22:00:00.000Z/2026-10-24T22:00:00.000Z", "2026-10-24T22:00:00.000Z/2026-10-25T23:00:00.000Z",
                     "2026-10-25T23:00:00.000Z/2026-10-26T23:00:00.000Z", "2026-10-26T23:00:00.000Z/2026-10-27T23:00:00.000Z"});
}

TEST_F(SimulatedAutumn, FiguresOfHoursOfKolkataCrossMidnightOfUtc) {
  begin(
      "    definition: conversation-aggregates\n    start: now\n    live: {ages: [1h]}\n"
      "    query: {granularity: PT1H, timeZone: Asia/Kolkata, groupBy: [queueId], metrics: [nConnected]}\n");
  pass(13h + 40min);
  live();
  pass(4h);

  expect_nothing_asked_of_zones();
  std::vector<std::string> hours;
  for (common::Instant hour = at("2026-10-24T09:30:00Z"); hour + 1h < clock.utc_now(); hour += 1h) {
    hours.push_back(common::format_interval({.start = hour, .end = hour + 1h}));
  }
  ASSERT_EQ(hours.size(), 18U);
  expect_figures_of(hours);
}

// Over the beginning of summer time in New York, in the night to the 8th.
class SimulatedSpring : public SimulatedStream {
 protected:
  SimulatedSpring() : SimulatedStream("2026-03-07T05:00:00Z") {}
};

TEST_F(SimulatedSpring, ADayOf23HoursIsFilledByThem) {
  begin(
      "    definition: user-aggregates\n    start: now\n    live: {ages: [1h]}\n"
      "    query: {granularity: P1D, timeZone: America/New_York, groupBy: [userId], metrics: [tSystemPresence]}\n");
  pass(76h);

  EXPECT_EQ(publisher->topic.size(), 12U) << "three days of four users";
  const std::map<std::string, std::int64_t> hours{{"2026-03-07T05:00:00.000Z/2026-03-08T05:00:00.000Z", 24},
                                                  {"2026-03-08T05:00:00.000Z/2026-03-09T04:00:00.000Z", 23},
                                                  {"2026-03-09T04:00:00.000Z/2026-03-10T04:00:00.000Z", 24}};
  for (const auto& [key, values] : publisher->topic) {
    const auto record = common::json::parse(values.back()).value();
    std::int64_t sum = 0;
    for (const auto& metric : record.at("data").at("metrics").as_array()) sum += metric.at("stats").at("sum").as_int64();
    EXPECT_EQ(sum, hours.at(std::string(record.at("data").at("interval").as_string())) * 3'600'000) << key;
  }
  expect_no_repeats();
}

// --- records that are put together, of which something is taken out ---

constexpr const char* kPseudonyms = "the key of this test, 16 bytes or more";

std::string pseudonym(std::string_view text) {
  std::string hash;
  EXPECT_TRUE(source::KeyedHash(common::Secret(kPseudonyms)).append(text, hash));
  return hash;
}

TEST_F(SimulatedStream, AHashedGroupIsHashedInTheKeyTooAndFiguresAreWhatTheyWere) {
  begin(
      "    definition: user-aggregates\n    start: now\n    live: {ages: [1h]}\n"
      "    query: {granularity: P1D, groupBy: [userId], metrics: [tSystemPresence, tAgentRoutingStatus]}\n"
      "    redaction: {hash: [/group/userId], key: \"" +
      std::string(kPseudonyms) + "\"}\n");
  pass(76h);

  const auto truth = ask({.start = at(kBegin), .end = at("2026-05-05T00:00:00Z")});
  EXPECT_EQ(truth.size(), 12U) << "three days of four users";
  EXPECT_EQ(publisher->topic.size(), 12U);
  for (const auto& [key, record] : truth) {
    common::json::Value expected = common::json::parse(record).value();
    auto& user = expected.at("group").at("userId");
    const std::string id(user.as_string());
    user = pseudonym(id);
    const std::string hashed_key = R"([{"userId":")" + pseudonym(id) + R"("},)" + key.substr(key.find("},") + 2);
    EXPECT_EQ(*common::json::parse(last_of(hashed_key)), expected) << key;
    EXPECT_EQ(last_of(hashed_key).find(id), std::string::npos);
  }
  expect_no_repeats();
}

// By query and jobs: the two forms meet under one hashed key, and closed statuses are not published again when they are sealed.
TEST_F(SimulatedStream, FlatRecordsOfStatusesUnderAHashedKey) {
  begin(
      "    definition: user-details\n    start: now\n    live: {every: 5m, ages: []}\n"
      "    settle: {ages: [0h, 12h, 30h], poll_initial: 1s, poll_max: 5s}\n"
      "    projection:\n      fields:\n        user: /userId\n        list: /list\n"
      "        duration: {from: /status/startTime, until: /status/endTime}\n"
      "    redaction: {hash: [/userId], key: \"" +
      std::string(kPseudonyms) + "\"}\n");
  pass(80h);

  std::size_t closed = 0;
  for (const auto& [key, record] : ask({.start = at(kBegin), .end = clock.utc_now()})) {
    const Status status = status_of(record);
    if (!status.end || *status.end >= clock.utc_now() - 10min) continue;
    const auto sent = common::json::parse(record).value();
    const std::string user(sent.at("userId").as_string());
    const std::string hashed_key = "[\"" + pseudonym(user) + "\"" + key.substr(key.find(','));
    const common::json::Object expected{
        {"user", pseudonym(user)}, {"list", sent.at("list")}, {"duration", (*status.end - status.start).count()}};
    ASSERT_NE(last_of(hashed_key), "") << key;
    EXPECT_EQ(*common::json::parse(last_of(hashed_key)), common::json::Value(expected)) << key;
    EXPECT_LE(publisher->topic[hashed_key].size(), 2U) << "open, then closed";
    ++closed;
  }
  EXPECT_GT(closed, 100U) << "or nothing was tested";
  expect_no_repeats();
}

}  // namespace
}  // namespace connector::app
