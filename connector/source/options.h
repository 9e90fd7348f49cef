#pragma once

// A stream: a definition in use. Plain values filled by config/.

#include "common/instant.h"
#include "common/json.h"
#include "common/secret.h"
#include "connector/core/dead_letters/guard.h"
#include "connector/core/digest/vanished_day.h"
#include "connector/core/names.h"
#include "connector/core/planning/buckets.h"
#include "connector/core/topic_settings.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace connector::source {

// What the service does with an interval inside a day (docs/genesys-api.md, "The interval rule"): inferred, so a setting.
enum class SyncMatch : std::uint8_t { kOverlap, kStartDay };

struct LiveOptions {
  bool enabled = true;
  common::Duration every{60'000};      // length of a window, and how often one is asked for
  common::Duration delay{30'000};      // a window is asked for when its end is this old
  common::Duration overlap{0};         // a window begins this much before its predecessor's end
  common::Duration min_window{1'000};  // splitting stops here
  // Windows are read again when their end is this old, ascending.
  std::vector<common::Duration> ages{common::Duration{600'000}, common::Duration{3'600'000}, common::Duration{21'600'000}};
  // No setting: the buckets that `query` asks for, where the service answers in such; windows are of whole ones.
  core::Buckets buckets = {};
};

// Of a stream whose definition has no window: what the lane `live` reads then. On change: once per content.
enum class PublishSnapshot : std::uint8_t { kOnChange, kAlways };
struct SnapshotOptions {
  common::Duration every{60'000};
  PublishSnapshot publish = PublishSnapshot::kOnChange;
  // Of what the service no longer has; kKeep: nothing is looked for.
  core::OnDelete on_delete = core::OnDelete::kKeep;
  std::uint32_t delete_readings = 3;  // whole ones in a row that must lack a record
  double delete_max_share = 0.05;     // of what is remembered; if more is absent at once, nothing is deleted
};

// Records that were published open are read again by id, the longer they have not changed the more seldom.
struct FollowOptions {
  bool enabled = true;
  common::Duration every{60'000};           // soon after a change
  common::Duration max{86'400'000};         // at least this often
  common::Duration quiet{3'600'000};        // a closed record is done when it has not changed for this long
  common::Duration give_up{7'776'000'000};  // one that has not changed for this long is left alone
  // No setting: what an earlier life followed is spread over its waits. False for a run that is to end soon: it is due as if it
  // had been read last when it changed.
  bool spread_at_start = true;
};

struct SettleOptions {
  bool enabled = true;
  common::Duration window{86'400'000};  // ≤ one day; divides a UTC start day
  // Passes over every window: the first, at 0, as soon as the service guarantees its data; then when its end is this old.
  std::vector<common::Duration> ages{common::Duration{0}, common::Duration{259'200'000}, common::Duration{604'800'000}};
  bool newest_first = false;             // of windows never read: the newest first, or the oldest
  std::uint32_t max_jobs = 2;            // open at once
  common::Duration poll_initial{1'000};  // growing to poll_max
  common::Duration poll_max{30'000};
  common::Duration job_deadline{21'600'000};     // not finished by then: cancelled and its window restarted
  common::Duration availability_every{300'000};  // how often the availability date is asked while nothing may be submitted
  // Of what the service has deleted; looked for where a window is a day and the definition can read by id.
  core::OnDelete on_delete = core::OnDelete::kKeep;
  common::Duration delete_confirm{3'600'000};  // a record is gone when it was absent twice, this far apart
  double delete_max_share = 0.05;              // of a day's records; if more are absent, nothing is deleted
};

enum class ExistingTopic : std::uint8_t { kRefuse, kAppend };

// What to do with state that was read by other filters, another endpoint or another key: refuse the start, keep it and go on with
// the new ones, or read everything again.
enum class OnChangedMembership : std::uint8_t { kRefuse, kContinue, kReRead };

// Which values a field takes, if its pointer leads to several.
enum class TakeValues : std::uint8_t { kAll, kFirst, kLast };

struct ProjectedField {
  std::string name;
  std::string from;                    // pointer into the record as the service sent it; `*` for every element and every member
  TakeValues take = TakeValues::kAll;  // all: an array, if there is a `*` in `from`
  // Another pointer: the field is the milliseconds from the time at `from` to the time here. No `*` in either then.
  std::string until = {};
};

// A record becomes an object of these fields alone. Without any it keeps its shape.
struct ProjectionOptions {
  std::vector<ProjectedField> fields;
};

// Pointers as in ProjectedField. None drops the record's key or a part of it; hashed it may be where no record is asked for by
// it.
struct RedactionOptions {
  std::vector<std::string> drop;
  std::vector<std::string> hash;  // replaced by their HMAC-SHA-256
  common::SecretSource key;       // of that; its value at the start counts until the end
};

struct FromNow {};
using StreamStart = std::variant<common::Instant, FromNow>;

struct StreamOptions {
  core::StreamName name;
  std::string definition;               // name of a stream definition
  StreamStart start;                    // required in the configuration
  common::Duration retention{0};        // what begins longer ago the service has no more; 0: no bound known. Not of a snapshot
  common::Duration query_retention{0};  // of what its query shows, where that is less (kept_for_query); 0: it is not
  std::string topic;                    // empty: by kafka.topics.stream_pattern
  core::TopicSettings topic_settings;
  ExistingTopic existing_topic = ExistingTopic::kRefuse;  // an empty ledger over a topic that has records
  OnChangedMembership on_changed_membership = OnChangedMembership::kRefuse;
  core::DeadLetterRules dead_letters;  // what is too large, and when there are too many of them
  common::json::Object query;          // the user's filters, merged into the request body of query and job
  ProjectionOptions projection;
  RedactionOptions redaction;  // applies before the projection
  SyncMatch sync_match = SyncMatch::kOverlap;
  int page_size = 0;  // 0: the definition's maximum
  int job_page_size = 0;
  LiveOptions live;  // of a snapshot: `enabled` alone; it has no ages
  SnapshotOptions snapshot;
  FollowOptions follow;
  SettleOptions settle;
};

// What began longer ago the query does not show any more; 0: no bound known.
inline common::Duration kept_for_query(const StreamOptions& stream) {
  constexpr common::Duration kNone{0};
  if (stream.query_retention == kNone || stream.retention == kNone) return std::max(stream.query_retention, stream.retention);
  return std::min(stream.query_retention, stream.retention);
}

// Whether records are published otherwise than the service sent them.
inline bool rewrites_records(const StreamOptions& options) {
  return !options.projection.fields.empty() || !options.redaction.drop.empty() || !options.redaction.hash.empty();
}

}  // namespace connector::source
