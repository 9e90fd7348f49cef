#pragma once

// How far a backfill has come and how long it will still take, from its ledger alone. Pure.

#include "common/instant.h"
#include "connector/core/ledger/ledger.h"

#include <cstdint>
#include <optional>

namespace connector::core {

struct BackfillPace {
  double done = 0;                       // of the range, 0 … 1
  std::uint64_t windows_open = 0;        // begun and not complete
  std::optional<common::Duration> left;  // none: nothing to judge by yet
  double requests_per_minute = 0;        // since it began
  std::optional<double> quota;           // that as a part of what the connector may send; none: not known
};

// `ledger` has a mark. A pause (the connector was stopped) counts as time in which nothing was read: the estimate errs towards
// later, never towards sooner.
BackfillPace pace_of(const Ledger& ledger);

}  // namespace connector::core
