#include "connector/core/ledger/ledger.h"

#include "common/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace connector::core {

using common::Duration;
using common::ErrorCode;
using common::fail;
using common::Instant;
using common::Interval;
using common::Result;
using common::json::Array;
using common::json::Object;
using common::json::Value;

namespace {

// As long for each, so that a ledger's size is known.
std::string to_hex(std::uint64_t number) {
  constexpr int kBase = 16;
  std::array<char, kBase> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number, kBase);
  const auto length = static_cast<std::size_t>(end - digits.data());
  return std::string(digits.size() - length, '0') + std::string(digits.data(), length);
}

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

// Never in the middle of a character: half of one could not be read again.
std::string cut_text(std::string_view text, std::size_t most) {
  if (text.size() <= most) return std::string(text);
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80U) --most;
  return std::string(text.substr(0, most));
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
  if (open.pass.age != Duration{0}) object["age"] = common::format_duration(open.pass.age);
  if (open.pass.is_owed) object["owed"] = true;
  return object;
}

Object to_json(const OwedDay& owed) {
  Object object;
  object["window"] = common::format_interval(owed.window);
  object["since"] = common::format_instant(owed.since);
  object["after"] = common::format_instant(owed.after);
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

Result<Instant> instant_member(const Value& value, std::string_view key) {
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

Result<std::vector<Interval>> to_intervals(const Value* value, std::string_view what, std::size_t max) {
  if (value == nullptr || !value->is_array()) return damaged("`" + std::string(what) + "` is missing or no array");
  if (value->get_array().size() > max) return damaged("`" + std::string(what) + "` has too many intervals");
  std::vector<Interval> intervals;
  for (const Value& element : value->get_array()) {
    auto interval = to_interval(element);
    if (!interval) return fail(interval.error());
    intervals.push_back(*interval);
  }
  return intervals;
}

Result<IntervalSet> to_interval_set(const Value* value, std::string_view what) {
  auto intervals = to_intervals(value, what, Ledger::kMaxIntervals);
  if (!intervals) return fail(intervals.error());
  IntervalSet set;
  for (std::size_t i = 0; i < intervals->size(); ++i) {
    // Touching ones would have been joined, so anything but a gap between neighbours is damage.
    if (i > 0 && (*intervals)[i].start <= (*intervals)[i - 1].end) {
      return damaged("intervals of `" + std::string(what) + "` overlap or are out of order");
    }
    set.add((*intervals)[i]);
  }
  return set;
}

Result<Duration> to_age(std::string_view text) {
  auto age = common::parse_duration(text);
  // Another spelling of the same age would be another member.
  if (!age || *age <= Duration{0} || common::format_duration(*age) != text) {
    return damaged("`" + std::string(text) + "` is no age as we write it");
  }
  return *age;
}

Result<Pass> to_pass(const Value& value) {
  Pass pass;
  if (const Value* age = common::json::find(value, "age")) {
    if (!age->is_string()) return damaged("`age` of an open window is not a string");
    auto duration = to_age(std::string_view(age->get_string()));
    if (!duration) return fail(duration.error());
    pass.age = *duration;
  }
  if (const Value* owed = common::json::find(value, "owed")) {
    if (!owed->is_bool()) return damaged("`owed` of an open window is neither true nor false");
    pass.is_owed = owed->get_bool();
  }
  return pass;
}

Result<OwedDay> to_owed_day(const Value& value) {
  const Value* window = common::json::find(value, "window");
  if (window == nullptr) return damaged("an owed day has no `window`");
  auto interval = to_interval(*window);
  if (!interval) return fail(interval.error());
  auto since = instant_member(value, "since");
  if (!since) return fail(since.error());
  auto after = instant_member(value, "after");
  if (!after) return fail(after.error());
  if (*after < *since) return damaged("an owed day has its instants in the wrong order");
  return OwedDay{.window = *interval, .since = *since, .after = *after};
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

struct Ledger::Parser {
  const Value& value;
  std::int64_t version = 0;
  Ledger ledger;

  Result<void> scalars() {
    for (auto [key, target] :
         {std::pair{"organization", &ledger.identity_.organization_id}, std::pair{"cluster", &ledger.identity_.cluster_id},
          std::pair{"topic", &ledger.identity_.topic_id}, std::pair{"membership", &ledger.identity_.membership},
          std::pair{"incarnation", &ledger.stamp_.incarnation}}) {
      auto text = string_member(value, key);
      if (!text) return fail(text.error());
      *target = std::move(*text);
    }
    // Not known of what was written before it was kept.
    if (version >= 2 && common::json::find(value, "content") != nullptr) {
      auto content = string_member(value, "content");
      if (!content) return fail(content.error());
      ledger.identity_.content = std::move(*content);
    }
    auto number = count_member(value, "commit", std::numeric_limits<std::uint64_t>::max());
    if (!number) return fail(number.error());
    ledger.stamp_.number = *number;
    auto start = instant_member(value, "start");
    if (!start) return fail(start.error());
    ledger.start_ = *start;
    if (common::json::find(value, "available") != nullptr) {
      auto available = instant_member(value, "available");
      if (!available) return fail(available.error());
      ledger.availability_ = *available;
    }
    return {};
  }

  Result<void> done() {
    auto complete = to_interval_set(common::json::find(value, "complete"), "complete");
    if (!complete) return fail(complete.error());
    ledger.complete_ = std::move(*complete);
    auto short_windows = to_intervals(common::json::find(value, "short"), "short", kMaxShortWindows);
    if (!short_windows) return fail(short_windows.error());
    ledger.short_ = std::move(*short_windows);
    if (version < 2) return {};
    if (auto mark = backfill(); !mark) return mark;
    if (auto passes = ages(); !passes) return passes;
    if (ledger.interval_count() > kMaxIntervals) return damaged("it has too many intervals");
    if (common::json::find(value, "settled") != nullptr) {
      auto settled = instant_member(value, "settled");
      if (!settled) return fail(settled.error());
      if (*settled > ledger.complete_until()) return damaged("`settled` lies beyond what is complete");
      ledger.settled_ = *settled;
    }
    if (const Value* unjudged = common::json::find(value, "unjudged")) {
      auto set = to_interval_set(unjudged, "unjudged");
      if (!set) return fail(set.error());
      if (set->intervals().size() > kMaxUnjudged) return damaged("`unjudged` has too many intervals");
      ledger.unjudged_ = std::move(*set);
    }
    if (const Value* lost = common::json::find(value, "lost")) {
      auto set = to_interval_set(lost, "lost");
      if (!set) return fail(set.error());
      if (set->intervals().size() > kMaxLost) return damaged("`lost` has too many intervals");
      std::optional<Instant> at;
      if (common::json::find(value, "lost_at") != nullptr) {
        auto stored = instant_member(value, "lost_at");
        if (!stored) return fail(stored.error());
        at = *stored;
      }
      ledger.lost_ = LostRanges(std::move(*set), at);
    }
    if (auto absent = absent_keys(); !absent) return absent;
    return owed();
  }

  Result<void> absent_keys() {
    const Value* stored = common::json::find(value, "absent");
    if (stored == nullptr) return {};
    if (!stored->is_object()) return damaged("`absent` is no object");
    std::vector<AbsentKey> keys;
    for (const auto& [name, readings] : stored->get_object()) {
      AbsentKey absent;
      const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), absent.key, 16);
      const auto* count = readings.if_int64();
      if (error != std::errc() || end != name.data() + name.size() || count == nullptr || *count < 1 ||
          *count > std::numeric_limits<std::uint32_t>::max()) {
        return damaged("`absent` holds something else than keys and how often they were");
      }
      absent.readings = static_cast<std::uint32_t>(*count);
      keys.push_back(absent);
    }
    ledger.absent_ = AbsentKeys(std::move(keys));
    return ledger.absent_.is_valid() ? Result<void>{} : damaged("`absent` has too many keys");
  }

  Result<void> backfill() {
    const Value* stored = common::json::find(value, "backfill");
    if (version < 3 || stored == nullptr) return {};
    auto mark = BackfillMark::from_json(*stored);
    if (!mark) return damaged(mark.error().message);
    ledger.backfill_ = std::move(*mark);
    return {};
  }

  Result<void> ages() {
    const Value* passes = common::json::find(value, "passes");
    if (passes == nullptr || !passes->is_object()) return damaged("`passes` is missing or no object");
    if (passes->get_object().size() > kMaxAges) return damaged("`passes` has too many ages");
    for (const auto& [key, intervals] : passes->get_object()) {
      auto age = to_age(key);
      if (!age) return fail(age.error());
      auto set = to_interval_set(&intervals, key);
      if (!set) return fail(set.error());
      for (const Interval& interval : set->intervals()) {
        if (!ledger.complete_.covers(interval)) return damaged("something is read again that was not read before");
      }
      ledger.passes_.emplace(*age, std::move(*set));
    }
    return {};
  }

  Result<void> owed() {
    const Value* owed = common::json::find(value, "owed");
    if (owed == nullptr || !owed->is_array()) return damaged("`owed` is missing or no array");
    if (owed->get_array().size() > OwedDays::kMax) return damaged("`owed` has too many days");
    Instant before = Instant::min();
    for (const Value& element : owed->get_array()) {
      auto day = to_owed_day(element);
      if (!day) return fail(day.error());
      if (day->window.start < before) return damaged("owed days overlap or are out of order");
      before = day->window.end;
      ledger.owed_.add(*day);
    }
    return {};
  }

  Result<void> open() {
    const Value* open = common::json::find(value, "open");
    if (open == nullptr || !open->is_array()) return damaged("`open` is missing or no array");
    if (open->get_array().size() > kMaxOpenWindows) return damaged("`open` has too many windows");
    for (const Value& element : open->get_array()) {
      auto window = to_open_window(element);
      if (!window) return fail(window.error());
      if (version >= 2) {
        auto pass = to_pass(element);
        if (!pass) return fail(pass.error());
        window->pass = *pass;
      }
      const bool overlaps =
          std::ranges::any_of(ledger.open_, [&](const OpenWindow& other) { return other.window.overlaps(window->window); });
      if (overlaps) return damaged("open windows overlap");
      if (const char* contradiction = ledger.contradiction_of(window->window, window->pass)) {
        return damaged("an open window contradicts the rest: " + std::string(contradiction));
      }
      ledger.open_.push_back(std::move(*window));
    }
    return {};
  }
};

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
  Parser parser{.value = *value, .version = *version};
  if (auto parsed = parser.scalars(); !parsed) return fail(parsed.error());
  if (auto parsed = parser.done(); !parsed) return fail(parsed.error());
  if (auto parsed = parser.open(); !parsed) return fail(parsed.error());
  return std::move(parser.ledger);
}

