#include "tests/model/live_shell.h"

#include "connector/core/planning/ages.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace tests::model {

using namespace std::chrono_literals;
using common::ErrorCode;
using common::Result;
namespace core = connector::core;
using connector::source::RowRule;
using connector::source::SyncMatch;

namespace {

core::LivePlanOptions plan_options(const connector::source::LiveOptions& live) {
  return {.every = live.every,
          .delay = live.delay,
          .overlap = live.overlap,
          .min_window = live.min_window,
          .max_window = std::chrono::days{7}};
}

bool may_be_the_window(ErrorCode code) {
  return code == ErrorCode::kRetryable || code == ErrorCode::kRequestRejected || code == ErrorCode::kPositionInvalid ||
         code == ErrorCode::kTooComplex || code == ErrorCode::kOversize || code == ErrorCode::kMalformedResponse;
}

}  // namespace

struct LiveShell::Reading {
  Reading(const core::QueryPagingOptions& options, const core::ReadWindow& planned, Instant now, Instant steady, RowRule rule,
          std::size_t memory_bytes)
      : window(planned.window),
        pass(planned.pass),
        began(now),
        steady_began(steady),
        paging(options, planned.window),
        rows(planned.window, rule, memory_bytes) {}

  Interval window;
  core::Pass pass;
  Instant began;
  Instant steady_began;
  core::QueryPaging paging;
  connector::source::WindowRows rows;
  core::PageGroup held;
  std::vector<core::Position> next;
  std::uint64_t held_bytes = 0;
};

LiveShell::LiveShell(Stage& stage, SimPublisher& publisher, SimTurns& turns)
    : LaneShell(stage, publisher, core::Lane::kLive), turns_(turns), planner_(plan_options(stage.scenario.stream.live)) {
  resynchronise();
  wake = stage.now;
}

LiveShell::~LiveShell() = default;

void LiveShell::step() {
  wake = kNever;
  switch (doing_) {
    case Doing::kBegin:
      return begin();
    case Doing::kAvailability:
      return availability_arrived();
    case Doing::kPlan:
    case Doing::kWait:
      return plan();
    case Doing::kTurn:
      return start_reading();
    case Doing::kPage:
      return page_arrived();
    case Doing::kFlush:
      return flush_then_wait();
    case Doing::kBackoff:
      if (!undecided_) return go_on();
      doing_ = Doing::kDecision;
      [[fallthrough]];
    case Doing::kDecision:
      if (decided()) {
        undecided_ = false;
        go_on();
      }
  }
}

void LiveShell::look() {
  if (doing_ == Doing::kFlush || doing_ == Doing::kDecision) wake = stage_.now;
}

// (The lane looks every minute. As long as the clocks go evenly it finds that it has to wait, and is spared.)
void LiveShell::clock_was_set() {
  if (doing_ == Doing::kWait) wake = std::min(wake, stage_.now + 1min);
}

void LiveShell::begin() {
  if (!working_.is_untouched()) {
    const Result<void> done = start_ages(stage_.scenario.stream.live.ages);
    if (!done) return recover(done.error());
    begun_ = true;
    return go_on();
  }
  if (!stage_.scenario.stream.settle.enabled) {
    availability_arrived();
  } else {
    doing_ = Doing::kAvailability;
    sleep(stage_.latency());
  }
}

void LiveShell::availability_arrived() {
  Instant start = std::get<Instant>(stage_.scenario.stream.start);
  if (stage_.scenario.stream.settle.enabled) {
    const auto answer = stage_.answer();
    if (!answer) return recover(answer.error());
    start = std::max(start, std::min(stage_.world.availability_at(answer->at), stage_.earlier_now()));
  }
  Result<void> started = start_ledger(start);
  if (started) started = start_ages(stage_.scenario.stream.live.ages);
  if (!started) return recover(started.error());
  begun_ = true;
  go_on();
}

void LiveShell::plan() {
  const Instant now = stage_.earlier_now();
  const core::LivePlan plan = planner_.next(working_, now);
  if (const auto* planned = std::get_if<core::ReadWindow>(&plan)) {
    planned_ = *planned;
    doing_ = Doing::kTurn;
    if (turns_.take(wake)) start_reading();
    return;
  }
  if (const auto* wait = std::get_if<core::WaitUntil>(&plan)) {
    wait_until_ = stage_.now + std::max(wait->instant - now, Duration{1});
    planned_from_ = working_;
    doing_ = Doing::kFlush;
    return flush_then_wait();
  }
  stage_.fail("the live lane waits for a read that is not there");
}

