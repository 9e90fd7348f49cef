#include "connector/core/backfill/backfill_pace.h"

#include <algorithm>
#include <cassert>

namespace connector::core {

using common::Duration;

BackfillPace pace_of(const Ledger& ledger) {
  assert(ledger.backfill() && "only a backfill has a pace");
  const BackfillMark& mark = *ledger.backfill();
  const common::Interval& range = mark.order.range;
  Duration complete{0};
  for (const common::Interval& read : ledger.complete().intervals()) {
    const common::Interval inside{.start = std::max(read.start, range.start), .end = std::min(read.end, range.end)};
    if (!inside.empty()) complete += inside.length();
  }
  BackfillPace pace;
  pace.windows_open = ledger.open().size();
  const auto whole = static_cast<double>(range.length().count());
  pace.done = whole > 0 ? static_cast<double>(complete.count()) / whole : 1;
  const auto elapsed = static_cast<double>((mark.updated - mark.began).count());
  if (elapsed <= 0) return pace;
  pace.requests_per_minute = static_cast<double>(mark.requests) * 60'000 / elapsed;
  if (mark.permitted > 0) pace.quota = pace.requests_per_minute / mark.permitted;
  if (pace.done > 0 && mark.is_running()) {
    pace.left = Duration{static_cast<Duration::rep>(elapsed * (1 - pace.done) / pace.done)};
  }
  return pace;
}

}  // namespace connector::core
