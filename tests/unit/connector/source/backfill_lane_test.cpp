// A backfill beside a settle lane: the same jobs over a bounded range, with its own ledger and an end.

#include "tests/unit/connector/source/reader_fixture.h"

#include <algorithm>
#include <map>
#include <set>

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

// A lake with jobs of one record each, named after the job's day.
struct FakeLake {
  std::string availability = "2026-05-06T00:00:00Z";
  std::map<std::string, std::string> day_of_job;
  std::vector<std::string> submitted;  // days, in order
  std::set<std::string> deleted;
  std::set<std::string> unfinished;  // days whose jobs do not end
  int most_of_a_day = 0;             // jobs of one day that were there together
  int next_job = 1;

  FakeAnswer operator()(const core::ApiRequest& request) {
    if (request.path == "/details/jobs/availability") return answer(R"({"dataAvailabilityDate":")" + availability + "\"}");
    if (request.path == "/details/jobs") {
      const std::string job = "job-" + std::to_string(next_job++);
      const std::string day = request.body.substr(request.body.find("2026-"), 10);
      day_of_job[job] = day;
      submitted.push_back(day);
      const auto same = std::ranges::count_if(day_of_job, [&](const auto& one) { return one.second == day; });
      most_of_a_day = std::max(most_of_a_day, static_cast<int>(same));
      return answer(R"({"jobId":")" + job + "\"}", 202);
    }
    std::string job = request.path.substr(std::string("/details/jobs/").size());
    if (request.method == common::http::Method::kDelete) {
      deleted.insert(job);
      day_of_job.erase(job);
      return answer("", 204);
    }
    const bool results = job.ends_with("/results");
    if (results) job.resize(job.size() - std::string("/results").size());
    if (!day_of_job.contains(job)) return refuse(ErrorCode::kPositionInvalid, "404 no such job " + job);
    const std::string day = day_of_job[job];
    if (!results) return answer(unfinished.contains(day) ? R"({"state":"RUNNING"})" : R"({"state":"FULFILLED"})", 200);
    day_of_job.erase(job);  // its last page: nobody reads it any more
    return answer(page_of({conversation(day + "-1", day + "T10:00:10")}, R"(,"dataAvailabilityDate":")" + availability + "\""));
  }
};

class BackfillLane : public ReaderTest {
 protected:
  BackfillLane() {
    start = at("2026-05-04T00:00:00");
    clock.set_utc(at("2026-05-06T10:00:00"));
    service = [this](const core::ApiRequest& request) { return lake(request); };
    publisher.adopt(backfill, core::Ledger({}, start));
  }
  static core::BackfillOrder order(const std::string& from = "2026-04-01", const std::string& to = "2026-04-04") {
    return {.id = "a", .range = {.start = at(from + "T00:00:00"), .end = at(to + "T00:00:00")}, .parallel = 2};
  }
  void run_backfill(const core::BackfillOrder& wanted) {
    prepare();
    spawn(reader->run_backfill(wanted));
  }
  void cancel_backfill(const core::BackfillOrder& wanted) {
    prepare();
    spawn(reader->cancel_backfill(wanted));
  }
  void stop_backfill() {
    cancel_lane.emit(boost::asio::cancellation_type::terminal);
    pass(common::Duration{0});
  }
  // The life of a new process over the same Kafka.
  void next_life() {
    stop_backfill();
    reader.reset();
  }
  void TearDown() override {
    stop_backfill();
    EXPECT_TRUE(done.has_value()) << "the lane did not end when it was cancelled";
    if (ended || is_settling) {
      ReaderTest::TearDown();
    } else {
      EXPECT_THAT(publisher.contradictions, IsEmpty());
    }
  }
  [[nodiscard]] const core::Ledger& ledger() const { return publisher.committed(backfill); }
  [[nodiscard]] const core::BackfillMark& mark() const { return *ledger().backfill(); }

  FakeLake lake;
  std::optional<common::Result<void>> done;  // how the backfill's coroutine ended
  bool is_settling = false;

