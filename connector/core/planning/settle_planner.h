#pragma once

// Which windows a settle lane gives to jobs: inside one UTC start day, only behind the date up to which the service guarantees
// its data; first what has never been read, then days that are owed, then windows that have come of age. Pure.

#include "common/instant.h"
#include "connector/core/ledger/ledger.h"

#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

namespace connector::core {

struct SettlePlanOptions {
  common::Duration window{86'400'000};  // at most a day; a grid from 00:00 UTC
  std::uint32_t max_jobs = 2;
  // As many of the running windows are read again and have no job now: they wait before they are tried once more. First passes
  // begin in their place; other further passes do not, so that no more than max_jobs of those are under way.
  std::uint32_t waiting = 0;
  bool newest_first = false;  // of windows never read
  // A day that more is owed of again and again is settled anew this long after the first of it; else when all of it can be paid.
  common::Duration owed_gather{21'600'000};
  // Jobs of one day can return the same conversation. False: windows shorter than a day are read beside each other even so, as
  // long as none is read a second time.
  bool sequential_days = true;
  // Nothing that lies behind it, though the lane's ledger has a place for it: of a backfill.
  std::optional<common::Instant> until = std::nullopt;
};

// What another lane reads by jobs: jobs of one home day are never in flight together, whoever's they are.
struct JobsElsewhere {
  std::vector<common::Interval> running;
  // At the service, though nobody reads them just now: first they are taken up and finished.
  std::vector<common::Interval> open;
};

// Take up a window that is open in the ledger, at its position.
struct ResumeWindow {
  OpenWindow open;
};
struct SubmitWindow {
  common::Interval window;
  Pass pass = {};
};
// Nothing to begin: jobs enough are running, or the ledger is full until one of them ends.
struct WaitForJobs {};
// Nothing to begin before the service's date has reached `until`: ask for it again.
struct AskAvailability {
  common::Instant until;
};
// Everything before `until` is done.
struct NothingLeft {};
using SettlePlan = std::variant<ResumeWindow, SubmitWindow, WaitForJobs, AskAvailability, NothingLeft>;

// The service's newest answer, and the earlier of host and service clock.
struct SettleTime {
  std::optional<common::Instant> availability;
  common::Instant now;
};

// `running`: windows being read now, in the ledger or not yet. A date that went back submits nothing beyond it.
SettlePlan plan_settle(const SettlePlanOptions& options, const Ledger& ledger, const SettleTime& time,
                       std::span<const common::Interval> running, const JobsElsewhere& elsewhere = {});

// Whether nothing was left to do at `time` but what other lanes stand in the way of: windows that were opened for other reasons
// do not count.
bool has_settled(const SettlePlanOptions& options, const Ledger& ledger, const SettleTime& time);

// The service's date is `availability` and was `before`, later: complete windows beyond it are owed, by a job that knows at least
// as much as theirs did. (What they brought may be forgotten: an older state would be taken for new.)
std::vector<LedgerChange> availability_lost(const SettlePlanOptions& options, const Ledger& ledger, common::Instant before,
                                            common::Instant availability);

// The window of the grid that begins at `begin` (which need not lie on the grid: the first window is partial).
common::Interval settle_window_at(common::Instant begin, common::Duration length);

}  // namespace connector::core
