#include "connector/core/ledger/ledger.h"

#include <algorithm>
#include <utility>

namespace connector::core {

using common::Duration;
using common::ErrorCode;
using common::fail;
using common::Instant;
using common::Interval;
using common::Result;

namespace {

std::unexpected<common::Error> contradiction(std::string_view what, const Interval& window) {
  return fail(ErrorCode::kInternal, std::string(what) + " " + common::format_interval(window));
}

const std::optional<std::string>* cursor_of(const Position& position) {
  const auto* job = std::get_if<AtJob>(&position);
  return job == nullptr ? nullptr : &job->cursor;
}

std::size_t cursor_bytes(const Position& position) {
  if (const auto* at = std::get_if<AtCursor>(&position)) return at->cursor.size();
  const auto* cursor = cursor_of(position);
  return cursor != nullptr && cursor->has_value() ? (*cursor)->size() : 0;
}

// Never in the middle of a character: half of one could not be read again.
std::string cut_text(std::string_view text, std::size_t most) {
  if (text.size() <= most) return std::string(text);
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80U) --most;
  return std::string(text.substr(0, most));
}

}  // namespace

struct Ledger::Applier {
  Ledger& ledger;

  auto find(const Interval& window) { return std::ranges::find(ledger.open_, window, &OpenWindow::window); }

  // A page that does not follow the last one applied means that one in between was dropped: its records would be lost.
  Result<void> check_page(const OpenWindow& open, std::uint32_t page) {
    if (page != 0 && page != open.pages + 1) {
      return contradiction("page " + std::to_string(page) + " does not follow page " + std::to_string(open.pages) + " of window",
                           open.window);
    }
    return {};
  }

  static Result<void> check_cursor(const Position& position) {
    if (cursor_bytes(position) <= kMaxCursorBytes) return {};
    return fail(ErrorCode::kOversize, "a cursor of " + std::to_string(cursor_bytes(position)) + " bytes exceeds the bound of " +
                                          std::to_string(kMaxCursorBytes) + " bytes");
  }

  Result<void> operator()(const LaneStarted& change) {
    if (!ledger.is_untouched()) {
      return fail(ErrorCode::kInternal,
                  "the start of a lane that has begun cannot move to " + common::format_instant(change.start));
    }
    ledger.start_ = change.start;
    return {};
  }

  Result<void> operator()(const AgeStarted& change) {
    const Interval read{.start = ledger.start_, .end = change.from};
    if (change.age <= Duration{0} || ledger.passes_.contains(change.age) || ledger.passes_.size() >= kMaxAges) {
      return fail(ErrorCode::kInternal, "the age " + common::format_duration(change.age) + " cannot begin");
    }
    if (!ledger.complete_.covers(read)) return contradiction("an age begins behind what is not complete:", read);
    if (ledger.interval_count() >= kMaxIntervals) return contradiction("too many gaps to begin an age after", read);
    const Instant settled = ledger.settled_until();
    ledger.passes_[change.age].add(read);
    if (ledger.settled_until() < settled) ledger.settled_ = settled;
    return {};
  }

  Result<void> operator()(const AgeEnded& change) {
    for (const OpenWindow& open : ledger.open_) {
      if (open.pass.age == change.age) return contradiction("ending the age of the open window", open.window);
    }
    if (ledger.passes_.erase(change.age) == 0) {
      return fail(ErrorCode::kInternal, "the age " + common::format_duration(change.age) + " that ends has not begun");
    }
    return {};
  }

  Result<void> operator()(const WindowOpened& change) {
    if (change.window.empty()) return contradiction("opening the empty window", change.window);
    if (auto bounded = check_cursor(change.position); !bounded) return bounded;
    if (const auto open = find(change.window); open != ledger.open_.end()) {
      if (open->pass != change.pass) return contradiction("opening in another pass the open window", change.window);
      if (!std::holds_alternative<AtStart>(open->position)) return contradiction("opening the open window", change.window);
      open->position = change.position;
      return {};
    }
    if (const char* what = ledger.contradiction_of(change.window, change.pass)) return contradiction(what, change.window);
    for (const OpenWindow& open : ledger.open_) {
      if (open.window.overlaps(change.window)) return contradiction("opening a window over the open one", open.window);
    }
    if (ledger.open_.size() >= kMaxOpenWindows) return contradiction("too many open windows to open", change.window);
    ledger.open_.push_back({.window = change.window, .position = change.position, .pass = change.pass});
    std::ranges::sort(ledger.open_, {}, &OpenWindow::window);
    return {};
  }