void LiveShell::flush_then_wait() {
  const Result<bool> flushed = flush();
  if (!flushed) return recover(flushed.error());
  if (!*flushed) return;
  if (!working_.has_same_progress(planned_from_)) return go_on();
  doing_ = Doing::kWait;
  wake = std::max(wait_until_, stage_.now);
}

void LiveShell::start_reading() {
  const auto& stream = stage_.scenario.stream;
  if (const auto* open = working_.find_open(planned_.window);
      open != nullptr && open->position != core::Position{core::AtStart{}}) {
    if (auto restarted = submit_changes(planned_.window, {core::WindowRestarted{planned_.window}}); !restarted) {
      return finish(restarted);
    }
  }
  core::QueryPagingOptions options{.page_size = stage_.scenario.query_page_size,
                                   .total = core::TotalUse::kApproximate,
                                   .start_day = stream.sync_match == SyncMatch::kStartDay,
                                   .split_short = split_short_};
  options.limits.memory_bytes = stage_.scenario.memory_bytes;
  options.limits.min_window = stream.live.min_window;
  options.limits.max_depth = static_cast<std::uint64_t>(stage_.scenario.max_depth);
  if (const auto gap = working_.complete().first_gap(planned_.window)) options.overlap = gap->start - planned_.window.start;
  reading_ = std::make_unique<Reading>(options, planned_, stage_.earlier_now(), stage_.now,
                                       options.start_day ? RowRule::kStartDay : RowRule::kOverlap, stage_.scenario.memory_bytes);
  perform(reading_->paging.begin());
}

void LiveShell::perform(core::PagingAction action) {
  if (auto* fetch_page = std::get_if<core::FetchPage>(&action)) {
    if (!reading_->next.empty()) reading_->next.back() = fetch_page->at;
    if (reading_->paging.page_by_page()) {
      if (auto handed = hand_over_pages(); !handed) return finish(handed);
    }
    page_ = std::get<core::AtPage>(fetch_page->at).number;
    doing_ = Doing::kPage;
    sleep(stage_.latency());
  } else if (const auto* split = std::get_if<core::SplitInto>(&action)) {
    planner_.narrow(planned_.window, split->part);
    Result<void> given_up;
    if (working_.find_open(planned_.window) != nullptr) {
      given_up = submit_changes(planned_.window, {core::WindowAbandoned{planned_.window}});
    }
    finish(given_up);
  } else if (const auto* read = std::get_if<core::WindowRead>(&action)) {
    if (planned_.window.end + planned_.pass.age > stage_.earlier_now() + 1s) {
      return finish(common::fail(ErrorCode::kRetryable, "the clock of this host has jumped ahead"));
    }
    finish(complete(read->is_short));
  } else {
    finish(common::fail(std::get<core::FailRead>(action).error));
  }
}

void LiveShell::page_arrived() {
  const auto answer = stage_.answer();
  perform(answer ? take_page(*answer, page_) : reading_->paging.step(answer.error()));
}

core::PagingAction LiveShell::take_page(const Stage::Answer& answer, std::int64_t number) {
  World& world = stage_.world;
  std::vector<std::size_t> found = world.in_query(reading_->window, answer.at);
  if (stage_.scenario.stream.sync_match == SyncMatch::kStartDay) std::ranges::reverse(found);
  const auto size = static_cast<std::size_t>(stage_.scenario.query_page_size);
  const std::size_t first = std::min(found.size(), static_cast<std::size_t>(number - 1) * size);
  const std::size_t behind = std::min(found.size(), first + size);

  connector::source::SlicedPage sliced;
  core::PageFacts facts{.rows = behind - first, .total = static_cast<std::int64_t>(found.size())};
  for (std::size_t i = first; i < behind; ++i) {
    const std::size_t version = *world.shown_by_query(found[i], answer.at);
    const Row& row = world.row(found[i], version, Form::kQuery);
    const Conversation& conversation = world.conversation(found[i]);
    const auto& end = conversation.versions[version].end;
    sliced.records.push_back(slice_of(stage_, row));
    sliced.facts.push_back({.start = conversation.start, .end = end, .open = !end});
    sliced.digests.push_back(row.digests);
    facts.bytes += row.length;
  }
  reading_->held.push_back(make_page(reading_->window, core::RecordForm::kQuery, answer));
  reading_->next.emplace_back(core::AtPage{number});
  const auto counts = reading_->rows.take(std::move(sliced), reading_->held);
  if (reading_->held.back().records.empty()) {
    reading_->held.back().buffer.reset();
  } else {
    reading_->held_bytes += facts.bytes;
  }
  facts.distinct = reading_->rows.distinct();
  facts.held_bytes = reading_->held_bytes;
  facts.all_before_window = counts.all_before_window;
  return reading_->paging.step(facts);
}

