#pragma once

// Days that are to be settled again because of what is remembered of their records: another lane has seen more than any job, or a
// job's row could not be used. Pure.

#include "common/instant.h"
#include "connector/core/digest/stream_digests.h"
#include "connector/core/ledger/ledger.h"

#include <map>
#include <optional>
#include <vector>

namespace connector::core {

// How far the data reached of the passes that this life of the lane has read.
class PassTimes {
 public:
  void note(const common::Interval& window, common::Instant availability);
  // Of the oldest pass over any part of the day; none: a part of it (from `lane_start` on) has not been read in this life.
  [[nodiscard]] std::optional<common::Instant> of(HomeDay day, common::Instant lane_start) const;

 private:
  struct Pass {
    common::Instant end;
    common::Instant availability;
  };
  std::map<common::Instant, Pass> passes_;  // by the window's start
};

struct NewlyOwedOptions {
  // A day that has just been settled is not settled again before the service's date has moved on by this.
  common::Duration gather{21'600'000};
  // … or, if all that is owed of it is open and nobody reads it by id, by half the time since that has changed, up to this.
  common::Duration max_gather{86'400'000};
  // No job can pay what is owed of a day that begins before this: it has begun to expire, and would be owed again and again.
  std::optional<common::Instant> from = std::nullopt;
};

// `ledger`: the settle lane's. `availability`: the service's newest date. What of a day is owed already is paid first.
std::vector<LedgerChange> newly_owed(const NewlyOwedOptions& options, const Ledger& ledger, const StreamDigests& digests,
                                     common::Instant availability, const PassTimes& passes);

}  // namespace connector::core
