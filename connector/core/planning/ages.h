#pragma once

// At which ages a lane reads its windows again, as the ledger keeps them. Pure functions.

#include "common/instant.h"
#include "connector/core/ledger/ledger.h"

#include <cstdint>
#include <span>
#include <vector>

namespace connector::core {

// What makes the ledger's ages those that are configured (0, the first pass, is no age). An age that is new to a lane that has
// been running begins at the UTC day of now - age, or where one had come that ends at the same time; one that is configured no
// longer ends, and its open windows are abandoned.
std::vector<LedgerChange> change_ages(const Ledger& ledger, std::span<const common::Duration> configured, common::Instant now);

// The ages at which `window` need not be read again, since the reading that completed it began late enough: all of it
// (kWhole), or the part of it that was old enough (kInPart). `began`: of a job, the earlier of its submission and the date its
// data was complete to.
enum class Satisfied : std::uint8_t { kWhole, kInPart };
std::vector<LedgerChange> passes_satisfied(const Ledger& ledger, const common::Interval& window, common::Instant began,
                                           Satisfied by);

// What `live` read short and the settle lane has read since: a job that is complete holds everything that began in its window,
// however many rows the query shows.
std::vector<LedgerChange> short_made_good(const Ledger& live, const Ledger& settle);

}  // namespace connector::core
