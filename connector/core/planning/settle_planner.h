#pragma once

// Which windows a settle lane gives to jobs: inside one UTC start day, oldest first, only behind the date up to which the service
// guarantees its data. Pure.

#include "common/instant.h"
#include "connector/core/ledger/ledger.h"

#include <cstdint>
#include <optional>
#include <span>
#include <variant>

namespace connector::core {

struct SettlePlanOptions {
  common::Duration window{86'400'000};  // at most a day; a grid from 00:00 UTC
  std::uint32_t max_jobs = 2;
};

// Take up a window that is open in the ledger, at its position.
struct ResumeWindow {
  OpenWindow open;
};
struct SubmitWindow {
  common::Interval window;
};
// Nothing to begin: jobs enough are running, or the ledger is full until one of them ends.
struct WaitForJobs {};
// Nothing to begin before the service's date has reached `until`: ask for it again.
struct AskAvailability {
  common::Instant until;
};
using SettlePlan = std::variant<ResumeWindow, SubmitWindow, WaitForJobs, AskAvailability>;

// `running`: windows being read now, in the ledger or not yet. `availability`: the newest date seen in this life; a date that
// went back submits nothing beyond it.
SettlePlan plan_settle(const SettlePlanOptions& options, const Ledger& ledger, std::optional<common::Instant> availability,
                       std::span<const common::Interval> running);

// The window of the grid that begins at `begin` (which need not lie on the grid: the first window is partial).
common::Interval settle_window_at(common::Instant begin, common::Duration length);

}  // namespace connector::core
