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

std::string_view to_string(Basis basis) {
  return basis == Basis::kService ? "service" : "policy";
}

Watermarks watermarks_of(const Ledger* live, const Ledger* settle, Basis basis) {
  Watermarks marks;
  if (live != nullptr) marks.seen_until = live->complete_until();
  if (basis == Basis::kPolicy) {
    if (live != nullptr) marks.complete_until = marks.settled_until = live->settled_until();
  } else if (settle != nullptr) {
    marks.complete_until = settle->complete_until();
    marks.settled_until = settle->settled_until();
  }
  return marks;
}

}  // namespace connector::core
