// Streams whose windows are of another kind: buckets of time, snapshots, records that last for days. What their definitions say,
// and what the loader makes of a stream that uses them.

#include "tests/unit/config/support.h"

#include "config/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace config::test {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
namespace source = connector::source;

const std::string kAggregates = R"(
name: aggregates
key: [/group, /data/interval]
window: {interval: {body: /interval}, max: 2d, bucket: /granularity, time_zone: /timeZone, ages: [1h, 1d]}
require: {/metrics: names what is counted}
lists:
  /metrics: {allowed: [nOffered, tHandle]}
  /filter/predicates: {max: 2}
  /groupBy: {known: [queueId, mediaType]}
query:
  request: {path: /aggregates, body: {granularity: PT30M}}
  records: {each: /results/*/data/*, with: [/results/*/group]}
  pages: {kind: none}
)";
const std::string kObservations = R"(
name: observations
key: [/group, /data/metric]
window: none
query:
  request: {path: /observations}
  records: {each: /results/*/data/*, with: [/results/*/group]}
  total: {pointer: /total, trust: none}
  pages: {kind: none}
)";
const std::string kStatuses = R"(
name: statuses
key: /id
start: /start
window: {interval: {body: /interval}, max: 7d, spans_days: true}
query: {request: {path: /statuses}, records: /statuses, pages: {kind: none}}
)";

const std::string kNames = R"(
name: names
key: /id
partial: the newest ten alone
window: none
snapshot: {every: 1h, compact: true}
query: {request: {method: GET, path: /names}, records: /names, pages: {kind: next-uri, next_from: /next, next_parameter: after}}
)";
const std::string kTurns = R"(
name: turns
key: /id
window: {interval: {query: interval}}
query:
  request: {method: GET, path: "/flows/{flowId}/turns", parameters: {state: any}}
  records: /turns
  pages: {kind: cursor, next_from: [{body: /next}], next_to: {query: after}, size: {query: pageSize}}
)";

const std::string kShort = R"(
name: short
key: [/group, /data/interval]
window: {interval: {body: /interval}, max: 1d, bucket: /granularity, time_zone: /timeZone}
query:
  request: {path: /short/query, body: {granularity: PT30M}}
  records: {each: /results/*/data/*, with: [/results/*/group]}
  pages: {kind: none}
)";

const std::string kEvents = R"(
name: events
key: /id
start: /date
window: {interval: {body: /interval}}
query: {request: {path: /events/now, body: {sort: up}}, records: /events, pages: {kind: none}}
job: {request: {path: /events}, lag: 1h, page_mark: /id, max_jobs: 1, cancel: off, records: /events, pages: {kind: none}}
)";

source::Definition definition(const std::string& text) {
  LoadedDefinition loaded = load_definition(text, "d.yaml");
  EXPECT_EQ(problems_text(loaded.problems), "");
  return std::move(loaded.definition);
}

Loaded load_stream(const std::string& stream) {
  const std::string text =
      "name: acme\ngenesys:\n  region: eu-central-1\n  client_id: c\n  client_secret: ${env:GENESYS_SECRET}\n"
      "kafka:\n  bootstrap_servers: k:9092\nstreams:\n  s: {" +
      stream + "}\n";
  const std::map<std::string, source::Definition> definitions{{"aggregates", definition(kAggregates)},
                                                              {"observations", definition(kObservations)},
                                                              {"statuses", definition(kStatuses)},
                                                              {"turns", definition(kTurns)},
                                                              {"events", definition(kEvents)},
                                                              {"names", definition(kNames)},
                                                              {"short", definition(kShort)}};
  return load(text, "test.yaml", corpus_sources(), definitions);
}

source::StreamOptions good(const std::string& stream) {
  const Loaded loaded = load_stream(stream);
  EXPECT_EQ(problems_text(loaded.problems), "");
  return loaded.config.streams.at(0);
}

