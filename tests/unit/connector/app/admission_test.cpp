#include "connector/app/admission.h"

#include "connector/core/planning/live_planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace connector::app {
namespace {

using common::ErrorCode;
using core::Lane;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const common::Instant kStart = common::parse_instant("2026-01-01T00:00:00Z").value();
const common::Instant kNow = common::parse_instant("2026-03-01T12:00:00Z").value();
const core::LedgerIdentity kIdentity{
    .organization_id = "org-1", .cluster_id = "cluster-1", .topic_id = "topic-1", .membership = "m-1", .content = "c-1"};

source::StreamOptions conversations() {
  source::StreamOptions stream;
  stream.name = core::StreamName("conversations");
  stream.start = kStart;
  return stream;
}

StreamFindings nothing_found() {
  return {
      .identity = kIdentity, .topic = "acme.conversations", .lanes = {Lane::kLive, Lane::kSettle}, .ledgers = {}, .now = kNow};
}

TEST(Admission, NewStreamBeginsEveryLaneAtTheConfiguredStart) {
  const auto admitted = admit(conversations(), nothing_found());

  ASSERT_TRUE(admitted.has_value());
  ASSERT_EQ(admitted->ledgers.size(), 2U);
  EXPECT_EQ(admitted->ledgers.at(Lane::kLive).start(), kStart);
  EXPECT_EQ(admitted->ledgers.at(Lane::kSettle).identity(), kIdentity);
  EXPECT_THAT(admitted->begun, ElementsAre(Lane::kLive, Lane::kSettle));
}

TEST(Admission, AStartBehindWhatTheServiceKeepsIsRefusedOnlyWhereALaneBegins) {
  auto stream = conversations();
  stream.retention = std::chrono::days{31};
  auto findings = nothing_found();

  const auto refused = admit(stream, findings);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kConfigInvalid);
  EXPECT_THAT(refused.error().message, HasSubstr("lane settle: streams.conversations.start (2026-01-01T00:00:00Z)"));

  findings.ledgers.emplace(Lane::kSettle, core::Ledger(kIdentity, kStart));
  EXPECT_TRUE(admit(stream, findings)) << "a lane that has run goes on from its ledger, and live begins where the jobs are";
  findings.lanes = {Lane::kLive};
  EXPECT_FALSE(admit(stream, findings)) << "without jobs it reads from its start";
}

TEST(Admission, AChangedStreamIsNotReadAgainFromWhatTheServiceKeepsNoLonger) {
  auto stream = conversations();
  stream.retention = std::chrono::days{31};
  stream.on_changed_membership = source::OnChangedMembership::kReRead;
  auto findings = nothing_found();
  findings.lanes = {Lane::kSettle};
  findings.identity.membership = "m-2";
  findings.ledgers.emplace(Lane::kSettle, core::Ledger(kIdentity, kStart));

  EXPECT_EQ(admit(stream, findings).error().code, ErrorCode::kConfigInvalid);
  stream.start = source::FromNow{};
  const auto admitted = admit(stream, findings);
  ASSERT_TRUE(admitted);
  EXPECT_EQ(admitted->ledgers.at(Lane::kSettle).start(), kNow - std::chrono::days{31} + std::chrono::minutes{10})
      << "`now` became an instant long ago, which the operator did not write";
}

// The length of buckets was another before, or `offsets set --start` moved the lane into one: half a bucket has other figures.
TEST(Admission, ALaneOfBucketsBeginsWithAWholeOne) {
  auto stream = conversations();
  stream.live.buckets = core::Buckets(std::chrono::minutes{30});
  auto findings = nothing_found();
  findings.topic_empty = false;
  const common::Instant whole = stream.live.buckets.start_of(kStart + std::chrono::minutes{50});
  core::Ledger inside(kIdentity, whole + std::chrono::minutes{10});
  ASSERT_TRUE(inside.apply(core::WindowCompleted{.window = {.start = inside.start(), .end = whole + std::chrono::hours{2}}}));
  findings.ledgers.emplace(Lane::kLive, inside);
  findings.ledgers.emplace(Lane::kSettle, inside);

  const auto admitted = admit(stream, findings);

  ASSERT_TRUE(admitted.has_value());
  ASSERT_EQ(admitted->ledgers.size(), 1U) << "jobs know no buckets";
  EXPECT_EQ(admitted->ledgers.at(Lane::kLive).start(), whole);
  EXPECT_EQ(admitted->ledgers.at(Lane::kLive).complete_until(), whole) << "what was read of half a bucket is read again";
  findings.ledgers.at(Lane::kLive) = admitted->ledgers.at(Lane::kLive);
  EXPECT_TRUE(admit(stream, findings)->ledgers.empty());
}

