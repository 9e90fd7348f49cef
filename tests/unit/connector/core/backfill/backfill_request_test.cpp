#include "connector/core/backfill/backfill_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace connector::core {
namespace {

using common::ErrorCode;
using testing::HasSubstr;
using Action = BackfillDecision::Action;

common::Instant at(const std::string& text) {
  return common::parse_instant(text + "T00:00:00Z").value();
}

std::string fixture(const std::string& name) {
  std::ifstream file(std::filesystem::path(GK_STATE_FIXTURES) / "v1" / name);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

BackfillRequest january() {
  return {.order = {.id = "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
                    .range = {.start = at("2026-01-01"), .end = at("2026-02-01")},
                    .parallel = 3,
                    .weight = 1.5},
          .asked_at = common::parse_instant("2026-05-04T10:00:00Z").value(),
          .asked_by = "desk-1"};
}

BackfillRequest cancel_of(const std::string& id) {
  return {.wanted = BackfillRequest::Wanted::kCancel, .order = {.id = id}, .asked_at = at("2026-05-04"), .asked_by = "desk-1"};
}

BackfillStanding standing(std::optional<BackfillState> state = std::nullopt, const std::string& id = "other") {
  BackfillStanding now{.mark = std::nullopt, .now = at("2026-05-04")};
  if (state) now.mark = BackfillMark{.order = {.id = id, .range = january().order.range}, .state = *state, .detail = {}};
  return now;
}

TEST(BackfillRequest, IsReadFromItsFixtureAndWrittenTheSame) {
  const auto request = BackfillRequest::parse(fixture("backfill-request.json"));
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(*request, january());
  EXPECT_EQ(request->serialize() + "\n", fixture("backfill-request.json"));

  const auto cancel = BackfillRequest::parse(fixture("backfill-cancel.json"));
  ASSERT_TRUE(cancel) << cancel.error().message;
  EXPECT_EQ(cancel->wanted, BackfillRequest::Wanted::kCancel);
  EXPECT_EQ(cancel->order.id, january().order.id);
  EXPECT_EQ(cancel->serialize() + "\n", fixture("backfill-cancel.json"));
}

TEST(BackfillRequest, RefusesANewerFormatAndSaysWhatToDo) {
  const auto request = BackfillRequest::parse(R"({"v":2,"anything":true})");

  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().code, ErrorCode::kStateRefused);
  EXPECT_THAT(request.error().message, HasSubstr("format version 2"));
}

TEST(BackfillRequest, RefusesWhatIsNotAsWeWriteIt) {
  for (
      const char* damaged :
      {"", "7", "{}", R"({"v":"1"})", R"({"v":1})",
       R"({"v":1,"wanted":"stop","id":"a","asked_at":"2026-05-04T10:00:00Z","asked_by":""})",
       R"({"v":1,"wanted":"cancel","id":"","asked_at":"2026-05-04T10:00:00Z","asked_by":""})",
       R"({"v":1,"wanted":"cancel","id":"a","asked_at":"yesterday","asked_by":""})",
       R"({"v":1,"wanted":"run","id":"a","asked_at":"2026-05-04T10:00:00Z","asked_by":"","parallel":2})",
       R"({"v":1,"wanted":"run","id":"a","asked_at":"2026-05-04T10:00:00Z","asked_by":"","range":"2026-01-01T00:00:00Z/2026-01-02T00:00:00Z","parallel":-1})",
       R"({"v":1,"wanted":"run","id":"a","asked_at":"2026-05-04T10:00:00Z","asked_by":"","range":"2026-01-01T00:00:00Z/2026-01-02T00:00:00Z","parallel":1,"weight":"much"})"}) {
    const auto request = BackfillRequest::parse(damaged);
    ASSERT_FALSE(request) << damaged;
    EXPECT_EQ(request.error().code, ErrorCode::kStateRefused) << damaged;
  }
}

TEST(Judge, ANewRequestIsBegun) {
  EXPECT_EQ(judge(january(), standing()).action, Action::kBegin);
  EXPECT_EQ(judge(january(), standing(BackfillState::kDone)).action, Action::kBegin);
  EXPECT_EQ(judge(january(), standing(BackfillState::kCancelled)).action, Action::kBegin);
}

// The same record is seen again after every restart, and until the tombstone of its end has been read.
TEST(Judge, ARequestThatWasTakenIsNotBegunAgainWhateverBecameOfIt) {
  for (const BackfillState state :
       {BackfillState::kRunning, BackfillState::kDone, BackfillState::kCancelled, BackfillState::kRefused}) {
    EXPECT_EQ(judge(january(), standing(state, january().order.id)).action, Action::kNothing) << to_string(state);
  }
}

TEST(Judge, OneAtATimeIsBegun) {
  EXPECT_EQ(judge(january(), standing(BackfillState::kRunning)).action, Action::kOtherRuns);
}

TEST(Judge, ACancellationMeansTheOneItNames) {
  EXPECT_EQ(judge(cancel_of("other"), standing(BackfillState::kRunning)).action, Action::kCancel);
  EXPECT_EQ(judge(cancel_of("mine"), standing(BackfillState::kRunning)).action, Action::kNothing) << "of another one";
  EXPECT_EQ(judge(cancel_of("other"), standing(BackfillState::kDone)).action, Action::kNothing) << "too late";
  EXPECT_EQ(judge(cancel_of("other"), standing()).action, Action::kNothing);
}

TEST(Judge, WhatCannotBeDoneIsRefusedWithTheReason) {
  BackfillStanding without_settle = standing();
  without_settle.has_settle = false;
  EXPECT_THAT(judge(january(), without_settle).reason, HasSubstr("no settle lane"));

  BackfillRequest future = january();
  future.order.range.end = at("2026-05-05");
  EXPECT_EQ(judge(future, standing()).action, Action::kRefuse);
  EXPECT_THAT(judge(future, standing()).reason, HasSubstr("still to come"));
  BackfillRequest empty = january();
  empty.order.range.end = empty.order.range.start;
  EXPECT_THAT(judge(empty, standing()).reason, HasSubstr("empty"));
  BackfillRequest many = january();
  many.order.parallel = 17;
  EXPECT_THAT(judge(many, standing()).reason, HasSubstr("1 to 16"));
  BackfillRequest weightless = january();
  weightless.order.weight = 0;
  EXPECT_THAT(judge(weightless, standing()).reason, HasSubstr("above 0"));
}

// A refusal is told in the ledger, which must be readable afterwards.
TEST(Judge, WhatIsRefusedCanBeStored) {
  const BackfillOrder hopeless{
      .id = "a", .range = {.start = at("2026-02-01"), .end = at("2026-01-01")}, .parallel = 1'000, .weight = -1.0};
  BackfillMark mark{.order = storable(hopeless), .state = BackfillState::kRefused, .detail = "no"};

  const auto read = BackfillMark::from_json(common::json::parse(common::json::serialize(mark.to_json())).value());

  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, mark);
  EXPECT_EQ(storable(january().order), january().order) << "what can stand there stays";
}

}  // namespace
}  // namespace connector::core
