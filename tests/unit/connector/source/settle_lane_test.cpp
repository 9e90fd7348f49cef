#include "tests/unit/connector/source/reader_fixture.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>

namespace connector::source {
namespace {

using namespace std::chrono_literals;
using common::ErrorCode;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;
using tests::support::answer;
using tests::support::FakeAnswer;
using tests::support::Hang;
using tests::support::refuse;

std::optional<std::string> query_value(const core::ApiRequest& request, const std::string& name) {
  for (const auto& [key, value] : request.query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

// A lake with jobs: two pages a job, one record each, named after the job's day.
struct FakeLake {
  std::string availability = "2026-05-06T00:00:00Z";
  std::string page_availability = "2026-05-06T00:00:00Z";
  int polls_until_done = 1;
  std::map<std::string, std::string> day_of_job;
  std::map<std::string, int> polls;
  int next_job = 1;
  std::set<std::string> cancelled;

  FakeAnswer operator()(const core::ApiRequest& request) {
    if (request.path == "/details/jobs/availability") return answer(R"({"dataAvailabilityDate":")" + availability + "\"}");
    if (request.path == "/details/jobs") {
      const std::string job = "job-" + std::to_string(next_job++);
      day_of_job[job] = request.body.substr(request.body.find("2026-"), 10);
      return answer(R"({"jobId":")" + job + "\"}", 202);
    }
    std::string job = request.path.substr(std::string("/details/jobs/").size());
    if (request.method == common::http::Method::kDelete) {
      cancelled.insert(job);
      return answer("", 204);
    }
    const bool results = job.ends_with("/results");
    if (results) job.resize(job.size() - std::string("/results").size());
    if (!day_of_job.contains(job)) return refuse(ErrorCode::kPositionInvalid, "404 no such job " + job);
    if (!results) {
      return answer(++polls[job] > polls_until_done ? R"({"state":"FULFILLED"})" : R"({"state":"PENDING"})", 200);
    }
    const auto cursor = query_value(request, "cursor");
    const std::string rest = R"(,"dataAvailabilityDate":")" + page_availability + "\"";
    if (!cursor) return answer(page_of({conversation(day_of_job[job] + "-1")}, rest + R"(,"cursor":"c2")"));
    return answer(page_of({conversation(day_of_job[job] + "-2")}, rest));
  }
};

class SettleLane : public ReaderTest {
 protected:
  SettleLane() {
    start = at("2026-05-04T00:00:00");
    clock.set_utc(at("2026-05-06T10:00:00"));
    service = [this](const core::ApiRequest& request) { return lake(request); };
  }
  [[nodiscard]] const core::Ledger& ledger() const { return publisher.committed(settle); }

