// Lanes that come to read what the service keeps no longer.

#include "tests/unit/connector/source/reader_fixture.h"

#include <algorithm>
#include <map>

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

// A service that refuses what begins behind its retention, as real ones do; and it does so at once.
class Expired : public ReaderTest {
 protected:
  Expired() {
    start = at("2026-05-01T00:00:00");
    clock.set_utc(at("2026-05-04T10:00:00"));
    options.retention = 24h;
    service = [this](const core::ApiRequest& request) { return serve(request); };
  }
  FakeAnswer serve(const core::ApiRequest& request) {
    if (request.path == "/details/jobs/availability") {
      return answer(R"({"dataAvailabilityDate":")" + common::format_instant(clock.utc_now()) + "\"}");
    }
    if (!request.window.empty()) {
      const auto window = common::parse_interval(request.window).value();
      const bool asks = request.path == "/details/query" || request.path == "/details/jobs";
      if (asks && window.start < clock.utc_now() - service_keeps) {
        ++refused;
        return refuse(ErrorCode::kRequestRejected, "400 the interval begins before what is kept");
      }
      if (request.path == "/details/jobs" && refuse_jobs) return refuse(ErrorCode::kRetryable, "not now");
    }
    if (request.path == "/details/query") return answer(R"({"totalHits":0})");
    if (request.path == "/details/jobs") return answer(R"({"jobId":"job-1"})", 202);
    if (request.path.ends_with("/results")) {
      return answer(page_of({}, R"(,"dataAvailabilityDate":")" + common::format_instant(clock.utc_now()) + "\""));
    }
    return answer(R"({"state":"FULFILLED"})");
  }
  [[nodiscard]] std::string lost(const core::SourcePartition& source) const {
    std::string text;
    for (const common::Interval& part : publisher.committed(source).lost().intervals())
      text += common::format_interval(part) + " ";
    return text;
  }

  common::Duration service_keeps = 24h;
  bool refuse_jobs = false;
  std::size_t refused = 0;
};

const std::string kLost = "this lane has not read";

TEST_F(Expired, LiveGoesOnBehindItAndSaysWhatIsLost) {
  run_live();
  pass(1min);

  EXPECT_EQ(refused, 0U);
  EXPECT_EQ(lost(live), "2026-05-01T00:00:00.000Z/2026-05-03T10:10:00.000Z ");
  EXPECT_GE(publisher.committed(live).complete_until(), at("2026-05-04T09:58:00"));
  ASSERT_EQ(lines_with(kLost), 1U);
  const auto line = std::ranges::find_if(log, [](const std::string& one) { return one.find(kLost) != std::string::npos; });
  EXPECT_THAT(*line, testing::HasSubstr(R"("level":"error")"));
  EXPECT_THAT(*line, testing::HasSubstr(R"("from":"2026-05-01T00:00:00.000Z","to":"2026-05-03T10:10:00.000Z")"));
}

TEST_F(Expired, LiveGoesByWhatTheQueryKeepsAndTheJobByItsOwn) {
  options.retention = 365 * 24h;
  options.query_retention = 24h;
  run_live();
  pass(1min);
  EXPECT_EQ(refused, 0U);
  EXPECT_EQ(lost(live), "2026-05-01T00:00:00.000Z/2026-05-03T10:10:00.000Z ");
  EXPECT_EQ(lines_with(R"("retention":"1d")"), 1U);
  restart_process();

  service_keeps = 365 * 24h;
  run_settle();
  pass(10min);
  EXPECT_EQ(lost(settle), "");
  EXPECT_EQ(publisher.committed(settle).complete_until(), at("2026-05-04T00:00:00"));
}

// Without the setting nothing is given up: the service's refusal holds the lane.
TEST_F(Expired, WithoutAKnownBoundNothingIsGivenUp) {
  options.retention = 0s;
  run_live();
  pass(1h);

  EXPECT_GT(refused, 0U);
  EXPECT_EQ(publisher.committed(live).complete_until(), start);
  EXPECT_EQ(lost(live), "");
}

// A host whose clock is wrong must not give up what is there.
TEST_F(Expired, NothingIsGivenUpBeforeTheServiceHasToldTheTime) {
  api.has_answered = false;
  service_keeps = 100 * 24h;
  run_live();
  pass(1s);

  EXPECT_EQ(lost(live), "");
  EXPECT_GT(publisher.committed(live).complete_until(), start);
}