TEST(IsoDuration, OfAFixedLength) {
  EXPECT_EQ(parse_iso_duration("PT15M"), 15min);
  EXPECT_EQ(parse_iso_duration("PT1H30M"), 90min);
  EXPECT_EQ(parse_iso_duration("P1D"), 24h);
  EXPECT_EQ(parse_iso_duration("P1DT12H"), 36h);
  EXPECT_EQ(parse_iso_duration("PT30S"), 30s);
  for (const char* text : {"", "P", "PT", "15M", "P1M", "P1Y", "P1W", "PT1M1H", "PT1.5H", "PT-1H", "PTM", "P1D1D", "PT1H ",
                           "pt1h", "PT0S", "PT1HT1M", "P99999999999999999999D"}) {
    EXPECT_EQ(parse_iso_duration(text), std::nullopt) << text;
  }
}

TEST(KindsOfWindows, AreReadFromTheDefinition) {
  const auto buckets = definition(kAggregates);
  EXPECT_EQ(buckets.bucket, "/granularity");
  EXPECT_EQ(buckets.time_zone, "/timeZone");
  EXPECT_THAT(*buckets.ages, ElementsAre(1h, 24h));
  EXPECT_EQ(buckets.required_members.at("/metrics"), "names what is counted");
  EXPECT_THAT(buckets.list_rules.at("/metrics").allowed, ElementsAre("nOffered", "tHandle"));
  EXPECT_EQ(buckets.list_rules.at("/filter/predicates").max_items, 2U);
  EXPECT_FALSE(is_snapshot(buckets));
  EXPECT_FALSE(is_seen_on_many_days(buckets));

  EXPECT_TRUE(is_snapshot(definition(kObservations)));
  const auto names = definition(kNames);
  EXPECT_EQ(std::get<source::Snapshot>(names.window).every, 1h);
  EXPECT_TRUE(std::get<source::Snapshot>(names.window).compact);
  EXPECT_EQ(std::get<source::NextUriPages>(names.query->pages).parameter, "after");
  EXPECT_TRUE(is_seen_on_many_days(definition(kObservations)));
  EXPECT_TRUE(definition(kStatuses).spans_days);
  EXPECT_TRUE(is_seen_on_many_days(definition(kStatuses)));
}

TEST(Retention, IsTheDefinitionsUnlessTheStreamSaysOtherwise) {
  const std::string audits = R"(
name: audits
key: /id
window: {interval: {body: /interval}, max: 30d, retention: 365d, ages: [1h, 20d]}
query: {request: {path: /audits}, records: /entities, pages: {kind: none}}
)";
  const std::map<std::string, source::Definition> definitions{{"audits", definition(audits)}};
  EXPECT_EQ(definitions.at("audits").retention, 365 * 24h);
  const auto stream = [&](const std::string& more) {
    const Loaded loaded = load(
        "name: acme\ngenesys:\n  region: eu-central-1\n  client_id: c\n  client_secret: ${env:GENESYS_SECRET}\n"
        "kafka:\n  bootstrap_servers: k:9092\nstreams:\n  s: {definition: audits, start: now" +
            more + "}\n",
        "test.yaml", corpus_sources(), definitions);
    EXPECT_EQ(problems_text(loaded.problems), "");
    return loaded.config.streams.at(0);
  };

  EXPECT_EQ(stream("").retention, 365 * 24h);
  EXPECT_EQ(stream(", retention: 0s").retention, 0s) << "a user may know better";
  const auto shorter = stream(", retention: 14d");
  EXPECT_EQ(shorter.retention, 14 * 24h);
  EXPECT_THAT(shorter.live.ages, ElementsAre(1h)) << "at 20d nothing is left of a window; nobody has asked for that";
}