  const std::vector<std::string> everything{"2026-05-04-1", "2026-05-04-2", "2026-05-05-1", "2026-05-05-2"};
  FakeLake lake;
};

// After downtime the user may want today before last week; the older days follow all the same.
TEST_F(SettleLane, ReadsTheNewestDayFirstIfTold) {
  options.settle.newest_first = true;
  options.settle.max_jobs = 1;
  run_settle();
  pass(1min);

  EXPECT_THAT(publisher.keys(), ElementsAre("2026-05-05-1", "2026-05-05-2", "2026-05-04-1", "2026-05-04-2"));
  EXPECT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
}

TEST_F(SettleLane, ReadsEveryDayBehindTheAvailabilityDate) {
  run_settle();
  pass(1min);

  EXPECT_THAT(publisher.keys(), testing::UnorderedElementsAreArray(everything));
  EXPECT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
  EXPECT_THAT(ledger().open(), IsEmpty());
  EXPECT_EQ(ledger().availability(), at("2026-05-06T00:00:00"));
  const auto submitted = std::ranges::find(api.requests, "/details/jobs", &core::ApiRequest::path);
  ASSERT_NE(submitted, api.requests.end());
  EXPECT_EQ(submitted->body,
            R"({"startOfDayIntervalMatching":true,"interval":"2026-05-04T00:00:00.000Z/2026-05-05T00:00:00.000Z"})");
}

TEST_F(SettleLane, RecordsTheJobAtOnceAndByItself) {
  lake.polls_until_done = 1'000'000;
  run_settle();

  ASSERT_THAT(ledger().open(), SizeIs(2));
  EXPECT_EQ(
      ledger().open()[0].position,
      (core::Position{core::AtJob{.job = core::JobId("job-1"), .cursor = std::nullopt, .submitted = at("2026-05-06T10:00:00")}}));
  EXPECT_THAT(publisher.records, IsEmpty());
}

TEST_F(SettleLane, AsksForTheDateNoMoreOftenThanToldAndGoesOnWhenItMoves) {
  lake.availability = "2026-05-05T00:00:00Z";
  run_settle();
  pass(1h);
  EXPECT_EQ(ledger().complete_until(), at("2026-05-05T00:00:00"));
  EXPECT_LE(api.count("/availability"), 13U);

  lake.availability = "2026-05-06T00:00:00Z";
  pass(6min);
  EXPECT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
}

TEST_F(SettleLane, EachPageIsATransactionWithItsPosition) {
  service = [&](const core::ApiRequest& request) -> FakeAnswer {
    if (query_value(request, "cursor")) return Hang{};
    return lake(request);
  };
  options.settle.max_jobs = 1;
  run_settle();
  pass(1min);

  EXPECT_THAT(publisher.keys(), ElementsAre("2026-05-04-1"));
  ASSERT_THAT(ledger().open(), SizeIs(1));
  EXPECT_EQ(std::get<core::AtJob>(ledger().open()[0].position).cursor, "c2");
  EXPECT_EQ(ledger().open()[0].pages, 1U);
}

// A crash at each position: what was committed is not read again, what was not is.
TEST_F(SettleLane, GoesOnFromTheLedgerAfterARestartAtEveryPoint) {
  for (std::size_t hanging = 0; hanging < 14; ++hanging) {
    SCOPED_TRACE("hangs at call " + std::to_string(hanging));
    publisher = {};
    lake = {};
    std::size_t calls = 0;
    service = [&](const core::ApiRequest& request) -> FakeAnswer {
      if (calls++ >= hanging) return Hang{};
      return lake(request);
    };
    run_settle();
    pass(2min);
    restart_process();
    service = [&](const core::ApiRequest& request) { return lake(request); };
    run_settle();
    pass(10min);
    restart_process();

    EXPECT_THAT(publisher.keys(), testing::UnorderedElementsAreArray(everything)) << "everything, once";
    EXPECT_EQ(publisher.committed(settle).complete_until(), at("2026-05-06T00:00:00"));
    EXPECT_THAT(publisher.contradictions, IsEmpty());
    EXPECT_THAT(lake.cancelled, IsEmpty()) << "jobs are left running";
  }
}

TEST_F(SettleLane, SurvivesTheFailureOfEveryCall) {
  for (const ErrorCode code :
       {ErrorCode::kRetryable, ErrorCode::kRateLimited, ErrorCode::kMalformedResponse, ErrorCode::kPositionInvalid,
        ErrorCode::kOversize, ErrorCode::kRequestRejected, ErrorCode::kPermissionDenied}) {
    for (std::size_t failing = 0; failing < 12; ++failing) {
      SCOPED_TRACE(std::string(common::to_string(code)) + " at call " + std::to_string(failing));
      publisher = {};
      lake = {};
      std::size_t calls = 0;
      service = [&](const core::ApiRequest& request) -> FakeAnswer { return calls++ == failing ? refuse(code) : lake(request); };
      run_settle();
      pass(1h);
      EXPECT_EQ(metrics.last("lane_failing") == nullptr ? 0 : metrics.last("lane_failing")->number, 0);
      restart_process();

      EXPECT_THAT(publisher.keys(), testing::UnorderedElementsAreArray(everything))
          << "a second job must not double the first one's rows";
      EXPECT_EQ(publisher.committed(settle).complete_until(), at("2026-05-06T00:00:00"));
    }
  }
}

TEST_F(SettleLane, AFailedJobIsSubmittedAgain) {
  int failures = 2;
  service = [&](const core::ApiRequest& request) -> FakeAnswer {
    if (request.position.starts_with("job") && !request.path.ends_with("results") && failures-- > 0) {
      return answer(R"({"state":"FAILED","errorMessage":"out of memory"})");
    }
    return lake(request);
  };
  run_settle();
  pass(10min);

  EXPECT_THAT(publisher.keys(), testing::UnorderedElementsAreArray(everything));
  EXPECT_EQ(metrics.count("window_restarted", "job_failed"), 2U);
  EXPECT_EQ(lines_with("out of memory"), 2U);
}

TEST_F(SettleLane, AWindowThatKeepsFailingIsHalvedUntilItsPartsGoThrough) {
  service = [&](const core::ApiRequest& request) -> FakeAnswer {
    // Whole days fail; anything shorter goes through.
    const auto interval = request.window.empty() ? std::nullopt : std::optional(common::parse_interval(request.window).value());
    if (interval && interval->length() == 24h && request.position.starts_with("job") && !request.path.ends_with("results")) {
      return answer(R"({"state":"FAILED"})");
    }
    return lake(request);
  };
  run_settle();
  pass(30min);

  EXPECT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
  EXPECT_THAT(ledger().open(), IsEmpty());
  EXPECT_GE(lines_with("is halved"), 2U);
}

TEST_F(SettleLane, AJobThatNeverEndsIsCancelledAndTriedAgain) {
  options.settle.job_deadline = 10min;
  options.settle.max_jobs = 1;
  lake.polls_until_done = 1'000'000;
  run_settle();
  pass(12min);

  EXPECT_THAT(lake.cancelled, testing::Contains("job-1"));
  lake.polls_until_done = 0;
  pass(12min);
  EXPECT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
}

TEST_F(SettleLane, ResultsBehindTheirWindowAreNotPublished) {
  lake.page_availability = "2026-05-04T23:00:00Z";
  options.settle.max_jobs = 1;
  run_settle();
  pass(1min);
  EXPECT_THAT(publisher.records, IsEmpty());
  EXPECT_EQ(ledger().complete_until(), start);
  EXPECT_EQ(metrics.count("window_restarted", "availability_behind"), 1U);

  lake.page_availability = "2026-05-06T00:00:00Z";
  pass(12min);
  EXPECT_THAT(publisher.keys(), ElementsAre("2026-05-04-1", "2026-05-04-2", "2026-05-05-1", "2026-05-05-2"));
}

TEST_F(SettleLane, CursorsThatGoRoundAreNotFollowedForEver) {
  int round = 1'000;
  options.settle.max_jobs = 1;
  service = [&](const core::ApiRequest& request) -> FakeAnswer {
    if (request.path.ends_with("/results") && query_value(request, "cursor") && round-- > 0) {
      return answer(page_of({conversation("2026-05-04-1")},
                            R"(,"dataAvailabilityDate":"2026-05-06T00:00:00Z","cursor":"c)" + std::to_string(round % 2) + "\""));
    }
    return lake(request);
  };
  run_settle();
  pass(10s);
  EXPECT_GE(metrics.count("window_restarted", "cursor_repeats"), 1U);
  EXPECT_LE(api.requests.size(), 500U);

