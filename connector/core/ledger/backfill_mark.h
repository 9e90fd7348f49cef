#pragma once

// What the ledger of a backfill lane says of the range it was asked for and of how far it has come, for whoever watches it from
// outside (docs/state.md). Plain values with their stored form, a member of the ledger.

#include "common/instant.h"
#include "common/json.h"
#include "common/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace connector::core {

// What a backfill is to do.
struct BackfillOrder {
  static constexpr std::size_t kMaxIdBytes = 64;
  static constexpr std::uint32_t kMaxParallel = 16;
  static constexpr double kMaxWeight = 1000;

  std::string id;  // of the request, made by whoever asked
  common::Interval range;
  std::uint32_t parallel = 2;    // jobs in flight
  std::optional<double> weight;  // of the lane's part of the quota while it runs; none: as configured
  friend bool operator==(const BackfillOrder&, const BackfillOrder&) = default;
};

enum class BackfillState : std::uint8_t { kRunning, kDone, kCancelled, kRefused };
std::string_view to_string(BackfillState state);  // "running" …
std::optional<BackfillState> parse_backfill_state(std::string_view text);

struct BackfillMark {
  static constexpr std::size_t kMaxDetailBytes = 300;

  BackfillOrder order;
  BackfillState state = BackfillState::kRunning;
  std::string detail;       // why it was refused
  common::Instant began;    // the owner's clock, here and below
  common::Instant updated;  // when the figures below were last told
  std::uint64_t records = 0;
  std::uint64_t windows = 0;   // completed
  std::uint64_t requests = 0;  // to the service, every attempt
  double permitted = 0;        // requests a minute that the connector may send in all
  // Records of the range that were open, or newer than what the jobs show, when it ended, and that no settle pass will read
  // again.
  std::uint64_t set_aside = 0;

  [[nodiscard]] bool is_running() const { return state == BackfillState::kRunning; }
  [[nodiscard]] common::json::Object to_json() const;
  // kMalformedResponse names the member; the ledger makes it a refusal.
  static common::Result<BackfillMark> from_json(const common::json::Value& value);
  friend bool operator==(const BackfillMark&, const BackfillMark&) = default;
};

// What is wrong with an order; nothing if it can be done. Nothing of what has not happened yet can be asked for.
std::optional<std::string> problem_of(const BackfillOrder& order, common::Instant now);

}  // namespace connector::core
