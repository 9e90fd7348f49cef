// How an operator moves a lane: see Ledger::moved_to, without and started_at.

#include "connector/core/ledger/ledger.h"

#include <algorithm>

namespace connector::core {

using common::Instant;
using common::Interval;

Ledger Ledger::moved_to(Instant instant) const {
  Ledger moved = *this;
  const Interval before{.start = start_, .end = instant};
  const Interval behind{.start = instant, .end = Instant::max()};
  IntervalSet skipped;
  skipped.add(before);
  for (const Interval& read : complete_.intervals()) skipped.remove(read);

  moved.complete_.remove(behind);
  moved.complete_.add(before);
  for (auto& [age, set] : moved.passes_) {
    set.remove(behind);
    for (const Interval& window : skipped.intervals()) set.add(window);
  }
  // A first reading would be of what now counts as read; a further one goes on.
  std::erase_if(moved.open_, [&](const OpenWindow& open) { return open.pass.is_first() || open.window.end > instant; });
  std::erase_if(moved.short_, [&](const Interval& window) { return window.end > instant; });
  moved.lost_.remove(behind);
  if (moved.settled_) moved.settled_ = std::min(*moved.settled_, instant);
  return moved;
}

Ledger Ledger::without(const Interval& window) const {
  Ledger moved = *this;
  moved.complete_.remove(window);
  for (auto& [age, set] : moved.passes_) set.remove(window);
  std::erase_if(moved.open_, [&](const OpenWindow& open) { return open.window.overlaps(window); });
  std::erase_if(moved.short_, [&](const Interval& other) { return other.overlaps(window); });
  moved.lost_.remove(window);
  if (moved.settled_) moved.settled_ = std::min(*moved.settled_, moved.complete_until());
  return moved;
}

Ledger Ledger::started_at(Instant instant) const {
  Ledger moved = without({.start = Instant::min(), .end = instant});
  moved.start_ = instant;
  if (settled_) moved.settled_ = std::min(*settled_, moved.complete_until());
  return moved;
}

}  // namespace connector::core
