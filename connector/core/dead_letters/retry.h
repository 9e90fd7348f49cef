#pragma once

// Whether a record that became a dead letter can be published now, how it is read again, and what came of it. What is published
// is what the service has now, never the dead letter's bytes: those may be a prefix, and are old. Pure.
//
// The form follows from what is remembered of the key. A dead job form is read by a job again: its query form has no attributes,
// and would stand over them. A dead query form is read in the query form, by its id where that can be asked for. A key that is
// not dead any more was published since.

#include "common/instant.h"
#include "connector/core/digest/entry.h"
#include "connector/core/names.h"
#include "connector/core/ports/publisher.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace connector::core {

enum class RetryFinding : std::uint8_t {
  kPublished,
  kRetryable,     // it would be read again and published (nothing was tried)
  kNoLongerDead,  // something of its key was published since, or the service has deleted it
  // Left as they are, from here on:
  kNoKey,            // nobody can ask for it
  kForgotten,        // the memory of the key has ended: whether it was published since, only the topic can tell
  kNotConfigured,    // its stream is none of the configuration's
  kNeedsJob,         // a job form, and the stream has no lane `settle`
  kNoWay,            // no lane that is on can read it
  kNotAvailableYet,  // the service does not guarantee its day yet, or its window has not come to rest
  kTooLarge,         // for its topic, as it is now
  kRefused,          // by the broker again
  kAbsent,           // the service does not have it any more
  kWaits,            // the job shows it open, or of an older state: a lane takes it when the connector runs
};
inline constexpr std::size_t kRetryFindings = 13;
std::string_view to_string(RetryFinding finding);
constexpr bool is_left(RetryFinding finding) {
  return finding >= RetryFinding::kNoKey;
}

enum class RetryWay : std::uint8_t { kById, kByJob, kByQuery };
std::string_view to_string(RetryWay way);

// How the stream can be read: by definition, lanes that are on and have run.
struct RetryMeans {
  bool by_id = false;
  bool by_job = false;
  bool by_query = false;
  bool knows_start = false;  // a record says when it began: it is in its home day's windows
};

// The last dead letter of a key.
struct RetryCandidate {
  std::string key;
  std::string window;  // where records do not say when they began
};

struct RetryStep {
  RetryFinding finding = RetryFinding::kRetryable;
  RetryWay way = RetryWay::kById;  // if retryable
  common::Interval range;          // to be read by job or query
};

// `entry`: what is remembered of the key now.
RetryStep plan_retry(const RetryCandidate& candidate, const std::optional<DigestEntry>& entry, const RetryMeans& means);
// As far as the service's data goes: to `until`, the availability date or where queries have come to rest.
RetryStep bounded(RetryStep step, common::Instant until);

// The row that was handed over for the key.
struct RetryRow {
  RecordForm form = RecordForm::kQuery;
  bool open = false;
  std::optional<common::Instant> availability;
  std::size_t bytes = 0;  // with key and headers
  bool fits = true;       // its topic, uncompressed
};
// `entry`: afterwards. `row`: none came.
RetryFinding judge_retry(const std::optional<DigestEntry>& entry, const std::optional<RetryRow>& row);

}  // namespace connector::core
