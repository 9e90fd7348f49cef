#include "connector/core/ledger/ledger.h"

#include "common/json.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace connector::core {

using common::ErrorCode;
using common::fail;
using common::Interval;
using common::Result;
using common::json::Array;
using common::json::Object;
using common::json::Value;

namespace {

constexpr std::string_view kRemedy =
    "; export the state, then reset this lane's offset, or restore the offsets topic from a copy (docs/state.md)";

std::unexpected<common::Error> damaged(std::string_view what) {
  return fail(ErrorCode::kStateRefused, "the stored ledger is damaged: " + std::string(what) + std::string(kRemedy));
}

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

Object to_json(const OpenWindow& open) {
  Object object;
  object["window"] = common::format_interval(open.window);
  if (const auto* page = std::get_if<AtPage>(&open.position)) object["page"] = page->number;
  if (const auto* at = std::get_if<AtCursor>(&open.position)) object["cursor"] = at->cursor;
  if (const auto* job = std::get_if<AtJob>(&open.position)) {
    object["job"] = job->job.str();
    object["submitted"] = common::format_instant(job->submitted);
    if (job->cursor) object["cursor"] = *job->cursor;
  }
  object["records"] = open.records;
  object["pages"] = open.pages;
  return object;
}

Array to_json(const std::vector<Interval>& intervals) {
  Array array;
  array.reserve(intervals.size());
  for (const Interval& interval : intervals) array.emplace_back(common::format_interval(interval));
  return array;
}

Result<std::string> string_member(const Value& value, std::string_view key) {
  const Value* member = common::json::find(value, key);
  if (member == nullptr || !member->is_string()) return damaged("`" + std::string(key) + "` is missing or not a string");
  return std::string(member->get_string());
}

Result<std::uint64_t> count_member(const Value& value, std::string_view key, std::uint64_t max) {
  const Value* member = common::json::find(value, key);
  if (member != nullptr && member->is_int64() && member->get_int64() >= 0 &&
      static_cast<std::uint64_t>(member->get_int64()) <= max) {
    return static_cast<std::uint64_t>(member->get_int64());
  }
  if (member != nullptr && member->is_uint64() && member->get_uint64() <= max) return member->get_uint64();
  return damaged("`" + std::string(key) + "` is missing or no count");
}

Result<common::Instant> instant_member(const Value& value, std::string_view key) {
  auto text = string_member(value, key);
  if (!text) return fail(text.error());
  auto instant = common::parse_instant(*text);
  if (!instant) return damaged("`" + std::string(key) + "`: " + instant.error().message);
  return *instant;
}

Result<Interval> to_interval(const Value& value) {
  if (!value.is_string()) return damaged("an interval is no string");
  auto interval = common::parse_interval(std::string_view(value.get_string()));
  if (!interval) return damaged(interval.error().message);
  if (interval->empty()) return damaged("the interval " + std::string(value.get_string()) + " is empty");
  return *interval;
}

Result<std::vector<Interval>> intervals_member(const Value& value, std::string_view key, std::size_t max) {
  const Value* member = common::json::find(value, key);
  if (member == nullptr || !member->is_array()) return damaged("`" + std::string(key) + "` is missing or no array");
  if (member->get_array().size() > max) return damaged("`" + std::string(key) + "` has too many intervals");
  std::vector<Interval> intervals;
  for (const Value& element : member->get_array()) {
    auto interval = to_interval(element);
    if (!interval) return fail(interval.error());
    intervals.push_back(*interval);
  }
  return intervals;
}

Result<Position> to_position(const Value& value) {
  const bool has_job = common::json::find(value, "job") != nullptr;
  const bool has_cursor = common::json::find(value, "cursor") != nullptr;
  const bool has_page = common::json::find(value, "page") != nullptr;
  if (has_page && (has_job || has_cursor)) return damaged("an open window has two positions");
  std::optional<std::string> cursor;
  if (has_cursor) {
    auto text = string_member(value, "cursor");
    if (!text) return fail(text.error());
    if (text->size() > Ledger::kMaxCursorBytes) return damaged("a cursor is too long");
    cursor = std::move(*text);
  }
  if (has_job) {
    auto job = string_member(value, "job");
    if (!job) return fail(job.error());
    auto submitted = instant_member(value, "submitted");
    if (!submitted) return fail(submitted.error());
    return AtJob{.job = JobId(std::move(*job)), .cursor = std::move(cursor), .submitted = *submitted};
  }
  if (cursor) return AtCursor{std::move(*cursor)};
  if (has_page) {
    auto page = count_member(value, "page", std::numeric_limits<std::int64_t>::max());
    if (!page) return fail(page.error());
    return AtPage{static_cast<std::int64_t>(*page)};
  }
  return AtStart{};
}

Result<OpenWindow> to_open_window(const Value& value) {
  const Value* window = common::json::find(value, "window");
  if (window == nullptr) return damaged("an open window has no `window`");
  auto interval = to_interval(*window);
  if (!interval) return fail(interval.error());
  auto position = to_position(value);
  if (!position) return fail(position.error());
  auto records = count_member(value, "records", std::numeric_limits<std::uint64_t>::max());
  if (!records) return fail(records.error());
  auto pages = count_member(value, "pages", std::numeric_limits<std::uint32_t>::max());
  if (!pages) return fail(pages.error());
  return OpenWindow{
      .window = *interval, .position = std::move(*position), .records = *records, .pages = static_cast<std::uint32_t>(*pages)};
}

}  // namespace