TEST(Retention, OfTheQueryIsSaidByItself) {
  const std::string head = "name: audits\nkey: /id\n";
  const std::string query = "query: {retention: 14d, request: {path: /audits}, records: /entities, pages: {kind: none}}\n";
  const auto problems = [&](const std::string& window) {
    return problems_text(load_definition(head + window + query, "d.yaml").problems);
  };
  const auto read = definition(head + "window: {interval: {body: /interval}, retention: 365d, ages: [1h, 20d]}\n" + query);
  EXPECT_EQ(read.retention, 365 * 24h);
  EXPECT_EQ(read.query->retention, 14 * 24h);
  EXPECT_THAT(problems("window: {interval: {body: /interval}, max: 30d}\n"), HasSubstr("window.max: 30d: is longer than query"));
  EXPECT_THAT(problems("window: none\n"), HasSubstr("its retention is for what has windows"));

  const Loaded loaded = load(
      "name: acme\ngenesys:\n  region: eu-central-1\n  client_id: c\n  client_secret: ${env:GENESYS_SECRET}\n"
      "kafka:\n  bootstrap_servers: k:9092\nstreams:\n  s: {definition: audits, start: now}\n",
      "test.yaml", corpus_sources(), {{"audits", read}});
  EXPECT_EQ(problems_text(loaded.problems), "");
  EXPECT_EQ(loaded.config.streams.at(0).retention, 365 * 24h);
  EXPECT_EQ(loaded.config.streams.at(0).query_retention, 14 * 24h);
  EXPECT_THAT(loaded.config.streams.at(0).live.ages, ElementsAre(1h)) << "the query knows nothing at 20d";
}

TEST(Retention, OfADefinitionHasRoomForItsLongestWindow) {
  const auto loaded = load_definition(R"(
name: audits
key: /id
window: {interval: {body: /interval}, max: 30d, retention: 14d}
query: {request: {path: /audits}, records: /entities, pages: {kind: none}}
)",
                                      "d.yaml");

  EXPECT_THAT(problems_text(loaded.problems), HasSubstr("d.yaml:4:60: window.retention: 14d: is shorter than max"));
}

TEST(Buckets, AreThoseOfTheDefinitionUnlessTheStreamSaysOthers) {
  const auto usual = good("definition: aggregates, start: 2026-05-04T10:17:23Z, query: {metrics: [nOffered]}");
  EXPECT_EQ(usual.live.buckets.length(), 30min);
  EXPECT_EQ(usual.live.every, 30min);
  EXPECT_EQ(usual.live.min_window, 30min);
  EXPECT_THAT(usual.live.ages, ElementsAre(1h, 24h));
  EXPECT_EQ(std::get<common::Instant>(usual.start), common::parse_instant("2026-05-04T10:00:00Z").value())
      << "where the bucket begins, so that its first figure is a whole one";

  const auto own = good(
      "definition: aggregates, start: now, query: {metrics: [nOffered], granularity: PT15M}, live: {every: 45m, overlap: 15m, "
      "ages: []}");
  EXPECT_EQ(own.live.buckets.length(), 15min);
  EXPECT_EQ(own.live.every, 45min);
  EXPECT_EQ(own.live.min_window, 15min);
  EXPECT_THAT(own.live.ages, IsEmpty());

  const auto seconds = good("definition: aggregates, start: now, query: {metrics: [nOffered], granularity: PT10S}");
  EXPECT_EQ(seconds.live.every, 60s) << "several of them, where one is shorter than the usual window";
}

// Where they begin at the same instants as in UTC they are nothing else; the zone stays in the query, by which a stream is known.
TEST(Buckets, OfATimeZoneAreThoseOfUtcWhereTheyBeginLikeThem) {
  for (const char* query :
       {"timeZone: UTC, granularity: P1D", "timeZone: Etc/GMT-5, granularity: PT1H", "timeZone: Africa/Abidjan, granularity: P1D",
        "timeZone: Europe/Berlin, granularity: PT1H", "timeZone: Asia/Kolkata", "timeZone: Asia/Kathmandu, granularity: PT15M"}) {
    const auto stream = good("definition: aggregates, start: now, query: {metrics: [nOffered], " + std::string(query) + "}");
    EXPECT_TRUE(stream.query.contains("timeZone")) << query;
    EXPECT_TRUE(stream.live.buckets) << query;
    EXPECT_FALSE(stream.live.buckets.is_local()) << query;
  }
}

