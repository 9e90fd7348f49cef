#include "connector/source/live_lane.h"
#include "connector/core/ports/earlier_now.h"

#include "connector/core/planning/ages.h"
#include "connector/core/planning/caught_up.h"
#include "connector/core/planning/clocks.h"
#include "connector/core/planning/snapshot_planner.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace connector::source {

namespace asio = boost::asio;

using common::Error;
using common::ErrorCode;
using common::fail;
using common::Interval;
using common::Result;

namespace {

constexpr common::Duration kLookAgain{60'000};

core::LivePlanOptions plan_options(const Definition& definition, const LiveOptions& live) {
  return {.every = live.every,
          .delay = live.delay,
          .overlap = live.overlap,
          .min_window = live.min_window,
          .max_window = definition.max_window,
          .buckets = live.buckets};
}

core::SnapshotPlanOptions snapshot_options(const StreamOptions& options) {
  return {.every = options.snapshot.every};
}

// It may be this window alone that cannot be read; the others are worth a try.
bool may_be_the_window(ErrorCode code) {
  switch (code) {
    case ErrorCode::kRetryable:
    case ErrorCode::kRequestRejected:
    case ErrorCode::kPositionInvalid:
    case ErrorCode::kTooComplex:
    case ErrorCode::kOversize:
    case ErrorCode::kMalformedResponse:
      return true;
    default:
      return false;
  }
}

core::TotalUse total_use(const std::optional<Total>& total) {
  if (!total || total->trust == TotalTrust::kNone) return core::TotalUse::kNone;
  return total->trust == TotalTrust::kExact ? core::TotalUse::kExact : core::TotalUse::kApproximate;
}

}  // namespace

// One window while it is read.
struct LiveLane::Reading {
  Reading(core::QueryPagingOptions options, const core::ReadWindow& planned, common::Instant now, common::SteadyTime steady,
          RowRule rule, HomeDays home_days, std::size_t memory_bytes)
      : window(planned.window),
        pass(planned.pass),
        began(now),
        steady_began(steady),
        paging(options, planned.window),
        rows(planned.window, rule, memory_bytes, home_days),
        returned(memory_bytes / kShareOfKeys / sizeof(std::uint64_t)) {
    returned.begin();
  }

  static constexpr std::size_t kShareOfKeys = 16;

  Interval window;
  core::Pass pass;
  common::Instant began;  // by the earlier clock: how old the window was when its reading began
  common::SteadyTime steady_began;
  core::QueryPaging paging;
  WindowRows rows;
  core::PageGroup held;
  std::vector<core::Position> next;  // of each page held: the position behind it
  std::uint64_t held_bytes = 0;
  // Where what is absent is judged:
  core::PassKeys returned;
  core::ReadingFacts facts;
  std::optional<common::Instant> read_from;  // the first answer's `Date`
};

LiveLane::LiveLane(StreamContext& stream)
    : Lane(stream, core::Lane::kLive),
      query_(*stream.definition.query),
      planner_(plan_options(stream.definition, stream.options.live)),
      page_size_(page_size_of(query_.pages, stream.options.page_size)),
      judges_(is_snapshot(stream.definition) && stream.options.snapshot.on_delete == core::OnDelete::kTombstone &&
              stream.options.snapshot.publish == PublishSnapshot::kOnChange) {
  spec_.records = query_.records;
  spec_.key = stream.definition.key;
  spec_.start = stream.definition.start_pointer.value_or("");
  spec_.end = stream.definition.end_pointer.value_or("");
  spec_.open_while_absent = stream.definition.open_while_absent.value_or("");
  scalars_.emplace(query_.pages, query_.total, std::string(), spec_);
}

bool LiveLane::is_caught_up(common::Instant due) const {
  if (is_snapshot(stream_.definition)) {
    return core::snapshot_is_caught_up(snapshot_options(stream_.options), stream_.publisher.committed(source_), due);
  }
  return core::live_is_caught_up(plan_options(stream_.definition, stream_.options.live), stream_.publisher.committed(source_),
                                 due);
}

core::QueryPagingOptions LiveLane::paging_options() const {
  core::QueryPagingOptions options{.chain = chain_of(query_.pages),
                                   .page_size = page_size_,
                                   .total = is_snapshot(stream_.definition) ? core::TotalUse::kNone : total_use(query_.total),
                                   .start_day = stream_.options.sync_match == SyncMatch::kStartDay,
                                   .split_short = split_short_};
  options.limits.memory_bytes = stream_.memory_bytes;
  // A part of a snapshot cannot be asked for, nor of a bucket.
  const bool is_one = is_snapshot(stream_.definition) || stream_.options.live.buckets.is_local();
  options.limits.min_window = is_one ? common::Duration::max() : stream_.options.live.min_window;
  if (const auto* numbered = std::get_if<PageNumberPages>(&query_.pages)) {
    options.first_page = numbered->first;
    options.repeats_end = numbered->end == PagesEnd::kNothingNew;
    options.refused_behind = static_cast<std::uint64_t>(numbered->refused_behind);
    options.limits.max_depth = static_cast<std::uint64_t>(std::max<std::int64_t>(numbered->max_depth, 0));
  }
  return options;
}

Lane::Awaited LiveLane::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  resynchronise();
  bool begun = false;
  for (;;) {
    if (co_await is_cancelled()) co_return fail(ErrorCode::kCancelled, "the lane was cancelled");
    Result<void> done = begun ? co_await advance() : co_await begin();
    if (!done && rereading_ && may_be_the_window(done.error().code)) done = co_await put_off(done.error());
    rereading_.reset();
    if (done) {
      begun = true;
      continue;
    }
    if (done.error().code == ErrorCode::kCancelled || done.error().code == ErrorCode::kInternal) co_return done;
    // What the lane began with may have been dropped with the rest.
    if (done.error().code == ErrorCode::kTopicUnusable) begun = false;
    if (auto recovered = co_await recover(done.error()); !recovered) co_return recovered;
  }
}

