#include "connector/core/planning/ages.h"

#include <algorithm>
#include <set>

namespace connector::core {

using common::Duration;
using common::Instant;
using common::Interval;

std::vector<LedgerChange> change_ages(const Ledger& ledger, std::span<const Duration> configured, Instant now) {
  std::set<Duration> wanted(configured.begin(), configured.end());
  wanted.erase(Duration{0});
  std::vector<LedgerChange> changes;
  for (const auto& [age, pass] : ledger.passes()) {
    if (wanted.erase(age) != 0) continue;
    for (const OpenWindow& open : ledger.open()) {
      if (open.pass.age == age) changes.emplace_back(WindowAbandoned{open.window});
    }
    changes.emplace_back(AgeEnded{age});
  }
  for (const Duration age : wanted) {
    // Not beyond the first gap: what will be read there is read late, and satisfies the age by itself.
    const Instant from = std::clamp(common::start_of_day(now - age), ledger.start(), ledger.complete_until());
    changes.emplace_back(AgeStarted{.age = age, .from = from});
  }
  return changes;
}

std::vector<LedgerChange> passes_satisfied(const Ledger& ledger, const Interval& window, Instant began, Satisfied by) {
  std::vector<LedgerChange> changes;
  for (const auto& [age, pass] : ledger.passes()) {
    const Interval old{.start = window.start, .end = std::min(window.end, began - age)};
    if (old.empty() || (by == Satisfied::kWhole && old.end < window.end)) break;  // so are the older ages
    changes.emplace_back(PassCompleted{.window = old, .age = age});
  }
  return changes;
}

std::vector<LedgerChange> short_made_good(const Ledger& live, const Ledger& settle) {
  std::vector<LedgerChange> changes;
  for (const Interval& window : live.short_windows()) {
    for (const Interval& complete : settle.complete().intervals()) {
      const Interval both{.start = std::max(window.start, complete.start), .end = std::min(window.end, complete.end)};
      if (both.start < both.end) changes.emplace_back(ShortMadeGood{both});
    }
  }
  return changes;
}

}  // namespace connector::core