  round = 0;
  pass(10min);
  EXPECT_THAT(publisher.keys(), testing::UnorderedElementsAreArray(everything));
}

TEST_F(SettleLane, AResultsAnswerThatSaysNothingIsNotTheLastPage) {
  for (const bool first : {true, false}) {
    SCOPED_TRACE(first ? "first page" : "second page");
    publisher = {};
    lake = {};
    int nothing = 3;
    service = [&](const core::ApiRequest& request) -> FakeAnswer {
      if (request.path.ends_with("/results") && query_value(request, "cursor").has_value() != first && nothing-- > 0) {
        return answer("{}", nothing == 0 ? 202 : 200);
      }
      return lake(request);
    };
    run_settle();
    pass(10min);
    restart_process();

    EXPECT_THAT(publisher.keys(), testing::UnorderedElementsAreArray(everything));
  }
}

TEST_F(SettleLane, AJobIdThatNoLedgerCouldHoldIsNotTaken) {
  bool huge = true;
  service = [&](const core::ApiRequest& request) -> FakeAnswer {
    if (request.path == "/details/jobs" && std::exchange(huge, false)) {
      return answer(R"({"jobId":")" + std::string(100'000, 'x') + "\"}", 202);
    }
    return lake(request);
  };
  run_settle();
  pass(10min);

  EXPECT_THAT(publisher.keys(), testing::UnorderedElementsAreArray(everything));
  EXPECT_EQ(metrics.count("window_restarted", "submit_failed"), 1U);
}

// Days may pass before the first job: a restart meanwhile must not move `start: now`.
TEST_F(SettleLane, TheStartIsStoredBeforeAnythingIsRead) {
  publisher.adopt(settle, core::Ledger({}, start));
  lake.availability = "2026-05-01T00:00:00Z";
  run_settle();
  pass(1h);

  EXPECT_EQ(publisher.transactions, 1U);
  EXPECT_EQ(ledger().start(), start);
  EXPECT_FALSE(ledger().stamp().incarnation.empty());
}

TEST_F(SettleLane, NothingIsAskedForWhileTheStreamIsStopped) {
  bool stopped = true;
  const common::Error gone{.code = ErrorCode::kTopicUnusable, .message = "gone"};
  publisher.on_submit = [&](const core::PageGroup&) { return stopped ? std::optional(gone) : std::nullopt; };
  publisher.on_flush = [&] { return stopped ? std::optional(gone) : std::nullopt; };
  run_settle();
  pass(1h);
  EXPECT_LE(api.count("/details/jobs"), 6U) << "what was under way when it was stopped";

  stopped = false;
  pass(10min);
  EXPECT_THAT(publisher.keys(), testing::UnorderedElementsAreArray(everything));
}

TEST_F(SettleLane, ADateThatGoesBackIsSaidAndNothingBeyondItIsSubmitted) {
  lake.availability = "2026-05-05T00:00:00Z";
  run_settle();
  pass(1min);
  lake.availability = "2026-05-04T12:00:00Z";
  pass(1h);

  EXPECT_EQ(lines_with("went back"), 1U);
  EXPECT_EQ(ledger().complete_until(), at("2026-05-05T00:00:00"));
  EXPECT_EQ(api.count("/results"), 2U);
}

TEST_F(SettleLane, ADateThatWentBackOverARestartIsNoticed) {
  lake.availability = "2026-05-06T00:00:00Z";
  run_settle();
  pass(1min);
  ASSERT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
  restart_process();
  lake.availability = "2026-05-05T06:00:00Z";
  run_settle();
  pass(1min);

  EXPECT_EQ(lines_with("went back"), 1U);
  EXPECT_THAT(ledger().owed(),
              ElementsAre(core::OwedDay{.window = {.start = at("2026-05-05T00:00:00"), .end = at("2026-05-06T00:00:00")},
                                        .since = at("2026-05-06T00:00:00"),
                                        .after = at("2026-05-06T00:00:00")}));
  lake.availability = lake.page_availability = "2026-05-06T01:00:00Z";
  pass(10min);
  EXPECT_THAT(ledger().owed(), IsEmpty()) << "read again when it is guaranteed again";
}

