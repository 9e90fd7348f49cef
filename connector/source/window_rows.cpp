#include "connector/source/window_rows.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

namespace connector::source {

namespace {

// The place of a row that was seen but not published.
constexpr std::uint32_t kNowhere = std::numeric_limits<std::uint32_t>::max();

// A quarter of the memory may go to the keys.
std::size_t max_keys(std::size_t memory_bytes) {
  return std::max<std::size_t>(memory_bytes / 4 / core::WindowKeys::kBytesPerKey, 1024);
}

}  // namespace

std::string identity_of(const core::DeadLetter& letter) {
  std::string identity("\0dead letter ", 13);
  return letter.apart ? identity + std::to_string(*letter.apart) : identity.append(letter.bytes);
}

HomeDays home_days_of(const Definition& definition) {
  return is_seen_on_many_days(definition) || definition.bucket ? HomeDays::kBySighting : HomeDays::kByStart;
}

core::HomeDay home_day(HomeDays rule, const RecordFacts& record, const common::Interval& window) {
  const auto day = [](common::Instant instant) { return std::chrono::floor<std::chrono::days>(instant); };
  if (rule == HomeDays::kByStart) return day(record.start.value_or(window.start));
  const common::Instant last = std::max(window.start, window.end - common::Duration{1});
  return day(std::max(last, record.start.value_or(last)));
}

WindowRows::WindowRows(common::Interval window, RowRule rule, std::size_t memory_bytes, HomeDays home_days)
    : window_(window), rule_(rule), home_days_(home_days), keys_(max_keys(memory_bytes)) {}

bool WindowRows::is_outside(const RecordFacts& facts) const {
  return rule_ == RowRule::kStartDay && facts.start && !window_.contains(*facts.start);
}

bool WindowRows::is_not_overlapping(const RecordFacts& facts) const {
  if (rule_ != RowRule::kOverlap || !facts.start) return false;
  return *facts.start >= window_.end || (facts.end && *facts.end < window_.start);
}

RowCounts WindowRows::take(SlicedPage sliced, core::PageGroup& held) {
  core::Page& page = held.back();
  const auto number = first_held_ + static_cast<std::uint32_t>(held.size() - 1);
  RowCounts counts;
  bool any_dated = false;
  bool all_before = true;
  page.records.reserve(sliced.records.size());

  for (std::size_t i = 0; i < sliced.records.size(); ++i) {
    const core::RecordSlice& record = sliced.records[i];
    const RecordFacts facts = sliced.facts.empty() ? RecordFacts{} : sliced.facts[i];
    if (facts.start) {
      any_dated = true;
      all_before = all_before && *facts.start < window_.start;
    }
    const bool outside = is_outside(facts);
    const core::RowPlace place{.page = number, .record = outside ? kNowhere : static_cast<std::uint32_t>(page.records.size())};
    const core::RowSeen seen = keys_.see(record.key, record.value, facts.open, place);
    if (outside) {
      ++counts.outside;
      continue;
    }
    if (seen.verdict == core::RowVerdict::kSame || seen.verdict == core::RowVerdict::kPoorer) {
      ++counts.duplicates;
      continue;
    }
    if (seen.verdict == core::RowVerdict::kReplaces && seen.earlier.record != kNowhere && seen.earlier.page >= first_held_) {
      held[seen.earlier.page - first_held_].records[seen.earlier.record].value = {};
      ++counts.duplicates;
    }
    if (is_not_overlapping(facts)) ++counts.not_overlapping;
    page.records.push_back(record);
    if (!sliced.digests.empty()) {
      page.contents.push_back(
          {.digests = sliced.digests[i], .home_day = home_day(home_days_, facts, window_), .open = facts.open});
    }
  }
  for (core::DeadLetter& letter : sliced.dead_letters) {
    const core::RowSeen seen = keys_.see(identity_of(letter), {}, false, {.page = number, .record = kNowhere});
    if (seen.verdict == core::RowVerdict::kNew) {
      page.dead_letters.push_back(std::move(letter));
    } else {
      ++counts.duplicates;
    }
  }
  counts.all_before_window = any_dated && all_before;
  return counts;
}

std::uint64_t compact(core::Page& page) {
  if (!page.contents.empty()) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < page.records.size(); ++i) {
      if (!page.records[i].value.empty()) page.contents[kept++] = page.contents[i];
    }
    page.contents.resize(kept);
  }
  std::erase_if(page.records, [](const core::RecordSlice& record) { return record.value.empty(); });
  if (page.records.empty() && page.dead_letters.empty()) page.buffer.reset();
  return page.records.size();
}

}  // namespace connector::source
