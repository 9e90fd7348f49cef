// How a ledger is stored (docs/state.md): Ledger::parse and Ledger::serialize.

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

}  // namespace connector::core