// Days of another zone: as if they had another length.
TEST(Admission, ALaneOfAnotherTimeZoneBeginsWithAWholeBucketAndGivesUpWhatIsOpenOfOthers) {
  auto stream = conversations();
  stream.live.buckets = core::Buckets(std::chrono::days{1}, common::TimeZone::find("America/New_York").value());
  auto findings = nothing_found();
  findings.topic_empty = false;
  const auto at = [](const char* instant) { return common::parse_instant(instant).value(); };
  core::Ledger of_berlin(kIdentity, at("2026-05-01T22:00:00Z"));
  ASSERT_TRUE(of_berlin.apply(core::WindowCompleted{.window = {.start = of_berlin.start(), .end = at("2026-05-03T22:00:00Z")}}));
  ASSERT_TRUE(of_berlin.apply(core::WindowOpened{
      .window = {.start = at("2026-05-03T22:00:00Z"), .end = at("2026-05-04T22:00:00Z")}, .position = core::AtPage{2}}));
  findings.ledgers.emplace(Lane::kLive, of_berlin);

  const auto admitted = admit(stream, findings);

  ASSERT_TRUE(admitted.has_value());
  const core::Ledger& ledger = admitted->ledgers.at(Lane::kLive);
  EXPECT_EQ(ledger.start(), at("2026-05-01T04:00:00Z"));
  EXPECT_TRUE(ledger.open().empty()) << "it would be answered as one bucket";
  EXPECT_TRUE(ledger.complete().covers({.start = at("2026-05-01T22:00:00Z"), .end = at("2026-05-03T22:00:00Z")}));
  findings.ledgers.at(Lane::kLive) = ledger;
  EXPECT_FALSE(admit(stream, findings)->ledgers.contains(Lane::kLive));

  stream.live.buckets = core::Buckets(std::chrono::days{1}, common::TimeZone::find("Europe/Berlin").value());
  findings.ledgers.at(Lane::kLive) = of_berlin;
  EXPECT_FALSE(admit(stream, findings)->ledgers.contains(Lane::kLive)) << "in their own zone they are whole ones";

  stream.live.buckets = core::Buckets(std::chrono::hours{1}, common::TimeZone::find("Asia/Kolkata").value());
  EXPECT_TRUE(admit(stream, findings)->ledgers.at(Lane::kLive).open().empty()) << "nor would many be";
}

TEST(Admission, StartNowIsResolvedOnceAndSharedWithALaneThatJoinsLater) {
  auto stream = conversations();
  stream.start = source::FromNow{};
  auto findings = nothing_found();

  EXPECT_EQ(admit(stream, findings)->ledgers.at(Lane::kLive).start(), kNow);

  findings.ledgers.emplace(Lane::kLive, core::Ledger(kIdentity, kStart));
  findings.topic_empty = false;
  const auto joined = admit(stream, findings);
  ASSERT_TRUE(joined.has_value());
  EXPECT_FALSE(joined->ledgers.contains(Lane::kLive));
  EXPECT_EQ(joined->ledgers.at(Lane::kSettle).start(), kStart);
  EXPECT_THAT(joined->begun, ElementsAre(Lane::kSettle));
}

TEST(Admission, RefusesARecordBearingTopicWithoutALedger) {
  auto findings = nothing_found();
  findings.topic_empty = false;

  const auto refused = admit(conversations(), findings);

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kStateRefused);
  EXPECT_THAT(refused.error().message, HasSubstr("existing_topic: append"));

  auto appending = conversations();
  appending.existing_topic = source::ExistingTopic::kAppend;
  EXPECT_TRUE(admit(appending, findings).has_value());
}

struct Foreign {
  std::string name;
  core::LedgerIdentity stored;
  ErrorCode code;
  std::string said;
};

class ForeignState : public testing::TestWithParam<Foreign> {};

TEST_P(ForeignState, IsRefusedWithItsRemedy) {
  auto findings = nothing_found();
  findings.topic_empty = false;
  findings.ledgers.emplace(Lane::kSettle, core::Ledger(GetParam().stored, kStart));

  const auto refused = admit(conversations(), findings);

  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, GetParam().code);
  EXPECT_THAT(refused.error().message, HasSubstr(GetParam().said));
}

INSTANTIATE_TEST_SUITE_P(
    Admission, ForeignState,
    testing::Values(
        Foreign{"Organization", {"org-2", "cluster-1", "topic-1", "m-1", "c-1"}, ErrorCode::kStateRefused, "organisation org-2"},
        Foreign{"Cluster", {"org-1", "cluster-2", "topic-1", "m-1", "c-1"}, ErrorCode::kStateRefused, "cluster cluster-2"},
        Foreign{"Membership", {"org-1", "cluster-1", "topic-1", "m-2", "c-1"}, ErrorCode::kStateRefused, "fingerprint m-2"},
        Foreign{"RecreatedTopic", {"org-1", "cluster-1", "topic-2", "m-1", "c-1"}, ErrorCode::kTopicUnusable, "created again"}),
    [](const auto& info) { return info.param.name; });