TEST_F(Expired, NothingIsLostOfALaneThatKeepsUp) {
  start = at("2026-05-04T10:00:00");
  options.live.ages = {10min, 6h};
  run_live();
  pass(50h);

  EXPECT_EQ(refused, 0U);
  EXPECT_EQ(lost(live), "");
  EXPECT_EQ(lines_with(kLost), 0U);
  EXPECT_EQ(lines_with("not read again"), 0U);
}

TEST_F(Expired, AnOverlapDoesNotReachBackBehindIt) {
  options.live.every = 2h;
  options.live.overlap = 1h;
  run_live();
  pass(1min);

  EXPECT_EQ(refused, 0U);
  EXPECT_GE(publisher.committed(live).complete_until(), at("2026-05-04T00:00:00"));
}

TEST_F(Expired, SettleBeginsWithWhatIsLeftOfADay) {
  run_settle();
  pass(1min);

  EXPECT_EQ(refused, 0U);
  EXPECT_EQ(lost(settle), "2026-05-01T00:00:00.000Z/2026-05-03T10:10:00.000Z ");
  EXPECT_EQ(publisher.committed(settle).complete_until(), at("2026-05-04T00:00:00"));
}

// A window whose jobs keep failing until it has expired is not tried for ever.
TEST_F(Expired, AJobThatCouldNotBeHadInTimeIsGivenUp) {
  start = at("2026-05-04T00:00:00");
  clock.set_utc(at("2026-05-05T00:00:00"));
  options.retention = service_keeps = 36h;
  refuse_jobs = true;
  run_settle();
  pass(30h);
  ASSERT_GT(publisher.committed(settle).complete_until(), at("2026-05-04T17:30:00")) << "what has expired by now";
  ASSERT_LE(publisher.committed(settle).complete_until(), at("2026-05-04T18:10:00"));
  refuse_jobs = false;
  pass(2h);

  EXPECT_EQ(publisher.committed(settle).complete_until(), at("2026-05-06T00:00:00"));
  EXPECT_EQ(refused, 0U);
  const auto& ledger = publisher.committed(settle);
  ASSERT_THAT(ledger.lost().intervals(), SizeIs(1));
  EXPECT_LT(ledger.lost().intervals()[0].end, at("2026-05-04T21:00:00")) << "and no more than that";
}

// A results page that cannot be read costs minutes, in which the window's begin expires: it must be halved even so, or the lane
// would lose whatever lies before the page, and day after day.
TEST_F(Expired, AWindowWhoseJobsFailIsHalvedThoughItsBeginMoves) {
  start = at("2026-05-03T00:00:00");
  clock.set_utc(at("2026-05-05T00:00:00"));
  options.retention = service_keeps = 36h;
  options.settle.ages = {common::Duration{0}, 1h};
  options.settle.max_jobs = 1;
  std::map<std::string, common::Instant> submitted;
  std::vector<common::Interval> completed;
  service = [&](const core::ApiRequest& request) -> FakeAnswer {
    if (request.path == "/details/jobs") submitted[request.window] = clock.utc_now();
    if (request.path == "/details/jobs/job-1" && clock.utc_now() - submitted[request.window] < 6min) {
      return answer(R"({"state":"PENDING"})");
    }
    if (request.path.ends_with("/results") && common::parse_interval(request.window)->length() > 3h) {
      return refuse(ErrorCode::kMalformedResponse, "a page that is too large");
    }
    return serve(request);
  };
  run_settle();
  pass(4h);

  const core::Ledger& ledger = publisher.committed(settle);
  EXPECT_GE(ledger.complete_until(), at("2026-05-04T00:00:00")) << "the day that has begun to expire";
  ASSERT_THAT(ledger.lost().intervals(), SizeIs(1));
  EXPECT_LT(ledger.lost().intervals()[0].end, at("2026-05-03T14:00:00")) << "and no more than what expired meanwhile";
  EXPECT_GE(lines_with("is halved"), 2U);
  EXPECT_GE(metrics.count("window_restarted", "expires"), 1U);
}