// Jobs read what lies behind the service's own guarantee, so the first live window begins there.
Lane::Awaited LiveLane::begin() {
  window_ = {};
  position_ = core::AtStart{};
  if (is_snapshot(stream_.definition)) {
    auto started = co_await start_ledger(core::snapshot_start(snapshot_options(stream_.options), stream_.start.instant));
    // A snapshot is never read again: ages of what the stream read before would keep everything from being forgotten.
    if (started) started = co_await start_ages({});
    if (started) report_recovery();
    co_return started;
  }
  if (!working_.is_untouched()) co_return co_await start_ages(stream_.options.live.ages);
  common::Instant start = stream_.options.live.buckets.start_of(stream_.start.instant);
  if (stream_.definition.job && stream_.options.settle.enabled) {
    Result<common::Instant> availability = co_await fetch_availability();
    if (!availability) co_return fail(availability.error());
    const common::Instant now = core::earlier_now(stream_.clock, stream_.api);
    start = std::max(start, std::min(*availability, now));
  }
  auto started = co_await start_ledger(start);
  if (started) started = co_await start_ages(stream_.options.live.ages);
  if (started) report_recovery();
  co_return started;
}

core::LivePlan LiveLane::plan(common::Instant now) const {
  if (is_snapshot(stream_.definition)) return core::plan_snapshot(snapshot_options(stream_.options), working_, now);
  return planner_.next(working_, now);
}

Lane::Awaited LiveLane::advance() {
  // What a reading lacks is told by what is remembered of those before it.
  if (judges_) {
    if (auto flushed = co_await flush(); !flushed) co_return flushed;
  }
  if (!is_snapshot(stream_.definition)) {
    if (auto given_up = co_await give_up_out_of_reach(); !given_up) co_return given_up;
    if (readable_from_) {
      planner_.forget_before(*readable_from_);
      refused_.remove({.start = common::Instant::min(), .end = *readable_from_});
    }
  }
  const common::Instant now = core::earlier_now(stream_.clock, stream_.api);
  core::LivePlan planned_next = plan(now);
  if (auto* planned = std::get_if<core::ReadWindow>(&planned_next)) {
    // An overlap need not reach back behind what the service keeps.
    if (readable_from_ && !planned->is_open) planned->window.start = std::max(planned->window.start, *readable_from_);
    // The one read of the query form that may return the same records as ours is `follow`'s.
    auto turn = co_await stream_.reads.take();
    if (!turn) co_return fail(turn.error());
    if (!planned->pass.is_first()) rereading_ = *planned;
    co_return co_await read_window(*planned);
  }
  // Nothing of this lane runs beside it, so that it never waits for reads.
  if (const auto* wait = std::get_if<core::WaitUntil>(&planned_next)) {
    window_ = {};
    position_ = core::AtStart{};
    stream_.metrics.windows_open(source_, working_.open().size());
    const core::Ledger planned_from = working_;
    if (auto flushed = co_await flush(); !flushed) co_return flushed;
    if (!working_.has_same_progress(planned_from)) co_return Result<void>{};  // something was dropped: plan again
    if (!planner_.has_put_off()) report_recovery();
    // At least a moment: the clocks may disagree by less than a millisecond. And not for long: a clock that lagged when this was
    // planned may have been set right since.
    co_return co_await sleep(std::clamp(wait->instant - now, common::Duration{1}, kLookAgain));
  }
  co_return fail(ErrorCode::kInternal, "the live lane waits for a read that is not there");
}