// What a live lane has read, by other filters or with another idea of a change.
StreamFindings found_with(const std::string& membership, const std::string& content) {
  auto findings = nothing_found();
  findings.topic_empty = false;
  core::LedgerIdentity stored = kIdentity;
  stored.membership = membership;
  stored.content = content;
  for (const Lane lane : findings.lanes) {
    core::Ledger ledger(stored, kStart);
    EXPECT_TRUE(ledger.apply(core::WindowCompleted{.window = {.start = kStart, .end = kStart + std::chrono::hours{24}}}));
    findings.ledgers.emplace(lane, std::move(ledger));
  }
  return findings;
}

TEST(Admission, StateOfTheSameSettingsIsLeftAlone) {
  const auto admitted = admit(conversations(), found_with("m-1", "c-1"));

  ASSERT_TRUE(admitted.has_value());
  EXPECT_THAT(admitted->ledgers, IsEmpty());
  EXPECT_THAT(admitted->notices, IsEmpty());
}

TEST(Admission, ChangedMembershipGoesOnWhereItWasIfThatIsNamed) {
  auto stream = conversations();
  stream.on_changed_membership = source::OnChangedMembership::kContinue;

  const auto admitted = admit(stream, found_with("m-2", "c-1"));

  ASSERT_TRUE(admitted.has_value());
  EXPECT_EQ(admitted->ledgers.at(Lane::kLive).complete_until(), kStart + std::chrono::hours{24});
  EXPECT_EQ(admitted->ledgers.at(Lane::kLive).identity(), kIdentity);
  EXPECT_EQ(admitted->ledgers.at(Lane::kSettle).identity(), kIdentity);
  EXPECT_THAT(admitted->begun, IsEmpty());
  EXPECT_THAT(admitted->notices, ElementsAre(HasSubstr("stays as it is")));
}

TEST(Admission, ChangedMembershipReadsEverythingAgainIfThatIsNamed) {
  auto stream = conversations();
  stream.on_changed_membership = source::OnChangedMembership::kReRead;
  stream.start = source::FromNow{};

  const auto admitted = admit(stream, found_with("m-2", "c-1"));

  ASSERT_TRUE(admitted.has_value());
  EXPECT_TRUE(admitted->ledgers.at(Lane::kLive).is_untouched());
  EXPECT_EQ(admitted->ledgers.at(Lane::kLive).start(), kStart) << "`now` was resolved when the stream first ran";
  EXPECT_EQ(admitted->ledgers.at(Lane::kSettle).identity(), kIdentity);
  EXPECT_THAT(admitted->notices, ElementsAre(HasSubstr("read again")));

  auto done = found_with("m-1", "c-1");
  EXPECT_THAT(admit(stream, done)->ledgers, IsEmpty()) << "once: a restart reads nothing again";
}

TEST(Admission, ALaneThatIsOffIsNotJudgedByItsFilters) {
  auto findings = found_with("m-2", "c-1");
  findings.ledgers.erase(Lane::kLive);
  findings.lanes = {Lane::kLive};

  EXPECT_TRUE(admit(conversations(), findings).has_value());
}

TEST(Admission, AnotherIdeaOfAChangeIsTakenUpAndTold) {
  const auto admitted = admit(conversations(), found_with("m-1", "c-2"));

  ASSERT_TRUE(admitted.has_value());
  EXPECT_EQ(admitted->ledgers.at(Lane::kLive).identity(), kIdentity);
  EXPECT_EQ(admitted->ledgers.at(Lane::kLive).complete_until(), kStart + std::chrono::hours{24});
  EXPECT_THAT(admitted->notices, ElementsAre(HasSubstr("published once more")));
}

TEST(Admission, AnUnknownIdeaOfAChangeIsFilledInWithoutAWord) {
  const auto admitted = admit(conversations(), found_with("m-1", ""));

  ASSERT_TRUE(admitted.has_value());
  EXPECT_EQ(admitted->ledgers.at(Lane::kSettle).identity().content, "c-1");
  EXPECT_THAT(admitted->notices, IsEmpty());
}

TEST(Admission, UnknownTopicIdIsNotADifference) {
  auto findings = nothing_found();
  findings.identity.topic_id.clear();
  findings.ledgers.emplace(Lane::kLive, core::Ledger(kIdentity, kStart));

  const auto admitted = admit(conversations(), findings);
  ASSERT_TRUE(admitted.has_value());
  EXPECT_FALSE(admitted->ledgers.contains(Lane::kLive)) << "the id that is known is kept";
}

}  // namespace
}  // namespace connector::app
