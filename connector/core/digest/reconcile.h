#pragma once

// Whether a row that was read is published, and what is then remembered of its key: two forms of a record, read by lanes that do
// not know of each other, become one sequence without repeats or steps back (docs/records.md). A pure function.
//
// A key is provisional first: published from the query form, whenever that changes. The first job row that is closed and whose
// data is complete beyond the read that last published the key seals it; from then on only job rows are published. A row that is
// set aside leaves its key owed: a later job row is needed, and the key's home day is to be settled again.

#include "common/instant.h"
#include "connector/core/digest/content.h"
#include "connector/core/digest/entry.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace connector::core {

// By id: the query form, too, but asked for because the rows of others left a doubt. Absent: no row; a job did not return the
// key, nor did the service when it was asked for it (VanishedDay).
enum class SightingForm : std::uint8_t { kQuery, kById, kJob, kAbsent };
enum class Publishable : std::uint8_t { kYes, kNo };  // no: too large, or refused by the broker before
// Repair: published though its content is known. What is a dead letter and still cannot be published does not become one again.
enum class Requested : std::uint8_t { kNo, kRepair };

// One row as it was read.
struct Sighting {
  SightingForm form = SightingForm::kQuery;
  bool open = false;
  ContentDigests digests;
  common::Instant read_at;                      // the answer's `Date`
  std::optional<common::Instant> availability;  // of a job, or of that which did not return the key: its data is complete to
  HomeDay home_day;
  // No settle pass is to come for the home day by itself: what is published from the query form is owed at once.
  bool home_day_settled = false;
  bool known_when_asked = false;  // by id: this content was what was remembered of the key when it was asked for
  Publishable publishable = Publishable::kYes;
  Requested requested = Requested::kNo;
};

// How the stream is read, by the lanes that are on.
struct StreamRules {
  bool has_query = true;  // `live`
  bool has_job = true;    // `settle`
  bool has_by_id = true;  // `follow`
  // Readings of several days return one record: its home day is then the last of which one did.
  bool many_days = false;
  // What readings return no more stays remembered until it is gone: its tombstone is still to come (VanishedReading).
  bool awaits_absence = false;
};

// Delete: the key is gone, and a record of it may still stand in the topic.
enum class DigestOutcome : std::uint8_t { kNothing, kPublish, kDeadLetter, kDelete };

// Why, as a metric's label.
enum class DigestReason : std::uint8_t {
  kNew,                 // unknown key, or one known by name only
  kChanged,             // another content
  kSealed,              // the job form of what was provisional
  kReturned,            // was gone
  kRepaired,            // on request
  kUnchanged,           // the content is known
  kSealedUnchanged,     // sealed; what is published is the job form already
  kSupersededBySealed,  // a query form of a sealed key, of a content that the job form stands for
  kAwaitsJob,           // a query form of a sealed key, of another content: owed
  kInDoubt,             // open where a closed one is published: to be read by id
  kOpenInJob,           // a job row that is still open
  kTooOldToSeal,        // a job row that may know less than what is published
  kOlderJob,            // a job row from before the one that is published
  kGone,                // the service no longer has it
  kSeenSince,           // absent, but it was read after the job that did not return it; or nothing of it is known any more
};
inline constexpr std::size_t kDigestReasons = 15;
std::string_view to_string(DigestReason reason);

struct RowDecision {
  DigestOutcome outcome = DigestOutcome::kNothing;
  std::optional<DigestEntry> entry;  // replaces the key's entry; none: it stays as it is
  bool owed = false;                 // the key's home day is to be settled again
  bool follow_by_id = false;         // the key is to be read by id: wanted, or in doubt
  DigestReason reason = DigestReason::kUnchanged;
};

// `entry`: of the key, with every earlier row taken into account. Rows of one key are given in the order in which they arrived:
// nothing here compares times, but a job's availability with the service's own dates.
RowDecision reconcile(const std::optional<DigestEntry>& entry, const Sighting& sighting, const StreamRules& rules);

// A job whose data is complete to `availability` must have returned the record, if it exists: what was read of it is older. (A
// wanted one, too: it was seen open. What is gone is not gone again, unless an older job has shown it since.)
bool may_have_vanished(const DigestEntry& entry, common::Instant availability);

// The entry of a key that the service was asked for and no longer has. Whatever comes back is published.
DigestEntry gone_entry(const DigestEntry& entry, common::Instant read_at);

}  // namespace connector::core
