#include "connector/source/settle_lane.h"

#include "connector/core/planning/caught_up.h"
#include "connector/core/planning/job_availability.h"
#include "connector/core/ports/earlier_now.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <utility>
#include <variant>

namespace connector::source {

namespace asio = boost::asio;

using common::ErrorCode;
using common::fail;
using common::Interval;
using common::Result;

// The coroutines of the lane between two troubles that concern all of them.
struct SettleLane::Crew {
  explicit Crew(const asio::any_io_executor& executor) : group(executor), availability_wanted(executor) {}

  TaskGroup group;
  Event availability_wanted;
  std::optional<common::Instant> wanted_until;
  std::vector<Interval> running;
  // Of those running, passes after the first that wait without a job: until they try again, and then until there is room.
  std::uint32_t waiting = 0;
  std::uint32_t ready = 0;
  bool is_done = false;  // a backfill: nothing is left
};

SettleLane::SettleLane(StreamContext& stream, std::optional<core::BackfillOrder> order)
    : Lane(stream, order ? core::Lane::kBackfill : core::Lane::kSettle),
      job_(*stream.definition.job),
      reading_(stream),
      judge_(*this) {
  if (order) backfill_.emplace(*this, std::move(*order));
}

Lane::Awaited SettleLane::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  resynchronise();
  for (;;) {
    Result<void> done = co_await run_crew();
    if (done) co_return done;
    if (done.error().code == ErrorCode::kCancelled || done.error().code == ErrorCode::kInternal) co_return done;
    judge_.forget();  // what was handed over may be dropped
    common::Duration wait = needs_operator(done.error().code) ? backoff_.slow() : backoff_.next(chance());
    report_failure(done.error(), {}, core::AtStart{}, wait);
    if (auto slept = co_await sleep(wait); !slept) co_return slept;
    if (auto decided = co_await await_decision(); !decided) co_return decided;
  }
}

Lane::Awaited SettleLane::cancel() {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_return co_await backfill_->cancel();
}

// Ends with an error: cancellation, or trouble that concerns every window of the lane; a backfill without one when it is done.
Lane::Awaited SettleLane::run_crew() {
  if (backfill_) {
    if (auto begun = co_await backfill_->begin(); !begun) co_return begun;
    if (!backfill_->is_running()) co_return Result<void>{};  // what told so came after the last failure
  } else {
    if (auto started = co_await start_ledger(stream_.start.instant); !started) co_return started;
    if (auto started = co_await start_ages(stream_.options.settle.ages); !started) co_return started;
  }
  Crew crew(co_await asio::this_coro::executor);
  hold_days(crew);
  const JobDays::Waker waker(stream_.job_days, source_.lane, [&crew] { crew.group.wake(); });
  crew.group.spawn(watch_availability(crew));
  Result<void> done;
  while (done && !crew.is_done && !crew.group.trouble() && !crew.group.has_thrown()) {
    if (co_await is_cancelled()) {
      done = fail(ErrorCode::kCancelled, "the lane was cancelled");
    } else {
      done = co_await dispatch(crew);
    }
  }
  co_await crew.group.cancel_and_join();
  if (crew.is_done) co_return Result<void>{};
  co_return fail(done ? *crew.group.trouble() : done.error());  // what a child threw has been thrown again by now
}

