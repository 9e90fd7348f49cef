#include "connector/app/offsets_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace connector::app {
namespace {

using common::ErrorCode;
using core::Lane;
using core::Ledger;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

const common::Instant kStart = common::parse_instant("2026-05-04T00:00:00Z").value();
const core::LedgerIdentity kHere{
    .organization_id = "org-1", .cluster_id = "cluster-1", .topic_id = "topic-1", .membership = "1:m", .content = "1:c"};
const common::Instant kNow = kStart + 72h;
const core::StreamName kConversations("conversations");
const core::SourcePartition kLive{.stream = kConversations, .lane = Lane::kLive};
const core::SourcePartition kSettle{.stream = kConversations, .lane = Lane::kSettle};
const Identities kIdentities{
    {kConversations,
     {.organization_id = "org-1", .cluster_id = "cluster-1", .topic_id = "topic-1", .membership = "1:m", .content = {}}}};

Ledger ledger(const core::LedgerIdentity& identity = kHere) {
  Ledger made(identity, kStart);
  EXPECT_TRUE(made.apply(core::WindowCompleted{.window = {.start = kStart, .end = kStart + 48h}}));
  made.set_stamp({.incarnation = "i", .number = 7});
  return made;
}
SourceOffsets stored() {
  return {{kLive, ledger().serialize()}, {kSettle, Ledger(kHere, kStart).serialize()}};
}
// Of a lane by jobs, to whom the service has guaranteed so much.
const core::SourcePartition kGuaranteed{.stream = core::StreamName("calls"), .lane = Lane::kSettle};
Ledger guaranteed(common::Duration after_start) {
  Ledger made = ledger();
  EXPECT_TRUE(made.apply(core::AvailabilitySeen{.date = kStart + after_start}));
  return made;
}
std::string document(const SourceOffsets& offsets) {
  return common::json::serialize(to_connect_form(offsets));
}

TEST(OffsetsSet, ABackfillIsAskedForNotMoved) {
  const auto changes = plan_set(stored(), {.stream = kConversations, .lane = Lane::kBackfill}, StartAt{kStart}, kNow);

  ASSERT_FALSE(changes);
  EXPECT_THAT(changes.error().message, HasSubstr("genesys-kafka backfill"));
}

TEST(OffsetsDocument, IsKafkaConnectsRestForm) {
  const std::string text = document({{kSettle, Ledger(kHere, kStart).serialize()}});

  EXPECT_THAT(text, AllOf(HasSubstr(R"({"offsets":[{"partition":{"stream":"conversations","lane":"settle"},"offset":{"v":2,)"),
                          HasSubstr(R"("organization":"org-1")")));
}

TEST(OffsetsDocument, KeepsEvenWhatIsNotJson) {
  EXPECT_THAT(document({{kLive, "{dam\"aged"}}), HasSubstr(R"("offset":"{dam\"aged")"));
}

TEST(OffsetsImport, OfAnExportChangesNothing) {
  const auto plan = plan_import(document(stored()), stored(), kIdentities, false, kNow);

  EXPECT_THAT(plan.problems, IsEmpty());
  EXPECT_THAT(plan.changes, IsEmpty());
}

TEST(OffsetsImport, BringsBackWhatWasLostAsItWas) {
  const auto plan = plan_import(document(stored()), {}, kIdentities, false, kNow);

  ASSERT_THAT(plan.problems, IsEmpty());
  ASSERT_THAT(plan.changes, SizeIs(2));
  EXPECT_EQ(plan.changes.front().source, kLive);
  EXPECT_EQ(plan.changes.front().after, ledger());
  EXPECT_FALSE(plan.changes.front().before);
}

// Its jobs could not be had before their days expired: it has given up more than the service has ever guaranteed.
TEST(OffsetsImport, BringsBackALaneThatHasLostWhatItsServiceNeverGuaranteed) {
  Ledger behind = guaranteed(48h);
  ASSERT_TRUE(behind.apply(core::OutOfReach{{.start = kStart + 48h, .end = kStart + 60h}}));
  const SourceOffsets there{{kSettle, behind.serialize()}};

  const auto plan = plan_import(document(there), {}, kIdentities, false, kNow);

  ASSERT_THAT(plan.problems, IsEmpty());
  ASSERT_THAT(plan.changes, SizeIs(1));
  EXPECT_EQ(plan.changes.front().after, behind);
  EXPECT_THAT(plan_import(document(there), there, kIdentities, false, kNow).changes, IsEmpty());
  EXPECT_THAT(plan_import(document(there), {}, kIdentities, false, kStart + 50h).problems,
              ElementsAre(HasSubstr("lies in the future")))
      << "nothing has expired that is still to come";
  Ledger claims = behind.without({.start = kStart + 48h, .end = kStart + 60h});
  ASSERT_TRUE(claims.apply(core::WindowCompleted{.window = {.start = kStart + 48h, .end = kStart + 60h}}));
  EXPECT_THAT(plan_import(document({{kSettle, claims.serialize()}}), {}, kIdentities, false, kNow).problems,
              ElementsAre(HasSubstr("lies beyond")))
      << "what it says to have read is still compared";
}

// G12: an export is kept for years. These files are what each version wrote; they are never edited.
class StoredExport : public testing::TestWithParam<const char*> {};

TEST_P(StoredExport, IsImportedAsItWas) {
  const auto folder = std::filesystem::path(GK_STATE_FIXTURES) / GetParam();
  const auto read = [&](const char* name) {
    std::ifstream in(folder / name, std::ios::binary);
    EXPECT_TRUE(in) << name;
    return std::string{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  };
  Identities identities = kIdentities;
  identities.at(kConversations).membership = "1:abc";

  const auto plan = plan_import(read("export.json"), {}, identities, false, kNow + std::chrono::days(30));

  ASSERT_THAT(plan.problems, IsEmpty());
  ASSERT_THAT(plan.changes, SizeIs(2));
  EXPECT_EQ(plan.changes.front().source, kLive);
  EXPECT_EQ(plan.changes.front().after, Ledger::parse(read("ledger-live.json")).value());
  EXPECT_EQ(plan.changes.back().source, kSettle);
  EXPECT_EQ(plan.changes.back().after, Ledger::parse(read("ledger-settle.json")).value());
}

INSTANTIATE_TEST_SUITE_P(OfVersions, StoredExport, testing::Values("v1", "v2"),
                         [](const auto& info) { return std::string(info.param); });

TEST(OffsetsImport, NullIsATombstone) {
  const auto plan = plan_import(R"({"offsets":[{"partition":{"stream":"conversations","lane":"live"},"offset":null},
                                               {"partition":{"stream":"conversations","lane":"follow"},"offset":null}]})",
                                stored(), kIdentities, false, kNow);

  ASSERT_THAT(plan.problems, IsEmpty());
  ASSERT_THAT(plan.changes, SizeIs(1));
  EXPECT_EQ(plan.changes.front().source, kLive);
  EXPECT_FALSE(plan.changes.front().after);
}

TEST(OffsetsImport, TellsEveryProblemAtOnce) {
  const auto plan = plan_import(R"({"offsets":[
      {"partition":{"stream":"calls","lane":"live"},"offset":null},
      {"partition":{"stream":"conversations","lane":"sideways"},"offset":null},
      {"partition":{"stream":"conversations","lane":"live"},"offset":{"v":9}},
      {"partition":{"stream":"conversations","lane":"live"},"offset":{"v":2}},
      {"partition":{"stream":"conversations"},"offset":null},
      {"offset":null}]})",
                                {}, kIdentities, false, kNow);

  EXPECT_THAT(plan.problems, SizeIs(7));
  EXPECT_THAT(plan.problems, Contains(AllOf(HasSubstr("offsets[0]"), HasSubstr("no such stream is configured"))));
  EXPECT_THAT(plan.problems, Contains(AllOf(HasSubstr("offsets[1]"), HasSubstr("no such lane"))));
  EXPECT_THAT(plan.problems, Contains(AllOf(HasSubstr("offsets[2]"), HasSubstr("format version 9"))));
  EXPECT_THAT(plan.problems, Contains(AllOf(HasSubstr("offsets[3]"), HasSubstr("damaged"))));
  EXPECT_THAT(plan.problems, Contains(AllOf(HasSubstr("offsets[3]"), HasSubstr("comes twice"))));
  EXPECT_THAT(plan.problems, Contains(AllOf(HasSubstr("offsets[4]"), HasSubstr("must have `stream` and `lane`"))));
  EXPECT_THAT(plan.problems, Contains(AllOf(HasSubstr("offsets[5]"), HasSubstr("has no `partition`"))));
}

