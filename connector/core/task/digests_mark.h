#pragma once

// The mark that every incarnation leaves in the digests topic, and in its claim: by it a start knows that the digests are those
// of its ledgers (docs/adr, "A mark in the digests topic"). Pure value and decision.

#include "common/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace connector::core {

struct DigestsMark {
  static constexpr int kFormatVersion = 1;

  std::string incarnation;       // that wrote it
  std::uint64_t generation = 0;  // rises with every mark of the task

  // kStateRefused: a newer format version, not JSON, or a member missing.
  static common::Result<DigestsMark> parse(std::string_view stored);
  [[nodiscard]] std::string serialize() const;
  friend bool operator==(const DigestsMark&, const DigestsMark&) = default;
};

// `expected`: of the claim before; none where there has been no mark, or its loss was accepted. `found`: in the digests topic. It
// may be the newer one: without transactions the digests are written before the claim. kStateRefused: `topic` was emptied, made
// again or rewound, or is another connector's; with the remedy.
common::Result<void> check_digests_mark(const std::optional<DigestsMark>& expected, const std::optional<DigestsMark>& found,
                                        std::string_view topic);
// The one that follows both.
DigestsMark next_mark(const std::optional<DigestsMark>& expected, const std::optional<DigestsMark>& found,
                      std::string incarnation);

}  // namespace connector::core