TEST_F(SettleLane, AnUnusableTopicStopsTheLaneAloneAndIsWaitedFor) {
  int refusals = 3;
  publisher.on_submit = [&](const core::PageGroup& group) -> std::optional<common::Error> {
    if (group.front().records.empty() || refusals-- <= 0) return std::nullopt;
    return common::Error{.code = ErrorCode::kTopicUnusable, .message = "gone"};
  };
  run_settle();
  pass(1h);

  EXPECT_THAT(publisher.keys(), testing::UnorderedElementsAreArray(everything));
  EXPECT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
}

TEST_F(SettleLane, ALastPageThatWasTakenAndDroppedIsReadAgain) {
  options.settle.max_jobs = 1;
  lake.availability = "2026-05-05T00:00:00Z";
  publisher.on_submit = [&](const core::PageGroup& group) -> std::optional<common::Error> {
    const bool last =
        !group.front().changes.empty() && std::holds_alternative<core::WindowCompleted>(group.front().changes.back());
    publisher.drop = last ? 1 : 0;
    if (last) publisher.on_submit = nullptr;
    return std::nullopt;
  };
  run_settle();
  pass(1min);

  EXPECT_THAT(publisher.keys(), ElementsAre("2026-05-04-1", "2026-05-04-2"));
  EXPECT_EQ(ledger().complete_until(), at("2026-05-05T00:00:00"));
}

TEST_F(SettleLane, EndsWhenItIsCancelledAnywhereAndLeavesItsJobs) {
  for (std::size_t hanging = 0; hanging < 8; ++hanging) {
    SCOPED_TRACE("hangs at call " + std::to_string(hanging));
    publisher = {};
    lake = {};
    std::size_t calls = 0;
    service = [&](const core::ApiRequest& request) -> FakeAnswer {
      return calls++ >= hanging ? FakeAnswer{Hang{}} : lake(request);
    };
    run_settle();
    pass(1min);
    stop();
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->error().code, ErrorCode::kCancelled);
    EXPECT_THAT(lake.cancelled, IsEmpty());
    restart_process();
  }
}

// Days that are read again, at their age or because they are owed.
class SettleLaneAgain : public SettleLane {
 protected:
  SettleLaneAgain() {
    options.settle.ages = {common::Duration{0}, 72h};
    clock.set_utc(at("2026-05-08T10:00:00"));
    data_until("2026-05-08T00:00:00Z");
  }
  void data_until(const std::string& date) { lake.availability = lake.page_availability = date; }
  // All days until 8 May have been read, none of them again.
  [[nodiscard]] core::Ledger read_once(const std::vector<common::Duration>& ages = {72h}) const {
    core::Ledger ledger = begun_ledger();
    EXPECT_TRUE(ledger.apply(core::WindowCompleted{.window = {.start = start, .end = at("2026-05-08T00:00:00")}}));
    for (const common::Duration age : ages) EXPECT_TRUE(ledger.apply(core::AgeStarted{.age = age, .from = start}));
    return ledger;
  }
  [[nodiscard]] static common::Interval day(int number) {
    const common::Instant begin = at("2026-05-04T00:00:00") + number * 24h;
    return {.start = begin, .end = begin + 24h};
  }
  [[nodiscard]] int jobs() const { return lake.next_job - 1; }
  [[nodiscard]] const core::IntervalSet& at_72h() const { return ledger().passes().at(72h); }
  // As `live` reads it after its day was settled.
  void read_by_live(const std::string& key, common::Instant read_at, common::Instant home_day) {
    publisher.known_digests = &digests;
    const core::KeyedSighting row{.key = key,
                                  .sighting = {.digests = {.common = 1, .full = 1},
                                               .read_at = read_at,
                                               .home_day = std::chrono::floor<std::chrono::days>(home_day),
                                               .home_day_settled = true}};
    digests.apply(digests.decide(std::span(&row, 1)).number);
  }

  core::StreamDigests digests{core::StreamName("conversations"), core::StreamRules{}};
};

TEST_F(SettleLaneAgain, ADayIsReadAgainWhenItIsOfAgeByTheServicesDate) {
  data_until("2026-05-07T23:59:59Z");
  run_settle();
  pass(10min);
  ASSERT_EQ(jobs(), 3);

  data_until("2026-05-08T00:00:00Z");
  pass(10min);

  EXPECT_EQ(jobs(), 5) << "a new day, and the first one again";
  EXPECT_THAT(at_72h().intervals(), ElementsAre(day(0)));
  EXPECT_EQ(publisher.times("2026-05-04-1"), 2U) << "(nothing here knows digests)";
}