TEST(OffsetsImport, RefusesWhatIsNoExport) {
  EXPECT_THAT(plan_import("{", {}, kIdentities, false, kNow).problems, SizeIs(1));
  EXPECT_THAT(plan_import("[]", {}, kIdentities, false, kNow).problems, Contains(HasSubstr("no array `offsets`")));
}

TEST(OffsetsImport, RefusesWhatBelongsElsewhereUnlessToldToTakeItOver) {
  const core::LedgerIdentity elsewhere{
      .organization_id = "org-2", .cluster_id = "cluster-2", .topic_id = "topic-2", .membership = "1:n", .content = "1:c"};
  const std::string foreign = document({{kLive, ledger(elsewhere).serialize()}});

  const auto refused = plan_import(foreign, {}, kIdentities, false, kNow);
  EXPECT_THAT(refused.problems, SizeIs(4));
  EXPECT_THAT(refused.problems, Contains(AllOf(HasSubstr("organisation org-2"), HasSubstr("--force-identity"))));

  const auto taken_over = plan_import(foreign, {}, kIdentities, true, kNow);
  EXPECT_THAT(taken_over.problems, IsEmpty());
  ASSERT_THAT(taken_over.changes, SizeIs(1));
  EXPECT_EQ(taken_over.changes.front().after, ledger(kHere));
}