TEST(Buckets, OfATimeZoneBeginByItsClock) {
  const auto days = good(
      "definition: aggregates, start: \"2026-03-29T12:00:00Z\", "
      "query: {metrics: [nOffered], granularity: P1D, timeZone: Europe/Berlin}");
  EXPECT_TRUE(days.live.buckets.is_local());
  EXPECT_EQ(std::get<common::Instant>(days.start), common::parse_instant("2026-03-28T23:00:00Z").value()) << "with a whole day";
  EXPECT_EQ(days.live.every, 24h);
  EXPECT_EQ(days.live.min_window, 24h);

  const auto hours = good(
      "definition: aggregates, start: now, live: {every: 1h, min_window: 1h, overlap: 0s}, "
      "query: {metrics: [nOffered], granularity: PT1H, timeZone: Asia/Kolkata}");
  EXPECT_TRUE(hours.live.buckets.is_local());
  EXPECT_EQ(hours.live.every, 1h);
  EXPECT_FALSE(good("definition: aggregates, start: now, query: {metrics: [nOffered], granularity: P1D, timeZone: null}")
                   .live.buckets.is_local());
}

TEST(Snapshots, HaveACadenceInsteadOfWindows) {
  const auto usual = good("definition: observations, start: now");
  EXPECT_TRUE(usual.live.enabled);
  EXPECT_THAT(usual.live.ages, IsEmpty());
  EXPECT_EQ(usual.snapshot.every, 60s);
  EXPECT_EQ(usual.snapshot.publish, source::PublishSnapshot::kOnChange);
  EXPECT_FALSE(usual.settle.enabled);
  EXPECT_FALSE(usual.follow.enabled);

  EXPECT_EQ(usual.snapshot.on_delete, connector::core::OnDelete::kKeep);
  const auto deleting =
      good("definition: observations, start: now, snapshot: {on_delete: tombstone, delete: {readings: 5, max_share: 0.2}}");
  EXPECT_EQ(deleting.snapshot.on_delete, connector::core::OnDelete::kTombstone);
  EXPECT_EQ(deleting.snapshot.delete_readings, 5U);
  EXPECT_EQ(deleting.snapshot.delete_max_share, 0.2);
  EXPECT_EQ(good("definition: names, start: now").snapshot.every, 1h) << "the definition's";
  EXPECT_EQ(good("definition: names, start: now, snapshot: {every: 5m}").snapshot.every, 5min);

  const auto own = good("definition: observations, start: now, snapshot: {every: 15s, publish: always}");
  EXPECT_EQ(own.snapshot.every, 15s);
  EXPECT_EQ(own.snapshot.publish, source::PublishSnapshot::kAlways);
}

TEST(Jobs, AreNoMoreThanTheServiceRunsAtOnce) {
  EXPECT_EQ(good("definition: events, start: now").settle.max_jobs, 1U);
  EXPECT_EQ(good("definition: events, start: now, settle: {max_jobs: 1}").settle.max_jobs, 1U);
}

TEST(NewestFirst, TurnsAnOrderOfTheStreamsOwnQuery) {
  const auto said = [](const std::string& stream) { return problems_text(load_stream(stream).problems); };
  EXPECT_EQ(said("definition: events, start: now, query: {order: asc}, sync_match: start_day"), "");
  for (const char* order : {"ascending", "1"}) {
    EXPECT_THAT(said("definition: events, start: now, sync_match: start_day, query: {order: " + std::string(order) + "}"),
                HasSubstr("says no order, asc or desc, that can be turned"));
  }
}

TEST(ParametersOfTheUrl, AreTheStreamsQueryWhereThereIsNoBody) {
  const auto turns = good("definition: turns, start: now, query: {flowId: f, state: closed, id: [a, b], deep: true}");
  EXPECT_EQ(common::json::serialize(turns.query), R"({"flowId":"f","state":"closed","id":["a","b"],"deep":true})");
}

// What the vendor has added since must not keep anybody from starting.
TEST(KnownItems, OthersAreAWarning) {
  const Loaded loaded =
      load_stream("definition: aggregates, start: now, query: {metrics: [nOffered], groupBy: [queueId, mediatype]}");

  EXPECT_EQ(problems_text(loaded.problems), "");
  ASSERT_THAT(loaded.warnings, SizeIs(1));
  EXPECT_THAT(loaded.warnings[0],
              HasSubstr("streams.s.query.groupBy: holds 'mediatype', which the service did not know here when "
                        "the definition was written; did you mean mediaType?"));
}