TEST_F(SettleLaneAgain, ADayThatIsReadLateIsNotReadAgain) {
  clock.set_utc(at("2026-05-20T10:00:00"));
  data_until("2026-05-09T00:00:00Z");
  run_settle();
  pass(10min);

  EXPECT_EQ(jobs(), 5);
  EXPECT_THAT(at_72h().intervals(), ElementsAre(common::Interval{.start = day(0).start, .end = day(1).end}));
}

TEST_F(SettleLaneAgain, ResultsThatKnowLessThanTheAgeNeedsDoNotCount) {
  publisher.adopt(settle, read_once());
  lake.page_availability = "2026-05-07T20:00:00Z";
  run_settle();
  pass(1h);

  EXPECT_THAT(publisher.records, IsEmpty());
  EXPECT_THAT(at_72h().intervals(), IsEmpty());
  EXPECT_GE(metrics.count("window_restarted", "availability_behind"), 10U);
  EXPECT_LE(jobs(), 13) << "one in five minutes";

  lake.page_availability = "2026-05-08T00:00:00Z";
  pass(10min);
  EXPECT_THAT(at_72h().intervals(), ElementsAre(day(0)));
}

TEST_F(SettleLaneAgain, AnOwedDayWhoseResultsLagIsNotPaidByThem) {
  core::Ledger owing = read_once({});
  ASSERT_TRUE(owing.apply(core::OwedAdded{.window = day(1), .after = at("2026-05-07T12:00:00")}));
  publisher.adopt(settle, owing);
  options.settle.ages = {common::Duration{0}};
  lake.page_availability = "2026-05-07T12:00:00Z";
  run_settle();
  pass(1h);

  EXPECT_THAT(publisher.records, IsEmpty());
  EXPECT_THAT(ledger().owed(), SizeIs(1));
  EXPECT_LE(jobs(), 13) << "one in five minutes";

  lake.page_availability = "2026-05-07T13:00:00Z";
  pass(10min);
  EXPECT_THAT(ledger().owed(), IsEmpty());
  EXPECT_THAT(publisher.keys(), ElementsAre("2026-05-05-1", "2026-05-05-2"));
}

TEST_F(SettleLaneAgain, TheDateIsAskedForWhileJobsRun) {
  publisher.adopt(settle, read_once());
  options.settle.max_jobs = 1;
  lake.polls_until_done = 1'000'000;
  run_settle();
  pass(1h);

  EXPECT_EQ(jobs(), 1);
  EXPECT_GE(api.count("/availability"), 12U);
  EXPECT_LE(api.count("/availability"), 14U);
}

TEST_F(SettleLaneAgain, AWindowThatCannotBeReadAgainDoesNotKeepNewDaysFromBeingRead) {
  for (const std::uint32_t max_jobs : {1U, 2U}) {
    SCOPED_TRACE(max_jobs);
    publisher = {};
    core::Ledger ledger_before = read_once();
    ASSERT_TRUE(ledger_before.apply(core::WindowCompleted{.window = day(4)}));
    publisher.adopt(settle, ledger_before);
    options.settle.max_jobs = max_jobs;
    lake = {};
    data_until("2026-05-09T00:00:00Z");
    std::size_t refused = 0;
    service = [&](const core::ApiRequest& request) -> FakeAnswer {
      const bool is_again = request.path == "/details/jobs" && request.window < "2026-05-08";
      if (is_again) ++refused;
      return is_again ? refuse(ErrorCode::kRequestRejected, "not this one") : lake(request);
    };
    run_settle();
    pass(20min);
    ASSERT_GT(refused, 3U);

    data_until("2026-05-11T00:00:00Z");
    pass(15min);

    EXPECT_EQ(ledger().complete_until(), at("2026-05-11T00:00:00"));
    const std::size_t before = refused;
    pass(15min);
    EXPECT_GT(refused, before) << "they are not forgotten";
    restart_process();
    EXPECT_THAT(publisher.contradictions, IsEmpty());
  }
}

TEST_F(SettleLaneAgain, NoMoreJobsAtOnceThanConfiguredThoughSomeWait) {
  publisher.adopt(settle, read_once());
  options.settle.max_jobs = 1;
  bool fails = true;
  service = [&](const core::ApiRequest& request) -> FakeAnswer {
    const bool is_again = request.path == "/details/jobs" && request.window < "2026-05-08";
    return is_again && fails ? refuse(ErrorCode::kRetryable, "busy") : lake(request);
  };
  run_settle();
  pass(20min);
  lake.polls_until_done = 1'000'000;
  data_until("2026-05-09T00:00:00Z");
  pass(20min);
  ASSERT_EQ(jobs(), 1) << "the new day's";

  fails = false;
  pass(20min);
  EXPECT_EQ(jobs(), 1) << "there is no room";

  lake.polls_until_done = 0;
  pass(20min);
  EXPECT_EQ(ledger().complete_until(), at("2026-05-09T00:00:00"));
  EXPECT_THAT(at_72h().intervals(), ElementsAre(day(0)));
}

