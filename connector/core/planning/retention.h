#pragma once

// What the service keeps no longer (`window.retention`): from when on a lane can still read, and what becomes of that part of its
// ledger which it cannot. Pure.

#include "common/instant.h"
#include "connector/core/ledger/ledger.h"
#include "connector/core/planning/buckets.h"

#include <optional>
#include <span>
#include <vector>

namespace connector::core {

struct Retention {
  common::Duration kept{0};  // by the service; 0: no bound is known
  Buckets buckets;           // as in LivePlanOptions: of one that is kept in part the figures would be others
};

// Before this the service has nothing; none: no bound.
std::optional<common::Instant> kept_since(const Retention& retention, common::Instant now);
// What begins here is still there when its request arrives and for as long as a few pages take: a little later than kept_since,
// and where a bucket begins.
std::optional<common::Instant> readable_from(const Retention& retention, common::Instant now);

// What is so old can be read only where the service keeps it for longer than this.
common::Duration needed_for(common::Duration age);

// What a person is told to ask for: what begins there is there for `lasts` at least, so that it is not refused by the time it is
// asked for. A full hour, or second of what is kept for less than a day, and where a bucket begins.
struct Proposal {
  common::Instant from;
  common::Duration lasts{0};
};
std::optional<Proposal> proposal(const Retention& retention, common::Instant now);

// What a lane tells its ledger when nothing before `from` can be read any more.
struct BeyondReach {
  std::vector<LedgerChange> changes;        // empty: there is nothing of that kind
  std::vector<common::Interval> lost;       // had never been read
  std::vector<common::Interval> not_again;  // read, but not again at an age that had come or is still to come
};

// `running`: windows that are being read, whose answers are on their way: they are left alone, and so is what has a job, whose
// results may be there still. Other open windows that begin before `from` are abandoned, and what of them lies behind it is
// opened again where none of it was read; whole home days that begin before it are judged no more, since by their ids, too, what
// has expired looks like what was deleted. `until`: of a backfill, whose ledger says nothing of what lies behind it.
// `now` is told to the ledger with what is lost.
BeyondReach beyond_reach(const Ledger& ledger, common::Instant from, common::Instant now,
                         std::span<const common::Interval> running = {}, std::optional<common::Instant> until = std::nullopt);

}  // namespace connector::core
