#include "connector/core/digest/day_standing.h"

#include <algorithm>

namespace connector::core {

namespace {

bool has_read(const Ledger& ledger, HomeDay day) {
  const common::Interval whole{.start = std::max<common::Instant>(day, ledger.start()), .end = day + std::chrono::days{1}};
  if (whole.start >= whole.end) return true;
  const auto covers = [&](const IntervalSet& read) { return read.covers(whole); };
  return covers(ledger.complete()) && std::ranges::all_of(ledger.passes(), [&](const auto& pass) { return covers(pass.second); });
}

}  // namespace

bool is_done_with(HomeDay day, const Ledger* live, const Ledger* settle) {
  return (live == nullptr || has_read(*live, day)) && (settle == nullptr || has_read(*settle, day));
}

bool is_settled(HomeDay day, const Ledger* settle) {
  return settle != nullptr && settle->start() < day + std::chrono::days{1} && has_read(*settle, day);
}

}  // namespace connector::core