TEST(OffsetsImport, RefusesWhatCannotBeComplete) {
  const auto problems_at = [](const SourceOffsets& offsets, common::Instant now) {
    return plan_import(document(offsets), {}, kIdentities, false, now).problems;
  };

  EXPECT_THAT(problems_at({{kLive, ledger().serialize()}}, kStart + 48h), IsEmpty());
  EXPECT_THAT(problems_at({{kLive, ledger().serialize()}}, kStart + 47h), ElementsAre(HasSubstr("in the future")));
  EXPECT_THAT(problems_at({{kSettle, guaranteed(48h).serialize()}}, kNow), IsEmpty());
  EXPECT_THAT(problems_at({{kSettle, guaranteed(47h).serialize()}}, kNow), ElementsAre(HasSubstr("has guaranteed its data")));
}

TEST(OffsetsSet, GoesOnUpToWhatTheServiceGuarantees) {
  const SourceOffsets offsets{{kGuaranteed, guaranteed(50h).serialize()}};

  EXPECT_EQ(plan_set(offsets, kGuaranteed, CompleteUntil{kStart + 50h}, kNow)->front().after->complete_until(), kStart + 50h);
}

TEST(OffsetsReset, IsATombstoneForEveryLaneOrOne) {
  EXPECT_THAT(plan_reset(stored(), kConversations, std::nullopt).value(), SizeIs(2));

  const auto one = plan_reset(stored(), kConversations, Lane::kSettle).value();
  ASSERT_THAT(one, SizeIs(1));
  EXPECT_EQ(one.front().source, kSettle);
  EXPECT_FALSE(one.front().after);
  EXPECT_EQ(one.front().before, stored().at(kSettle));
}

// What a start refuses because it is damaged is mended this way.
TEST(OffsetsReset, NeedsNotReadWhatItRemoves) {
  EXPECT_THAT(plan_reset({{kLive, "damaged"}}, kConversations, Lane::kLive).value(), SizeIs(1));
}