Result<Ledger> Ledger::parse(std::string_view stored) {
  if (stored.size() > kMaxBytes) return damaged("it is longer than 64 KiB");
  auto value = common::json::parse(stored);
  if (!value) return damaged(value.error().message);
  if (!value->is_object()) return damaged("it is no JSON object");
  const auto version = common::json::find_int(*value, "v");
  if (!version || *version < 1) return damaged("it has no format version `v`");
  if (*version > kFormatVersion) {
    return fail(ErrorCode::kStateRefused, "the stored ledger has format version " + std::to_string(*version) +
                                              ", this release knows versions up to " + std::to_string(kFormatVersion) +
                                              ": start the release that wrote it, or a newer one (docs/state.md)");
  }

  Ledger ledger;
  for (auto [key, target] :
       {std::pair{"organization", &ledger.identity_.organization_id}, std::pair{"cluster", &ledger.identity_.cluster_id},
        std::pair{"topic", &ledger.identity_.topic_id}, std::pair{"membership", &ledger.identity_.membership},
        std::pair{"incarnation", &ledger.stamp_.incarnation}}) {
    auto text = string_member(*value, key);
    if (!text) return fail(text.error());
    *target = std::move(*text);
  }
  auto number = count_member(*value, "commit", std::numeric_limits<std::uint64_t>::max());
  if (!number) return fail(number.error());
  ledger.stamp_.number = *number;
  auto start = instant_member(*value, "start");
  if (!start) return fail(start.error());
  ledger.start_ = *start;
  if (common::json::find(*value, "available") != nullptr) {
    auto available = instant_member(*value, "available");
    if (!available) return fail(available.error());
    ledger.availability_ = *available;
  }

  auto complete = intervals_member(*value, "complete", kMaxCompleteIntervals);
  if (!complete) return fail(complete.error());
  for (std::size_t i = 0; i < complete->size(); ++i) {
    // Touching ones would have been joined, so anything but a gap between neighbours is damage.
    if (i > 0 && (*complete)[i].start <= (*complete)[i - 1].end) return damaged("complete intervals overlap or are out of order");
    ledger.complete_.add((*complete)[i]);
  }
  auto short_windows = intervals_member(*value, "short", kMaxShortWindows);
  if (!short_windows) return fail(short_windows.error());
  ledger.short_ = std::move(*short_windows);

  const Value* open = common::json::find(*value, "open");
  if (open == nullptr || !open->is_array()) return damaged("`open` is missing or no array");
  if (open->get_array().size() > kMaxOpenWindows) return damaged("`open` has too many windows");
  for (const Value& element : open->get_array()) {
    auto window = to_open_window(element);
    if (!window) return fail(window.error());
    const bool overlaps =
        std::ranges::any_of(ledger.open_, [&](const OpenWindow& other) { return other.window.overlaps(window->window); });
    if (overlaps) return damaged("open windows overlap");
    if (ledger.complete_.covers(window->window)) return damaged("a window is both open and complete");
    ledger.open_.push_back(std::move(*window));
  }
  return ledger;
}

