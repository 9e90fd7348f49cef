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

source::StreamOptions stream(common::Duration retention, source::StreamStart start) {
  source::StreamOptions options;
  options.name = core::StreamName("events");
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

  const auto findings = check_starts(options, kNow);

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].verdict, Verdict::kWarning);
  EXPECT_EQ(findings[0].code, common::ErrorCode::kConfigInvalid) << "should it turn out to be one";
  EXPECT_EQ(findings[0].subject, "start of stream events");
}

TEST(RangeBehindRetention, IsRefusedWithTheEarliestThatCanBeRead) {
  const auto options = stream(31 * 24h, source::FromNow{});
  const auto refused = check_readable(options, {.start = kNow - 32 * 24h, .end = kNow}, kNow, core::RecordForm::kJob);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, common::ErrorCode::kConfigInvalid);
  EXPECT_THAT(refused.error().message, HasSubstr("2026-04-03T10:10:00Z"));
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

  options.retention = 7 * 24h;
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
}

}  // namespace
}  // namespace connector::app