TEST(OffsetsReset, OfNothingIsAMistake) {
  EXPECT_EQ(plan_reset(stored(), core::StreamName("calls"), std::nullopt).error().code, ErrorCode::kConfigInvalid);
  EXPECT_EQ(plan_reset(stored(), kConversations, Lane::kFollow).error().code, ErrorCode::kConfigInvalid);
}

TEST(OffsetsSet, MovesOneLane) {
  const auto changes = plan_set(stored(), kLive, CompleteUntil{kStart + 24h}, kNow).value();

  ASSERT_THAT(changes, SizeIs(1));
  EXPECT_EQ(changes.front().source, kLive);
  EXPECT_EQ(changes.front().after->complete_until(), kStart + 24h);
  EXPECT_EQ(plan_set(stored(), kLive, StartAt{kStart - 24h}, kNow)->front().after->start(), kStart - 24h);
  EXPECT_EQ(plan_set(stored(), kLive, Reread{{.start = kStart + 1h, .end = kStart + 2h}}, kNow)->front().after->complete_until(),
            kStart + 1h);
  EXPECT_THAT(plan_set(stored(), kLive, CompleteUntil{kStart + 48h}, kNow).value(), IsEmpty()) << "it stands there";
}

struct Senseless {
  std::string name;
  core::SourcePartition source;
  LaneMove move;
  ErrorCode code;
  std::string said;
};
class SenselessSet : public testing::TestWithParam<Senseless> {};

TEST_P(SenselessSet, IsRefusedWithTheWayThatMakesSense) {
  auto offsets = stored();
  offsets[kGuaranteed] = guaranteed(50h).serialize();
  offsets[{.stream = core::StreamName("broken"), .lane = Lane::kLive}] = "damaged";

  const auto changes = plan_set(offsets, GetParam().source, GetParam().move, kNow);

  ASSERT_FALSE(changes);
  EXPECT_EQ(changes.error().code, GetParam().code);
  EXPECT_THAT(changes.error().message, HasSubstr(GetParam().said));
}

INSTANTIATE_TEST_SUITE_P(
    OffsetsSet, SenselessSet,
    testing::Values(
        Senseless{
            "NothingStored", {core::StreamName("calls"), Lane::kLive}, StartAt{kStart}, ErrorCode::kConfigInvalid, "`start`"},
        Senseless{"Follow", {kConversations, Lane::kFollow}, StartAt{kStart}, ErrorCode::kConfigInvalid, "no position"},
        Senseless{"Damaged",
                  {core::StreamName("broken"), Lane::kLive},
                  StartAt{kStart},
                  ErrorCode::kStateRefused,
                  "reset this lane's offset"},
        Senseless{"StartOfALaneThatHasNotBegun", kSettle, StartAt{kStart - 1h}, ErrorCode::kConfigInvalid, "reset it"},
        Senseless{"StartBehindEverything", kLive, StartAt{kStart + 48h}, ErrorCode::kConfigInvalid, "--complete-until"},
        Senseless{"CompleteBeforeTheStart", kLive, CompleteUntil{kStart}, ErrorCode::kConfigInvalid, "--start"},
        Senseless{"CompleteInTheFuture", kLive, CompleteUntil{kNow + 1ms}, ErrorCode::kConfigInvalid, "lies in the future"},
        Senseless{"CompleteBeyondTheServicesGuarantee", kGuaranteed, CompleteUntil{kStart + 50h + 1ms}, ErrorCode::kConfigInvalid,
                  "beyond 2026-05-06T02:00:00.000Z"},
        Senseless{"CompleteBeforeAnythingIsGuaranteed", kSettle, CompleteUntil{kStart + 1h}, ErrorCode::kConfigInvalid,
                  "run the connector first"},
        Senseless{"RereadBeforeTheStart", kLive, Reread{{.start = kStart - 1h, .end = kStart + 1h}}, ErrorCode::kConfigInvalid,
                  "--start"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace connector::app