Lane::Awaited LiveLane::recover(const Error& error) {
  common::Duration wait = needs_operator(error.code) ? backoff_.slow() : backoff_.next(chance());
  if (error.retry_after) wait = std::max<common::Duration>(wait, *error.retry_after);
  report_failure(error, window_, position_, wait);
  if (auto slept = co_await sleep(wait); !slept) co_return slept;
  if (error.code == ErrorCode::kTopicUnusable) co_return co_await await_decision();
  co_return Result<void>{};
}

// A window that cannot be read again must keep neither new ones nor other ages from being read.
Lane::Awaited LiveLane::put_off(const Error& error) {
  constexpr std::uint32_t kInARow = 3;  // without one that went well: then it is not the windows' fault
  const common::Instant now = core::earlier_now(stream_.clock, stream_.api);
  const core::PutOff how{.patience = needs_operator(error.code) ? core::Patience::kSlow : core::Patience::kUsual,
                         .chance = chance(),
                         .at_least = error.retry_after.value_or(std::chrono::seconds{0})};
  report_failure(error, window_, position_, planner_.put_off(*rereading_, now, how));
  // Open in the ledger it would be the first to be read again, and in the way of the others.
  if (auto given_up = co_await give_up_open(window_); !given_up) co_return given_up;
  if (++put_off_in_a_row_ < kInARow) co_return Result<void>{};
  put_off_in_a_row_ = 0;
  co_return co_await sleep(needs_operator(error.code) ? backoff_.slow() : backoff_.next(chance()));
}

Lane::Awaited LiveLane::read_window(core::ReadWindow planned) {
  window_ = planned.window;
  position_ = core::AtStart{};
  stream_.metrics.windows_open(source_, working_.open().size() + (planned.is_open ? 0 : 1));
  // It may have moved since: a page-numbered window starts again at its first page.
  if (const auto* open = working_.find_open(planned.window);
      open != nullptr && open->position != core::Position{core::AtStart{}}) {
    if (auto restarted = co_await submit_changes(planned.window, {core::WindowRestarted{planned.window}}); !restarted) {
      co_return restarted;
    }
    stream_.metrics.window_restarted(source_, "taken_up");
  }

  core::QueryPagingOptions options = paging_options();
  // Refused once, its next page may have grown too old; twice, it lies deeper than the service goes. (What expires meanwhile
  // moves where the window begins.)
  options.split_refused = refused_.overlaps(planned.window);
  // What of the window is new begins where the ledger's gap does.
  if (const auto gap = working_.complete().first_gap(planned.window)) options.overlap = gap->start - planned.window.start;
  const common::Instant now = core::earlier_now(stream_.clock, stream_.api);
  Reading reading(options, planned, now, stream_.clock.steady_now(), row_rule(), home_days_of(stream_.definition),
                  stream_.memory_bytes);
  core::PagingAction action = reading.paging.begin();
  for (;;) {
    if (co_await is_cancelled()) co_return fail(ErrorCode::kCancelled, "the lane was cancelled");
    if (auto* fetch = std::get_if<core::FetchPage>(&action)) {
      if (!reading.next.empty()) reading.next.back() = fetch->at;
      if (reading.paging.page_by_page()) {
        if (auto handed = co_await hand_over_pages(reading); !handed) co_return handed;
      }
      const core::Position at = fetch->at;
      action = co_await read_page(reading, at);
    } else if (const auto* split = std::get_if<core::SplitInto>(&action)) {
      planner_.narrow(planned.window, split->part);
      stream_.logger.info("a window holds too much, or less than it promises, and is read in parts",
                          {{"stream", source_.stream.str()},
                           {"lane", core::to_string(source_.lane)},
                           {"window", common::format_interval(planned.window)},
                           {"part", common::format_duration(split->part)}});
      co_return co_await give_up_open(planned.window);
    } else if (const auto* read = std::get_if<core::WindowRead>(&action)) {
      if (auto passed = check_clock(planned.window.end + planned.pass.age); !passed) co_return passed;
      if (read->is_refused) reading.facts.ended_by_refusal();
      co_return co_await complete(reading, read->is_short);
    } else {
      const Error& error = std::get<core::FailRead>(action).error;
      const bool at_a_token = std::holds_alternative<core::AtCursor>(position_);
      if (at_a_token && error.code == ErrorCode::kPositionInvalid) {
        refused_.add(planned.window);
        stream_.metrics.window_restarted(source_, "position_rejected");
      }
      co_return fail(error);
    }
  }
}