// Parts that were taken for first passes would contradict the ledger.
TEST_F(SettleLaneAgain, TheHalvesOfAWindowAreOfItsPass) {
  publisher.adopt(settle, read_once());
  service = [&](const core::ApiRequest& request) -> FakeAnswer {
    const auto interval = request.window.empty() ? std::nullopt : std::optional(common::parse_interval(request.window).value());
    if (interval && interval->length() == 24h && request.position.starts_with("job") && !request.path.ends_with("results")) {
      return answer(R"({"state":"FAILED"})");
    }
    return lake(request);
  };
  run_settle();
  pass(30min);

  EXPECT_GE(lines_with("is halved"), 1U);
  EXPECT_THAT(at_72h().intervals(), ElementsAre(day(0)));
  EXPECT_THAT(ledger().open(), IsEmpty());
}

TEST_F(SettleLaneAgain, AfterARestartAWindowIsReadOnInItsPass) {
  publisher.adopt(settle, read_once());
  service = [&](const core::ApiRequest& request) -> FakeAnswer {
    return query_value(request, "cursor") ? FakeAnswer{Hang{}} : lake(request);
  };
  run_settle();
  pass(10min);
  restart_process();
  ASSERT_THAT(ledger().open(), SizeIs(1));
  EXPECT_EQ(ledger().open().front().pass, core::Pass{.age = 72h});
  service = [&](const core::ApiRequest& request) { return lake(request); };
  run_settle();
  pass(10min);

  EXPECT_EQ(jobs(), 1);
  EXPECT_THAT(at_72h().intervals(), ElementsAre(day(0)));
}

TEST_F(SettleLaneAgain, ADayOfWhichLiveHasSeenMoreIsSettledAgainButNotAllTheTime) {
  publisher.adopt(settle, read_once({}));
  options.settle.ages = {common::Duration{0}};
  run_settle();
  pass(10min);
  ASSERT_EQ(jobs(), 0);

  read_by_live("a", at("2026-05-08T10:10:00"), day(1).start);
  data_until("2026-05-08T10:09:00Z");
  pass(10min);
  ASSERT_EQ(jobs(), 0) << "no job can know of it";
  data_until("2026-05-08T11:00:00Z");
  pass(10min);
  EXPECT_EQ(jobs(), 1);
  EXPECT_THAT(publisher.keys(), ElementsAre("2026-05-05-1", "2026-05-05-2"));
  EXPECT_THAT(ledger().owed(), IsEmpty());

  read_by_live("b", at("2026-05-08T11:30:00"), day(1).start);
  data_until("2026-05-08T16:59:00Z");
  pass(10min);
  EXPECT_EQ(jobs(), 1) << "six hours are gathered";
  data_until("2026-05-08T17:00:00Z");
  pass(10min);
  EXPECT_EQ(jobs(), 2);
}

TEST_F(SettleLaneAgain, WhatIsGatheredFollowsTheFirstLaterAge) {
  publisher.adopt(settle, read_once({24h * 30}));
  options.settle.ages = {common::Duration{0}, 24h * 30};
  core::Ledger owing = read_once({24h * 30});
  ASSERT_TRUE(owing.apply(core::OwedAdded{.window = day(1), .after = at("2026-05-07T12:00:00")}));
  ASSERT_TRUE(owing.apply(core::OwedAdded{.window = day(1), .after = at("2026-05-09T12:00:00")}));
  publisher.adopt(settle, owing);
  data_until("2026-05-07T17:59:59Z");
  run_settle();
  pass(10min);
  EXPECT_EQ(jobs(), 0);

  data_until("2026-05-07T18:00:00Z");
  pass(10min);

  EXPECT_EQ(jobs(), 1) << "six hours after the first of it";
  ASSERT_THAT(ledger().owed(), SizeIs(1));
  EXPECT_EQ(ledger().owed().front().since, at("2026-05-07T18:00:00"));
}

// --- a service that tells no date ---

// A job names itself in every page and has words of its own; one runs at a time. Two records a job, named after its window.
struct UndatedService {
  std::map<std::string, std::string> window_of_job;
  std::set<std::string> unread;
  std::size_t most_at_once = 0;
  std::string instead;             // of the results, if not empty
  bool days_are_too_much = false;  // pages of whole days are files
  int next_job = 1;

  FakeAnswer operator()(const core::ApiRequest& request) {
    if (request.path == "/details/jobs") {
      const std::string job = "job-" + std::to_string(next_job++);
      window_of_job[job] = request.window;
      unread.insert(job);
      most_at_once = std::max(most_at_once, unread.size());
      return answer(R"({"id":")" + job + R"(","state":"Queued"})", 202);
    }
    std::string job = request.path.substr(std::string("/details/jobs/").size());
    if (!job.ends_with("/results")) return answer(R"({"id":")" + job + R"(","state":"Succeeded"})");
    job.resize(job.size() - std::string("/results").size());
    if (!instead.empty()) return answer(instead);
    const std::string& window = window_of_job[job];
    if (days_are_too_much && !window.contains("T12:00:00")) {
      unread.erase(job);
      return refuse(ErrorCode::kOversize, "HTTP 302: the page is too large for an answer");
    }
    const std::string id = R"(,"id":")" + job + "\"";
    if (!query_value(request, "cursor")) {
      return answer(page_of({conversation(window.substr(0, 13) + "-1", window.substr(0, 19))}, id + R"(,"cursor":"c2")"));
    }
    unread.erase(job);
    return answer(page_of({conversation(window.substr(0, 13) + "-2", window.substr(0, 19))}, id));
  }
};

