#include "connector/core/planning/watermarks.h"

#include <algorithm>

namespace connector::core {

namespace {

// Nothing is before every instant.
void advance_one(std::optional<common::Instant>& mark, const std::optional<common::Instant>& to) {
  mark = std::max(mark, to);
}

}  // namespace

void Watermarks::advance(const Watermarks& to) {
  advance_one(seen_until, to.seen_until);
  advance_one(complete_until, to.complete_until);
  advance_one(settled_until, to.settled_until);
}

Watermarks watermarks_of(const Ledger* live, const Ledger* settle) {
  Watermarks marks;
  if (live != nullptr) marks.seen_until = live->complete_until();
  if (settle != nullptr) {
    marks.complete_until = settle->complete_until();
    marks.settled_until = settle->settled_until();
  }
  return marks;
}

}  // namespace connector::core
