// What the owner of a task makes of requests, of its ledgers, and of both after a restart.

#include "connector/app/backfills.h"

#include "connector/kafka/control_store.h"
#include "tests/unit/connector/source/reader_fixture.h"

#include <boost/asio/detached.hpp>

namespace connector::app {
namespace {

using namespace std::chrono_literals;
using core::BackfillState;
using source::at;
using source::conversation;
using source::page_of;
using testing::HasSubstr;
using tests::support::answer;
using tests::support::FakeAnswer;

const core::ConnectorName kName("acme");

class BackfillsTest : public testing::Test {
 protected:
  BackfillsTest() {
    publisher.adopt(source, core::Ledger({}, at("2026-05-01T00:00:00")));
    options.settle.enabled = true;
    next_life();
  }
  ~BackfillsTest() override { stop(); }

  void next_life() {
    stop();
    reader = std::make_unique<source::StreamReader>(definition, options, source::ResolvedStart{at("2026-05-01T00:00:00")}, api,
                                                    publisher, clock, metrics, logger, 1U << 20U, 1);
    lanes.emplace(io.get_executor(), [](const core::SourcePartition&, const common::Error&) { FAIL() << "no lane of ours"; });
    backfills.emplace(Backfills::Surroundings{
        .name = kName,
        .lanes = *lanes,
        .publisher = publisher,
        .clock = clock,
        .logger = logger,
        .reader = [this](const core::StreamName& stream) { return stream == source.stream ? reader.get() : nullptr; },
        .set_weight = [this](std::optional<double> asked) { weight = asked; },
        .on_unexpected_end = [this](const core::SourcePartition&, const common::Error& error) { unexpected = error; }});
  }
  void stop() {
    if (lanes) {
      boost::asio::co_spawn(io, lanes->stop(), boost::asio::detached);
      clock.run_for(io, 0ms);
    }
    backfills.reset();
    lanes.reset();
    reader.reset();
  }

  static core::BackfillRequest request(const std::string& id, int days = 2) {
    return {.order = {.id = id,
                      .range = {.start = at("2026-04-01T00:00:00"), .end = at("2026-04-01T00:00:00") + days * 24h},
                      .weight = 7.0},
            .asked_at = at("2026-05-06T00:00:00"),
            .asked_by = "desk"};
  }
  static core::BackfillRequest cancel_of(const std::string& id) {
    return {.wanted = core::BackfillRequest::Wanted::kCancel, .order = {.id = id}, .asked_at = {}, .asked_by = "desk"};
  }
  void begin_with(const std::optional<core::BackfillRequest>& found) {
    std::map<std::string, std::string> values;
    if (found) values.emplace(key, found->serialize());
    backfills->take(values);
    backfills->look_at(source.stream);
    clock.run_for(io, 0ms);
  }
  void ask(const core::BackfillRequest& asked) {
    backfills->take(key, asked.serialize());
    clock.run_for(io, 0ms);
  }
  [[nodiscard]] const std::optional<core::BackfillMark>& mark() const { return publisher.committed(source).backfill(); }
  [[nodiscard]] BackfillState state() const { return mark()->state; }

  FakeAnswer serve(const core::ApiRequest& asked) {
    if (asked.path == "/details/jobs/availability") return answer(R"({"dataAvailabilityDate":"2026-05-06T00:00:00Z"})");
    if (asked.path == "/details/jobs") return answer(R"({"jobId":"job-)" + std::to_string(next_job++) + "\"}", 202);
    if (asked.method == common::http::Method::kDelete) {
      ++deleted;
      return answer("", 204);
    }
    if (!asked.path.ends_with("/results")) return answer(finishes ? R"({"state":"FULFILLED"})" : R"({"state":"RUNNING"})");
    return answer(page_of({conversation(asked.path)}, R"(,"dataAvailabilityDate":"2026-05-06T00:00:00Z")"));
  }