class SettleByAge : public SettleLane {
 protected:
  SettleByAge() {
    JobSource& job = *definition.job;
    job.id = "/id";
    job.states = {{"Succeeded", "FULFILLED"}, {"Failed", "FAILED"}};
    job.lag = 1h;
    job.availability = {};
    job.availability_date.clear();
    job.page_mark = "/id";
    job.cancel.path.clear();
    job.max_open = 1;
    service = [this](const core::ApiRequest& request) { return undated(request); };
  }
  UndatedService undated;
};

// Else the later pages of the job would be taken for older than what an earlier job has sealed.
TEST_F(SettleByAge, AJobTakenUpAgainKnowsAsMuchAsItDidBefore) {
  start = at("2026-05-05T00:00:00");
  bool hangs = true;
  service = [&](const core::ApiRequest& request) -> FakeAnswer {
    if (hangs && query_value(request, "cursor")) return Hang{};
    return undated(request);
  };
  std::vector<std::optional<common::Instant>> known;
  publisher.on_submit = [&](const core::PageGroup& group) -> std::optional<common::Error> {
    for (const core::Page& page : group) {
      if (!page.records.empty()) known.push_back(page.availability);
    }
    return std::nullopt;
  };
  run_settle();
  pass(10min);
  ASSERT_THAT(publisher.keys(), ElementsAre("2026-05-05T00-1"));
  restart_process();
  pass(2h);
  hangs = false;
  run_settle();
  pass(10min);

  EXPECT_EQ(undated.next_job, 2) << "one job";
  EXPECT_THAT(known, ElementsAre(at("2026-05-06T09:00:00"), at("2026-05-06T09:00:00")));
}

// Of two open jobs the ledger knows the newest date alone: what an older one knew follows from when it was submitted, by a clock
// that was not ahead.
TEST_F(SettleByAge, AJobTakenUpAgainByAHostWhoseClockWasSetRightKnowsNoMoreThanItDid) {
  start = at("2026-05-04T00:00:00");
  definition.job->max_open = 0;
  options.settle.max_jobs = 2;
  clock.set_utc(at("2026-05-06T01:55:00"));
  api.skew = -1h;
  bool hangs = true;
  service = [&](const core::ApiRequest& request) -> FakeAnswer {
    if (hangs && request.path.ends_with("/results")) return Hang{};
    return undated(request);
  };
  std::map<common::Instant, common::Instant> known;  // by the window's start
  publisher.on_submit = [&](const core::PageGroup& group) -> std::optional<common::Error> {
    for (const core::Page& page : group) {
      if (!page.records.empty()) known[page.window.start] = page.availability.value();
    }
    return std::nullopt;
  };
  run_settle();
  pass(20min);
  ASSERT_EQ(undated.next_job, 3) << "two jobs, the second some minutes after the first";
  restart_process();
  clock.set_utc(clock.utc_now() - 1h);
  api.skew = {};
  hangs = false;
  run_settle();
  pass(10min);

  ASSERT_TRUE(known.contains(start));
  ASSERT_TRUE(known.contains(start + 24h));
  EXPECT_EQ(known[start], at("2026-05-05T23:55:00"));
  EXPECT_GT(known[start + 24h], known[start]);
}

TEST_F(SettleByAge, ADayIsReadWhenItsEndIsOldEnoughAndNobodyIsAskedForADate) {
  clock.set_utc(at("2026-05-06T00:30:00"));
  run_settle();
  pass(10min);
  EXPECT_EQ(ledger().complete_until(), at("2026-05-05T00:00:00"));
  EXPECT_THAT(publisher.keys(), UnorderedElementsAre("2026-05-04T00-1", "2026-05-04T00-2"));

  pass(30min);

  EXPECT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
  EXPECT_THAT(publisher.keys(), UnorderedElementsAre("2026-05-04T00-1", "2026-05-04T00-2", "2026-05-05T00-1", "2026-05-05T00-2"));
  EXPECT_EQ(api.count("/availability"), 0U);
}

