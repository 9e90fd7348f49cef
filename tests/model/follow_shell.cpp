#include "tests/model/follow_shell.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

namespace tests::model {

using namespace std::chrono_literals;
using common::ErrorCode;
using common::Result;
namespace core = connector::core;

namespace {

constexpr Duration kLookEvery = 10s;

core::FollowOptions planner_options(const connector::source::FollowOptions& follow, int max_ids) {
  core::FollowOptions options{.every = follow.every, .max = follow.max, .quiet = follow.quiet, .give_up = follow.give_up};
  options.gather = std::min(options.gather, follow.every / 2);
  options.max_ids = static_cast<std::size_t>(max_ids);
  return options;
}

core::FollowState state_of(const core::DigestEntry& entry) {
  if (entry.state == core::DigestState::kWanted || entry.doubt) return core::FollowState::kWanted;
  return entry.open ? core::FollowState::kOpen : core::FollowState::kClosed;
}

}  // namespace

FollowShell::FollowShell(Stage& stage, SimPublisher& publisher, SimTurns& turns)
    : LaneShell(stage, publisher, core::Lane::kFollow),
      turns_(turns),
      planner_(planner_options(stage.scenario.stream.follow, stage.scenario.max_ids)) {
  resynchronise();
  wake = stage.now;
}

void FollowShell::step() {
  wake = kNever;
  switch (doing_) {
    case Doing::kPlan:
      return plan();
    case Doing::kTurn:
      return start_asking();
    case Doing::kAnswer:
      return answer_arrived();
    case Doing::kBackoff:
      if (!undecided_) {
        doing_ = Doing::kPlan;
        return plan();
      }
      doing_ = Doing::kDecision;
      [[fallthrough]];
    case Doing::kDecision:
      if (decided()) {
        undecided_ = false;
        doing_ = Doing::kPlan;
        wake = stage_.now;
      }
  }
}

// (The lane looks every 10 seconds. As long as nothing is committed it finds nothing new, and is spared.)
void FollowShell::look() {
  changed_ = true;
  if (doing_ == Doing::kPlan) wake = std::min(wake, std::max(looked_at_ - stage_.host_ahead + kLookEvery, stage_.now));
  if (doing_ == Doing::kDecision) wake = stage_.now;
}

void FollowShell::plan() {
  const Instant now = stage_.earlier_now();
  if (changed_ && (now >= looked_at_ + kLookEvery || now < looked_at_)) look_at_digests(now);
  const core::FollowPlan plan = planner_.next(now, {});
  if (const auto* asked = std::get_if<core::AskIds>(&plan)) {
    asked_ = *asked;
    doing_ = Doing::kTurn;
    if (turns_.take(wake)) start_asking();
    return;
  }
  if (std::holds_alternative<core::GiveUp>(plan)) {
    wake = stage_.now;
    return;
  }
  doing_ = Doing::kPlan;
  if (changed_) wake = stage_.now + std::max(looked_at_ + kLookEvery - now, Duration{1});
  if (const auto* at = std::get_if<core::FollowAt>(&plan)) {
    wake = std::min(wake, stage_.now + std::max(at->instant - now, Duration{1}));
  }
}

void FollowShell::look_at_digests(Instant now) {
  const bool first = std::exchange(looked_at_, now) == Instant{};
  changed_ = false;
  if (first) take_up_closed(now);
  core::DigestIndex::Cursor cursor;
  while (!cursor.at_end()) {
    publisher_.digests().committed().visit_followed(cursor, 1000, [&](std::string_view text, const core::DigestEntry& entry) {
      const core::RecordKey key{std::string{text}};
      if (planner_.is_followed(key) || now - entry.changed_at >= stage_.scenario.stream.follow.give_up) return;
      const auto read_at = first ? std::nullopt : std::optional<Instant>(entry.read_at);
      planner_.follow(key,
                      {.state = state_of(entry), .start = entry.home_day, .changed_at = entry.changed_at, .read_at = read_at},
                      now, chance());
    });
  }
}

void FollowShell::take_up_closed(Instant now) {
  core::DigestIndex::Cursor cursor;
  while (!cursor.at_end()) {
    publisher_.digests().committed().visit(cursor, 1000, [&](std::string_view text, const core::DigestEntry& entry) {
      if (entry.state != core::DigestState::kProvisional || entry.is_followed()) return;
      if (now - entry.changed_at >= stage_.scenario.stream.follow.quiet) return;
      planner_.follow(
          core::RecordKey{std::string{text}},
          {.state = state_of(entry), .start = entry.home_day, .changed_at = entry.changed_at, .read_at = std::nullopt}, now,
          chance());
    });
  }
}

void FollowShell::start_asking() {
  Ids ids;
  when_asked_.clear();
  for (const core::RecordKey& id : asked_.ids) {
    const auto entry = publisher_.digests().committed().find(id.str());
    if (entry && (entry->state == core::DigestState::kProvisional || entry->is_followed())) {
      ids.push_back(id);
      when_asked_.emplace(id, *entry);
    } else {
      planner_.forget(id);
    }
  }
  asked_.ids = std::move(ids);
  if (asked_.ids.empty()) {
    turns_.give_back(stage_.now);
    doing_ = Doing::kPlan;
    wake = stage_.now;
    return;
  }
  parts_ = {asked_.ids};
  refused_ = 0;
  ask_next();
}

void FollowShell::ask_next() {
  if (parts_.empty()) return finish({});
  doing_ = Doing::kAnswer;
  sleep(stage_.latency());
}

void FollowShell::answer_arrived() {
  const Ids ids = std::move(parts_.back());
  parts_.pop_back();
  const auto answer = stage_.answer();
  const Result<void> done = answer ? take_answer(*answer, ids) : Result<void>(common::fail(answer.error()));
  if (done) {
    refused_ = 0;
    return ask_next();
  }
  if (!may_be_one_of_them(done.error().code)) return finish(done);
  if (ids.size() > 1) {
    const auto half = ids.begin() + static_cast<std::ptrdiff_t>(ids.size() / 2);
    parts_.emplace_back(half, ids.end());
    parts_.emplace_back(ids.begin(), half);
    return ask_next();
  }
  put_back(ids, stage_.scenario.stream.follow.max);
  if (++refused_ == 3) return finish(done);
  ask_next();
}

Result<void> FollowShell::take_answer(const Stage::Answer& answer, const Ids& ids) {
  const core::StreamDigests& digests = publisher_.digests();
  core::PageGroup group;
  group.push_back(make_page({.start = asked_.days.front(), .end = stage_.earlier_now()}, core::RecordForm::kById, answer));
  core::Page& page = group.back();
  for (const core::RecordKey& id : ids) {
    const std::size_t number = *stage_.world.find(id.str());
    const auto version = stage_.world.shown_by_query(number, answer.at);
    if (!version) {
      planner_.read(id, core::FollowFinding::kAbsent, false, page.service_date, chance());
      continue;
    }
    const Row& row = stage_.world.row(number, *version, Form::kQuery);
    const Conversation& conversation = stage_.world.conversation(number);
    const bool open = !conversation.versions[*version].end;
    page.records.push_back(slice_of(stage_, row));
    const core::DigestEntry& when_asked = when_asked_.at(id);
    page.contents.push_back(
        {.digests = row.digests,
         .home_day = std::chrono::floor<std::chrono::days>(conversation.start),
         .open = open,
         .known_when_asked = when_asked.common == row.digests.common || when_asked.seen == row.digests.common});
    const auto known = digests.committed().find(id.str());
    const bool changed = !known || (known->common != row.digests.common && known->seen != row.digests.common);
    planner_.read(id, open ? core::FollowFinding::kOpen : core::FollowFinding::kClosed, changed, page.service_date, chance());
  }
  if (page.records.empty()) return {};
  return submit(std::move(group));
}

void FollowShell::put_back(const Ids& ids, Duration wait) {
  for (const core::RecordKey& id : ids) planner_.put_back(id, stage_.earlier_now() + wait);
}

void FollowShell::finish(const Result<void>& done) {
  turns_.give_back(stage_.now);
  if (done) {
    backoff_.reset();
    doing_ = Doing::kPlan;
    wake = stage_.now;
    return;
  }
  put_back(asked_.ids, 1s);
  check_internal(done.error());
  undecided_ = done.error().code == ErrorCode::kTopicUnusable;
  doing_ = Doing::kBackoff;
  sleep(needs_operator(done.error().code) ? backoff_.slow() : backoff_.next(chance()));
}

}  // namespace tests::model
