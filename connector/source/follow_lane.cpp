#include "connector/source/follow_lane.h"

#include "connector/core/ports/earlier_now.h"
#include "connector/source/follow_settings.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <unordered_set>
#include <utility>

namespace connector::source {

namespace asio = boost::asio;

using common::ErrorCode;
using common::fail;
using common::Result;

namespace {

constexpr std::size_t kVisitStep = 100'000;
constexpr common::Duration kAgainAfter{1'000};  // beside the lane's own backoff

core::FollowState state_of(const core::DigestEntry& entry) {
  if (entry.state == core::DigestState::kWanted || entry.doubt) return core::FollowState::kWanted;
  return entry.open ? core::FollowState::kOpen : core::FollowState::kClosed;
}

}  // namespace

FollowLane::FollowLane(StreamContext& stream)
    : Lane(stream, core::Lane::kFollow),
      by_id_(*stream.definition.by_id),
      planner_(follow_settings(stream.options.follow, stream.definition.by_id->max_ids)) {
  spec_.records = by_id_.records;
  spec_.key = stream.definition.key;
  spec_.start = stream.definition.start_pointer.value_or("");
  spec_.open_while_absent = stream.definition.open_while_absent.value_or("");
}

Lane::Awaited FollowLane::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  resynchronise();
  if (auto taken = co_await take_up_closed(); !taken) co_return taken;
  for (;;) {
    if (co_await is_cancelled()) co_return fail(ErrorCode::kCancelled, "the lane was cancelled");
    const Result<void> done = co_await advance();
    if (done) continue;
    if (done.error().code == ErrorCode::kCancelled || done.error().code == ErrorCode::kInternal) co_return done;
    common::Duration wait = needs_operator(done.error().code) ? backoff_.slow() : backoff_.next(chance());
    if (done.error().retry_after) wait = std::max<common::Duration>(wait, *done.error().retry_after);
    report_failure(done.error(), {}, core::AtStart{}, wait);
    if (auto slept = co_await sleep(wait); !slept) co_return slept;
    if (done.error().code == ErrorCode::kTopicUnusable) {
      if (auto decided = co_await await_decision(); !decided) co_return decided;
    }
  }
}

Lane::Awaited FollowLane::advance() {
  const common::Instant now = core::earlier_now(stream_.clock, stream_.api);
  const common::Duration look_every =
      std::clamp<common::Duration>(stream_.options.follow.every / 4, common::Duration{100}, common::Duration{10'000});
  if (now >= looked_at_ + look_every || now < looked_at_) look_at_digests(now);
  const core::FollowPlan plan = planner_.next(now, {});
  if (const auto* asked = std::get_if<core::AskIds>(&plan)) co_return co_await ask(*asked);
  if (const auto* left = std::get_if<core::GiveUp>(&plan)) {
    stream_.logger.info("records that have been open for too long are not followed any more",
                        {{"stream", source_.stream.str()}, {"records", static_cast<std::uint64_t>(left->ids.size())}});
    co_return Result<void>{};
  }
  common::Duration wait = looked_at_ + look_every - now;
  if (const auto* at = std::get_if<core::FollowAt>(&plan)) wait = std::min(wait, at->instant - now);
  report_recovery();
  co_return co_await sleep(std::max(wait, common::Duration{1}));
}

// (Sealed it would be left to the jobs.)
Lane::Awaited FollowLane::take_up_closed() {
  const core::StreamDigests* digests = stream_.publisher.digests(source_.stream);
  if (digests == nullptr) co_return Result<void>{};
  const common::Instant now = core::earlier_now(stream_.clock, stream_.api);
  core::DigestIndex::Cursor cursor;
  while (!cursor.at_end()) {
    digests->committed().visit(cursor, kVisitStep, [&](std::string_view text, const core::DigestEntry& entry) {
      if (entry.state != core::DigestState::kProvisional || entry.is_followed()) return;
      if (now - entry.changed_at >= stream_.options.follow.quiet) return;
      const auto read_at = stream_.options.follow.spread_at_start ? std::nullopt : std::optional<common::Instant>(entry.read_at);
      planner_.follow(core::RecordKey{std::string{text}},
                      {.state = state_of(entry), .start = entry.home_day, .changed_at = entry.changed_at, .read_at = read_at},
                      now, chance());
    });
    // Between two steps the others have their turn.
    if (cursor.at_end()) break;
    if (auto slept = co_await sleep(common::Duration{1}); !slept) co_return slept;
  }
  co_return Result<void>{};
}

void FollowLane::look_at_digests(common::Instant now) {
  const bool first = std::exchange(looked_at_, now) == common::Instant{};
  const core::StreamDigests* digests = stream_.publisher.digests(source_.stream);
  if (digests == nullptr) return;
  core::DigestIndex::Cursor cursor;
  while (!cursor.at_end()) {
    digests->committed().visit_followed(cursor, kVisitStep, [&](std::string_view text, const core::DigestEntry& entry) {
      const core::RecordKey key{std::string{text}};
      if (planner_.is_followed(key) || now - entry.changed_at >= stream_.options.follow.give_up) return;
      // What an earlier life followed is not read all at once.
      const auto read_at =
          first && stream_.options.follow.spread_at_start ? std::nullopt : std::optional<common::Instant>(entry.read_at);
      planner_.follow(key,
                      {.state = state_of(entry), .start = entry.home_day, .changed_at = entry.changed_at, .read_at = read_at},
                      now, chance());
    });
  }
}

// A read of the query form: no other of them may be under way, and what it brought is handed over before the next begins.
Lane::Awaited FollowLane::ask(const core::AskIds& asked) {
  auto turn = co_await stream_.reads.take();
  if (!turn) co_return fail(turn.error());
  std::vector<core::RecordKey> ids;
  asked_.clear();
  for (const core::RecordKey& id : asked.ids) {
    const core::StreamDigests* digests = stream_.publisher.digests(source_.stream);
    const auto entry = digests == nullptr ? std::nullopt : digests->committed().find(id.str());
    // A closed one is followed until it is quiet, but no longer than until a job has sealed it.
    if (entry && (entry->state == core::DigestState::kProvisional || entry->is_followed())) {
      ids.push_back(id);
      asked_.emplace(id, *entry);
    } else {
      planner_.forget(id);
    }
  }
  if (ids.empty()) co_return Result<void>{};
  const core::AskIds wanted{.ids = std::move(ids), .days = asked.days};
  const Result<void> done = co_await read_all(wanted);
  if (done) {
    backoff_.reset();
  } else {
    put_back(wanted.ids, kAgainAfter);
  }
  co_return done;
}

// (Of ids that were read meanwhile the planner knows better.)
void FollowLane::put_back(std::span<const core::RecordKey> ids, common::Duration wait, core::FollowPlanner::AtFault at_fault) {
  const common::Instant now = core::earlier_now(stream_.clock, stream_.api);
  for (const core::RecordKey& id : ids) planner_.put_back(id, now + wait, at_fault);
}

Lane::Awaited FollowLane::read_all(const core::AskIds& asked) {
  constexpr int kRefusedInARow = 3;  // without one that is answered: then it is not the records' fault
  int refused = 0;
  std::vector<std::span<const core::RecordKey>> parts{asked.ids};
  while (!parts.empty()) {
    if (co_await is_cancelled()) co_return fail(ErrorCode::kCancelled, "the lane was cancelled");
    const std::span<const core::RecordKey> ids = parts.back();
    parts.pop_back();
    const Result<void> done = co_await read(ids, asked.days.front());
    if (done) {
      refused = 0;
      continue;
    }
    if (!may_be_one_of_them(done.error().code)) co_return done;
    if (ids.size() > 1) {
      parts.push_back(ids.subspan(ids.size() / 2));
      parts.push_back(ids.first(ids.size() / 2));
      continue;
    }
    report_failure(done.error(), {}, core::AtStart{}, stream_.options.follow.max);
    stream_.logger.warn("a record cannot be read by its id; it is tried again much later",
                        {{"stream", source_.stream.str()}, {"id", ids.front().str()}, {"error", done.error().message}});
    put_back(ids, stream_.options.follow.max, core::FollowPlanner::AtFault::kThis);
    if (++refused == kRefusedInARow) co_return done;
  }
  co_return Result<void>{};
}

Lane::Awaited FollowLane::read(std::span<const core::RecordKey> ids, common::Instant first_day) {
  Result<ReadPage> read = co_await fetch_by_id(ids, spec_);
  if (!read) co_return fail(read.error());

  const common::Instant now = core::earlier_now(stream_.clock, stream_.api);
  const core::StreamDigests* digests = stream_.publisher.digests(source_.stream);
  const common::Interval day{.start = first_day, .end = now};
  core::PageGroup group;
  group.push_back(make_page(*read, core::AtStart{}, day, core::RecordForm::kById));
  core::Page& page = group.back();
  page.position = std::to_string(ids.size()) + " ids";
  SlicedPage& sliced = read->sliced;
  std::unordered_set<std::string_view> seen;
  for (std::size_t i = 0; i < sliced.records.size(); ++i) {
    const core::RecordSlice& record = sliced.records[i];
    const RecordFacts& facts = sliced.facts[i];
    const core::RecordKey key{std::string{record.key}};
    // Only what was asked for: the service's word on anything else is no read of it.
    if (std::ranges::find(ids, key) == ids.end() || !seen.insert(record.key).second) continue;
    page.records.push_back(record);
    // (Of a sealed one the query form stands in `seen`, once it was set aside.)
    const std::uint64_t content = sliced.digests[i].common;
    const core::DigestEntry& when_asked = asked_.at(key);
    page.contents.push_back({.digests = sliced.digests[i],
                             .home_day = std::chrono::floor<std::chrono::days>(facts.start.value_or(now)),
                             .open = facts.open,
                             .known_when_asked = when_asked.common == content || when_asked.seen == content});
    const auto known = digests == nullptr ? std::nullopt : digests->committed().find(record.key);
    const bool changed = !known || (known->common != content && known->seen != content);
    planner_.read(key, facts.open ? core::FollowFinding::kOpen : core::FollowFinding::kClosed, changed, page.service_date,
                  chance());
  }
  page.dead_letters = std::move(sliced.dead_letters);
  report_dead_letters(page);
  for (const core::RecordKey& id : ids) {
    if (!seen.contains(id.str())) planner_.read(id, core::FollowFinding::kAbsent, false, page.service_date, chance());
  }
  if (page.records.empty() && page.dead_letters.empty()) co_return Result<void>{};
  co_return co_await submit(std::move(group));
}

}  // namespace connector::source