std::string Ledger::serialize() const {
  Object object;
  object["v"] = backfill_ ? kFormatVersion : 2;
  object["organization"] = identity_.organization_id;
  object["cluster"] = identity_.cluster_id;
  object["topic"] = identity_.topic_id;
  object["membership"] = identity_.membership;
  if (!identity_.content.empty()) object["content"] = identity_.content;
  object["start"] = common::format_instant(start_);
  object["complete"] = to_json(complete_.intervals());
  Object passes;
  for (const auto& [age, set] : passes_) passes[common::format_duration(age)] = to_json(set.intervals());
  object["passes"] = std::move(passes);
  Array open;
  for (const OpenWindow& window : open_) open.emplace_back(to_json(window));
  object["open"] = std::move(open);
  object["short"] = to_json(short_);
  Array owed;
  for (const OwedDay& day : owed_.days()) owed.emplace_back(to_json(day));
  object["owed"] = std::move(owed);
  if (!unjudged_.intervals().empty()) object["unjudged"] = to_json(unjudged_.intervals());
  if (!lost().intervals().empty()) object["lost"] = to_json(lost().intervals());
  if (lost_at()) object["lost_at"] = common::format_instant(*lost_at());
  if (!absent_.all().empty()) {
    Object absent;
    for (const AbsentKey& one : absent_.all()) absent[to_hex(one.key)] = one.readings;
    object["absent"] = std::move(absent);
  }
  if (settled_) object["settled"] = common::format_instant(*settled_);
  if (availability_) object["available"] = common::format_instant(*availability_);
  if (backfill_) object["backfill"] = backfill_->to_json();
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