Result<void> LiveShell::hand_over_pages() {
  Reading& reading = *reading_;
  if (working_.find_open(reading.window) == nullptr && !reading.held.empty()) {
    if (auto opened = submit_changes(reading.window, {core::WindowOpened{reading.window, core::AtStart{}, reading.pass}});
        !opened) {
      return opened;
    }
  }
  for (std::size_t i = 0; i < reading.held.size(); ++i) {
    core::Page page = std::move(reading.held[i]);
    const std::uint64_t records = connector::source::compact(page);
    page.changes.emplace_back(core::PageRead{.window = reading.window,
                                             .next = reading.next[i],
                                             .records = records,
                                             .page = working_.find_open(reading.window)->pages + 1});
    core::PageGroup group;
    group.push_back(std::move(page));
    if (auto submitted = submit(std::move(group)); !submitted) return submitted;
  }
  reading.rows.handed_over(reading.held.size());
  reading.held.clear();
  reading.next.clear();
  reading.held_bytes = 0;
  return {};
}

Result<void> LiveShell::complete(bool is_short) {
  Reading& reading = *reading_;
  std::uint64_t records = 0;
  for (core::Page& page : reading.held) records += connector::source::compact(page);
  std::erase_if(reading.held, [](const core::Page& page) { return page.buffer == nullptr; });
  if (reading.held.empty()) {
    core::Page only_ledger;
    only_ledger.source = source_;
    only_ledger.window = reading.window;
    reading.held.push_back(std::move(only_ledger));
  }
  const core::OpenWindow* open = working_.find_open(reading.window);
  std::vector<core::LedgerChange>& changes = reading.held.back().changes;
  changes.emplace_back(core::WindowCompleted{.window = reading.window,
                                             .records = records,
                                             .is_short = is_short,
                                             .page = open == nullptr ? 0 : open->pages + 1,
                                             .pass = reading.pass});
  if (working_.has_room_to_open()) {
    std::ranges::move(
        core::passes_satisfied(working_, reading.window,
                               core::began_at(reading.began, stage_.earlier_now(), stage_.now - reading.steady_began),
                               core::Satisfied::kInPart),
        std::back_inserter(changes));
  }
  stage_.note_read("live read at " + common::format_duration(reading.pass.age), reading.window);
  if (auto submitted = submit(std::move(reading.held)); !submitted) return submitted;
  split_short_ = !is_short;
  planner_.widen();
  planner_.went_well(reading.window, reading.pass.age);
  put_off_in_a_row_ = 0;
  backoff_.reset();
  return {};
}

void LiveShell::finish(const Result<void>& done) {
  reading_.reset();
  turns_.give_back(stage_.now);
  if (!done && !planned_.pass.is_first() && may_be_the_window(done.error().code)) return put_off(done.error());
  if (!done) return recover(done.error());
  go_on();
}

void LiveShell::put_off(const common::Error& error) {
  const bool slow = needs_operator(error.code);
  planner_.put_off(planned_, stage_.earlier_now(),
                   {.patience = slow ? core::Patience::kSlow : core::Patience::kUsual, .chance = chance()});
  stage_.note_read("live puts off its reading at " + common::format_duration(planned_.pass.age), planned_.window);
  if (working_.find_open(planned_.window) != nullptr) {
    if (auto given_up = submit_changes(planned_.window, {core::WindowAbandoned{planned_.window}}); !given_up) {
      return recover(given_up.error());
    }
  }
  if (++put_off_in_a_row_ < 3) return go_on();
  put_off_in_a_row_ = 0;
  undecided_ = false;
  doing_ = Doing::kBackoff;
  sleep(slow ? backoff_.slow() : backoff_.next(chance()));
}

void LiveShell::recover(const common::Error& error) {
  check_internal(error);
  if (error.code == ErrorCode::kTopicUnusable) begun_ = false;
  undecided_ = error.code == ErrorCode::kTopicUnusable;
  doing_ = Doing::kBackoff;
  sleep(needs_operator(error.code) ? backoff_.slow() : backoff_.next(chance()));
}

}  // namespace tests::model
