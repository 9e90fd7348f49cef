#pragma once

// How far a stream has come, from what its lanes have committed (docs/architecture.md, "Words"). None goes back. Pure value.

#include "common/instant.h"
#include "connector/core/ledger/ledger.h"

#include <optional>

namespace connector::core {

struct Watermarks {
  std::optional<common::Instant> seen_until;      // `live` has looked; none without that lane
  std::optional<common::Instant> complete_until;  // the first pass of `settle` is done; none without that lane
  std::optional<common::Instant> settled_until;   // its passes at all ages are done

  // Every mark to the later one. What another life of the ledger (an operator's reset) takes back begins with a new value.
  void advance(const Watermarks& to);
  friend bool operator==(const Watermarks&, const Watermarks&) = default;
};

// Of committed ledgers; null: the stream has no such lane.
Watermarks watermarks_of(const Ledger* live, const Ledger* settle);

}  // namespace connector::core
