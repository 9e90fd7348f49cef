#include "common/json.h"
#include "connector/source/json_pointer.h"
#include "tests/unit/connector/source/reader_fixture.h"

#include <algorithm>

namespace connector::source {
namespace {

using namespace std::chrono_literals;
using common::ErrorCode;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using tests::support::answer;
using tests::support::FakeAnswer;
using tests::support::Hang;
using tests::support::refuse;

std::int64_t page_number(const core::ApiRequest& request) {
  return find_at(common::json::parse(request.body).value(), "/paging/pageNumber")->as_int64();
}
common::Interval window_of(const core::ApiRequest& request) {
  const auto body = common::json::parse(request.body).value();
  return common::parse_interval(std::string_view(find_at(body, "/interval")->get_string())).value();
}

class LiveLane : public ReaderTest {
 protected:
  // A service whose windows hold these pages; any later page is empty.
  static Handler pages(std::vector<std::vector<std::string>> pages, std::int64_t total) {
    return [pages = std::move(pages), total](const core::ApiRequest& request) -> FakeAnswer {
      const auto number = static_cast<std::size_t>(page_number(request));
      if (number > pages.size()) return answer(R"({"totalHits":)" + std::to_string(total) + "}");
      return answer(query_page(pages[number - 1], total));
    };
  }
  // A service that answers from these conversations by overlap, like the real one, `size` a page.
  Handler holding(std::vector<std::pair<std::string, common::Instant>> conversations) {
    return [conversations = std::move(conversations)](const core::ApiRequest& request) -> FakeAnswer {
      const common::Interval window = window_of(request);
      std::vector<std::string> rows;
      for (const auto& [id, when] : conversations) {
        if (window.contains(when)) {
          const std::string time = common::format_instant(when).substr(0, 19);
          rows.push_back(conversation(id, time, time));
        }
      }
      const auto total = static_cast<std::int64_t>(rows.size());
      const auto skip = std::min<std::size_t>(rows.size(), static_cast<std::size_t>(page_number(request) - 1) * 100);
      rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(skip));
      if (rows.size() > 100) rows.resize(100);
      return answer(query_page(rows, total));
    };
  }
  [[nodiscard]] const core::Ledger& ledger() const { return publisher.committed(live); }
};

TEST_F(LiveLane, AsksForAWindowWhenItIsOldEnough) {
  service = pages({{conversation("a"), conversation("b")}}, 2);
  run_live();
  pass(89s);
  EXPECT_THAT(api.requests, IsEmpty());

  pass(1s);

  ASSERT_THAT(api.requests, SizeIs(2)) << "one page with records, and the empty one";
  EXPECT_EQ(common::json::parse(api.requests[0].body).value(),
            common::json::parse(R"({"order":"asc","orderBy":"conversationStart",
    "interval":"2026-05-04T10:00:00.000Z/2026-05-04T10:01:00.000Z","paging":{"pageNumber":1,"pageSize":100}})")
                .value());
  EXPECT_EQ(api.requests[0].window, "2026-05-04T10:00:00.000Z/2026-05-04T10:01:00.000Z");
  EXPECT_EQ(api.requests[1].position, "page 2");
  EXPECT_THAT(publisher.keys(), ElementsAre("a", "b"));
  EXPECT_EQ(ledger().complete_until(), at("2026-05-04T10:01:00"));
}

TEST_F(LiveLane, ReadsWindowAfterWindowOverMidnight) {
  start = at("2026-05-04T23:58:30");
  clock.set_utc(at("2026-05-04T23:58:30"));
  service = pages({}, 0);
  run_live();
  pass(5min);

  std::vector<std::string> windows;
  for (const auto& request : api.requests) windows.push_back(request.window);
  EXPECT_THAT(
      windows,
      ElementsAre("2026-05-04T23:58:30.000Z/2026-05-04T23:59:30.000Z", "2026-05-04T23:59:30.000Z/2026-05-05T00:00:00.000Z",
                  "2026-05-05T00:00:00.000Z/2026-05-05T00:01:00.000Z", "2026-05-05T00:01:00.000Z/2026-05-05T00:02:00.000Z",
                  "2026-05-05T00:02:00.000Z/2026-05-05T00:03:00.000Z"));
}

