#pragma once

// The owner's mark in the task's partition: which incarnation holds it, where and since when. Whoever finds a younger foreign
// claim after its own is the zombie. Pure value.

#include "common/instant.h"
#include "common/result.h"
#include "connector/core/task/digests_mark.h"

#include <optional>
#include <string>
#include <string_view>

namespace connector::core {

struct Claim {
  static constexpr int kFormatVersion = 2;

  std::string incarnation;
  std::string host;
  common::Instant claimed_at;
  // The mark that the digests topic holds, or a newer one. None: it has none yet, or its loss was accepted.
  std::optional<DigestsMark> digests = std::nullopt;

  // kStateRefused: a newer format version (upgrade first), not JSON, or a member missing.
  static common::Result<Claim> parse(std::string_view stored);
  [[nodiscard]] std::string serialize() const;
  friend bool operator==(const Claim&, const Claim&) = default;
};

}  // namespace connector::core
