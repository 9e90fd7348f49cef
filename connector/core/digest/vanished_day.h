#pragma once

// Which records of a home day the service no longer has (docs/records.md, "Records that the service has deleted"). A job that was
// read whole has not returned them; then they are asked for by id, twice and some time apart, each time beside an id that is
// known to exist: an answer without that one says nothing. If too many of a day are absent, none of them is taken for gone: a
// filter, a role or the service has gone wrong. Decisions: no I/O, time is an argument.

#include "common/clock.h"
#include "common/instant.h"
#include "connector/core/digest/entry.h"
#include "connector/core/digest/pass_keys.h"
#include "connector/core/names.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace connector::core {

// What becomes of a record that the service no longer has: its last state stays in the topic, or a tombstone follows it.
enum class OnDelete : std::uint8_t { kKeep, kTombstone };
std::string_view to_string(OnDelete on_delete);

struct VanishedOptions {
  common::Duration confirm{3'600'000};  // between the two times an id is absent
  double max_share = 0.05;              // of a day's records: if more are absent, nothing is taken for gone
  std::size_t max_ids = 50;             // of a request, the known one included: at least 2
  common::Duration again{600'000};      // wait after an answer without the known id
};

// What a job over a whole home day did not return of what is known of the day.
struct MissedByPass {
  HomeDay day;
  common::Instant availability;  // to which the job's data is complete
  std::uint64_t known = 0;       // records of the day that are remembered, the gone ones too
  std::uint64_t gone = 0;        // of these
  std::uint64_t missing = 0;     // may have vanished
  std::vector<RecordKey> keys;   // of the missing ones; only the first kMostAsked
  std::vector<RecordKey> witnesses;

  static constexpr std::size_t kMostAsked = 10'000;  // of a day: 204 requests of 50 ids
};

// Told every entry of the day, in as many steps as it takes.
class MissedByPassSearch {
 public:
  MissedByPassSearch(const PassKeys& keys, HomeDay day, common::Instant availability);
  void look_at(std::string_view key, const DigestEntry& entry);
  [[nodiscard]] MissedByPass take() { return std::move(missed_); }

 private:
  const PassKeys& keys_;
  MissedByPass missed_;
};

// Ask for these and the witness, in one request.
struct AskVanished {
  std::vector<RecordKey> ids;
  RecordKey witness;
  std::uint32_t pass = 0;  // an answer that comes after another pass was taken is void
};
struct AskVanishedAt {
  common::SteadyTime when;
};
struct VanishedDecided {};  // nothing more is to be asked
using VanishedPlan = std::variant<AskVanished, AskVanishedAt, VanishedDecided>;

// What a step decided, in numbers of records.
struct VanishedFindings {
  std::vector<RecordKey> gone;  // absent twice
  std::uint64_t present = 0;    // not in the job, but the service has them
  std::uint64_t unknown = 0;    // the service did not say
  std::uint64_t withheld = 0;   // absent or not looked for any more, because there are too many
  bool is_braked = false;       // for that reason
};

class VanishedDay {
 public:
  explicit VanishedDay(VanishedOptions options) : options_(options) {}

  // A pass over the day is complete. What an earlier one missed and this one too is asked for the second time as if nothing had
  // happened; what this one returned is not asked for any more.
  VanishedFindings take(MissedByPass missed, common::SteadyTime now);

  // Ids are in flight until answered(), refused() or put_back().
  [[nodiscard]] VanishedPlan next(common::SteadyTime now);
  [[nodiscard]] bool is_decided() const { return waiting_.empty() && absent_.empty() && in_flight_ == 0; }

  // `found`: keys that the answer holds.
  VanishedFindings answered(AskVanished asked, std::span<const std::string_view> found, common::SteadyTime now);
  // The service will not answer this request: fewer ids are asked for, and of a single one nothing is known. After three of those
  // without an answer in between it is not the ids' fault, and nothing more is asked.
  VanishedFindings refused(AskVanished asked);
  // The request failed for a reason of its own.
  void put_back(AskVanished asked, common::SteadyTime not_before);

  [[nodiscard]] HomeDay day() const { return day_; }
  [[nodiscard]] common::Instant availability() const { return availability_; }

 private:
  static constexpr std::uint32_t kMostSilent = 4;   // answers in a row without the known id
  static constexpr std::uint32_t kMostRefused = 3;  // single ids in a row

  [[nodiscard]] std::uint64_t undecided() const;
  VanishedFindings give_up();
  void queue(std::vector<RecordKey> ids);
  void begin_second_look();
  VanishedFindings brake(VanishedFindings findings);

  VanishedOptions options_;
  HomeDay day_;
  common::Instant availability_;
  std::uint64_t limit_ = 0;  // as many may be absent
  std::vector<RecordKey> witnesses_;
  std::deque<std::vector<RecordKey>> waiting_;      // to be asked for, by request
  std::map<RecordKey, common::SteadyTime> absent_;  // once, and since when
  bool second_look_ = false;                        // those waiting are those
  std::size_t in_flight_ = 0;                       // ids
  std::size_t witness_ = 0;
  std::uint32_t silent_ = 0;
  std::uint32_t refused_ = 0;
  std::uint32_t pass_ = 0;
  common::SteadyTime due_;
};

}  // namespace connector::core
