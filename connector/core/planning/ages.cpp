#include "connector/core/planning/ages.h"

#include <algorithm>
#include <set>
#include <utility>

namespace connector::core {

using common::Duration;
using common::Instant;
using common::Interval;

std::vector<LedgerChange> change_ages(const Ledger& ledger, std::span<const Duration> configured, Instant now) {
  std::set<Duration> wanted(configured.begin(), configured.end());
  wanted.erase(Duration{0});
  // Not beyond the first gap: what will be read there is read late, and satisfies the age by itself. Nor beyond what has been
  // read at an age that ends: one in its place must not count as read what neither has read.
  Instant latest = ledger.complete_until();
  std::vector<Duration> ended;
  for (const auto& [age, pass] : ledger.passes()) {
    if (wanted.erase(age) != 0) continue;
    ended.push_back(age);
    latest = std::min(latest, pass.prefix_end(ledger.start()));
  }
  std::vector<LedgerChange> changes;
  Ledger changed = ledger;
  const auto change = [&](LedgerChange next) {
    const bool applied = changed.apply(next).has_value();
    if (applied) changes.push_back(std::move(next));
    return applied;
  };
  auto next_ended = ended.begin();
  const auto end_one = [&] {
    for (const OpenWindow& open : ledger.open()) {
      if (open.pass.age == *next_ended) change(WindowAbandoned{open.window});
    }
    change(AgeEnded{*next_ended++});
  };
  // Those that begin come first: else settled_until would leap over what only the ended ages held back, and stay there. Where
  // there is no room for both, the youngest end first: they hold back the least.
  for (const Duration age : wanted) {
    const AgeStarted started{.age = age, .from = std::clamp(common::start_of_day(now - age), ledger.start(), latest)};
    while (!change(started)) {
      if (next_ended == ended.end()) {
        changes.emplace_back(started);  // refused, and told by whoever applies it
        return changes;
      }
      end_one();
    }
  }
  while (next_ended != ended.end()) end_one();
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