// Of a live lane, too.
TEST_F(Expired, ANextPageThatIsRefusedAgainCutsTheWindowThoughItsBeginMoves) {
  definition.job.reset();
  definition.query->total.reset();
  definition.query->pages = CursorPages{.next_from = {InBody{"/next"}}, .next_to = InQuery{"cursor"}, .size = std::nullopt};
  options.live.min_window = 1min;
  service = [](const core::ApiRequest& request) -> FakeAnswer {
    if (!request.query.empty()) return refuse(ErrorCode::kRequestRejected);
    const bool is_deep = common::parse_interval(request.window)->length() > 20min;
    return answer(page_of({}, is_deep ? R"(,"next":"deeper")" : ""));
  };
  run_live();
  pass(1h);

  EXPECT_GE(publisher.committed(live).complete_until(), at("2026-05-04T10:55:00"));
  EXPECT_GE(lines_with("read in parts"), 1U);
}

// What could not be read again and has expired meanwhile does not keep the lane from being well.
TEST_F(Expired, WhatWasPutOffIsForgottenWithIt) {
  start = at("2026-05-04T10:00:00");
  options.live.ages = {1h};
  const std::string bad = "2026-05-04T10:";
  service = [&](const core::ApiRequest& request) -> FakeAnswer {
    const auto window = common::parse_interval(request.window).value();
    const bool again = clock.utc_now() - window.end > 50min;
    return again && request.window.starts_with(bad) ? refuse(ErrorCode::kRequestRejected, "400") : serve(request);
  };
  run_live();
  pass(3h);
  ASSERT_NE(metrics.last("lane_failing"), nullptr);
  ASSERT_EQ(metrics.last("lane_failing")->number, 1);

  pass(26h);

  EXPECT_EQ(metrics.last("lane_failing")->number, 0);
}

// What is owed of a day that has begun to expire no job can pay: it would be owed, and read, again and again.
TEST_F(Expired, NothingIsOwedOfADayThatHasBegunToExpire) {
  start = at("2026-05-03T00:00:00");
  core::StreamDigests digests{core::StreamName("conversations"), core::StreamRules{}};
  const core::KeyedSighting row{.key = "owed",
                                .sighting = {.digests = {.common = 1, .full = 1},
                                             .read_at = at("2026-05-04T09:00:00"),
                                             .home_day = std::chrono::floor<std::chrono::days>(start),
                                             .home_day_settled = true}};
  digests.apply(digests.decide(std::span(&row, 1)).number);
  ASSERT_EQ(digests.committed().owed().size(), 1U);
  publisher.known_digests = &digests;
  core::Ledger read = begun_ledger();
  ASSERT_TRUE(read.apply(core::WindowCompleted{.window = {.start = start, .end = start + 24h}}));
  publisher.adopt(settle, read);
  run_settle();
  pass(10h);

  const auto submitted =
      std::ranges::count_if(api.requests, [](const core::ApiRequest& request) { return request.path == "/details/jobs"; });
  EXPECT_EQ(submitted, 0);
  EXPECT_EQ(lost(settle), "");
  stop();  // before the digests go
}

TEST_F(Expired, ALaneThatStaysBehindDoesNotFillTheLog) {
  service = [](const core::ApiRequest&) -> FakeAnswer { return refuse(ErrorCode::kPermissionDenied, "403"); };
  run_live();
  pass(5h);

  EXPECT_LE(lines_with(kLost), 6U) << "once an hour";
  EXPECT_GE(lines_with(kLost), 4U);
}

// What was lost since the last line is told though nothing more is lost.
TEST_F(Expired, ALaneThatHasCaughtUpTellsTheRest) {
  bool refusing = true;
  service = [&](const core::ApiRequest& request) -> FakeAnswer {
    return refusing ? refuse(ErrorCode::kPermissionDenied, "403") : serve(request);
  };
  run_live();
  pass(30min);
  refusing = false;
  pass(20min);
  ASSERT_GE(publisher.committed(live).complete_until(), at("2026-05-04T10:45:00"));
  EXPECT_EQ(lines_with(kLost), 1U);

  pass(30min);

  ASSERT_EQ(lines_with(kLost), 2U);
  const auto last = std::find_if(log.rbegin(), log.rend(), [](const std::string& one) { return one.find(kLost) != one.npos; });
  EXPECT_THAT(*last, testing::HasSubstr(R"("from":"2026-05-03T10:10:00.000Z")"));
  pass(3h);
  EXPECT_EQ(lines_with(kLost), 2U) << "once";
}

}  // namespace
}  // namespace connector::source