  Result<void> operator()(const PageRead& change) {
    const auto open = find(change.window);
    if (open == ledger.open_.end()) return contradiction("a page of a window that is not open:", change.window);
    if (auto follows = check_page(*open, change.page); !follows) return follows;
    if (auto bounded = check_cursor(change.next); !bounded) return bounded;
    open->position = change.next;
    open->records += change.records;
    ++open->pages;
    if (ledger.backfill_) ledger.backfill_->records += change.records;
    return {};
  }

  Result<void> operator()(const WindowCompleted& change) {
    if (change.window.empty()) return contradiction("completing the empty window", change.window);
    const auto open = find(change.window);
    if (open != ledger.open_.end()) {
      if (auto follows = check_page(*open, change.page); !follows) return follows;
    } else if (change.page != 0) {
      return contradiction("the last page of a window that is not open:", change.window);
    }
    const Pass pass = open != ledger.open_.end() ? open->pass : change.pass;
    if (const char* what = ledger.contradiction_of(change.window, pass)) return contradiction(what, change.window);
    if (pass.is_owed && !change.availability) return contradiction("without an availability date, completing", change.window);

    if (auto added = pass.is_first() ? add_complete(change.window) : add_passes(change.window, pass.age); !added) return added;
    if (open != ledger.open_.end()) ledger.open_.erase(open);
    if (change.availability) ledger.owed_.pay(change.window, *change.availability);
    note_short(change);
    ledger.lost_.remove(change.window);
    if (ledger.backfill_) {
      ledger.backfill_->records += change.records;
      ++ledger.backfill_->windows;
    }
    return {};
  }

  Result<void> add_complete(const Interval& window) {
    IntervalSet complete = ledger.complete_;
    complete.add(window);
    std::swap(complete, ledger.complete_);
    if (ledger.interval_count() <= kMaxIntervals) return {};
    ledger.complete_ = std::move(complete);
    return contradiction("too many gaps to complete", window);
  }

  // At this age and the younger ones.
  Result<void> add_passes(const Interval& window, Duration oldest) {
    auto passes = ledger.passes_;
    for (auto& [age, set] : passes) {
      if (age <= oldest) set.add(window);
    }
    std::swap(passes, ledger.passes_);
    if (ledger.interval_count() <= kMaxIntervals) return {};
    ledger.passes_ = std::move(passes);
    return contradiction("too many gaps to complete", window);
  }

  void note_short(const WindowCompleted& change) {
    make_good(change.window);
    if (!change.is_short) return;
    ledger.short_.push_back(change.window);
    bound_short();
  }

  // What was short once and is read again may be whole now; or read in other parts, some whole and some not.
  void make_good(const Interval& window) {
    std::vector<Interval> left;
    for (const Interval& one : ledger.short_) {
      if (!one.overlaps(window)) {
        left.push_back(one);
        continue;
      }
      if (one.start < window.start) left.push_back({.start = one.start, .end = window.start});
      if (window.end < one.end) left.push_back({.start = window.end, .end = one.end});
    }
    ledger.short_ = std::move(left);
    bound_short();
  }

  void bound_short() {
    if (ledger.short_.size() <= kMaxShortWindows) return;
    ledger.short_.erase(ledger.short_.begin(), ledger.short_.end() - static_cast<std::ptrdiff_t>(kMaxShortWindows));
  }

