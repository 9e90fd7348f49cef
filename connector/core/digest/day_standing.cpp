#include "connector/core/digest/day_standing.h"

#include <algorithm>
#include <chrono>

namespace connector::core {

namespace {

common::Interval part_of(const Ledger& ledger, HomeDay day) {
  return {.start = std::max<common::Instant>(day, ledger.start()), .end = day + std::chrono::days{1}};
}

bool has_read(const Ledger& ledger, HomeDay day) {
  const common::Interval whole = part_of(ledger, day);
  if (whole.start >= whole.end) return true;
  const auto covers = [&](const IntervalSet& read) { return read.covers(whole); };
  return covers(ledger.complete()) && std::ranges::all_of(ledger.passes(), [&](const auto& pass) { return covers(pass.second); });
}

bool is_owed(const Ledger& ledger, HomeDay day) {
  const common::Interval whole = part_of(ledger, day);
  return std::ranges::any_of(ledger.owed(), [&](const OwedDay& owed) { return owed.window.overlaps(whole); });
}

}  // namespace

bool is_done_with(HomeDay day, const Ledger* live, const Ledger* settle) {
  if (live != nullptr && !has_read(*live, day)) return false;
  return settle == nullptr ||
         (has_read(*settle, day) && !is_owed(*settle, day) && !settle->unjudged().overlaps(part_of(*settle, day)));
}

bool awaits(const Ledger* backfill, HomeDay day) {
  if (backfill == nullptr || !backfill->backfill() || !backfill->backfill()->is_running()) return false;
  const common::Interval& range = backfill->backfill()->order.range;
  const common::Interval part{.start = std::max<common::Instant>(day, range.start),
                              .end = std::min<common::Instant>(day + std::chrono::days{1}, range.end)};
  return !part.empty() && (!backfill->complete().covers(part) || is_owed(*backfill, day));
}

bool is_settled(HomeDay day, const Ledger* settle) {
  return settle != nullptr && settle->start() < day + std::chrono::days{1} && has_read(*settle, day);
}

}  // namespace connector::core