RowRule LiveLane::row_rule() const {
  if (is_snapshot(stream_.definition)) return RowRule::kAny;
  return stream_.options.sync_match == SyncMatch::kStartDay ? RowRule::kStartDay : RowRule::kOverlap;
}

// The window was planned by what was known of the clocks before. If ours has jumped ahead since, the answers have told so: their
// window had not passed for the service yet, or was not as old as it is read at.
Result<void> LiveLane::check_clock(common::Instant due) const {
  constexpr common::Duration kResolutionOfDate{1'000};
  const common::Instant now = core::earlier_now(stream_.clock, stream_.api);
  if (due <= now + kResolutionOfDate) return {};
  return fail(ErrorCode::kRetryable, "the service's clock says " + common::format_instant(now) +
                                         ", before the window may be read: the clock of this host has jumped ahead; check its "
                                         "synchronisation");
}

asio::awaitable<core::PagingAction> LiveLane::read_page(Reading& reading, core::Position at) {
  position_ = at;
  RequestBuilder builder = query_request(stream_.definition, stream_.options, reading.window);
  if (stream_.options.sync_match == SyncMatch::kStartDay) builder.newest_first();
  put_position(builder, query_.pages, at, page_size_);
  core::ApiRequest request = std::move(builder).build(source_);
  request.window = common::format_interval(reading.window);
  request.position = describe(at);

  Result<ReadPage> read = co_await fetch_page(std::move(request), spec_);
  if (!read) co_return reading.paging.step(read.error());
  core::PageFacts facts{.rows = read->sliced.elements,
                        .bytes = read->buffer->size(),
                        .total = scalars_->total(read->sliced),
                        .page_count = scalars_->page_count(read->sliced),
                        .next = scalars_->next(read->sliced, read->headers)};
  // Without contents nothing is compared: every record is published.
  if (is_snapshot(stream_.definition) && stream_.options.snapshot.publish == PublishSnapshot::kAlways)
    read->sliced.digests.clear();
  if (judges_) {
    for (const core::RecordSlice& record : read->sliced.records) reading.returned.add(record.key);
    if (!reading.read_from) reading.read_from = read->service_date;
  }
  const std::uint64_t rows = read->sliced.rows();
  reading.held.push_back(make_page(*read, at, reading.window, core::RecordForm::kQuery));
  reading.next.push_back(at);
  const RowCounts counts = reading.rows.take(std::move(read->sliced), reading.held);
  note_counts(counts);
  reading.facts.page(rows, counts.duplicates, reading.held.back().dead_letters.size(), facts.total);
  const auto* numbered = std::get_if<PageNumberPages>(&query_.pages);
  if (numbered != nullptr && numbered->end == PagesEnd::kNothingNew && counts.duplicates == rows) {
    reading.facts.ended_by_repeat();
  }
  report_dead_letters(reading.held.back());
  // A page that only repeats others is not held; its place is kept, so that rows are found by page.
  if (reading.held.back().records.empty() && reading.held.back().dead_letters.empty()) {
    reading.held.back().buffer.reset();
  } else {
    reading.held_bytes += facts.bytes;
  }
  facts.distinct = reading.rows.distinct();
  facts.held_bytes = reading.held_bytes;
  facts.all_before_window = counts.all_before_window;
  co_return reading.paging.step(facts);
}

void LiveLane::note_counts(const RowCounts& counts) {
  if (counts.duplicates > 0) stream_.metrics.records_dropped(source_, "duplicate_in_window", counts.duplicates);
  if (counts.outside > 0) stream_.metrics.records_dropped(source_, "outside_window", counts.outside);
  if (counts.not_overlapping > 0 && !std::exchange(told_overlap_, true)) {
    stream_.logger.warn(
        "the service returns records that do not overlap the window asked for: it seems to match whole start days; "
        "sync_match: start_day reads fewer records",
        {{"stream", source_.stream.str()},
         {"window", common::format_interval(window_)},
         {"position", describe(position_)},
         {"records", counts.not_overlapping}});
  }
}

// The window cannot be held whole: what is here is committed with its positions, page by page.
Lane::Awaited LiveLane::hand_over_pages(Reading& reading) {
  if (working_.find_open(reading.window) == nullptr && !reading.held.empty()) {
    if (auto opened =
            co_await submit_changes(reading.window, {core::WindowOpened{reading.window, core::AtStart{}, reading.pass}});
        !opened) {
      co_return opened;
    }
  }
  for (std::size_t i = 0; i < reading.held.size(); ++i) {
    core::Page page = std::move(reading.held[i]);
    const std::uint64_t records = compact(page);
    page.changes.emplace_back(core::PageRead{.window = reading.window,
                                             .next = reading.next[i],
                                             .records = records,
                                             .page = working_.find_open(reading.window)->pages + 1});
    core::PageGroup group;
    group.push_back(std::move(page));
    if (auto submitted = co_await submit(std::move(group)); !submitted) co_return submitted;
  }
  reading.rows.handed_over(reading.held.size());
  reading.held.clear();
  reading.next.clear();
  reading.held_bytes = 0;
  co_return Result<void>{};
}

Lane::Awaited LiveLane::complete(Reading& reading, bool is_short) {
  refused_.remove(reading.window);
  std::uint64_t records = 0;
  for (core::Page& page : reading.held) records += compact(page);
  std::erase_if(reading.held, [](const core::Page& page) { return page.buffer == nullptr; });
  std::vector<core::LedgerChange> absence;
  if (judges_) {
    if (auto judged = co_await judge_absence(reading, absence); !judged) co_return judged;
  }
  if (reading.held.empty()) {
    core::Page only_ledger;
    only_ledger.source = source_;
    only_ledger.window = reading.window;
    only_ledger.read_at = stream_.clock.utc_now();
    reading.held.push_back(std::move(only_ledger));
  }
  const core::OpenWindow* open = working_.find_open(reading.window);
  std::vector<core::LedgerChange>& changes = reading.held.back().changes;
  std::ranges::move(absence, std::back_inserter(changes));
  changes.emplace_back(core::WindowCompleted{.window = reading.window,
                                             .records = records,
                                             // A state is read whole the next time, whatever this reading lacked.
                                             .is_short = is_short && !is_snapshot(stream_.definition),
                                             .page = open == nullptr ? 0 : open->pages + 1,
                                             .pass = reading.pass});
  if (stream_.definition.job && stream_.options.settle.enabled) {
    const core::Ledger& settle = stream_.publisher.committed({.stream = source_.stream, .lane = core::Lane::kSettle});
    std::ranges::move(core::short_made_good(working_, settle), std::back_inserter(changes));
  }
  // What was read so late need not be read again at ages that are over; but what is short is, however late. A full ledger has no
  // place to say so.
  if (!is_short && working_.has_room_to_open()) {
    const common::Instant now = core::earlier_now(stream_.clock, stream_.api);
    const auto elapsed = std::chrono::ceil<common::Duration>(stream_.clock.steady_now() - reading.steady_began);
    // A bucket whose end alone is old enough is read again whole.
    const auto satisfied = stream_.options.live.buckets ? core::Satisfied::kWhole : core::Satisfied::kInPart;
    std::ranges::move(core::passes_satisfied(working_, reading.window, core::began_at(reading.began, now, elapsed), satisfied),
                      std::back_inserter(changes));
  }
  if (auto submitted = co_await submit(std::move(reading.held)); !submitted) co_return submitted;

  stream_.metrics.window_completed(source_, is_short);
  stream_.metrics.windows_open(source_, working_.open().size());
  if (is_short) {
    stream_.logger.warn("a window is complete with fewer records than the service's total promised",
                        {{"stream", source_.stream.str()},
                         {"lane", core::to_string(source_.lane)},
                         {"window", common::format_interval(reading.window)},
                         {"records", records}});
  }
  // A total that stays wrong in the smallest window is no reason to cut every window to pieces: until one is whole again.
  split_short_ = !is_short;
  planner_.widen();
  planner_.went_well(reading.window, reading.pass.age);
  put_off_in_a_row_ = 0;
  backoff_.reset();
  if (planner_.has_put_off()) {
    report_recovery(reading.window);
  } else {
    report_recovery();
  }
  co_return Result<void>{};
}

// --- what a snapshot did not return ------------------------------------------------------------------------------------------

Lane::Awaited LiveLane::judge_absence(Reading& reading, std::vector<core::LedgerChange>& changes) {
  const core::NotWhole why = reading.facts.judge(reading.rows.distinct(), reading.paging.page_by_page(), reading.returned);
  core::VanishedReadingFindings findings;
  if (why == core::NotWhole::kNone) {
    findings = co_await search_absent(reading);
    if (co_await is_cancelled()) co_return fail(ErrorCode::kCancelled, "the lane was cancelled");
  } else {
    findings.absent = core::without_returned(working_.absent(), reading.returned);
  }
  tell_absence(reading, why, findings);
  if (!findings.gone.empty()) add_gone(reading, findings.gone);
  if (core::AbsentKeys absent(std::move(findings.absent)); absent != working_.absent()) {
    changes.emplace_back(core::AbsenceCounted{std::move(absent)});
  }
  co_return Result<void>{};
}

// Of everything that is remembered. In steps, so that nothing else waits for long. (What earlier readings brought was committed
// before this one began.)
asio::awaitable<core::VanishedReadingFindings> LiveLane::search_absent(const Reading& reading) {
  constexpr std::size_t kStep = 20'000;  // a few milliseconds
  const auto executor = co_await asio::this_coro::executor;
  const SnapshotOptions& snapshot = stream_.options.snapshot;
  const core::AbsentKeys before = working_.absent();
  core::VanishedReading search({.confirm = snapshot.delete_readings, .max_share = snapshot.delete_max_share}, reading.returned,
                               before, reading.read_from.value_or(reading.began));
  const core::StreamDigests* digests = stream_.publisher.digests(source_.stream);
  core::DigestIndex::Cursor cursor;
  while (digests != nullptr && !cursor.at_end()) {
    digests->committed().visit(cursor, kStep,
                               [&](std::string_view key, const core::DigestEntry& entry) { search.look_at(key, entry); });
    if (!cursor.at_end()) co_await asio::post(executor, asio::use_awaitable);
  }
  co_return search.take();
}

// Decided behind the rows of the reading, in their transaction.
void LiveLane::add_gone(Reading& reading, const std::vector<core::RecordKey>& gone) {
  core::Page page;
  page.source = source_;
  page.form = core::RecordForm::kQuery;
  page.gone = stream_.options.snapshot.on_delete;
  page.window = reading.window;
  page.read_at = stream_.clock.utc_now();
  page.service_date = reading.read_from.value_or(reading.began);
  page.availability = page.service_date;
  page.position = std::to_string(gone.size()) + " keys";
  page.buffer = std::make_unique<std::string>();
  for (const core::RecordKey& key : gone) *page.buffer += key.str();
  const core::HomeDay day = home_day(HomeDays::kBySighting, {}, reading.window);
  std::size_t begin = 0;
  for (const core::RecordKey& key : gone) {
    page.records.push_back({.key = std::string_view(*page.buffer).substr(begin, key.str().size()), .value = {}});
    page.contents.push_back({.digests = {}, .home_day = day, .open = false});
    begin += key.str().size();
  }
  reading.held.push_back(std::move(page));
}

// (What is gone is told when it is committed.)
void LiveLane::tell_absence(const Reading& reading, core::NotWhole why, const core::VanishedReadingFindings& findings) {
  if (std::exchange(told_not_whole_, why) != why && why != core::NotWhole::kNone) {
    stream_.logger.warn(
        "a reading does not tell which records the service no longer has",
        {{"stream", source_.stream.str()}, {"window", common::format_interval(reading.window)}, {"why", core::to_string(why)}});
  }
  if (findings.withheld > 0) stream_.metrics.records_gone(source_.stream, "withheld", findings.withheld);
  if (findings.is_braked) stream_.metrics.delete_braked(source_.stream);
  if (std::exchange(told_brake_, findings.is_braked) || !findings.is_braked) return;
  stream_.logger.warn(
      "more records are absent at the service than snapshot.delete.max_share allows: none is taken for deleted",
      {{"stream", source_.stream.str()}, {"window", common::format_interval(reading.window)}, {"records", findings.withheld}});
}

// The parts are planned anew from the gap, whatever became of this attempt.
Lane::Awaited LiveLane::give_up_open(const Interval& window) {
  if (working_.find_open(window) == nullptr) co_return Result<void>{};
  co_return co_await submit_changes(window, {core::WindowAbandoned{window}});
}

}  // namespace connector::source