 private:
  void prepare() {
    options.settle.enabled = true;
    if (!reader) make_reader();
    done.reset();
  }
  void spawn(boost::asio::awaitable<common::Result<void>> lane) {
    boost::asio::co_spawn(
        io, std::move(lane),
        boost::asio::bind_cancellation_slot(cancel_lane.slot(), [this](std::exception_ptr thrown, common::Result<void> result) {
          ASSERT_FALSE(thrown) << "a lane must not throw";
          done = std::move(result);
        }));
    pass(common::Duration{0});
  }

  boost::asio::cancellation_signal cancel_lane;
};

TEST_F(BackfillLane, ReadsItsRangeEachDayOnceAndEnds) {
  run_backfill(order());
  pass(1min);

  ASSERT_TRUE(done.has_value());
  EXPECT_TRUE(*done);
  EXPECT_THAT(publisher.keys(), UnorderedElementsAre("2026-04-01-1", "2026-04-02-1", "2026-04-03-1"));
  EXPECT_EQ(mark().state, core::BackfillState::kDone);
  EXPECT_EQ(mark().records, 3U);
  EXPECT_EQ(mark().windows, 3U);
  EXPECT_EQ(mark().requests, api.requests.size()) << "the date, and three for each job";
  EXPECT_EQ(mark().permitted, 300);
  EXPECT_THAT(ledger().open(), IsEmpty());
  EXPECT_TRUE(publisher.committed(settle).is_untouched()) << "the other lane's ledger is not its business";
}

// It waited too long: what is left is read, and nobody may take that for all.
TEST_F(BackfillLane, EndsWithAWordOfWhatHasExpiredOfIt) {
  options.retention = 34 * 24h;
  run_backfill(order());
  pass(1min);

  ASSERT_TRUE(done.has_value());
  EXPECT_TRUE(*done);
  EXPECT_EQ(mark().state, core::BackfillState::kDone);
  EXPECT_THAT(lake.submitted, ElementsAre("2026-04-02", "2026-04-03"));
  EXPECT_THAT(ledger().lost().intervals(),
              ElementsAre(common::Interval{.start = at("2026-04-01T00:00:00"), .end = at("2026-04-02T10:10:00")}));
  EXPECT_EQ(ledger().lost_at(), at("2026-05-06T10:00:00"));
  const auto end = std::ranges::find_if(log, [](const auto& line) { return line.find("a backfill has ended") != line.npos; });
  ASSERT_NE(end, log.end());
  EXPECT_THAT(*end, testing::AllOf(testing::HasSubstr(R"("level":"error")"), testing::HasSubstr(R"("lost":"2050m")")));
}

TEST_F(BackfillLane, HasNoMoreJobsThanItIsAllowed) {
  lake.unfinished = {"2026-04-01", "2026-04-02", "2026-04-03"};
  run_backfill(order());
  pass(1min);
  EXPECT_THAT(ledger().open(), SizeIs(2));

  lake.unfinished.clear();
  pass(2min);
  EXPECT_TRUE(done.has_value());
}

TEST_F(BackfillLane, WaitsForWhatTheServiceDoesNotGuaranteeYet) {
  run_backfill(order("2026-05-05", "2026-05-07"));
  pass(1h);
  EXPECT_THAT(publisher.keys(), ElementsAre("2026-05-05-1"));
  EXPECT_FALSE(done.has_value());

  lake.availability = "2026-05-07T00:00:00Z";
  pass(10min);
  EXPECT_THAT(publisher.keys(), ElementsAre("2026-05-05-1", "2026-05-06-1"));
  EXPECT_TRUE(done.has_value());
}

// A crash at each call: what was committed is not read again, what was not is; the jobs are taken up.
TEST_F(BackfillLane, GoesOnFromItsLedgerAfterARestartAtEveryPoint) {
  for (std::size_t hanging = 0; hanging < 11; ++hanging) {
    SCOPED_TRACE("hangs at call " + std::to_string(hanging));
    publisher = {};
    publisher.adopt(backfill, core::Ledger({}, start));
    lake = {};
    api.requests.clear();
    std::size_t calls = 0;
    service = [&](const core::ApiRequest& request) -> FakeAnswer {
      if (calls++ >= hanging) return Hang{};
      return lake(request);
    };
    run_backfill(order());
    pass(1min);
    next_life();

    service = [&](const core::ApiRequest& request) { return lake(request); };
    run_backfill(order());
    pass(2min);

    ASSERT_TRUE(done.has_value());
    EXPECT_TRUE(*done);
    EXPECT_EQ(mark().state, core::BackfillState::kDone);
    for (const char* key : {"2026-04-01-1", "2026-04-02-1", "2026-04-03-1"}) EXPECT_EQ(publisher.times(key), 1U) << key;
    next_life();
  }
}

