#pragma once

// Compares what a stream's topic holds with what the service says, key by key: told every record of the topic in the order of its
// partition and every row of the service, in whichever order these two come, and judges each key by the stream's own rules
// (docs/operations.md, "Verifying a range"). Keeps digests and times, never contents: about 200 bytes a key. A decision; one
// thread.

#include "common/instant.h"
#include "connector/core/digest/content.h"
#include "connector/core/digest/reconcile.h"
#include "connector/core/ports/publisher.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace connector::core {

// What was found about a key. Those up to kRepeated are differences.
enum class Finding : std::uint8_t {
  kMissing,      // the service has it, the topic does not (or ends with a tombstone)
  kDifferent,    // the topic's last content is another than the service's, or no content at all
  kRegressed,    // a query form stands where a job form was before: attributes that were published are hidden
  kUnexpected,   // the topic has it, the service does not
  kRepeated,     // two records in a row have equal content; beside one of the others
  kProvisional,  // the query form stands where a job form is still to come, or the two forms cannot be compared yet
  kDeadLetter,   // the content became a dead letter
  kChanging,     // published while the verification ran: not judged
  kEqual,
};
inline constexpr std::size_t kFindings = 9;
std::string_view to_string(Finding finding);
constexpr bool is_difference(Finding finding) {
  return finding <= Finding::kRepeated;
}

// A record of the topic.
struct TopicRecord {
  std::string_view key;
  bool tombstone = false;
  std::optional<bool> in_range;           // whether it began in the range that is verified; none: it does not say
  std::optional<ContentDigests> content;  // none: a tombstone, or what cannot be read as a record
  bool open = false;
  RecordForm form = RecordForm::kQuery;
  common::Instant read_at;  // by its header
};

// A row of the service, of a record that began in the range.
struct ServiceRow {
  std::string_view key;
  ContentDigests content;
  bool open = false;
  RecordForm form = RecordForm::kJob;
  std::optional<common::Instant> availability;  // of a job: the date its data is complete to
};

struct VerificationReport {
  struct Group {
    std::uint64_t count = 0;
    std::vector<std::string> keys;  // the first ones, sorted
  };
  std::uint64_t service_keys = 0;
  std::uint64_t topic_records = 0;  // of keys of the range
  std::array<Group, kFindings> groups;

  [[nodiscard]] const Group& of(Finding finding) const { return groups[static_cast<std::size_t>(finding)]; }
  [[nodiscard]] std::uint64_t differences() const;
};

class Verification final {
 public:
  // `rules`: the lanes that are on. `began`: a record that was read since then may be newer than the service's answer; none:
  // nobody else writes.
  Verification(StreamRules rules, std::optional<common::Instant> began) : rules_(rules), began_(began) {}

  void take(const TopicRecord& record);
  // Of two rows of one key the later counts, unless it is poorer (open where a closed one came).
  void take(const ServiceRow& row);
  // The key's content with this digest is a dead letter; none: it is none any more.
  void note_dead_letter(std::string_view key, std::optional<std::uint64_t> full);
  // What is remembered of the key's last record: of which content (none: of none), and whether the record was open, as the
  // service sent it. What is published need not say. Only of keys that have been taken.
  void note_remembered(std::string_view key, const std::optional<std::uint64_t>& common, bool open);
  // The service's answer may lack rows: what it does not have is no finding.
  void note_short_answer() { short_answer_ = true; }

  // By what has been taken so far; never kRepeated.
  [[nodiscard]] Finding judge(std::string_view key) const;
  // Whether publishing the service's row may mend the key, and that has not been asked for yet.
  [[nodiscard]] bool is_repairable(std::string_view key) const;
  // The service's row of the key was handed to the publisher to repair it. What was found stays found.
  void note_repaired(std::string_view key);

  [[nodiscard]] VerificationReport report(std::size_t max_keys_of_each) const;

 private:
  struct Known {
    ContentDigests topic;
    ContentDigests service;
    common::Instant read_at;       // of the topic's record
    common::Instant availability;  // of the service's row
    std::uint64_t dead = 0;
    std::uint64_t open_content = 0;  // that the record was open with
    std::uint32_t records = 0;
    bool in_range = false;
    bool has_topic = false;
    bool readable = false;  // the topic's last record
    bool topic_is_open = false;
    bool topic_is_job = false;
    bool hides_job_form = false;
    bool repeated = false;
    bool has_service = false;
    bool service_is_job = false;
    bool open = false;  // the service's row
    bool is_dead = false;
    bool was_open = false;  // by what is remembered
    bool repaired = false;
  };
  struct KeyHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>{}(key); }
  };

  Known* find(std::string_view key);
  Known& at(std::string_view key);
  [[nodiscard]] Finding judge(const Known& known) const;
  [[nodiscard]] Finding judge_by_job(const Known& known) const;
  [[nodiscard]] Finding judge_by_query(const Known& known) const;
  [[nodiscard]] bool is_changing(const Known& known) const;

  StreamRules rules_;
  std::optional<common::Instant> began_;
  bool short_answer_ = false;
  std::unordered_map<std::string, Known, KeyHash, std::equal_to<>> keys_;
};

}  // namespace connector::core
