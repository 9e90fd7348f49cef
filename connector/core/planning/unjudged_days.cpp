#include "connector/core/planning/unjudged_days.h"

#include "connector/core/digest/day_standing.h"

#include <chrono>

namespace connector::core {

using common::Instant;
using common::Interval;
using std::chrono::days;

Interval whole_day(HomeDay day) {
  return {.start = day, .end = day + days{1}};
}

std::vector<LedgerChange> forgotten_judgements(const Ledger& ledger, const std::set<HomeDay>& judged) {
  std::vector<LedgerChange> changes;
  for (const Interval& unjudged : ledger.unjudged().intervals()) {
    for (HomeDay day = std::chrono::floor<days>(unjudged.start); day < unjudged.end; day += days{1}) {
      if (judged.contains(day)) continue;
      changes.emplace_back(JudgingEnded{whole_day(day)});
      // Else a pass that is still to come judges it.
      if (!is_settled(day, &ledger)) continue;
      const Instant end = day + days{1};
      changes.emplace_back(OwedAdded{.window = whole_day(day), .after = ledger.availability().value_or(end)});
    }
  }
  return changes;
}

std::vector<LedgerChange> judgement_missed(const Ledger& after, const Interval& window, const Pass& pass, Instant availability) {
  const HomeDay day = std::chrono::floor<days>(window.start);
  const Interval whole = whole_day(day);
  const bool is_part = window != whole;
  // The lane began within this day: no pass of it will be whole.
  if (after.start() > whole.start || !is_settled(day, &after) || (is_part && pass.is_owed)) return {};
  return {OwedAdded{.window = whole, .after = availability}};
}

}  // namespace connector::core