struct Wrong {
  std::string name;
  std::string text;
  std::string said;  // the only problem
};
void PrintTo(const Wrong& wrong, std::ostream* out) {
  *out << wrong.name;
}

class WrongStream : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongStream, IsRefusedPrecisely) {
  const Loaded loaded = load_stream(GetParam().text);

  ASSERT_THAT(loaded.problems, SizeIs(1)) << problems_text(loaded.problems);
  EXPECT_THAT(loaded.problems[0].to_string(), HasSubstr(GetParam().said));
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongStream,
    ::testing::Values(
        Wrong{
            "BucketOfAMonth", "definition: aggregates, start: now, query: {metrics: [nOffered], granularity: P1M}",
            R"(streams.s.query.granularity: "P1M": windows are of whole buckets, and those of whole days (allowed: a length that)"
            " divides a day, such as PT15M, PT30M, PT1H or P1D)"},
        Wrong{"BucketThatDoesNotDivideADay",
              "definition: aggregates, start: now, query: {metrics: [nOffered], granularity: PT7M}",
              R"(streams.s.query.granularity: "PT7M": windows are of whole buckets)"},
        Wrong{"BucketOfNoText", "definition: aggregates, start: now, query: {metrics: [nOffered], granularity: 15}",
              "streams.s.query.granularity: 15: windows are of whole buckets"},
        Wrong{
            "ZoneThatThereIsNot", "definition: aggregates, start: now, query: {metrics: [nOffered], timeZone: Europe/Berln}",
            R"(streams.s.query.timeZone: "Europe/Berln": is not in the time zone database of this system (allowed: such as UTC)"},
        Wrong{"ZoneOfNoName", "definition: aggregates, start: now, query: {metrics: [nOffered], timeZone: \"+02:00\"}",
              R"(streams.s.query.timeZone: "+02:00": is not in the time zone database of this system)"},
        Wrong{
            "ManyBucketsOfAZoneAtOnce",
            "definition: aggregates, start: now, live: {every: 2h}, query: {metrics: [nOffered], granularity: PT1H, timeZone: "
            "Asia/Kolkata}",
            "streams.s.live.every: 2h: is of more than one bucket, and those that begin by the clock of a time zone are read one "
            "by one (allowed: 1h, or leave it out)"},
        Wrong{
            "OverlappingBucketsOfAZone",
            "definition: aggregates, start: now, live: {overlap: 30m}, query: {metrics: [nOffered], granularity: PT1H, timeZone: "
            "Asia/Kolkata}",
            "streams.s.live.overlap: 30m: is not of whole buckets, which are 1h long"},
        Wrong{
            "DaysThatAreLongerThanTheServiceAnswers",
            "definition: short, start: now, query: {granularity: P1D, timeZone: Europe/Berlin}",
            R"(streams.s.query.timeZone: "Europe/Berlin": has buckets of 25h where its clock changes, and the service answers for 1d )"
            "at once (allowed: shorter buckets, or UTC)"},
        Wrong{"ZoneOfNoText", "definition: aggregates, start: now, query: {metrics: [nOffered], timeZone: 2}",
              "streams.s.query.timeZone: 2: is no name of a time zone"},
        Wrong{"EveryOfPartsOfBuckets", "definition: aggregates, start: now, query: {metrics: [nOffered]}, live: {every: 45m}",
              "streams.s.live.every: 45m: is not of whole buckets, which are 30m long by the stream's query"},
        Wrong{"OverlapOfPartsOfBuckets",
              "definition: aggregates, start: now, query: {metrics: [nOffered]}, live: {every: 1h, overlap: 10m}",
              "streams.s.live.overlap: 10m: is not of whole buckets"},
        Wrong{"MinWindowOfPartsOfBuckets",
              "definition: aggregates, start: now, query: {metrics: [nOffered]}, live: {every: 1h, min_window: 1m}",
              "streams.s.live.min_window: 1m: is not of whole buckets"},
        Wrong{"RequiredMember", "definition: aggregates, start: now",
              "streams.s.query.metrics: is missing: names what is counted"},
        Wrong{"RequiredMemberEmpty", "definition: aggregates, start: now, query: {metrics: []}",
              "streams.s.query.metrics: is missing: names what is counted"},
        Wrong{"UnknownItem", "definition: aggregates, start: now, query: {metrics: [nOffered, tHandel]}",
              "streams.s.query.metrics: holds 'tHandel', which the service does not know here; did you mean tHandle? (allowed: "
              "nOffered, tHandle)"},
        Wrong{"NoList", "definition: aggregates, start: now, query: {metrics: nOffered}", "streams.s.query.metrics: is no list"},
        Wrong{"TooManyItems", "definition: aggregates, start: now, query: {metrics: [nOffered], filter: {predicates: [1, 2, 3]}}",
              "streams.s.query.filter.predicates: has 3 items, and the service takes 2"},
        Wrong{"PlaceOfThePathMissing", "definition: turns, start: now",
              "streams.s.query.flowId: is missing: the definition's path has a place for it, /flows/{flowId}/turns"},
        Wrong{"PlaceOfThePathEmpty", "definition: turns, start: now, query: {flowId: \"\"}",
              "streams.s.query.flowId: cannot be a part of a path"},
        Wrong{"PlaceOfThePathUpwards", "definition: turns, start: now, query: {flowId: ..}",
              "streams.s.query.flowId: cannot be a part of a path"},
        Wrong{"PlaceOfThePathAList", "definition: turns, start: now, query: {flowId: [a]}",
              "streams.s.query.flowId: cannot be a part of a path"},
        Wrong{"ParameterOfObjects", "definition: turns, start: now, query: {flowId: a, x: {y: 1}}",
              "streams.s.query.x: does not fit into a URL, and the query of this definition has no body (allowed: a text"},
        Wrong{"ParameterOfWindows", "definition: turns, start: now, query: {flowId: a, interval: x}",
              "streams.s.query.interval: belongs to the connector's windows (allowed: leave it out)"},
        Wrong{"ParameterOfPaging", "definition: turns, start: now, query: {flowId: a, after: x}",
              "streams.s.query.after: belongs to the connector's paging"},
        Wrong{"ParameterOfPageSize", "definition: turns, start: now, query: {flowId: a, pageSize: 5}",
              "streams.s.query.pageSize: belongs to the connector's paging (allowed: page_size of the stream)"},
        Wrong{"SnapshotOfThePast", "definition: observations, start: 2026-01-01T00:00:00Z",
              "streams.s.start: 2026-01-01T00:00:00Z: lies where nothing can be read: the service tells the state as it is now "
              "(allowed: now)"},
        Wrong{"SnapshotWithWindows", "definition: observations, start: now, live: {every: 1m}",
              "streams.s.live: the definition is a snapshot and has no windows (allowed: snapshot)"},
        Wrong{"SnapshotTooOften", "definition: observations, start: now, snapshot: {every: 10ms}",
              "streams.s.snapshot.every: 10ms"},
        Wrong{"SnapshotUnknownKey", "definition: observations, start: now, snapshot: {delay: 1m}",
              "streams.s.snapshot.delay: unknown key"},
        Wrong{"TombstonesOfWhatIsNotRemembered",
              "definition: observations, start: now, snapshot: {publish: always, on_delete: tombstone}",
              "streams.s.snapshot.on_delete: tombstone: nothing is remembered of what is published always"},
        Wrong{"TombstonesOfAPart", "definition: names, start: now, snapshot: {on_delete: tombstone}",
              "streams.s.snapshot.on_delete: tombstone: the definition shows only a part, so that what is absent may still be "
              "there: the newest ten alone (allowed: keep)"},
        Wrong{"NoReadings", "definition: observations, start: now, snapshot: {delete: {readings: 0}}",
              "streams.s.snapshot.delete.readings: 0"},
        Wrong{"SnapshotOfWindows", "definition: statuses, start: now, snapshot: {every: 1m}",
              "streams.s.snapshot: the definition has windows and is no snapshot (allowed: live)"},
        Wrong{"MoreJobsThanTheServiceRuns", "definition: events, start: now, settle: {max_jobs: 2}",
              "streams.s.settle.max_jobs: 2: is out of range (allowed: 1"},
        Wrong{"StartDayWithoutAnOrder", "definition: events, start: now, sync_match: start_day",
              "streams.s.sync_match: start_day: rows are read newest first then, and the query says no order, asc or desc"},
        Wrong{"StartDayOfWhatLasts", "definition: statuses, start: now, sync_match: start_day",
              "streams.s.sync_match: start_day: the definition's records are returned for more than the day they began on"}),
    [](const auto& info) { return info.param.name; });