std::string Ledger::serialize() const {
  Object object;
  object["v"] = kFormatVersion;
  object["organization"] = identity_.organization_id;
  object["cluster"] = identity_.cluster_id;
  object["topic"] = identity_.topic_id;
  object["membership"] = identity_.membership;
  object["start"] = common::format_instant(start_);
  object["complete"] = to_json(complete_.intervals());
  Array open;
  for (const OpenWindow& window : open_) open.emplace_back(to_json(window));
  object["open"] = std::move(open);
  object["short"] = to_json(short_);
  if (availability_) object["available"] = common::format_instant(*availability_);
  object["incarnation"] = stamp_.incarnation;
  object["commit"] = stamp_.number;
  return common::json::serialize(object);
}

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

  Result<void> operator()(const WindowOpened& change) {
    if (change.window.empty()) return contradiction("opening the empty window", change.window);
    if (auto bounded = check_cursor(change.position); !bounded) return bounded;
    if (const auto open = find(change.window); open != ledger.open_.end()) {
      if (!std::holds_alternative<AtStart>(open->position)) return contradiction("opening the open window", change.window);
      open->position = change.position;
      return {};
    }
    if (ledger.complete_.covers(change.window)) return contradiction("opening the complete window", change.window);
    for (const OpenWindow& open : ledger.open_) {
      if (open.window.overlaps(change.window)) return contradiction("opening a window over the open one", open.window);
    }
    if (ledger.open_.size() >= kMaxOpenWindows) return contradiction("too many open windows to open", change.window);
    ledger.open_.push_back({.window = change.window, .position = change.position});
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
    return {};
  }

  Result<void> operator()(const WindowCompleted& change) {
    if (change.window.empty()) return contradiction("completing the empty window", change.window);
    if (ledger.complete_.covers(change.window)) return contradiction("completing the complete window", change.window);
    const auto open = find(change.window);
    if (open != ledger.open_.end()) {
      if (auto follows = check_page(*open, change.page); !follows) return follows;
    } else if (change.page != 0) {
      return contradiction("the last page of a window that is not open:", change.window);
    }
    IntervalSet complete = ledger.complete_;
    complete.add(change.window);
    if (complete.intervals().size() > kMaxCompleteIntervals) return contradiction("too many gaps to complete", change.window);
    ledger.complete_ = std::move(complete);
    if (open != ledger.open_.end()) ledger.open_.erase(open);
    if (change.is_short) {
      if (ledger.short_.size() == kMaxShortWindows) ledger.short_.erase(ledger.short_.begin());
      ledger.short_.push_back(change.window);
    }
    return {};
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
};

namespace {

// An upper estimate of the stored size, without rendering: `"<interval>",` is 53 bytes; an open window 240 without its cursor,
// which escaping may double; identity, start and stamp fit 1 KiB.
std::size_t size_estimate(const Ledger& ledger, std::size_t cursor_reserve) {
  std::size_t bytes = 1024 + 53 * (ledger.complete().intervals().size() + ledger.open().size() + ledger.short_windows().size());
  for (const OpenWindow& open : ledger.open()) bytes += 240 + std::max(cursor_bytes(open.position) * 2, cursor_reserve);
  return bytes;
}

}  // namespace

Result<void> Ledger::apply(const LedgerChange& change) {
  if (size_estimate(*this, 0) + 2 * kMaxCursorBytes < kMaxBytes) return std::visit(Applier{*this}, change);
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
  // A window may complete as an interval of its own, and its cursor has yet to come: 512 bytes are kept for each.
  constexpr std::size_t kCursorReserve = 512;
  return open_.size() < kMaxOpenWindows && complete_.intervals().size() + open_.size() < kMaxCompleteIntervals &&
         size_estimate(*this, kCursorReserve) + 53 + 240 + kCursorReserve <= kMaxBytes;
}

const OpenWindow* Ledger::find_open(const Interval& window) const {
  const auto open = std::ranges::find(open_, window, &OpenWindow::window);
  return open == open_.end() ? nullptr : &*open;
}

}  // namespace connector::core
