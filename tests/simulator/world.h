#pragma once

// The data set: conversations and agent states that open, change, end and change again, each fact a pure function of (seed,
// index, time), so that any length of history costs no memory; but for those that were removed by hand. Conversation i starts
// inside its own slot of `spacing`, so order by index is order by start. Does not know of requests or of the lake. Any thread.

#include "common/instant.h"
#include "tests/simulator/options.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tests::simulator {

using common::Interval;

enum class Media : std::uint8_t { kVoice, kMessage, kEmail, kChat };
std::string_view to_string(Media media);

// What is decided about a conversation once and for all; what of it is visible depends on the time.
struct Conversation {
  std::uint64_t index = 0;
  std::uint64_t bits = 0;  // its share of chance
  Instant start;
  Instant visible_from;
  Instant first_end;
  std::optional<Instant> reopened;
  Instant end;  // the last one; equals first_end unless reopened
  std::optional<Instant> surveyed;
  std::optional<Instant> evaluated;
  std::optional<Instant> deleted;
  Media media = Media::kVoice;
  bool inbound = true;
  std::uint32_t division = 0;
  std::uint32_t queue = 0;
  std::uint32_t agents = 1;  // one after the other
  std::uint32_t attribute_bytes = 0;
  std::uint32_t stats = 0;  // media endpoint statistics, the filling to the size wanted
  bool with_flow = true;    // IVR or flow and ACD participants

  [[nodiscard]] bool exists_at(Instant now) const { return visible_from <= now && !(deleted && *deleted <= now); }
  // The end as a reader sees it at `now`; nothing while open.
  [[nodiscard]] std::optional<Instant> end_at(Instant now) const;
  // Has lived inside the interval, as known at `now`.
  [[nodiscard]] bool overlaps(const Interval& interval, Instant now) const;
  [[nodiscard]] std::uint32_t agent_user(std::uint32_t leg, std::uint32_t users) const;
};

struct StateEntry {
  Instant start;
  std::optional<Instant> end;  // absent: it is the current one
  std::string_view state;
};

class World {
 public:
  explicit World(WorldOptions options);

  [[nodiscard]] const WorldOptions& options() const { return options_; }
  [[nodiscard]] Conversation conversation(std::uint64_t index) const;
  // Deleted from `now` on, whatever its fate; or there for good, as if it had never been deleted.
  void remove(std::uint64_t index, Instant now) { removed_[index] = now; }
  void restore(std::uint64_t index) { removed_[index] = std::nullopt; }
  [[nodiscard]] Instant start_of(std::uint64_t index) const;
  // The lowest index that starts at or after the instant (the number of conversations, if bounded, at most).
  [[nodiscard]] std::uint64_t first_from(Instant instant) const;
  [[nodiscard]] std::string id_of(std::uint64_t index) const;
  [[nodiscard]] std::optional<std::uint64_t> index_of(std::string_view id) const;

  [[nodiscard]] std::string organization() const;
  [[nodiscard]] std::string division(std::uint32_t number) const;
  [[nodiscard]] std::string queue(std::uint32_t number) const;
  [[nodiscard]] std::string user(std::uint32_t number) const;
  [[nodiscard]] std::string wrap_up_code(std::uint64_t bits) const;
  [[nodiscard]] std::string presence_definition(std::string_view presence) const;

  // An agent's states touching the interval, as known at `now`, oldest first, without gaps.
  [[nodiscard]] std::vector<StateEntry> presences(std::uint32_t user, const Interval& interval, Instant now) const;
  [[nodiscard]] std::vector<StateEntry> routing_statuses(std::uint32_t user, const Interval& interval, Instant now) const;

 private:
  WorldOptions options_;
  std::unordered_map<std::uint64_t, std::optional<Instant>> removed_;
};

}  // namespace tests::simulator
