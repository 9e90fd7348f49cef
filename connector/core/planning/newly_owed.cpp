#include "connector/core/planning/newly_owed.h"

#include <algorithm>
#include <chrono>
#include <iterator>

namespace connector::core {

using common::Instant;
using common::Interval;

void PassTimes::note(const Interval& window, Instant availability) {
  passes_.erase(passes_.lower_bound(window.start), passes_.lower_bound(window.end));
  passes_[window.start] = {.end = window.end, .availability = availability};
}

std::optional<Instant> PassTimes::of(HomeDay day, Instant lane_start) const {
  const Instant end = day + std::chrono::days{1};
  Instant read_until = std::max<Instant>(day, lane_start);
  std::optional<Instant> oldest;
  for (auto pass = passes_.lower_bound(day); pass != passes_.end() && pass->first <= read_until && read_until < end; ++pass) {
    read_until = std::max(read_until, pass->second.end);
    oldest = std::min(pass->second.availability, oldest.value_or(pass->second.availability));
  }
  return read_until < end ? std::nullopt : oldest;
}

namespace {

// Where nobody reads open records by id, the job does it: the longer they have not changed, the more seldom, as FollowPlanner.
common::Duration gather_of(const NewlyOwedOptions& options, const OwedRecords& records, Instant shown) {
  std::uint64_t due = 0;
  std::uint64_t open = 0;
  for (const auto& [owed_at, keys] : records.due) due += keys;
  for (const auto& [changed_at, keys] : records.open) open += keys;
  if (open == 0 || open < due) return options.gather;
  const common::Duration silence = shown - Instant(records.open.rbegin()->first);
  return std::max(options.gather, std::min(silence / 2, options.max_gather));
}

}  // namespace

std::vector<LedgerChange> newly_owed(const NewlyOwedOptions& options, const Ledger& ledger, const StreamDigests& digests,
                                     Instant availability, const PassTimes& passes) {
  std::vector<LedgerChange> changes;
  for (const auto& [day, records] : digests.committed().owed()) {
    // A full list would join days far from each other, whose digests are gone long since. What does not fit now is owed again
    // when there is room: it is found anew each time.
    if (ledger.owed().size() + changes.size() >= OwedDays::kMax) break;
    const Interval whole{.start = std::max<Instant>(day, ledger.start()), .end = day + std::chrono::days{1}};
    if (options.from && whole.start < *options.from) continue;
    // Not yet read at all, or not ours: its first pass will show them.
    if (whole.empty() || !ledger.complete().covers(whole)) continue;
    // A part of it that was read meanwhile must not be owed again before the rest has been read: the rest would never be.
    if (std::ranges::any_of(ledger.owed(), [&](const OwedDay& owed) { return owed.window.overlaps(whole); })) continue;
    const std::optional<Instant> shown = passes.of(day, ledger.start());
    if (shown && availability < *shown + gather_of(options, records, *shown)) continue;
    if (digests.due(day, shown, availability) == 0) continue;
    const auto latest = std::prev(records.due.lower_bound(std::chrono::floor<std::chrono::seconds>(availability)));
    // To the end of that second: entries know no more of it.
    changes.emplace_back(OwedAdded{.window = whole, .after = latest->first + std::chrono::milliseconds{999}});
  }
  return changes;
}

}  // namespace connector::core
