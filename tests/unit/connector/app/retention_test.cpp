#include "connector/app/retention.h"

#include "connector/app/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace connector::app {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const common::Instant kNow = common::parse_instant("2026-05-04T10:00:00Z").value();

const Definitions kDefinitions = [] {
  Definitions definitions;
  definitions["events"].query.emplace();
  definitions["events"].job.emplace();
  return definitions;
}();

source::StreamOptions stream(common::Duration retention, source::StreamStart start) {
  source::StreamOptions options;
  options.name = core::StreamName("events");
  options.definition = "events";
  options.retention = retention;
  options.start = start;
  return options;
}

TEST(StartBehindRetention, IsAProblemThatNamesWhatIsAllowed) {
  const auto problem = problem_of_start(stream(31 * 24h, kNow - 40 * 24h), kNow);

  ASSERT_TRUE(problem);
  EXPECT_THAT(*problem, HasSubstr("streams.events.start (2026-03-25T10:00:00Z)"));
  EXPECT_THAT(*problem, HasSubstr("which is 31d"));
  EXPECT_THAT(*problem, HasSubstr("before 2026-04-03T10:00:00Z"));
  EXPECT_THAT(*problem, HasSubstr("allowed: 2026-04-03T12:00:00Z or later, which can be read for another 1h at least; now"));
}

// An operator reads the message, changes the file and starts anew: that takes a while.
TEST(StartBehindRetention, ProposesAStartThatIsNotRefusedAnHourLater) {
  const common::Instant proposed = common::parse_instant("2026-04-03T12:00:00Z").value();

  EXPECT_EQ(problem_of_start(stream(31 * 24h, proposed), kNow + 1h), std::nullopt);
}

TEST(StartBehindRetention, IsNoneWhereEverythingCanBeRead) {
  EXPECT_EQ(problem_of_start(stream(31 * 24h, kNow - 31 * 24h), kNow), std::nullopt);
  EXPECT_EQ(problem_of_start(stream(31 * 24h, source::FromNow{}), kNow), std::nullopt);
  EXPECT_EQ(problem_of_start(stream(0s, kNow - 4'000 * 24h), kNow), std::nullopt) << "no bound is known";
}

// Of a stream that has run its own start counts: without asking, nobody knows.
TEST(StartBehindRetention, IsAWarningOfACheckThatAsksNobody) {
  AppOptions options;
  options.streams = {stream(31 * 24h, kNow - 40 * 24h), stream(31 * 24h, kNow - 4 * 24h)};

  const auto findings = check_starts(options, kDefinitions, kNow);

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].verdict, Verdict::kWarning);
  EXPECT_EQ(findings[0].code, common::ErrorCode::kConfigInvalid) << "should it turn out to be one";
  EXPECT_EQ(findings[0].subject, "start of stream events");
}

// As a start does (Admission.AStartBehindWhatTheServiceKeepsIsRefusedOnlyWhereALaneBegins).
TEST(StartBehindRetention, IsAFailureOfACheckWhereALaneThatReadsFromItHasNotRun) {
  AppOptions options;
  options.streams = {stream(31 * 24h, kNow - 40 * 24h)};
  const auto found = [&](std::initializer_list<core::Lane> have_run) {
    SourceOffsets stored;
    for (const core::Lane lane : have_run) stored.emplace(core::SourcePartition{core::StreamName("events"), lane}, "{}");
    return check_starts(options, kDefinitions, kNow, &stored);
  };
  using core::Lane;

  ASSERT_THAT(found({}), SizeIs(1));
  EXPECT_EQ(found({})[0].verdict, Verdict::kFailed);
  EXPECT_EQ(found({})[0].subject, "start of stream events, lane settle");
  EXPECT_THAT(found({Lane::kLive}), SizeIs(1)) << "jobs were switched on later: their lane is refused, whatever live has done";
  EXPECT_THAT(found({Lane::kLive, Lane::kFollow, Lane::kBackfill}), SizeIs(1));
  EXPECT_THAT(found({Lane::kSettle}), IsEmpty()) << "live begins where the jobs are";

  options.streams[0].settle.enabled = false;
  ASSERT_THAT(found({Lane::kSettle}), SizeIs(1));
  EXPECT_EQ(found({Lane::kSettle})[0].subject, "start of stream events, lane live") << "without jobs it reads from the start";
  EXPECT_THAT(found({Lane::kLive}), IsEmpty());
}

TEST(RangeBehindRetention, IsRefusedWithOneThatCanBeReadForAWhile) {
  const auto options = stream(31 * 24h, source::FromNow{});
  const auto refused = check_readable(options, {.start = kNow - 32 * 24h, .end = kNow}, kNow, core::RecordForm::kJob);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, common::ErrorCode::kConfigInvalid);
  EXPECT_THAT(refused.error().message, HasSubstr("allowed: 2026-04-03T12:00:00Z or later, which can be read for another 1h"));
  const common::Interval proposed{.start = common::parse_instant("2026-04-03T12:00:00Z").value(), .end = kNow};
  EXPECT_TRUE(check_readable(options, proposed, kNow + 1h, core::RecordForm::kJob)) << "an hour later, too";
  const auto from = readable_from(options, kNow, core::RecordForm::kJob);
  EXPECT_TRUE(check_readable(options, {.start = *from, .end = kNow}, kNow, core::RecordForm::kJob));
  EXPECT_TRUE(
      check_readable(stream(0s, source::FromNow{}), {.start = kNow - 9'000 * 24h, .end = kNow}, kNow, core::RecordForm::kJob));
}

TEST(RangeBehindRetention, OfTheQueryMayBeginLaterThanOfTheJob) {
  auto options = stream(365 * 24h, source::FromNow{});
  options.query_retention = 14 * 24h;
  const common::Interval range{.start = kNow - 15 * 24h, .end = kNow};

  EXPECT_TRUE(check_readable(options, range, kNow, core::RecordForm::kJob));
  const auto refused = check_readable(options, range, kNow, core::RecordForm::kQuery);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("which is 14d"));
  EXPECT_THAT(refused.error().message, HasSubstr("another query.retention in definition events,"));

  options.retention = 7 * 24h;
  EXPECT_THAT(check_readable(options, range, kNow, core::RecordForm::kQuery).error().message,
              HasSubstr("another streams.events.retention,"));
  EXPECT_EQ(kept(options, core::RecordForm::kQuery), 7 * 24h) << "what the user says bounds both";
  EXPECT_EQ(kept(options, core::RecordForm::kJob), 7 * 24h);
  options.retention = 0s;
  EXPECT_EQ(kept(options, core::RecordForm::kQuery), 14 * 24h);
}

TEST(StartBehindRetention, GoesByTheQueryWhereNoJobReadsTheHistory) {
  auto options = stream(365 * 24h, kNow - 15 * 24h);
  options.query_retention = 14 * 24h;
  options.settle.enabled = true;
  EXPECT_EQ(problem_of_start(options, kNow), std::nullopt);

  options.settle.enabled = false;
  const auto problem = problem_of_start(options, kNow);
  ASSERT_TRUE(problem);
  EXPECT_THAT(*problem, HasSubstr("which is 14d"));
  EXPECT_THAT(*problem, HasSubstr("another query.retention in definition events,")) << "the stream's own would change nothing";
}

}  // namespace
}  // namespace connector::app
