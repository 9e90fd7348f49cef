#pragma once

// `check`: does everything the configuration names exist, answer and allow what we need? Changes nothing. Each finding says what
// to do; what cannot be proven from here is said too instead of being taken for granted.

#include "common/log.h"
#include "connector/app/app.h"
#include "connector/app/offsets_change.h"
#include "connector/app/options.h"

#include <cstdint>
#include <string>
#include <vector>

namespace connector::app {

enum class Verdict : std::uint8_t { kOk, kWarning, kUnproven, kFailed };
std::string_view to_string(Verdict verdict);  // "ok", "warning", "unproven", "failed"

struct Finding {
  Verdict verdict = Verdict::kOk;
  std::string subject;                                    // "token", "topic acme.conversations", …
  std::string detail;                                     // what was found
  std::string remedy;                                     // what to do; empty when ok
  common::ErrorCode code = common::ErrorCode::kInternal;  // of a failure: decides the exit code
};

// Starts behind what the service keeps, of lanes that begin there. One that has run goes on from its ledger: nothing of it is
// said where it is in `stored`; without that nobody knows, and it is a warning.
std::vector<Finding> check_starts(const AppOptions& options, const Definitions& definitions, common::Instant now,
                                  const SourceOffsets* stored = nullptr);

// Asks the service and the brokers; bounded by `patience` for each of the two.
std::vector<Finding> check(const AppOptions& options, const Definitions& definitions, const common::Logger& logger,
                           common::Duration patience);

}  // namespace connector::app