TEST_F(LiveLane, AWindowIsOneTransactionAndNothingOfItIsDoubled) {
  // The rows shift while they are read: `b` comes twice, `a` comes back closed, `c` comes back as it was when still open.
  service = pages({{conversation("a", "2026-05-04T10:00:10", ""), conversation("b"), conversation("c")},
                   {conversation("b"), conversation("a"), conversation("c", "2026-05-04T10:00:10", ""), conversation("d")}},
                  4);
  run_live();
  pass(90s);

  EXPECT_THAT(publisher.keys(), testing::UnorderedElementsAre("a", "b", "c", "d"));
  for (const auto& record : publisher.records) {
    EXPECT_NE(record.value.find("conversationEnd"), std::string::npos) << record.key << " must be the closed row";
    EXPECT_EQ(record.transaction, publisher.records[0].transaction);
  }
  EXPECT_EQ(metrics.total("records_dropped", "duplicate_in_window"), 3);
}

TEST_F(LiveLane, ShortPagesEndNothing) {
  service = pages({{conversation("a")}, {conversation("b")}, {conversation("c")}}, 3);
  run_live();
  pass(90s);

  EXPECT_THAT(publisher.keys(), ElementsAre("a", "b", "c"));
}

TEST_F(LiveLane, AfterDowntimeOneWideWindowInsteadOfAQueue) {
  clock.set_utc(at("2026-05-04T16:00:10"));
  service = pages({}, 0);
  run_live();

  ASSERT_THAT(api.requests, SizeIs(1));
  EXPECT_EQ(api.requests[0].window, "2026-05-04T10:00:00.000Z/2026-05-04T15:59:00.000Z");
}

TEST_F(LiveLane, TheEarlierClockCounts) {
  api.skew = -60s;
  service = pages({}, 0);
  run_live();
  pass(149s);
  EXPECT_THAT(api.requests, IsEmpty());
  pass(1s);
  EXPECT_THAT(api.requests, SizeIs(1));
}

TEST_F(LiveLane, AClockThatLaggedAndIsSetRightIsNotWaitedFor) {
  clock.set_utc(start - 24h);
  service = pages({}, 0);
  run_live();
  pass(1s);
  ASSERT_THAT(api.requests, IsEmpty());

  clock.set_utc(start + 1s);
  pass(5min);

  EXPECT_THAT(api.requests, testing::Not(IsEmpty()));
}

TEST_F(LiveLane, AClockThatJumpsAheadSkipsNothing) {
  run_live();
  clock.set_utc(start + 1h);
  service = [&](const core::ApiRequest& request) -> FakeAnswer {
    api.skew = -1h;  // only the answer's Date tells
    return pages({}, 0)(request);
  };
  pass(61s);
  ASSERT_FALSE(api.requests.empty());
  EXPECT_EQ(ledger().complete_until(), start) << "the window reached into the service's future";
  EXPECT_EQ(lines_with("has jumped ahead"), 1U);

  pass(5min + 29s);
  EXPECT_EQ(ledger().complete_until(), start + 6min);
}

TEST_F(LiveLane, AClockThatHasJumpedAheadMakesNoWindowOlderThanItIs) {
  options.live.every = 10min;
  options.live.ages = {5min};
  run_live();
  pass(10min);
  clock.set_utc(start + 18min);
  service = [&](const core::ApiRequest& request) -> FakeAnswer {
    api.skew = -8min;  // only the answer's Date tells
    return pages({}, 0)(request);
  };

  pass(31s);

  ASSERT_EQ(ledger().complete_until(), start + 10min);
  EXPECT_LE(ledger().passes().at(5min).prefix_end(start), start + 6min) << "it was read half a minute after its end";
}