// Begins what may begin, then waits until something ends.
Lane::Awaited SettleLane::dispatch(Crew& crew) {
  // The host's clock may have been set back, or the service's be known only now; what is complete stays so.
  if (job_.lag && dates_.told) {
    const common::Instant now = core::earlier_now(stream_.clock, stream_.api);
    dates_.told = std::min(*dates_.told, core::available_by_age(*job_.lag, now));
  }
  if (auto given_up = co_await give_up_expired(crew); !given_up) co_return given_up;
  if (std::vector<core::LedgerChange> forgotten = judge_.forgotten(); !forgotten.empty()) {
    if (auto submitted = co_await submit_changes({}, std::move(forgotten)); !submitted) co_return submitted;
  }
  judge_.judge_days(crew.group);
  if (std::vector<core::LedgerChange> owed = newly_owed(); !owed.empty()) {
    if (auto submitted = co_await submit_changes({}, std::move(owed)); !submitted) co_return submitted;
  }
  const core::SettleTime time{.availability = dates_.told, .now = core::earlier_now(stream_.clock, stream_.api)};
  core::SettlePlanOptions options = plan_options();
  options.waiting = crew.waiting;
  core::SettlePlan plan = core::plan_settle(options, working_, time, crew.running, stream_.job_days.of_others(source_.lane));
  stream_.metrics.windows_open(source_, std::max(working_.open().size(), crew.running.size()));
  if (auto* resume = std::get_if<core::ResumeWindow>(&plan)) {
    crew.running.push_back(resume->open.window);
    hold_days(crew);
    crew.group.spawn(run_job(crew, resume->open.window, std::move(resume->open.position), resume->open.pass));
    co_return Result<void>{};
  }
  if (const auto* begin = std::get_if<core::SubmitWindow>(&plan)) {
    crew.running.push_back(begin->window);
    hold_days(crew);
    crew.group.spawn(run_job(crew, begin->window, core::AtStart{}, begin->pass));
    co_return Result<void>{};
  }
  // While jobs run, too: their results may be older than the date that was told last, and so would be those of the next ones.
  const auto* ask = std::get_if<core::AskAvailability>(&plan);
  crew.wanted_until = ask != nullptr ? std::optional(ask->until) : std::nullopt;
  crew.availability_wanted.notify();
  if (crew.running.empty()) {
    const core::Ledger planned_from = working_;
    if (auto flushed = co_await flush(); !flushed) co_return flushed;
    if (!working_.has_same_progress(planned_from)) {  // something was dropped: plan again
      judge_.forget();
      co_return Result<void>{};
    }
  }
  if (std::holds_alternative<core::NothingLeft>(plan)) {
    auto ended = co_await backfill_->end(core::BackfillState::kDone);
    crew.is_done = ended.has_value();
    co_return ended;
  }
  // A cancellation that came while something else ended would not end this wait.
  if (!co_await is_cancelled()) co_await crew.group.changed();
  co_return Result<void>{};
}

// (Of a day that has expired in part, what is absent by its id may have expired, too.)
Lane::Awaited SettleLane::give_up_expired(const Crew& crew) {
  const auto until = backfill_ ? std::optional(backfill_->order().range.end) : std::nullopt;
  if (auto given_up = co_await give_up_out_of_reach(crew.running, until); !given_up) co_return given_up;
  if (readable_from_) judge_.forget_before(*readable_from_);
  co_return Result<void>{};
}

common::Duration SettleLane::owed_gather() const {
  // A twelfth of the first later age: 6 hours of 72.
  constexpr common::Duration kUnasked{21'600'000};
  const auto& ages = stream_.options.settle.ages;
  return ages.size() > 1 ? std::min(kUnasked, ages[1] / 12) : kUnasked;
}

std::uint32_t SettleLane::max_jobs() const {
  // Jobs of two days may return one record: an older state must not come after a newer one.
  if (stream_.definition.spans_days) return 1;
  const std::uint32_t wanted = backfill_ ? backfill_->order().parallel : stream_.options.settle.max_jobs;
  return job_.max_open > 0 ? std::min(wanted, job_.max_open) : wanted;
}

core::SettlePlanOptions SettleLane::plan_options() const {
  const SettleOptions& settle = stream_.options.settle;
  core::SettlePlanOptions options{.window = settle.window,
                                  .max_jobs = max_jobs(),
                                  .newest_first = settle.newest_first && !stream_.definition.spans_days,
                                  .owed_gather = owed_gather()};
  if (backfill_) {
    options.newest_first = false;
    options.until = backfill_->order().range.end;
  }
  return options;
}

bool SettleLane::is_caught_up(common::Instant due) const {
  const core::Publisher& publisher = stream_.publisher;
  const core::Ledger& backfill = publisher.committed({.stream = source_.stream, .lane = core::Lane::kBackfill});
  return core::settle_is_caught_up(plan_options(), publisher.committed(source_), due, dates_.first_told) &&
         core::backfill_is_caught_up(plan_options(), backfill, dates_.first_told);
}

// Whoever else reads this stream by jobs leaves these days alone.
void SettleLane::hold_days(const Crew& crew) {
  core::JobsElsewhere jobs{.running = crew.running, .open = {}};
  for (const core::OpenWindow& open : working_.open()) {
    if (job_of(open.position) != nullptr) jobs.open.push_back(open.window);
  }
  stream_.job_days.hold(source_.lane, std::move(jobs));
}

std::vector<core::LedgerChange> SettleLane::newly_owed() const {
  if (backfill_) return {};  // a pass for what its rows leave owed is the settle lane's
  const core::StreamDigests* digests = stream_.publisher.digests(source_.stream);
  if (digests == nullptr || !dates_.told) return {};
  const core::NewlyOwedOptions options{.gather = owed_gather(), .max_gather = stream_.options.follow.max, .from = readable_from_};
  return core::newly_owed(options, working_, *digests, *dates_.told, dates_.passes);
}