  const core::SourcePartition source{.stream = core::StreamName("conversations"), .lane = core::Lane::kBackfill};
  const std::string key = kafka::backfill_key(kName, source.stream);
  boost::asio::io_context io;
  tests::support::ManualClock clock{at("2026-05-06T10:00:00")};
  tests::support::RecordingMetrics metrics;
  tests::support::FakePublisher publisher;
  tests::support::FakeApi api{[this](const core::ApiRequest& asked) { return serve(asked); }};
  common::Logger logger{{.level = common::LogLevel::kOff}, [](common::LogLevel, std::string_view) {}};
  source::Definition definition = source::conversation_details();
  source::StreamOptions options = source::conversations(true);
  std::unique_ptr<source::StreamReader> reader;
  std::optional<Lanes> lanes;
  std::optional<Backfills> backfills;
  std::optional<double> weight;
  std::optional<common::Error> unexpected;
  bool finishes = true;
  int next_job = 1;
  int deleted = 0;
};

TEST_F(BackfillsTest, NothingIsBegunBeforeItIsKnownWhatIsAskedFor) {
  backfills->look_at(source.stream);
  clock.run_for(io, 1min);

  EXPECT_FALSE(mark());
  EXPECT_FALSE(backfills->knows_requests());
}

TEST_F(BackfillsTest, ARequestIsDoneOnceWithItsWeight) {
  finishes = false;
  begin_with(request("a"));
  EXPECT_EQ(weight, 7.0);
  EXPECT_TRUE(backfills->is_running(source.stream));
  EXPECT_EQ(mark()->order.id, "a") << "the acknowledgement";

  finishes = true;
  clock.run_for(io, 2min);
  EXPECT_EQ(state(), BackfillState::kDone);
  EXPECT_EQ(weight, std::nullopt);
  ask(request("a"));  // as it is found again, the tombstone not yet read
  EXPECT_EQ(state(), BackfillState::kDone);
  EXPECT_FALSE(backfills->is_running(source.stream));
  EXPECT_EQ(publisher.records.size(), 2U);

  ask(request("b", 1));
  clock.run_for(io, 2min);
  EXPECT_EQ(mark()->order.id, "b");
  EXPECT_EQ(state(), BackfillState::kDone);
}

TEST_F(BackfillsTest, ACancellationEndsIt) {
  finishes = false;
  begin_with(request("a"));
  clock.run_for(io, 1min);
  ASSERT_EQ(publisher.committed(source).open().size(), 2U);
  ask(cancel_of("another"));
  EXPECT_EQ(state(), BackfillState::kRunning);

  ask(cancel_of("a"));
  clock.run_for(io, 1min);

  EXPECT_EQ(state(), BackfillState::kCancelled);
  EXPECT_EQ(deleted, 2);
  EXPECT_FALSE(unexpected.has_value());
}

// Kafka is slow, and whoever asked has withdrawn the request meanwhile.
TEST_F(BackfillsTest, CancelledBeforeItsBeginningIsCommittedItEndsAllTheSame) {
  finishes = false;
  publisher.late = true;
  begin_with(request("a"));
  clock.run_for(io, 1min);
  ASSERT_FALSE(mark());
  ask(cancel_of("a"));
  clock.run_for(io, 1min);
  ask(request("b", 1));

  publisher.late = false;
  publisher.commit();
  finishes = true;
  clock.run_for(io, 3min);

  EXPECT_THAT(publisher.contradictions, testing::IsEmpty());
  EXPECT_EQ(mark()->order.id, "b");
  EXPECT_EQ(state(), BackfillState::kDone);
  EXPECT_EQ(publisher.records.size(), 1U) << "of the second alone";
  EXPECT_FALSE(unexpected.has_value());
}

TEST_F(BackfillsTest, WhatIsCancelledOfAStreamThatHasNoJobsAnyMoreEndsInTheLedger) {
  finishes = false;
  begin_with(request("a"));
  clock.run_for(io, 1min);
  options.settle.enabled = false;
  next_life();

  begin_with(cancel_of("a"));

  EXPECT_EQ(state(), BackfillState::kCancelled);
  EXPECT_EQ(weight, std::nullopt);
}

TEST_F(BackfillsTest, WhatIsUnderWayIsTakenUpWithoutARequest) {
  finishes = false;
  begin_with(request("a"));
  clock.run_for(io, 1min);
  next_life();
  finishes = true;

  begin_with(std::nullopt);
  clock.run_for(io, 2min);

  EXPECT_EQ(state(), BackfillState::kDone);
  EXPECT_EQ(next_job, 3) << "its jobs are taken up";
}

// It was cancelled while nobody was there.
TEST_F(BackfillsTest, WhatIsUnderWayAndCancelledIsNotReadAnyMore) {
  finishes = false;
  begin_with(request("a"));
  clock.run_for(io, 1min);
  next_life();
  finishes = true;

  begin_with(cancel_of("a"));
  clock.run_for(io, 2min);

  EXPECT_EQ(state(), BackfillState::kCancelled);
  EXPECT_EQ(publisher.records.size(), 0U);
}

TEST_F(BackfillsTest, ARefusalIsToldInTheLedgerWithItsReason) {
  core::BackfillRequest future = request("a");
  future.order.range.end = clock.utc_now() + 1h;
  future.order.parallel = 99;
  future.order.weight = 1e300;

  begin_with(future);
  EXPECT_EQ(weight, std::nullopt);

  EXPECT_EQ(state(), BackfillState::kRefused);
  EXPECT_EQ(mark()->order.id, "a");
  EXPECT_THAT(mark()->detail, HasSubstr("still to come"));
  EXPECT_TRUE(core::Ledger::parse(publisher.committed(source).serialize()));
  ask(request("b", 1));
  clock.run_for(io, 1min);
  EXPECT_EQ(state(), BackfillState::kDone) << "nothing stands in the way of the next one";
}

// Its asker does not wait that long as a rule, and withdraws it.
TEST_F(BackfillsTest, AnotherRequestWaitsForTheOneThatRuns) {
  finishes = false;
  begin_with(request("a"));
  ask(request("b", 1));
  EXPECT_EQ(mark()->order.id, "a");
  finishes = true;
  clock.run_for(io, 2min);

  EXPECT_EQ(mark()->order.id, "b");
  EXPECT_EQ(state(), BackfillState::kDone);
  EXPECT_EQ(publisher.records.size(), 3U) << "of both";
}

TEST_F(BackfillsTest, WhatCannotBeReadIsPassedOver) {
  backfills->take({{key, "{damaged"},
                   {R"(["other",{"backfill":"conversations"}])", request("x").serialize()},
                   {R"(["acme",{"backfill":"mails"}])", request("y").serialize()}});
  backfills->look_at(source.stream);
  backfills->look_at(core::StreamName("mails"));
  clock.run_for(io, 1min);

  EXPECT_FALSE(mark());
}

}  // namespace
}  // namespace connector::app