TEST_F(LiveLane, AWindowTooFullForMemoryIsReadInPartsAndNothingIsMissed) {
  memory_bytes = 40'000;  // about 300 of these records
  std::vector<std::pair<std::string, common::Instant>> conversations;
  for (int i = 0; i < 2'000; ++i) conversations.emplace_back("c" + std::to_string(i), start + i * 500ms);
  service = holding(conversations);
  clock.set_utc(at("2026-05-04T11:00:00"));
  run_live();

  EXPECT_THAT(publisher.records, SizeIs(2'000));
  EXPECT_EQ(publisher.times("c1999"), 1U);
  EXPECT_EQ(ledger().complete_until(), at("2026-05-04T10:59:00"));
  EXPECT_THAT(ledger().open(), IsEmpty());
}

TEST_F(LiveLane, TheSmallestWindowThatDoesNotFitIsCommittedPageByPage) {
  memory_bytes = 20'000;
  options.live.min_window = 1min;
  std::vector<std::pair<std::string, common::Instant>> conversations;
  for (int i = 0; i < 500; ++i) conversations.emplace_back("c" + std::to_string(i), start + i * 100ms);
  service = holding(conversations);
  run_live();
  pass(90s);

  EXPECT_THAT(publisher.records, SizeIs(500));
  EXPECT_GE(publisher.transactions, 5U);
  EXPECT_EQ(ledger().complete_until(), at("2026-05-04T10:01:00"));
  EXPECT_THAT(ledger().open(), IsEmpty());
}

TEST_F(LiveLane, APageByPageWindowStartsAgainAtPageOneAfterARestart) {
  core::Ledger stored({}, start);
  const common::Interval window{.start = start, .end = start + 1min};
  ASSERT_TRUE(stored.apply(core::WindowOpened{window, core::AtPage{1}}));
  ASSERT_TRUE(stored.apply(core::PageRead{.window = window, .next = core::AtPage{3}, .records = 200, .page = 1}));
  publisher.adopt(live, stored);
  clock.set_utc(window.end);
  service = pages({{conversation("a")}}, 1);
  run_live();

  ASSERT_FALSE(api.requests.empty());
  EXPECT_EQ(page_number(api.requests[0]), 1);
  EXPECT_THAT(publisher.keys(), ElementsAre("a"));
  EXPECT_EQ(ledger().complete_until(), window.end);
}

TEST_F(LiveLane, FewerRowsThanPromisedAreReadAgainThenSplitThenSaid) {
  options.live.min_window = 30s;
  service = pages({{conversation("a")}}, 2);
  run_live();
  pass(90s);

  EXPECT_EQ(metrics.total("window_completed"), 2) << "two windows of 30 s, both short";
  EXPECT_EQ(ledger().short_windows().size(), 2U);
  EXPECT_EQ(ledger().complete_until(), at("2026-05-04T10:01:00"));
  EXPECT_THAT(api.requests, SizeIs(3 * 2 + 2 * 3 * 2)) << "three passes of two requests: the whole window, then each half";
}

TEST_F(LiveLane, AnExactTotalThatIsNotReachedHoldsTheWindow) {
  definition.query->total->trust = TotalTrust::kExact;
  options.live.min_window = 60s;
  service = pages({{conversation("a")}}, 2);
  run_live();
  pass(10min);
  EXPECT_EQ(ledger().complete_until(), start);
  EXPECT_THAT(publisher.keys(), IsEmpty());
  EXPECT_GE(lines_with("promises 2 records and returned 1"), 1U);

  service = pages({{conversation("a"), conversation("b")}}, 2);
  pass(10min);

  EXPECT_GE(ledger().complete_until(), at("2026-05-04T10:10:00"));
  EXPECT_THAT(ledger().short_windows(), IsEmpty());
}

// After downtime a window is read so late that its ages are over. That satisfies them, unless rows were missing.
TEST_F(LiveLane, AShortWindowIsReadAgainHoweverLateAndIsShortNoMoreWhenItIsWhole) {
  options.live.min_window = 60s;
  options.live.ages = {10min, 1h};
  clock.set_utc(start + 5h);
  service = [&](const core::ApiRequest& request) -> FakeAnswer {
    const std::int64_t total = ledger().complete_until() == start ? 2 : 1;  // short until the first window is read
    if (page_number(request) > 1) return answer(R"({"totalHits":)" + std::to_string(total) + "}");
    return answer(query_page({conversation("a")}, total));
  };
  run_live();
  pass(10min);

  EXPECT_EQ(metrics.count("window_completed", "short"), 1U);
  EXPECT_THAT(ledger().short_windows(), IsEmpty());
  EXPECT_GE(ledger().passes().at(1h).prefix_end(start), start + 3h) << "what was short was read once more";
}

// With jobs: the settle lane reads the range anyway.
TEST_F(LiveLane, AShortWindowIsShortNoMoreWhenAJobHasReadIt) {
  options.settle.enabled = true;
  options.live.min_window = 60s;
  clock.set_utc(start + 90s);
  service = pages({{conversation("a")}}, 2);
  core::Ledger begun({}, start - 1min);
  ASSERT_TRUE(begun.apply(core::WindowCompleted{.window = {.start = start - 1min, .end = start}}));
  publisher.adopt(live, begun);
  run_live();
  ASSERT_THAT(ledger().short_windows(), SizeIs(1));
  pass(1min);
  EXPECT_THAT(ledger().short_windows(), SizeIs(2)) << "no job has read it";

  ASSERT_TRUE(publisher.ledgers.at(settle).apply(core::WindowCompleted{.window = {.start = start, .end = start + 1h}}));
  service = pages({{conversation("a")}}, 1);
  pass(1min);

  EXPECT_THAT(ledger().short_windows(), IsEmpty());
}

TEST_F(LiveLane, AnOverlapDoesNotKeepAShortWindowFromEnding) {
  options.live.overlap = 30s;
  options.live.min_window = 10s;
  service = pages({{conversation("a")}}, 2);
  run_live();
  pass(10min);

  EXPECT_GE(ledger().complete_until(), at("2026-05-04T10:08:00"));
  EXPECT_THAT(ledger().complete().intervals(), SizeIs(1));
}

TEST_F(LiveLane, AnOverlapTooFullForMemoryIsReadPageByPage) {
  memory_bytes = 20'000;
  options.live.overlap = 30s;
  options.live.min_window = 10s;
  std::vector<std::pair<std::string, common::Instant>> conversations;
  for (int i = 0; i < 600; ++i) conversations.emplace_back("c" + std::to_string(i), start + i * 100ms);
  service = holding(conversations);
  run_live();
  pass(5min);

  for (int i = 0; i < 600; ++i) ASSERT_GE(publisher.times("c" + std::to_string(i)), 1U) << i;
  EXPECT_GE(ledger().complete_until(), at("2026-05-04T10:03:00"));
  EXPECT_THAT(ledger().open(), IsEmpty());
}

TEST_F(LiveLane, StartDayReadsNewestFirstStopsBeforeTheWindowAndPublishesOnlyItsRows) {
  options.sync_match = SyncMatch::kStartDay;
  service = [](const core::ApiRequest& request) -> FakeAnswer {
    EXPECT_EQ(find_at(common::json::parse(request.body).value(), "/order")->get_string(), "desc");
    switch (page_number(request)) {
      case 1:
        return answer(
            query_page({conversation("later", "2026-05-04T10:01:05"), conversation("mine", "2026-05-04T10:00:59")}, 900));
      case 2:
        return answer(
            query_page({conversation("first", "2026-05-04T10:00:00"), conversation("early", "2026-05-04T09:59:59")}, 900));
      case 3:
        return answer(query_page({conversation("old", "2026-05-04T09:00:00")}, 900));
      default:
        ADD_FAILURE() << "page " << page_number(request) << " lies wholly before the window";
        return answer("{}");
    }
  };
  run_live();
  pass(90s);

  EXPECT_THAT(publisher.keys(), ElementsAre("mine", "first"));
  EXPECT_EQ(metrics.total("records_dropped", "outside_window"), 3);
  EXPECT_EQ(ledger().complete_until(), at("2026-05-04T10:01:00"));
}

// Without a body the stream's own order is a parameter: unturned, the first page would lie before the window and end it.
TEST_F(LiveLane, StartDayTurnsAnOrderInTheUrl) {
  options.sync_match = SyncMatch::kStartDay;
  options.query["order"] = "asc";
  definition.query->request = {.method = common::http::Method::kGet, .path = "/list", .body = {}};
  definition.query->pages = PageNumberPages{
      .number = InQuery{"page"}, .size = InQuery{"size"}, .max_size = 2, .max_depth = 0, .page_count = std::nullopt};
  definition.query->total.reset();
  definition.window = FromToPlaces{.from = InQuery{"from"}, .to = InQuery{"to"}};
  service = [](const core::ApiRequest& request) -> FakeAnswer {
    EXPECT_THAT(request.query, Contains(Pair("order", "desc")));
    if (std::ranges::count(request.query, std::pair<std::string, std::string>("page", "1")) == 0) return answer(page_of({}, ""));
    return answer(page_of({conversation("mine", "2026-05-04T10:00:59"), conversation("early", "2026-05-04T01:00:00")}, ""));
  };
  run_live();
  pass(90s);

  EXPECT_THAT(publisher.keys(), ElementsAre("mine"));
}

TEST_F(LiveLane, RowsThatDoNotOverlapAreSaidOnceAndStillPublished) {
  service =
      pages({{conversation("x", "2026-05-04T08:00:00", "2026-05-04T08:01:00"), conversation("y", "2026-05-04T09:00:00", "")}}, 2);
  run_live();
  pass(4min);

  EXPECT_EQ(publisher.times("x"), 3U) << "one a window";
  EXPECT_EQ(lines_with("do not overlap"), 1U);
}

TEST_F(LiveLane, WithJobsItBeginsWhereTheirGuaranteeEnds) {
  options.settle.enabled = true;
  start = at("2026-01-01T00:00:00");
  clock.set_utc(at("2026-05-04T10:00:00"));
  service = [](const core::ApiRequest& request) -> FakeAnswer {
    if (request.path == "/details/jobs/availability") return answer(R"({"dataAvailabilityDate":"2026-05-04T04:10:03Z"})");
    return answer(R"({"totalHits":0})");
  };
  run_live();

  EXPECT_EQ(ledger().start(), at("2026-05-04T04:10:03"));
  EXPECT_EQ(api.requests.at(1).window.substr(0, 24), "2026-05-04T04:10:03.000Z");
  const auto begun = ledger().start();
  restart_process();
  service = [](const core::ApiRequest& request) -> FakeAnswer {
    EXPECT_NE(request.path, "/details/jobs/availability") << "a lane that has begun knows its start";
    return answer(R"({"totalHits":0})");
  };
  run_live();
  EXPECT_EQ(ledger().start(), begun);
}

TEST_F(LiveLane, AnErrorIsReportedAndTheWindowReadLaterWithoutAGap) {
  int refusals = 3;
  service = [&](const core::ApiRequest& request) -> FakeAnswer {
    if (refusals-- > 0) return refuse(ErrorCode::kRetryable, "503");
    return pages({{conversation("a")}}, 1)(request);
  };
  run_live();
  pass(90s);
  EXPECT_EQ(metrics.total("lane_failing"), 1);
  EXPECT_THAT(publisher.records, IsEmpty());

  pass(5min);

  EXPECT_FALSE(ended);
  EXPECT_EQ(metrics.last("lane_failing")->number, 0);
  EXPECT_EQ(lines_with("tried again later"), 3U);
  EXPECT_GE(lines_with("2026-05-04T10:00:00.000Z/2026-05-04T10:01:00.000Z"), 1U) << "a failure names its window";
  EXPECT_THAT(ledger().complete().intervals(), SizeIs(1));
  EXPECT_EQ(ledger().complete_until(), at("2026-05-04T10:06:00"));
}

TEST_F(LiveLane, HalfAPageIsNeverPublished) {
  bool broken = true;
  service = [&](const core::ApiRequest& request) -> FakeAnswer {
    if (page_number(request) == 1) return answer(query_page({conversation("a")}, 2));
    if (page_number(request) > 2) return answer("{}");
    const std::string whole = query_page({conversation("b")}, 2);
    return answer(broken ? whole.substr(0, whole.size() - 5) : whole);
  };
  run_live();
  pass(90s);
  EXPECT_THAT(publisher.records, IsEmpty());
  EXPECT_EQ(lines_with("malformed_response"), 1U);

  broken = false;
  pass(10s);

  EXPECT_THAT(publisher.keys(), ElementsAre("a", "b"));
}

TEST_F(LiveLane, APermissionIsToldOnceAndAskedForSlowly) {
  service = [](const core::ApiRequest&) -> FakeAnswer {
    return refuse(ErrorCode::kPermissionDenied, "analytics:conversationDetail:view");
  };
  run_live();
  pass(1h);

  EXPECT_LE(api.requests.size(), 13U);
  EXPECT_EQ(lines_with(R"("level":"error")"), 1U);
  EXPECT_FALSE(ended);
}

TEST_F(LiveLane, ARecordWithoutAnIdGoesToTheDeadLettersAndIsSaidOnceAPage) {
  service = pages({{conversation("a"), "17", R"({"n":1})"}}, 3);
  run_live();
  pass(90s);

  EXPECT_THAT(publisher.keys(), ElementsAre("a"));
  EXPECT_THAT(publisher.dead_letters, ElementsAre("not_an_object@1", "no_key@2"));
  EXPECT_EQ(lines_with("dead-letter"), 1U);
}

TEST_F(LiveLane, AnUnusableTopicIsWaitedForAndWhatWasDroppedIsReadAgain) {
  bool usable = false;
  publisher.on_submit = [&](const core::PageGroup&) -> std::optional<common::Error> {
    if (usable) return std::nullopt;
    return common::Error{.code = ErrorCode::kTopicUnusable, .message = "gone"};
  };
  service = pages({{conversation("a")}}, 1);
  run_live();
  pass(10min);
  EXPECT_THAT(publisher.records, IsEmpty());
  EXPECT_FALSE(ended);

  usable = true;
  pass(6min);

  EXPECT_GE(publisher.times("a"), 1U);
  EXPECT_THAT(ledger().complete().intervals(), SizeIs(1));
  EXPECT_EQ(ledger().complete().intervals()[0].start, start);
}

TEST_F(LiveLane, NothingIsAskedForWhileTheStreamIsStopped) {
  bool first = true;
  bool stopped = false;
  const common::Error gone{.code = ErrorCode::kTopicUnusable, .message = "gone"};
  publisher.on_submit = [&](const core::PageGroup&) {
    stopped = stopped || std::exchange(first, false);
    return stopped ? std::optional(gone) : std::nullopt;
  };
  publisher.on_flush = [&] { return stopped ? std::optional(gone) : std::nullopt; };
  service = pages({{conversation("a")}}, 1);
  run_live();
  pass(1h);
  EXPECT_THAT(api.requests, SizeIs(2));

  stopped = false;
  pass(6min);
  EXPECT_GE(publisher.times("a"), 1U);
  EXPECT_EQ(ledger().complete().intervals().at(0).start, start);
}

TEST_F(LiveLane, AStartThatWasTakenAndDroppedIsReadFromTheOneThatIsStored) {
  options.settle.enabled = true;
  publisher.drop = 1;
  service = [](const core::ApiRequest& request) -> FakeAnswer {
    if (request.path == "/details/jobs/availability") return answer(R"({"dataAvailabilityDate":"2026-05-04T12:00:00Z"})");
    return answer(R"({"totalHits":0})");
  };
  clock.set_utc(at("2026-05-04T12:00:00"));
  run_live();
  pass(5min);

  EXPECT_EQ(ledger().start(), start);
  EXPECT_GE(ledger().complete_until(), at("2026-05-04T12:03:00")) << "without a gap";
}

TEST_F(LiveLane, AWindowThatWasTakenAndDroppedIsReadAgain) {
  publisher.drop = 1;
  service = pages({{conversation("a")}}, 1);
  run_live();
  pass(90s);

  EXPECT_EQ(publisher.times("a"), 1U);
  EXPECT_THAT(ledger().complete().intervals(), ElementsAre(common::Interval{.start = start, .end = start + 1min}));
  EXPECT_EQ(lines_with("have not been committed"), 1U);
}

TEST_F(LiveLane, EndsWhenItIsCancelledInACall) {
  service = [](const core::ApiRequest&) -> FakeAnswer { return Hang{}; };
  run_live();
  pass(90s);
  ASSERT_THAT(api.requests, SizeIs(1));
  stop();
  ASSERT_TRUE(ended);
  EXPECT_EQ(api.cancelled, 1U);
}

TEST_F(LiveLane, EndsWhenItIsCancelledInASleep) {
  run_live();
  stop();
  ASSERT_TRUE(ended);
}

TEST_F(LiveLane, EndsWhenItIsCancelledWaitingForMemory) {
  publisher.hang = true;
  service = pages({{conversation("a")}}, 1);
  run_live();
  pass(90s);
  stop();
  ASSERT_TRUE(ended);
}

// Every call of a run fails in turn, once: the outcome is the same.
TEST_F(LiveLane, SurvivesTheFailureOfEveryCall) {
  for (const ErrorCode code : {ErrorCode::kRetryable, ErrorCode::kRateLimited, ErrorCode::kMalformedResponse,
                               ErrorCode::kPositionInvalid, ErrorCode::kTooComplex, ErrorCode::kRequestRejected}) {
    for (std::size_t failing = 0; failing < 6; ++failing) {
      SCOPED_TRACE(std::string(common::to_string(code)) + " at call " + std::to_string(failing));
      publisher = {};
      clock.set_utc(at("2026-05-04T10:00:00"));
      std::size_t calls = 0;
      const Handler good = holding({{"a", start + 1s}, {"b", start + 70s}, {"c", start + 130s}});
      service = [&](const core::ApiRequest& request) -> FakeAnswer { return calls++ == failing ? refuse(code) : good(request); };
      run_live();
      pass(15min);
      restart_process();

      EXPECT_THAT(publisher.keys(), ElementsAre("a", "b", "c"));
      EXPECT_THAT(publisher.committed(live).complete().intervals(), SizeIs(1));
      EXPECT_GE(publisher.committed(live).complete_until(), start + 3min);
    }
  }
}

}  // namespace
}  // namespace connector::source