// It is known by the answer to the job only that the day is not over.
TEST_F(SettleByAge, ADayThatIsOverByTheHostsClockAloneIsReadAgainWhenItIs) {
  start = at("2026-05-05T00:00:00");
  service = [&](const core::ApiRequest& request) {
    api.skew = -9h - 30min;  // it is 00:30
    return undated(request);
  };
  run_settle();
  pass(20min);
  EXPECT_EQ(ledger().complete_until(), start);
  EXPECT_THAT(publisher.records, IsEmpty());
  EXPECT_EQ(metrics.count("window_restarted", "availability_behind"), 1U);
  EXPECT_EQ(undated.next_job, 2) << "nor is it asked for again before";

  pass(20min);

  EXPECT_EQ(undated.next_job, 3);
  EXPECT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
  EXPECT_THAT(publisher.keys(), ElementsAre("2026-05-05T00-1", "2026-05-05T00-2"));
}

TEST_F(SettleByAge, NoJobIsSubmittedForADayThatIsKnownNotToBeOver) {
  service = [&](const core::ApiRequest& request) {
    api.skew = -9h - 30min;
    return undated(request);
  };
  options.settle.max_jobs = 1;
  run_settle();
  pass(20min);
  EXPECT_EQ(ledger().complete_until(), at("2026-05-05T00:00:00"));
  EXPECT_EQ(undated.next_job, 2);

  pass(20min);

  EXPECT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
  EXPECT_EQ(metrics.count("window_restarted", "availability_behind"), 0U);
}

// Its answers carry whole seconds.
TEST_F(SettleByAge, ThatTheServicesClockSeemsASecondEarlierByTheNextAnswerCostsNoJob) {
  start = at("2026-05-05T00:00:00");
  clock.set_utc(at("2026-05-06T01:00:00"));
  service = [&](const core::ApiRequest& request) {
    api.skew = -900ms;
    return undated(request);
  };
  run_settle();
  pass(10min);

  EXPECT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
  EXPECT_EQ(undated.next_job, 2);
}

TEST_F(SettleByAge, NoMoreJobsAreOpenThanTheServiceRuns) {
  options.settle.max_jobs = 3;
  run_settle();
  pass(10min);

  EXPECT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
  EXPECT_EQ(undated.most_at_once, 1U);
}

// Of another stream, or of whoever else asks.
TEST_F(SettleByAge, WhileTheServiceRunsAnotherJobTheLaneWaitsItsTurn) {
  bool busy = true;
  service = [&](const core::ApiRequest& request) -> FakeAnswer {
    if (request.path != "/details/jobs" || !busy) return undated(request);
    return request.takes_conflict ? answer(R"({"code":"conflict"})", 409) : refuse(ErrorCode::kRequestRejected, "409");
  };
  run_settle();
  pass(1h);
  EXPECT_EQ(metrics.last("lane_failing"), nullptr);
  EXPECT_EQ(lines_with(R"("level":"error")"), 0U);
  EXPECT_GE(api.count("/details/jobs"), 10U);

  busy = false;
  pass(10min);
  EXPECT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
}

TEST_F(SettleByAge, ThatTheServiceRunsNoJobOfOursForAsLongAsOneMayTakeIsAFailure) {
  service = [&](const core::ApiRequest&) { return answer("{}", 409); };
  options.settle.job_deadline = 2h;
  run_settle();
  pass(3h);

  ASSERT_NE(metrics.last("lane_failing"), nullptr);
  EXPECT_EQ(metrics.last("lane_failing")->number, 1);
}

TEST_F(SettleByAge, WhatIsAnsweredInTheServicesPlaceIsNoEmptyDay) {
  undated.instead = "{}";
  run_settle();
  pass(10min);
  EXPECT_EQ(ledger().complete_until(), start);

  undated.instead = R"({"id":"x","conversations":[]})";
  pass(2h);

  EXPECT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00")) << "days without a record";
  EXPECT_THAT(publisher.records, IsEmpty());
}

// Whose pages are too large for answers: the window becomes shorter, and nothing is left out.
TEST_F(SettleByAge, PagesThatAreFilesAreReadInShorterWindows) {
  undated.days_are_too_much = true;
  run_settle();
  pass(8h);

  EXPECT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
  EXPECT_THAT(publisher.keys(), UnorderedElementsAre("2026-05-04T00-1", "2026-05-04T00-2", "2026-05-04T12-1", "2026-05-04T12-2",
                                                     "2026-05-05T00-1", "2026-05-05T00-2", "2026-05-05T12-1", "2026-05-05T12-2"));
}

TEST_F(SettleByAge, AClockThatIsSetBackTakesNothingBack) {
  run_settle();
  pass(10min);
  ASSERT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
  const auto records = publisher.records.size();

  clock.set_utc(at("2026-05-06T00:10:00"));
  pass(30min);

  EXPECT_EQ(ledger().complete_until(), at("2026-05-06T00:00:00"));
  EXPECT_EQ(publisher.records.size(), records);
  for (const std::string& line : log) EXPECT_THAT(line, testing::Not(testing::HasSubstr("went back")));
}

TEST_F(SettleLane, EndsWhenItIsCancelledWaitingForMemoryOrInASleep) {
  lake.polls_until_done = 1'000'000;
  run_settle();
  pass(500ms);
  restart_process();

  publisher.hang = true;
  run_settle();
  stop();
  ASSERT_TRUE(ended);
}

}  // namespace
}  // namespace connector::source
