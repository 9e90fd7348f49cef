// The live lane over what is no stream of events: figures in buckets of time, a state that is told as it is now, records that
// last for days.

#include "connector/source/json_pointer.h"
#include "tests/unit/connector/source/reader_fixture.h"

#include <algorithm>
#include <set>
#include <utility>

namespace connector::source {
namespace {

using namespace std::chrono_literals;
using common::ErrorCode;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using tests::support::answer;
using tests::support::FakeAnswer;
using tests::support::refuse;

class LiveKinds : public ReaderTest {
 protected:
  [[nodiscard]] std::vector<std::string> windows() const {
    std::vector<std::string> found;
    for (const auto& request : api.requests) {
      const auto body = common::json::parse(request.body).value();
      const auto* interval = find_at(body, "/interval");
      found.push_back(interval == nullptr ? "none" : std::string(interval->get_string()));
    }
    return found;
  }
  [[nodiscard]] const core::Ledger& ledger() const { return publisher.committed(live); }

  std::vector<core::RecordContent> contents;
  std::size_t pages_without_contents = 0;
  void watch_contents() {
    publisher.on_submit = [this](const core::PageGroup& group) -> std::optional<common::Error> {
      for (const core::Page& page : group) {
        contents.insert(contents.end(), page.contents.begin(), page.contents.end());
        if (!page.records.empty() && page.contents.empty()) ++pages_without_contents;
      }
      return std::nullopt;
    };
  }
};

// --- buckets -----------------------------------------------------------------------------------------------------------------

class LiveBucketsOfALane : public LiveKinds {
 protected:
  LiveBucketsOfALane() {
    definition = conversation_details();
    definition.key = std::vector<KeyPart>{{"/group"}, {"/data/interval"}};
    definition.open_while_absent = definition.start_pointer = definition.end_pointer = std::nullopt;
    definition.job.reset();
    definition.bucket = "/granularity";
    definition.query->request.body = common::json::Object{{"granularity", "PT15M"}};
    definition.query->records =
        CompositeRecords{.each = {"/results/*/data/*"}, .with = {"/results/*/group"}, .as = {}, .list = {}};
    definition.query->total.reset();
    definition.query->pages = NoPages{};
    options.live.buckets = core::Buckets(15min);
    options.live.every = options.live.min_window = 15min;
    service = [](const core::ApiRequest& request) -> FakeAnswer {
      const auto body = common::json::parse(request.body).value();
      const auto window = common::parse_interval(std::string_view(find_at(body, "/interval")->get_string())).value();
      std::string data;
      for (auto at = window.start; at < window.end; at += 15min) {
        data +=
            (data.empty() ? "" : ",") + (R"({"interval":")" + common::format_interval({.start = at, .end = at + 15min})) + "\"}";
      }
      return answer(R"({"results":[{"group":{"queueId":"q"},"data":[)" + data + "]}]}");
    };
  }
};

TEST_F(LiveBucketsOfALane, OneAnswerIsEverythingAndWindowsAreOfWholeBuckets) {
  start = at("2026-05-04T10:07:00");
  clock.set_utc(at("2026-05-04T10:07:00"));
  run_live();
  pass(40min);

  EXPECT_THAT(windows(), ElementsAre("2026-05-04T10:00:00.000Z/2026-05-04T10:15:00.000Z",
                                     "2026-05-04T10:15:00.000Z/2026-05-04T10:30:00.000Z",
                                     "2026-05-04T10:30:00.000Z/2026-05-04T10:45:00.000Z"));
  EXPECT_THAT(publisher.keys(), ElementsAre(R"([{"queueId":"q"},"2026-05-04T10:00:00.000Z/2026-05-04T10:15:00.000Z"])",
                                            R"([{"queueId":"q"},"2026-05-04T10:15:00.000Z/2026-05-04T10:30:00.000Z"])",
                                            R"([{"queueId":"q"},"2026-05-04T10:30:00.000Z/2026-05-04T10:45:00.000Z"])"));
  EXPECT_EQ(ledger().start(), at("2026-05-04T10:00:00"));
  EXPECT_EQ(ledger().complete_until(), at("2026-05-04T10:45:00"));
}

TEST_F(LiveBucketsOfALane, AfterDowntimeOneRequestForManyOfThem) {
  clock.set_utc(at("2026-05-04T13:10:00"));
  run_live();

  EXPECT_THAT(windows(), ElementsAre("2026-05-04T10:00:00.000Z/2026-05-04T13:00:00.000Z"));
  EXPECT_THAT(publisher.records, SizeIs(12));
}

// A reading that comes late satisfies an age for those buckets alone that were old enough as a whole.
TEST_F(LiveBucketsOfALane, AreReadAgainAtTheirAgesWhole) {
  options.live.ages = {1h};
  clock.set_utc(at("2026-05-04T12:10:00"));
  run_live();
  EXPECT_THAT(windows(), ElementsAre("2026-05-04T10:00:00.000Z/2026-05-04T12:00:00.000Z",
                                     "2026-05-04T10:00:00.000Z/2026-05-04T11:00:00.000Z"));
  api.requests.clear();

  pass(5min + 1s);

  EXPECT_THAT(windows(), ElementsAre("2026-05-04T11:00:00.000Z/2026-05-04T11:15:00.000Z"));
}

// What the service makes of a zone beside an interval in UTC is nobody's concern: each bucket is a window of its own.
class LocalBucketsOfALane : public LiveBucketsOfALane {
 protected:
  LocalBucketsOfALane() {
    definition.time_zone = "/timeZone";
    options.query = common::json::Object{{"timeZone", "Europe/Berlin"}, {"granularity", "P1D"}, {"groupBy", "queueId"}};
    options.live.buckets = core::Buckets(24h, common::TimeZone::find("Europe/Berlin").value());
    options.live.every = options.live.min_window = 24h;
    options.live.ages = {};
    start = at("2026-10-24T10:00:00");
    service = [](const core::ApiRequest& request) -> FakeAnswer {
      const auto body = common::json::parse(request.body).value();
      const std::string interval(find_at(body, "/interval")->get_string());
      return answer(R"({"results":[{"group":{"queueId":"q"},"data":[{"interval":")" + interval + R"("}]}]})");
    };
  }
};

TEST_F(LocalBucketsOfALane, AreAskedForOneByOneAndWithoutTheirLength) {
  watch_contents();
  clock.set_utc(at("2026-10-27T12:00:00"));
  run_live();

  EXPECT_THAT(windows(), ElementsAre("2026-10-23T22:00:00.000Z/2026-10-24T22:00:00.000Z",
                                     "2026-10-24T22:00:00.000Z/2026-10-25T23:00:00.000Z",
                                     "2026-10-25T23:00:00.000Z/2026-10-26T23:00:00.000Z"));
  for (const auto& request : api.requests) {
    const auto body = common::json::parse(request.body).value();
    EXPECT_EQ(find_at(body, "/granularity"), nullptr) << request.body;
    EXPECT_EQ(find_at(body, "/timeZone"), nullptr) << request.body;
    EXPECT_NE(find_at(body, "/groupBy"), nullptr) << request.body;
  }
  EXPECT_THAT(publisher.keys(), ElementsAre(R"([{"queueId":"q"},"2026-10-23T22:00:00.000Z/2026-10-24T22:00:00.000Z"])",
                                            R"([{"queueId":"q"},"2026-10-24T22:00:00.000Z/2026-10-25T23:00:00.000Z"])",
                                            R"([{"queueId":"q"},"2026-10-25T23:00:00.000Z/2026-10-26T23:00:00.000Z"])"));
  EXPECT_EQ(ledger().start(), at("2026-10-23T22:00:00"));
  EXPECT_EQ(ledger().complete_until(), at("2026-10-26T23:00:00"));
  ASSERT_THAT(contents, SizeIs(3));
  EXPECT_EQ(contents[1].home_day, std::chrono::sys_days(std::chrono::October / 25 / 2026)) << "remembered until its end is read";
}

TEST_F(LocalBucketsOfALane, MayTakeMoreThanTheMemoryOfPages) {
  page_bytes = 10'000;
  definition.key = std::vector<KeyPart>{{"/group"}, {"/data/metric"}};
  service = [](const core::ApiRequest&) -> FakeAnswer {
    std::string data;
    for (int i = 0; i < 100; ++i) data += (i == 0 ? "" : ",") + (R"({"metric":"m)" + std::to_string(i)) + R"("})";
    return answer(R"({"results":[{"group":{"queueId":")" + std::string(1'000, 'q') + R"("},"data":[)" + data + "]}]}");
  };
  clock.set_utc(at("2026-10-25T12:00:00"));
  run_live();

  EXPECT_THAT(publisher.keys(), SizeIs(100));
}

// Not even one that is longer than two others: where half an hour is shown twice.
TEST_F(LocalBucketsOfALane, AreNeverCut) {
  options.live.buckets = core::Buckets(20min, common::TimeZone::find("Australia/Lord_Howe").value());
  options.live.every = options.live.min_window = 20min;
  start = at("2024-04-06T14:50:00");
  const auto whole = service;
  int refused = 0;
  service = [&, whole](const core::ApiRequest& request) -> FakeAnswer {
    return ++refused <= 2 ? refuse(ErrorCode::kTooComplex) : whole(request);
  };
  clock.set_utc(at("2024-04-06T15:31:00"));
  run_live();
  pass(15min);

  EXPECT_THAT(windows(), ElementsAre("2024-04-06T14:40:00.000Z/2024-04-06T15:30:00.000Z",
                                     "2024-04-06T14:40:00.000Z/2024-04-06T15:30:00.000Z",
                                     "2024-04-06T14:40:00.000Z/2024-04-06T15:30:00.000Z"));
  EXPECT_EQ(lines_with("read in parts"), 0U);
  EXPECT_EQ(ledger().complete_until(), at("2024-04-06T15:30:00"));
}

// --- tokens ------------------------------------------------------------------------------------------------------------------

// A service whose cursors end at a depth that it tells nobody: the window would be begun again for ever.
TEST_F(LiveKinds, ANextPageThatIsRefusedAgainCutsTheWindowUntilItIsRead) {
  definition.job.reset();
  definition.query->total.reset();
  definition.query->pages = CursorPages{.next_from = {InBody{"/next"}}, .next_to = InQuery{"cursor"}, .size = std::nullopt};
  options.live.min_window = 1min;
  service = [](const core::ApiRequest& request) -> FakeAnswer {
    if (!request.query.empty()) return refuse(ErrorCode::kRequestRejected);
    const auto window =
        common::parse_interval(std::string_view(find_at(common::json::parse(request.body).value(), "/interval")->get_string()));
    const std::string start = common::format_instant(window->start).substr(0, 19);
    const bool is_deep = window->length() > 20min;
    return answer(page_of({conversation(start, start, start)}, is_deep ? R"(,"next":"deeper")" : ""));
  };
  clock.set_utc(at("2026-05-04T11:10:00"));
  run_live();
  pass(5min);

  EXPECT_GE(ledger().complete_until(), at("2026-05-04T11:00:00"));
  EXPECT_GE(lines_with("read in parts"), 1U);
  const auto keys = publisher.keys();
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), keys.size());
}

// First passes end well between two attempts, and two windows are too deep in turn.
TEST_F(LiveKinds, ANextPageThatIsRefusedAgainCutsWhatIsReadAgainWhateverElseIsReadMeanwhile) {
  definition.job.reset();
  definition.query->total.reset();
  definition.query->pages = CursorPages{.next_from = {InBody{"/next"}}, .next_to = InQuery{"cursor"}, .size = std::nullopt};
  options.live = {.enabled = true, .every = 5s, .delay = 1s, .overlap = 0s, .min_window = 1s, .ages = {1h}};
  service = [](const core::ApiRequest& request) -> FakeAnswer {
    if (!request.query.empty()) return refuse(ErrorCode::kRequestRejected);
    const bool is_deep = common::parse_interval(request.window)->length() > 5min;
    return answer(page_of({}, is_deep ? R"(,"next":"deeper")" : ""));
  };
  run_live();
  pass(4h);

  EXPECT_GE(ledger().passes().at(1h).prefix_end(start), at("2026-05-04T12:30:00"));
  EXPECT_GE(ledger().complete_until(), at("2026-05-04T13:55:00"));
  EXPECT_GE(lines_with("read in parts"), 2U);
}

// --- snapshots ---------------------------------------------------------------------------------------------------------------

class LiveSnapshot : public LiveKinds {
 protected:
  LiveSnapshot() {
    definition = conversation_details();
    definition.window = Snapshot{};
    definition.job.reset();
    definition.open_while_absent = definition.start_pointer = definition.end_pointer = std::nullopt;
    definition.key = std::vector<KeyPart>{{"/group"}, {"/data/metric"}};
    definition.query->records =
        CompositeRecords{.each = {"/results/*/data/*"}, .with = {"/results/*/group"}, .as = {}, .list = {}};
    definition.query->total.reset();
    definition.query->pages = NoPages{};
    options.snapshot.every = 15s;
    service = [this](const core::ApiRequest&) -> FakeAnswer {
      return answer(R"({"results":[{"group":{"queueId":"q"},"data":[{"metric":"oWaiting","count":)" + std::to_string(++waiting) +
                    "}]}]}");
    };
  }
  int waiting = 0;
};

// Of a stream that was one of windows before: what waits for ages is never forgotten, and a snapshot is never read again.
TEST_F(LiveSnapshot, HasNoAgesThoughItsLedgerHadSome) {
  core::Ledger before = begun_ledger();
  ASSERT_TRUE(before.apply(core::AgeStarted{.age = 1h, .from = start}));
  ASSERT_TRUE(before.apply(core::AgeStarted{.age = 72h, .from = start}));
  ASSERT_TRUE(before.apply(core::WindowCompleted{.window = {.start = start, .end = start + 1h}}));
  ASSERT_TRUE(before.apply(
      core::WindowOpened{.window = {.start = start, .end = start + 10min}, .position = core::AtStart{}, .pass = {.age = 1h}}));
  publisher.adopt(live, before);
  clock.set_utc(start + 2h);
  options.live.ages = {1h, 72h};  // left over in the settings
  run_live();
  pass(1min);

  EXPECT_THAT(ledger().passes(), IsEmpty());
  EXPECT_THAT(ledger().open(), IsEmpty());
  EXPECT_GE(ledger().settled_until(), start + 2h);
  EXPECT_THAT(windows(), testing::Each("none"));
}

// It cannot be read in parts: a bound on what is put together would stop it for ever.
TEST_F(LiveSnapshot, MayTakeMoreThanTheMemoryOfPages) {
  page_bytes = 10'000;
  service = [](const core::ApiRequest&) -> FakeAnswer {
    std::string data;
    for (int i = 0; i < 100; ++i) data += (i == 0 ? "" : ",") + (R"({"metric":"m)" + std::to_string(i)) + R"("})";
    return answer(R"({"results":[{"group":{"queueId":")" + std::string(1'000, 'q') + R"("},"data":[)" + data + "]}]}");
  };
  run_live();
  pass(1s);

  EXPECT_THAT(publisher.keys(), SizeIs(100));
}

TEST_F(LiveSnapshot, IsReadAtOnceAndThenAtItsCadence) {
  publisher.adopt(live, core::Ledger({}, start));  // never stored
  run_live();
  ASSERT_THAT(api.requests, SizeIs(1)) << "the first reading waits for nothing";
  pass(44s);

  EXPECT_THAT(windows(), ElementsAre("none", "none", "none"));
  EXPECT_EQ(common::json::parse(api.requests[0].body).value(),
            common::json::parse(R"({"order":"asc","orderBy":"conversationStart"})").value())
      << "nothing of a window, nothing of paging";
  EXPECT_THAT(publisher.keys(), ElementsAre(R"([{"queueId":"q"},"oWaiting"])", R"([{"queueId":"q"},"oWaiting"])",
                                            R"([{"queueId":"q"},"oWaiting"])"));
  EXPECT_EQ(ledger().complete_until(), at("2026-05-04T10:00:30"));
}

TEST_F(LiveSnapshot, AfterDowntimeItIsReadOnceForAllOfIt) {
  clock.set_utc(at("2026-05-07T03:00:05"));
  run_live();

  EXPECT_THAT(api.requests, SizeIs(1));
  EXPECT_EQ(ledger().complete_until(), at("2026-05-07T03:00:00"));
}

TEST_F(LiveSnapshot, BelongsToTheDayOnWhichItWasReadLast) {
  watch_contents();
  clock.set_utc(at("2026-05-07T03:00:05"));
  run_live();

  ASSERT_THAT(contents, SizeIs(1));
  EXPECT_EQ(contents[0].home_day, at("2026-05-07T00:00:00"));
}

TEST_F(LiveSnapshot, PublishedAlwaysNothingIsCompared) {
  options.snapshot.publish = PublishSnapshot::kAlways;
  watch_contents();
  run_live();
  pass(31s);

  EXPECT_EQ(pages_without_contents, 3U);
  EXPECT_THAT(contents, IsEmpty());
  EXPECT_THAT(publisher.records, SizeIs(3));
}

TEST_F(LiveSnapshot, AFailedReadingIsTriedAgainAndThenTheNextIsDueAtItsTime) {
  int failures = 2;
  const auto well = service;
  service = [&, well](const core::ApiRequest& request) -> FakeAnswer {
    return failures-- > 0 ? refuse(ErrorCode::kRetryable) : well(request);
  };
  run_live();
  pass(1min);

  EXPECT_THAT(publisher.records, testing::Not(IsEmpty()));
  EXPECT_EQ(ledger().complete_until(), at("2026-05-04T10:01:00"));
  EXPECT_THAT(ledger().complete().intervals(), SizeIs(1)) << "no gap";
}

// Pages that do not fit into memory are committed one by one: a part of a snapshot cannot be asked for.
TEST_F(LiveSnapshot, ThatDoesNotFitIntoMemoryIsCommittedPageByPage) {
  definition.query->pages =
      PageNumberPages{.number = InQuery{"pageNumber"}, .size = InQuery{"pageSize"}, .max_size = 100, .page_count = std::nullopt};
  memory_bytes = 1'000;
  service = [](const core::ApiRequest& request) -> FakeAnswer {
    const int page = std::stoi(request.query.at(0).second);
    if (page > 3) return answer("{}");
    return answer(R"({"results":[{"group":{"queueId":"q)" + std::to_string(page) + R"("},"data":[{"metric":"m","fill":")" +
                  std::string(2'000, 'x') + "\"}]}]}");
  };
  run_live();

  EXPECT_THAT(publisher.keys(),
              ElementsAre(R"([{"queueId":"q1"},"m"])", R"([{"queueId":"q2"},"m"])", R"([{"queueId":"q3"},"m"])"));
  EXPECT_EQ(ledger().complete_until(), at("2026-05-04T10:00:00"));
  EXPECT_GT(publisher.transactions, 2U);
}

// Of some services it is not known what they answer behind their last page.
TEST_F(LiveSnapshot, EndsWithAPageThatOnlyRepeatsOthersIfTold) {
  definition.query->pages = PageNumberPages{.number = InQuery{"pageNumber"},
                                            .size = InQuery{"pageSize"},
                                            .max_size = 100,
                                            .page_count = std::nullopt,
                                            .end = PagesEnd::kNothingNew};
  service = [](const core::ApiRequest& request) -> FakeAnswer {
    const int page = std::min(std::stoi(request.query.at(0).second), 2);  // the last one again, whatever is asked for
    return answer(R"({"results":[{"group":{"queueId":"q)" + std::to_string(page) + R"("},"data":[{"metric":"m"}]}]})");
  };
  run_live();

  EXPECT_THAT(api.requests, SizeIs(3));
  EXPECT_THAT(publisher.keys(), ElementsAre(R"([{"queueId":"q1"},"m"])", R"([{"queueId":"q2"},"m"])"));
  EXPECT_EQ(ledger().complete_until(), at("2026-05-04T10:00:00"));
}

TEST_F(LiveSnapshot, IsCaughtUpWhenItHasBeenRead) {
  run_live();
  EXPECT_TRUE(reader->is_caught_up(at("2026-05-04T10:00:14")));
  EXPECT_FALSE(reader->is_caught_up(at("2026-05-04T10:00:15")));
  pass(15s);
  EXPECT_TRUE(reader->is_caught_up(at("2026-05-04T10:00:15")));
}

// --- records that last for days ------------------------------------------------------------------------------------------------

TEST_F(LiveKinds, ARecordThatLastsBelongsToTheDayOfItsReading) {
  definition.job.reset();
  definition.spans_days = true;
  watch_contents();
  service = [](const core::ApiRequest& request) -> FakeAnswer {
    if (request.position != "page 1") return answer("{}");
    return answer(query_page({conversation("a", "2026-05-01T09:00:00", ""), conversation("b")}, 2));
  };
  run_live();
  pass(90s);

  ASSERT_THAT(contents, SizeIs(2));
  EXPECT_EQ(contents[0].home_day, at("2026-05-04T00:00:00"));
  EXPECT_TRUE(contents[0].open);
  EXPECT_EQ(contents[1].home_day, at("2026-05-04T00:00:00"));
}

TEST_F(LiveKinds, JobsOfRecordsThatLastAreReadOneAfterTheOther) {
  definition.spans_days = true;
  options.settle.max_jobs = 4;
  start = at("2026-05-01T00:00:00");
  clock.set_utc(at("2026-05-05T10:00:00"));
  int in_flight = 0;
  int most = 0;
  int jobs = 0;
  service = [&](const core::ApiRequest& request) -> FakeAnswer {
    const std::string date = R"("dataAvailabilityDate":"2026-05-05T00:00:00Z")";
    if (request.path == "/details/jobs/availability") return answer("{" + date + "}");
    if (request.path == "/details/jobs") {
      most = std::max(most, ++in_flight);
      return answer(R"({"jobId":"j)" + std::to_string(++jobs) + "\"}", 202);
    }
    if (!request.path.ends_with("/results")) return answer(R"({"state":"FULFILLED"})");
    --in_flight;
    return answer(page_of({conversation("a", "2026-05-01T09:00:00", "2026-05-04T09:00:00")}, "," + date));
  };
  watch_contents();
  run_settle();
  pass(5min);

  EXPECT_EQ(jobs, 4);
  EXPECT_EQ(most, 1);
  EXPECT_EQ(publisher.committed(settle).complete_until(), at("2026-05-05T00:00:00"));
  ASSERT_THAT(contents, SizeIs(4));
  EXPECT_EQ(contents[3].home_day, at("2026-05-04T00:00:00"));
}

}  // namespace
}  // namespace connector::source
