#pragma once

// How far a stream has come, from what its lanes have committed (docs/architecture.md, "Words"). None goes back. Pure value.

#include "common/instant.h"
#include "connector/core/ledger/ledger.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace connector::core {

// On what `complete_until` rests: on the service's own guarantee of its jobs' data; or on an age that we chose: of a stream
// without jobs on no more than that it was read again at every configured one, of jobs of which no service tells how far their
// data is complete (`job.lag`) on that it is taken to be so at that age.
enum class Basis : std::uint8_t { kService, kPolicy };
std::string_view to_string(Basis basis);  // "service", "policy"

struct Watermarks {
  std::optional<common::Instant> seen_until;      // `live` has looked; none without that lane
  std::optional<common::Instant> complete_until;  // the first pass of `settle` is done
  std::optional<common::Instant> settled_until;   // the passes at all ages are done

  // Every mark to the later one. What another life of the ledger (an operator's reset) takes back begins with a new value.
  void advance(const Watermarks& to);
  friend bool operator==(const Watermarks&, const Watermarks&) = default;
};

// Of committed ledgers; null: the stream has no such lane, or nothing of it is committed yet. `basis` says which lane counts: the
// settle lane (kService, whoever says how far its jobs' data is complete), or, where there are no jobs, the live lane alone: its
// first reading proves nothing, so that it is complete and settled only when it was read at every age.
Watermarks watermarks_of(const Ledger* live, const Ledger* settle, Basis basis = Basis::kService);

}  // namespace connector::core
