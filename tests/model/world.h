#pragma once

// The service of a simulated run: conversations and how they change, seen through the query (its index may be late), by id, and
// through jobs (complete to the availability date, with attributes). Nothing here depends on who asks. One thread.

#include "common/instant.h"
#include "connector/core/digest/content.h"
#include "connector/source/content_digest.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tests::model {

using common::Duration;
using common::Instant;
using common::Interval;

constexpr Duration kDay = std::chrono::days{1};

// What a conversation is from `at` on.
struct Version {
  Instant at;
  int content = 0;
  int attributes = 0;          // only the job's form shows them; 0: there are none
  std::optional<Instant> end;  // none: open
};

struct Conversation {
  std::string key;
  Instant start;
  Duration late{0};               // until the query shows it at all
  Duration lag{0};                // until the query shows a change of it
  std::vector<Version> versions;  // the first at `start`, rising
  std::optional<Instant> deleted;
  std::optional<Instant> returns;  // after it was deleted
  bool in_lake = true;             // false: no job ever returns it
  bool hidden = false;             // while WorldPlan::hidden
};

// The lake's date from `at` on.
struct AvailabilityStep {
  Instant at;
  Instant date;
};

struct WorldPlan {
  std::vector<Conversation> conversations;
  std::vector<AvailabilityStep> availability;
  bool whole_days = false;    // the query returns the whole start day whatever part of it is asked for
  bool spells_apart = false;  // the job spells numbers otherwise than the query
  Interval hidden{};          // a role that lacks something: what is hidden does not show, though it exists
};

enum class Form : std::uint8_t { kQuery, kJob };

// A record as the service answers it. Stays where it is.
struct Row {
  std::size_t conversation = 0;
  std::size_t version = 0;
  Form form = Form::kQuery;
  std::string text;        // with room for the digester behind it
  std::size_t length = 0;  // of the JSON
  connector::core::ContentDigests digests;

  [[nodiscard]] std::string_view json() const { return std::string_view(text).substr(0, length); }
};

class World {
 public:
  explicit World(const WorldPlan& plan);

  [[nodiscard]] const WorldPlan& plan() const { return plan_; }
  [[nodiscard]] const Conversation& conversation(std::size_t number) const { return plan_.conversations[number]; }
  [[nodiscard]] std::optional<std::size_t> find(std::string_view key) const;
  [[nodiscard]] Instant availability_at(Instant at) const;
  // The newest it has ever been.
  [[nodiscard]] Instant best_availability_until(Instant at) const;

  [[nodiscard]] bool exists_at(std::size_t conversation, Instant at) const;

  // Number of the version; none: not shown (yet, or any more).
  [[nodiscard]] std::optional<std::size_t> shown_by_query(std::size_t conversation, Instant at) const;
  [[nodiscard]] std::optional<std::size_t> known_to_job(std::size_t conversation, Instant complete_to) const;
  // Conversations by rising start.
  [[nodiscard]] std::vector<std::size_t> in_query(const Interval& window, Instant at) const;
  // Asked at `at`.
  [[nodiscard]] std::vector<std::size_t> in_job(const Interval& window, Instant complete_to, Instant at) const;

  const Row& row(std::size_t conversation, std::size_t version, Form form);
  // The first of the versions up to this one that look the same in this form: nobody can know more from it.
  std::size_t oldest_like(std::size_t conversation, std::size_t version, Form form);
  // The first of all versions that look as this one does, others between them or not.
  std::size_t first_like(std::size_t conversation, std::size_t version, Form form);
  // The row that `json` is a view of.
  [[nodiscard]] const Row& row_of(std::string_view json) const { return *by_text_.at(json.data()); }

 private:
  [[nodiscard]] bool is_hidden_at(std::size_t conversation, Instant at) const;
  [[nodiscard]] bool lives_in(std::size_t conversation, std::size_t version, const Interval& window) const;

  const WorldPlan& plan_;
  connector::source::ContentDigester digester_;
  std::vector<std::vector<std::unique_ptr<Row>>> rows_;  // by conversation, then version and form
  std::unordered_map<const char*, const Row*> by_text_;
};

}  // namespace tests::model