  Result<void> operator()(const PassCompleted& change) {
    const auto pass = ledger.passes_.find(change.age);
    if (pass == ledger.passes_.end()) return contradiction("an age that has not begun is complete for", change.window);
    if (!ledger.complete_.covers(change.window))
      return contradiction("an age is complete before its first pass for", change.window);
    IntervalSet set = pass->second;
    set.add(change.window);
    std::swap(set, pass->second);
    if (ledger.interval_count() <= kMaxIntervals) return {};
    pass->second = std::move(set);
    return contradiction("too many gaps to complete an age of", change.window);
  }

  Result<void> operator()(const WindowRestarted& change) {
    const auto open = find(change.window);
    if (open == ledger.open_.end()) return contradiction("restarting a window that is not open:", change.window);
    open->position = AtStart{};
    open->pages = 0;
    return {};
  }

  Result<void> operator()(const WindowAbandoned& change) {
    const auto open = find(change.window);
    if (open == ledger.open_.end()) return contradiction("abandoning a window that is not open:", change.window);
    ledger.open_.erase(open);
    return {};
  }

  Result<void> operator()(const AvailabilitySeen& change) {
    if (!ledger.availability_ || *ledger.availability_ < change.date) ledger.availability_ = change.date;
    return {};
  }

  Result<void> operator()(const ShortMadeGood& change) {
    make_good(change.window);
    return {};
  }

  Result<void> operator()(const JudgingBegun& change) {
    ledger.unjudged_.add(change.day);
    if (ledger.unjudged_.intervals().size() > kMaxUnjudged) ledger.unjudged_.remove(change.day);
    return {};
  }

  Result<void> operator()(const JudgingEnded& change) {
    ledger.unjudged_.remove(change.day);
    return {};
  }

  Result<void> operator()(const AbsenceCounted& change) {
    if (!change.absent.is_valid()) return fail(ErrorCode::kInternal, "more keys are absent than a ledger holds, or one twice");
    ledger.absent_ = change.absent;
    return {};
  }

  // No pass will ever read what lies before the lane's start.
  Result<void> operator()(const OwedAdded& change) {
    ledger.owed_.add({.window = {.start = std::max(change.window.start, ledger.start_), .end = change.window.end},
                      .since = change.after,
                      .after = change.after});
    return {};
  }

  Result<void> operator()(const OutOfReach& change) {
    if (change.window.empty()) return contradiction("out of reach is the empty window", change.window);
    for (const OpenWindow& open : ledger.open_) {
      if (open.window.overlaps(change.window)) return contradiction("out of reach is the open window", open.window);
    }
    Ledger after = ledger;
    after.lost_.add(change.window, ledger.complete_, change.at);
    after.complete_.add(change.window);
    for (auto& [age, set] : after.passes_) set.add(change.window);
    after.owed_.pay(change.window, Instant::max());
    if (after.interval_count() > kMaxIntervals) return contradiction("too many gaps beside what is out of reach:", change.window);
    ledger = std::move(after);
    return {};
  }

  Result<void> operator()(const BackfillBegan& change) {
    if (ledger.backfill_ && ledger.backfill_->is_running()) {
      return contradiction("a backfill is under way while another begins:", change.order.range);
    }
    if (change.order.range.empty()) return contradiction("a backfill of the empty range", change.order.range);
    Ledger begun(ledger.identity_, change.order.range.start);
    begun.stamp_ = ledger.stamp_;
    begun.backfill_ = BackfillMark{.order = change.order, .detail = {}, .began = change.at, .updated = change.at};
    ledger = std::move(begun);
    return {};
  }

  Result<void> operator()(const BackfillUsed& change) {
    if (!ledger.backfill_ || !ledger.backfill_->is_running()) return fail(ErrorCode::kInternal, "no backfill is under way");
    ledger.backfill_->requests = std::max(ledger.backfill_->requests, change.requests);
    ledger.backfill_->permitted = change.permitted;
    ledger.backfill_->updated = std::max(ledger.backfill_->updated, change.at);
    return {};
  }

  Result<void> operator()(const BackfillEnded& change) {
    if (!ledger.backfill_ || !ledger.backfill_->is_running()) return fail(ErrorCode::kInternal, "no backfill is under way");
    ledger.open_.clear();
    ledger.backfill_->state = change.state;
    ledger.backfill_->detail = cut_text(change.detail, BackfillMark::kMaxDetailBytes);
    ledger.backfill_->set_aside = change.set_aside;
    ledger.backfill_->updated = std::max(ledger.backfill_->updated, change.at);
    return {};
  }
};

