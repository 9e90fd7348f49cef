#pragma once

// What is asked of a task's owner through the control topic, as a target state by stream: run a backfill, or cancel the one that
// runs (docs/state.md). And what the owner makes of it. Pure.

#include "common/instant.h"
#include "common/result.h"
#include "connector/core/ledger/backfill_mark.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace connector::core {

struct BackfillRequest {
  static constexpr int kFormatVersion = 1;
  enum class Wanted : std::uint8_t { kRun, kCancel };

  Wanted wanted = Wanted::kRun;
  BackfillOrder order;  // of a cancellation the id alone counts: of the backfill that is to end
  common::Instant asked_at;
  std::string asked_by;  // the host, for people

  [[nodiscard]] std::string serialize() const;
  // kStateRefused with the remedy: a newer format version, or anything that serialize() does not write.
  static common::Result<BackfillRequest> parse(std::string_view stored);
  friend bool operator==(const BackfillRequest&, const BackfillRequest&) = default;
};

// What the owner knows of the stream.
struct BackfillStanding {
  std::optional<BackfillMark> mark;  // of its backfill ledger, as committed
  bool has_settle = true;            // jobs read the stream
  common::Instant now;
};

struct BackfillDecision {
  enum class Action : std::uint8_t {
    kNothing,  // it is done, or is being done; or there is nothing to cancel
    kBegin,
    kCancel,
    kRefuse,     // told in the ledger
    kOtherRuns,  // another one is under way and is not disturbed: this one waits, unless it is withdrawn
  };
  Action action = Action::kNothing;
  std::string reason;  // of a refusal
  friend bool operator==(const BackfillDecision&, const BackfillDecision&) = default;
};

// One backfill of a stream at a time. The ledger is the truth of what runs, the request only of what is wanted: a request whose
// id the ledger bears was taken, whatever became of it.
BackfillDecision judge(const BackfillRequest& request, const BackfillStanding& standing);

// The order of a refusal as a ledger can keep it: what cannot stand there is replaced by what can.
BackfillOrder storable(BackfillOrder order);

}  // namespace connector::core