TEST_F(BackfillLane, ACancellationDeletesItsJobsAndSaysSo) {
  lake.unfinished = {"2026-04-01", "2026-04-02"};
  run_backfill(order());
  pass(1min);
  ASSERT_THAT(ledger().open(), SizeIs(2));
  stop_backfill();
  ASSERT_TRUE(done.has_value());
  EXPECT_TRUE(mark().is_running()) << "stopped is not given up";

  cancel_backfill(order());
  pass(1min);

  ASSERT_TRUE(done.has_value());
  EXPECT_TRUE(*done);
  EXPECT_THAT(lake.deleted, UnorderedElementsAre("job-1", "job-2"));
  EXPECT_EQ(mark().state, core::BackfillState::kCancelled);
  EXPECT_THAT(ledger().open(), IsEmpty());
}

TEST_F(BackfillLane, ACancellationThatComesTooLateChangesNothing) {
  run_backfill(order());
  pass(1min);
  cancel_backfill(order());
  pass(1min);

  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(mark().state, core::BackfillState::kDone);
}

// Where a settle lane would look for it by its id, and count it as gone in the end.
class BackfillOfKnownDays : public BackfillLane {
 protected:
  BackfillOfKnownDays() {
    definition.by_id = ByIdSource{.request = {.method = common::http::Method::kGet, .path = "/details", .body = {}},
                                  .ids = InQuery{"id"},
                                  .max_ids = 50,
                                  .records = "/conversations"};
    options.settle.on_delete = core::OnDelete::kTombstone;
    options.settle.delete_max_share = 1;
    const core::KeyedSighting row{.key = "not in the lake",
                                  .sighting = {.digests = {.common = 1, .full = 1},
                                               .read_at = at("2026-04-02T11:00:00"),
                                               .home_day = std::chrono::floor<std::chrono::days>(at("2026-04-02T00:00:00"))}};
    digests.apply(digests.decide(std::span(&row, 1)).number);
    publisher.known_digests = &digests;
  }
  void TearDown() override {
    BackfillLane::TearDown();
    reader.reset();
  }

  core::StreamDigests digests{core::StreamName("conversations"), core::StreamRules{}};
};

TEST_F(BackfillOfKnownDays, JudgesNothingThatItsJobsDidNotReturn) {
  publisher.on_submit = [](const core::PageGroup& group) -> std::optional<common::Error> {
    for (const core::Page& page : group) EXPECT_FALSE(page.gone);
    return std::nullopt;
  };
  run_backfill(order());
  pass(3h);

  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(mark().state, core::BackfillState::kDone);
  EXPECT_THAT(ledger().unjudged().intervals(), IsEmpty());
  EXPECT_THAT(ledger().owed(), IsEmpty());
  EXPECT_TRUE(std::ranges::none_of(api.requests, [](const auto& request) { return request.path == "/details"; }));
}

// Both lanes want the same days: never two jobs of a day at the same time, and nobody waits for ever.
TEST_F(BackfillLane, AndTheSettleLaneNeverHaveJobsOfOneDayTogether) {
  options.settle.max_jobs = 3;
  start = at("2026-04-01T00:00:00");
  run_settle();
  is_settling = true;
  run_backfill(order("2026-04-01", "2026-04-10"));
  pass(10min);

  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(lake.most_of_a_day, 1);
  EXPECT_EQ(mark().state, core::BackfillState::kDone);
  EXPECT_EQ(publisher.committed(settle).complete_until(), at("2026-05-06T00:00:00"));
  EXPECT_EQ(std::ranges::count(lake.submitted, "2026-04-05"), 2) << "each lane has its own reading";
}

}  // namespace
}  // namespace connector::source