const char* Ledger::contradiction_of(const Interval& window, const Pass& pass) const {
  if (pass.is_first()) return complete_.covers(window) ? "a first pass of the complete window" : nullptr;
  if (!complete_.covers(window)) return "a further pass of a window that is not complete:";
  if (pass.is_owed) return pass.age == Duration{0} ? nullptr : "an owed pass at an age of window";
  const auto found = passes_.find(pass.age);
  if (found == passes_.end()) return "a pass at an age that has not begun, of window";
  return found->second.covers(window) ? "a pass at an age that is complete for window" : nullptr;
}

std::size_t Ledger::interval_count() const {
  std::size_t count = complete_.intervals().size();
  for (const auto& [age, set] : passes_) count += set.intervals().size();
  return count;
}

// An upper estimate of the stored size, without rendering: `"<interval>",` is 53 bytes; an open window 280 without its cursor,
// which escaping may double; an owed day 140, an age 32, an absent key 31; identity, start and stamp fit 1 KiB.
std::size_t Ledger::size_estimate(std::size_t cursor_reserve) const {
  std::size_t bytes =
      1024 + 53 * (interval_count() + open_.size() + short_.size() + unjudged_.intervals().size() + lost().intervals().size()) +
      140 * owed_.days().size() + 32 * passes_.size() + 31 * absent_.all().size();
  if (backfill_) bytes += 700 + 2 * backfill_->detail.size();
  for (const OpenWindow& open : open_) bytes += 280 + std::max(cursor_bytes(open.position) * 2, cursor_reserve);
  return bytes;
}

Instant Ledger::settled_until() const {
  Instant until = complete_until();
  for (const auto& [age, set] : passes_) until = std::min(until, set.prefix_end(start_));
  return settled_ ? std::max(until, *settled_) : until;
}

bool Ledger::has_same_progress(const Ledger& other) const {
  return start_ == other.start_ && complete_ == other.complete_ && passes_ == other.passes_ && open_ == other.open_ &&
         owed_ == other.owed_ && unjudged_ == other.unjudged_ && lost_ == other.lost_ && absent_ == other.absent_ &&
         backfill_ == other.backfill_;
}

Result<void> Ledger::apply(const LedgerChange& change) {
  if (size_estimate(0) + 2 * kMaxCursorBytes < kMaxBytes) return std::visit(Applier{*this}, change);
  Ledger changed = *this;
  if (auto applied = std::visit(Applier{changed}, change); !applied) return applied;
  // The stamp is the publisher's and set after the changes, so its room is kept whatever it is now: who applies a change first to
  // a copy without one gets the same answer.
  constexpr std::size_t kStampReserve = 64;
  Ledger unstamped = changed;
  unstamped.set_stamp({});
  if (const std::size_t bytes = unstamped.serialize().size() + kStampReserve; bytes > kMaxBytes) {
    return fail(ErrorCode::kOversize, "the ledger would take " + std::to_string(bytes) + " bytes, more than 64 KiB");
  }
  *this = std::move(changed);
  return {};
}

bool Ledger::has_room_to_open() const {
  // A window may complete as an interval of its own, at every age, and its cursor has yet to come: 512 bytes are kept for each.
  constexpr std::size_t kCursorReserve = 512;
  const std::size_t intervals_each = 1 + passes_.size();
  return open_.size() < kMaxOpenWindows && interval_count() + (open_.size() + 1) * intervals_each <= kMaxIntervals &&
         size_estimate(kCursorReserve) + 53 * intervals_each + 53 + 280 + kCursorReserve <= kMaxBytes;
}

const OpenWindow* Ledger::find_open(const Interval& window) const {
  const auto open = std::ranges::find(open_, window, &OpenWindow::window);
  return open == open_.end() ? nullptr : &*open;
}

}  // namespace connector::core