class WrongKind : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongKind, IsRefusedPrecisely) {
  const LoadedDefinition loaded = load_definition(GetParam().text, "d.yaml");

  ASSERT_THAT(loaded.problems, SizeIs(1)) << problems_text(loaded.problems);
  EXPECT_THAT(loaded.problems[0].to_string(), HasSubstr(GetParam().said));
}

std::string with_window(const std::string& window, const std::string& rest = "") {
  return "name: x\nkey: /id\nwindow: " + window + "\nquery: {request: {path: /q}, records: /r, pages: {kind: none}}\n" + rest;
}
const std::string kJob = "job: {request: {path: /j}, records: /r, pages: {kind: none}}\n";
const std::string kById =
    "open_while_absent: /end\nstart: /start\nby_id: {request: {method: GET, path: /x}, records: /r, ids: {query: id}}\n";

INSTANTIATE_TEST_SUITE_P(
    All, WrongKind,
    ::testing::Values(
        Wrong{"SnapshotOfAJob", with_window("none", kJob), "d.yaml:3:9: window: none: is for what a query alone tells"},
        Wrong{"SnapshotById", with_window("none", kById), "window: none: is for what a query alone tells"},
        Wrong{"DefaultsOfASnapshotBesideWindows", with_window("{interval: {body: /i}}", "snapshot: {every: 1h}\n"),
              "snapshot: is for what has no window"},
        Wrong{"NextParameter",
              "name: x\nkey: /id\nwindow: none\nquery: {request: {path: /q}, records: /r, pages: {kind: next-uri, next_from: /n, "
              "next_parameter: \"a=\"}}\n",
              "query.pages.next_parameter: a=: is no parameter of a URL"},
        Wrong{"NoSuchWindow", with_window("snapshot"), "window: a map is expected"},
        Wrong{"BucketOfAJob", with_window("{interval: {body: /i}, bucket: /b}", kJob),
              "window.bucket: /b: is looked for in the body of the query, and is offered without a job only"},
        Wrong{"BucketPointer", with_window("{interval: {body: /i}, bucket: b}"), "window.bucket: b: is not a JSON pointer"},
        Wrong{"ZoneWithoutBuckets", with_window("{interval: {body: /i}, time_zone: /z}"),
              "window.time_zone: /z: says where buckets begin, and there are none"},
        Wrong{"LastsAndById", with_window("{interval: {body: /i}, spans_days: true}", kById),
              "window.spans_days: true: is not offered beside by_id"},
        Wrong{"LastsAndBuckets", with_window("{interval: {body: /i}, spans_days: true, bucket: /b}"),
              "window.spans_days: true: contradicts bucket"},
        Wrong{"Ages", with_window("{interval: {body: /i}, ages: [1h, 1m]}"), "window.ages[1]: 1m: is out of order"},
        Wrong{"RequirePointer", with_window("{interval: {body: /i}}", "require: {metrics: x}\n"),
              "require: its name metrics is not a JSON pointer"},
        Wrong{"ListPointer", with_window("{interval: {body: /i}}", "lists: {views: {max: 1}}\n"),
              "lists.views: its name is not a JSON pointer"},
        Wrong{"ListOfNothing", with_window("{interval: {body: /i}}", "lists: {/views: {}}\n"),
              "lists./views.max: is missing, and so are allowed and known"},
        Wrong{"ListUnknownKey", with_window("{interval: {body: /i}}", "lists: {/views: {max: 1, most: 1}}\n"),
              "lists./views.most: unknown key"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace config::test
