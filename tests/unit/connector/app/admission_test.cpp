#include "connector/app/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace connector::app {
namespace {

using common::ErrorCode;
using core::Lane;
using testing::HasSubstr;

const common::Instant kStart = common::parse_instant("2026-01-01T00:00:00Z").value();
const common::Instant kNow = common::parse_instant("2026-03-01T12:00:00Z").value();
const core::LedgerIdentity kIdentity{
    .organization_id = "org-1", .cluster_id = "cluster-1", .topic_id = "topic-1", .membership = "m-1"};

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
  const auto fresh = admit(conversations(), nothing_found());

  ASSERT_TRUE(fresh.has_value());
  ASSERT_EQ(fresh->size(), 2U);
  EXPECT_EQ(fresh->at(Lane::kLive).start(), kStart);
  EXPECT_EQ(fresh->at(Lane::kSettle).identity(), kIdentity);
}

TEST(Admission, StartNowIsResolvedOnceAndSharedWithALaneThatJoinsLater) {
  auto stream = conversations();
  stream.start = source::FromNow{};
  auto findings = nothing_found();

  EXPECT_EQ(admit(stream, findings)->at(Lane::kLive).start(), kNow);

  findings.ledgers.emplace(Lane::kLive, core::Ledger(kIdentity, kStart));
  findings.topic_empty = false;
  const auto joined = admit(stream, findings);
  ASSERT_TRUE(joined.has_value());
  EXPECT_FALSE(joined->contains(Lane::kLive));
  EXPECT_EQ(joined->at(Lane::kSettle).start(), kStart);
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
        Foreign{"Organization", {"org-2", "cluster-1", "topic-1", "m-1"}, ErrorCode::kStateRefused, "organisation org-2"},
        Foreign{"Cluster", {"org-1", "cluster-2", "topic-1", "m-1"}, ErrorCode::kStateRefused, "cluster cluster-2"},
        Foreign{"Membership", {"org-1", "cluster-1", "topic-1", "m-2"}, ErrorCode::kStateRefused, "fingerprint m-2"},
        Foreign{"RecreatedTopic", {"org-1", "cluster-1", "topic-2", "m-1"}, ErrorCode::kTopicUnusable, "created again"}),
    [](const auto& info) { return info.param.name; });

TEST(Admission, UnknownTopicIdIsNotADifference) {
  auto findings = nothing_found();
  findings.identity.topic_id.clear();
  findings.ledgers.emplace(Lane::kLive, core::Ledger(kIdentity, kStart));

  EXPECT_TRUE(admit(conversations(), findings).has_value());
}

}  // namespace
}  // namespace connector::app
