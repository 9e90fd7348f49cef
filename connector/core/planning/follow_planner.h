#pragma once

// Which records are read again by id, and when: those that were published open, those of which only the name is known, and closed
// ones that have not been quiet for long. The longer a record has not changed, the more seldom it is asked for. A decision: no
// I/O; time and chance are arguments.
//
// Every followed key costs about 200 bytes; next() costs by the days that keys belong to and the ids it returns, not by the keys.

#include "common/instant.h"
#include "connector/core/names.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <variant>
#include <vector>

namespace connector::core {

struct FollowOptions {
  common::Duration every{60'000};           // after a change a record is read again this soon
  double factor = 1.5;                      // then when it has not changed for so many times as long as it had at the last read
  common::Duration max{86'400'000};         // but at least this often
  common::Duration quiet{3'600'000};        // a closed record is followed until it has not changed for this long
  common::Duration give_up{7'776'000'000};  // one that has not changed for this long is followed no longer
  common::Duration gather{30'000};          // an id that is due waits this long for others, so that one request asks for many
  std::size_t max_ids = 50;                 // of a request
};

enum class FollowState : std::uint8_t {
  kWanted,  // known by name only, or in doubt: read as soon as possible
  kOpen,
  kClosed
};

struct Followed {
  FollowState state = FollowState::kOpen;
  common::Instant start;       // on its UTC day the record is found by the query
  common::Instant changed_at;  // when its content last changed (of a wanted one: since when it is wanted)
  // By whichever lane; none after a restart, when nobody remembers: then reads are spread.
  std::optional<common::Instant> read_at;
};

// What became of an id that was asked for.
enum class FollowFinding : std::uint8_t {
  kOpen,
  kClosed,
  kAbsent  // the service did not return it (whether it is gone is for the settle lane to find out)
};

struct AskIds {
  std::vector<RecordKey> ids;         // in flight until read() or put_back()
  std::vector<common::Instant> days;  // their start days: no query may read these meanwhile
};
// Not changed for `give_up`, and followed no longer: to be told, and their entries removed.
struct GiveUp {
  std::vector<RecordKey> ids;
};
struct FollowAt {
  common::Instant instant;
};
// What is due lies on blocked days: ask again when one of them is free, or at the instant.
struct FollowWhenFree {
  common::Instant instant;
};
struct FollowNothing {};  // no key is followed, or all are in flight
using FollowPlan = std::variant<AskIds, GiveUp, FollowAt, FollowWhenFree, FollowNothing>;

class FollowPlanner {
 public:
  explicit FollowPlanner(FollowOptions options) : options_(options) {}
  FollowPlanner(const FollowPlanner&) = delete;
  FollowPlanner& operator=(const FollowPlanner&) = delete;

  // From now on, or with what was learnt of it since (published by another lane). `chance` in [0, 1), here and below: reads are
  // spread by up to a tenth.
  void follow(const RecordKey& key, const Followed& followed, common::Instant now, double chance);
  // No longer: sealed, gone, or removed by other means. Unknown keys are ignored, here and below.
  void forget(const RecordKey& key);

  // `blocked_days`: start days (00:00 UTC) of which a query is in flight.
  [[nodiscard]] FollowPlan next(common::Instant now, std::span<const common::Instant> blocked_days);

  // The answer for an id in flight. False: it is followed no longer, being closed and quiet, or forgotten meanwhile.
  bool read(const RecordKey& key, FollowFinding finding, bool changed, common::Instant read_at, double chance);
  // The request failed: the id is asked for again, not before the instant. kThis: it is the record's own fault, and nobody waits
  // for it until then.
  enum class AtFault : std::uint8_t { kOther, kThis };
  void put_back(const RecordKey& key, common::Instant not_before, AtFault at_fault = AtFault::kOther);
  // Whether an id that was due by then has not been answered yet. Looks at every key.
  [[nodiscard]] bool has_due(common::Instant by) const;

  [[nodiscard]] std::size_t size() const { return keys_.size(); }
  [[nodiscard]] bool is_followed(const RecordKey& key) const { return keys_.contains(key); }

 private:
  struct Entry {
    const RecordKey* key = nullptr;  // of the map's node
    common::Instant day;
    common::Instant changed_at;
    common::Instant due;
    common::Instant wanted;  // `due`, had no request failed
    FollowState state = FollowState::kOpen;
    bool in_flight = false;
  };
  struct Sooner {
    bool operator()(const Entry* left, const Entry* right) const {
      return left->due != right->due ? left->due < right->due : *left->key < *right->key;
    }
  };
  using Queue = std::set<Entry*, Sooner>;

  [[nodiscard]] common::Duration wait_after(common::Duration unchanged) const;
  [[nodiscard]] common::Instant due_after(const Entry& entry, common::Instant read_at, double chance) const;
  [[nodiscard]] bool is_quiet(const Entry& entry, common::Instant read_at) const;
  [[nodiscard]] FollowPlan ask(const std::vector<Entry*>& soonest, common::Instant now);
  void enqueue(Entry& entry, common::Instant due);
  void dequeue(Entry& entry);

  FollowOptions options_;
  std::unordered_map<RecordKey, Entry> keys_;
  std::map<common::Instant, Queue> days_;  // the keys that are not in flight, by start day; no empty ones
};

}  // namespace connector::core
