#include "connector/core/ledger/owed_days.h"

#include <algorithm>
#include <utility>

namespace connector::core {

using common::Instant;
using common::Interval;

void OwedDays::append(const OwedDay& owed) {
  if (owed.window.empty()) return;
  if (!days_.empty()) {
    OwedDay& last = days_.back();
    if (last.window.end == owed.window.start && last.since == owed.since && last.after == owed.after) {
      last.window.end = owed.window.end;
      return;
    }
  }
  days_.push_back(owed);
}

void OwedDays::add(const OwedDay& owed) {
  const std::vector<OwedDay> before = std::exchange(days_, {});
  Instant rest = owed.window.start;  // of the new window: what lies before is placed
  for (const OwedDay& day : before) {
    append({.window = {.start = rest, .end = std::min(owed.window.end, day.window.start)},
            .since = owed.since,
            .after = owed.after});
    const Interval common{.start = std::max(day.window.start, owed.window.start),
                          .end = std::min(day.window.end, owed.window.end)};
    if (common.empty()) {
      append(day);
    } else {
      append({.window = {.start = day.window.start, .end = common.start}, .since = day.since, .after = day.after});
      append({.window = common, .since = std::min(day.since, owed.since), .after = std::max(day.after, owed.after)});
      append({.window = {.start = common.end, .end = day.window.end}, .since = day.since, .after = day.after});
    }
    rest = std::max(rest, std::min(day.window.end, owed.window.end));
  }
  append({.window = {.start = rest, .end = owed.window.end}, .since = owed.since, .after = owed.after});
  bound();
}

void OwedDays::pay(const Interval& window, Instant availability) {
  const std::vector<OwedDay> before = std::exchange(days_, {});
  for (const OwedDay& day : before) {
    const Interval common{.start = std::max(day.window.start, window.start), .end = std::min(day.window.end, window.end)};
    if (common.empty()) {
      append(day);
      continue;
    }
    append({.window = {.start = day.window.start, .end = common.start}, .since = day.since, .after = day.after});
    if (availability <= day.after) {
      append({.window = common, .since = std::max(day.since, availability), .after = day.after});
    }
    append({.window = {.start = common.end, .end = day.window.end}, .since = day.since, .after = day.after});
  }
  bound();
}

// Joining reads more than is owed; dropping would lose it.
void OwedDays::bound() {
  while (days_.size() > kMax) {
    auto closest = days_.begin();
    for (auto day = days_.begin(); std::next(day) != days_.end(); ++day) {
      if (std::next(day)->window.start - day->window.end < std::next(closest)->window.start - closest->window.end) closest = day;
    }
    const auto next = std::next(closest);
    *closest = {.window = {.start = closest->window.start, .end = next->window.end},
                .since = std::min(closest->since, next->since),
                .after = std::max(closest->after, next->after)};
    days_.erase(next);
  }
}

}  // namespace connector::core