asio::awaitable<void> SettleLane::watch_availability(Crew& crew) {
  co_await asio::this_coro::throw_if_cancelled(false);
  core::LaneBackoff backoff;
  while (!co_await is_cancelled()) {
    co_await crew.availability_wanted.wait();
    if (co_await is_cancelled()) co_return;
    if (dates_.told && crew.wanted_until && *dates_.told >= *crew.wanted_until) continue;
    Result<common::Instant> date = co_await fetch_availability();
    common::Duration wait = stream_.options.settle.availability_every;
    if (date) {
      // Of an earlier life the ledger knows.
      const std::optional<common::Instant> before = dates_.told ? dates_.told : working_.availability();
      // By age it says nothing about the service's data: clocks may be set back or differ by a second from answer to answer.
      if (before && *date < *before && !job_.lag) {
        stream_.logger.warn(
            "the service's availability date went back; nothing beyond it is submitted",
            {{"stream", source_.stream.str()}, {"from", common::format_instant(*before)}, {"to", common::format_instant(*date)}});
        std::vector<core::LedgerChange> lost = core::availability_lost({.window = stream_.options.settle.window}, working_,
                                                                       std::max(*before, dates_.newest_read), *date);
        if (!lost.empty()) {
          if (auto submitted = co_await submit_changes({}, std::move(lost)); !submitted) {
            // Without its watch the crew would wait for ever.
            crew.group.fail(std::move(submitted.error()));
            co_return;
          }
        }
      }
      dates_.told = *date;
      if (!dates_.first_told) dates_.first_told = *date;
      backoff.reset();
      report_recovery({});
      crew.group.wake();
    } else {
      if (date.error().code == ErrorCode::kCancelled) co_return;
      wait = needs_operator(date.error().code) ? backoff.slow() : backoff.next(chance());
      report_failure(date.error(), {}, core::AtStart{}, wait);
      crew.availability_wanted.notify();  // asked again after the wait
    }
    if (auto slept = co_await sleep(wait); !slept) co_return;
  }
}

asio::awaitable<void> SettleLane::run_job(Crew& crew, Interval window, core::Position position, core::Pass pass) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const std::size_t memory = backfill_ ? stream_.memory_bytes / backfill_->order().parallel : stream_.memory_bytes;
  const WindowJobParts parts{
      .lane = *this, .reading = reading_, .dates = dates_, .judge = judge_, .backfill = backfill_ ? &*backfill_ : nullptr};
  WindowJob job(parts, window, std::move(position), pass, memory);
  Result<void> done = co_await read_window(crew, job);
  std::erase(crew.running, window);
  hold_days(crew);
  if (done) {
    report_recovery(window);
    backoff_.reset();
  } else if (done.error().code != ErrorCode::kCancelled || !co_await is_cancelled()) {  // if not we were, the task stops
    crew.group.fail(std::move(done.error()));
  }
}

Lane::Awaited SettleLane::read_window(Crew& crew, WindowJob& job) {
  while (!job.is_done()) {
    if (co_await is_cancelled()) co_return fail(ErrorCode::kCancelled, "the lane was cancelled");
    if (auto done = co_await job.perform(); !done) co_return done;
    if (!job.rest()) continue;
    if (auto waited = co_await wait_without_job(crew, job.pass(), *job.rest()); !waited) co_return waited;
    if (job.is_done()) break;
    if (auto ready = co_await await_age(crew, job); !ready) co_return ready;
    if (auto room = co_await await_room(crew, job.pass()); !room) co_return room;
    job.go_on();
  }
  co_return Result<void>{};
}

// Of a service that tells no date: else its results would be older than needed once more.
Lane::Awaited SettleLane::await_age(Crew& crew, const WindowJob& job) {
  const auto plannable = [&] { return core::plannable_by_age(*job_.lag, core::earlier_now(stream_.clock, stream_.api)); };
  while (job_.lag && plannable() < job.needed()) {
    auto waited = co_await wait_without_job(crew, job.pass(), stream_.options.settle.availability_every);
    if (!waited) co_return waited;
  }
  co_return Result<void>{};
}

// A pass after the first that fails again and again must not keep new days from being read: while it waits its place is theirs.
Lane::Awaited SettleLane::wait_without_job(Crew& crew, core::Pass pass, common::Duration wait) {
  if (pass.is_first()) co_return co_await sleep(wait);
  ++crew.waiting;
  crew.group.wake();
  Result<void> slept = co_await sleep(wait);
  --crew.waiting;
  co_return slept;
}

// Its place may have been taken meanwhile.
Lane::Awaited SettleLane::await_room(Crew& crew, core::Pass pass) {
  if (pass.is_first()) co_return Result<void>{};
  ++crew.ready;
  Result<void> done;
  while (done && crew.running.size() - crew.waiting - crew.ready >= max_jobs()) {
    done = co_await sleep(stream_.options.settle.poll_initial);
  }
  --crew.ready;
  co_return done;
}

}  // namespace connector::source
