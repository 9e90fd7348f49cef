#pragma once

// The source offsets of a connector in Kafka Connect's REST form, and what `offsets set`, `reset` and `import` would make of
// them. Every change is planned and shown before it is written. Pure functions.

#include "common/instant.h"
#include "common/json.h"
#include "common/result.h"
#include "connector/core/ledger/ledger.h"
#include "connector/core/names.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace connector::app {

// The stored value of every source partition, byte for byte.
using SourceOffsets = std::map<core::SourcePartition, std::string>;

// {"offsets":[{"partition":{"stream":…,"lane":…},"offset":{…}}]}; a value that is no JSON is a string there.
common::json::Value to_connect_form(const SourceOffsets& offsets);

// `after`: nothing is a tombstone. Stamps are not of interest.
struct OffsetChange {
  core::SourcePartition source;
  std::optional<std::string> before;
  std::optional<core::Ledger> after;
};

// Tombstones for one lane of the stream, or all. kConfigInvalid: nothing is stored.
common::Result<std::vector<OffsetChange>> plan_reset(const SourceOffsets& stored, const core::StreamName& stream,
                                                     std::optional<core::Lane> lane);

// How `set` moves a lane: see core::Ledger::started_at, moved_to, without.
struct StartAt {
  common::Instant instant;
};
struct CompleteUntil {
  common::Instant instant;
};
struct Reread {
  common::Interval window;
};
using LaneMove = std::variant<StartAt, CompleteUntil, Reread>;

// Empty: the lane stands there already. kConfigInvalid: the lane has no ledger or no position, or the move makes no sense for it:
// nothing is complete beyond `now`, nor, by jobs, beyond what the service has guaranteed. kStateRefused: its ledger cannot be
// read.
common::Result<std::vector<OffsetChange>> plan_set(const SourceOffsets& stored, const core::SourcePartition& source,
                                                   const LaneMove& move, common::Instant now);

// What the ledgers of a configured stream must belong to; an empty topic id is not compared.
using Identities = std::map<core::StreamName, core::LedgerIdentity>;

struct ImportPlan {
  std::vector<OffsetChange> changes;  // without what is the same already
  std::vector<std::string> problems;  // all of them; then nothing may be written
};
// `adopt_identity`: ledgers of another organisation, cluster, topic or membership become those of this one. What cannot be
// complete at `now` is a problem, as in plan_set.
ImportPlan plan_import(std::string_view document, const SourceOffsets& stored, const Identities& identities, bool adopt_identity,
                       common::Instant now);

}  // namespace connector::app
