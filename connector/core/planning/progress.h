#pragma once

// What the progress topic tells of a stream (docs/data.md): how far it has come, on what that rests, and where its topic ended
// when it had come so far; and when it is told. Pure.

#include "common/clock.h"
#include "common/instant.h"
#include "connector/core/names.h"
#include "connector/core/planning/watermarks.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace connector::core {

struct StreamProgress {
  std::optional<common::Instant> start;  // where the stream begins; not known before its first commit
  Watermarks marks;
  Basis basis = Basis::kService;

  // Nothing is committed yet.
  [[nodiscard]] bool is_unknown() const { return marks == Watermarks{}; }
  friend bool operator==(const StreamProgress&, const StreamProgress&) = default;
};

// Of committed ledgers; null: the stream has no such lane, or nothing of it is committed yet.
StreamProgress progress_of(const Ledger* live, const Ledger* settle, Basis basis);

// A value of the progress topic. `offsets`: of each partition of the stream's topic an offset before which every record lies that
// the watermarks speak of.
struct ProgressRecord {
  static constexpr int kFormatVersion = 1;

  StreamName stream;
  std::string topic;
  StreamProgress progress;
  std::vector<std::int64_t> offsets;

  [[nodiscard]] std::string serialize() const;
};

// Every stream is told of when it has moved, but not more often than `every`. The first time, too: what was told before this
// incarnation is not known.
class ProgressSchedule {
 public:
  explicit ProgressSchedule(common::Duration every) : every_(every) {}

  // What is committed of the stream now. A mark never goes back, unless the stream has another beginning or another basis.
  const StreamProgress& moved(const StreamName& stream, const StreamProgress& progress);
  // The stream begins anew, be it where it began before: what was known of it holds no more, and is told when it has moved.
  void begin_anew(const StreamName& stream);
  [[nodiscard]] const StreamProgress& of(const StreamName& stream) const { return streams_.at(stream).now; }

  // The stream to be told of, of several the one that waits longest.
  [[nodiscard]] std::optional<StreamName> due(common::SteadyTime now) const;
  // When one is; max(): none has moved.
  [[nodiscard]] common::SteadyTime next_due() const;
  // It is tried now; whatever comes of it, the next time is `every` later.
  void begin(const StreamName& stream, common::SteadyTime now);
  void told(const StreamName& stream, const StreamProgress& progress);

 private:
  struct Stream {
    StreamProgress now;
    std::optional<StreamProgress> told;
    common::SteadyTime not_before = common::SteadyTime::min();
  };

  common::Duration every_;
  std::map<StreamName, Stream> streams_;
};

}  // namespace connector::core
