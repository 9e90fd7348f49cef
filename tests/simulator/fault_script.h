#pragma once

// Scripted faults: rules that say for which requests what goes wrong. Decisions only; the simulator performs them. Read from JSON
// (docs/simulator.md lists every kind). Chance is seeded: the same requests meet the same faults. One thread.

#include "common/json.h"
#include "common/result.h"
#include "tests/simulator/options.h"

#include <cstdint>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace tests::simulator {

enum class FaultKind : std::uint8_t {
  // Instead of handling the request.
  kStatus,
  kHtml,
  kNotJson,
  kResetBefore,
  // Of the transport, after the request took effect.
  kResetAfter,
  kCloseAfter,
  kTruncate,
  kResetInBody,
  kWrongLength,
  kNeverAnswer,
  kStall,
  kDrip,
  kGarbage,
  kDelay,
  // Of the answer's content.
  kCutJson,
  kEmptyBody,
  kNoRateHeaders,
  kDuplicateRows,
  kDuplicatePage,
  kDrift,
  kShortPage,
  kEmptyPage,
  kWrongTotal,
  kCutChain,
  kCursorInBody,
  kBadRecord,
  // Of jobs and the lake.
  kJobState,
  kUnknownCursor,
  kNotReady,
  kAvailabilityFrozen,
  kAvailabilityBack,
  // Of tokens.
  kRevokeTokens,
};

enum class BadRecord : std::uint8_t { kNotObject, kNoId, kIdNotText, kOversize, kDeep, kBroken, kLongString };

struct Fault {
  FaultKind kind = FaultKind::kStatus;
  int status = 500;
  std::optional<std::chrono::seconds> retry_after;
  std::string code;     // of the error body; empty: the usual one of the status
  std::string message;  // likewise
  Duration by{1'000};
  std::size_t after = 100;  // body bytes before it happens
  std::int64_t count = 1;   // rows; may be negative for drift
  double factor = 0.5;      // of totalHits
  std::string state = "FAILED";
  BadRecord record = BadRecord::kNotObject;
  std::size_t bytes = 2'000'000;  // of an oversize record or long string
  std::size_t depth = 2'000;      // of nesting
};

struct FaultRule {
  std::string name;  // in the statistics
  std::string method;
  std::optional<std::regex> path;  // searched in path and query
  std::uint64_t nth = 0;           // only the nth matching request, from 1
  std::uint64_t first = 0;         // only the first so many
  std::uint64_t every = 0;         // every so many
  double probability = 1;
  std::uint64_t limit = 0;  // strikes at most so often; 0: no bound
  Fault fault;
};

class FaultScript {
 public:
  explicit FaultScript(std::uint64_t seed) : seed_(seed) {}

  // {"rules": […]}; kConfigInvalid names the rule and member. Nothing is added unless all are good.
  common::Result<void> add(const common::json::Value& script);
  void clear() { rules_.clear(); }
  // The fault of this request, if any: the first rule that strikes. Every matching rule counts the request.
  std::optional<Fault> next(std::string_view method, std::string_view target);
  // {"name": strikes …}
  [[nodiscard]] common::json::Object strikes() const;

 private:
  struct Armed {
    FaultRule rule;
    std::uint64_t seen = 0;
    std::uint64_t struck = 0;
  };
  std::uint64_t seed_;
  std::vector<Armed> rules_;
};

}  // namespace tests::simulator
