#pragma once

// What is remembered of one record key: the content last published for it and what is still to be done (docs/state.md). It is
// replaced whole with every change. Plain value with its stored form.

#include "common/result.h"
#include "connector/core/names.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace connector::core {

enum class DigestState : std::uint8_t {
  kWanted,       // known by name only: a job showed it open, its query form is to be read by id
  kProvisional,  // published from the query form
  kSealed,       // published from the job form
  kGone,         // the service no longer has it
  kDead,         // its content became a dead letter
};
std::string_view to_string(DigestState state);

// Points in time have the resolution of the service's `Date`, by whose clock they are; what is finer is cut.
using Second = std::chrono::sys_seconds;
// The UTC day whose settle passes see the record.
using HomeDay = std::chrono::sys_days;

struct DigestEntry {
  static constexpr int kFormatVersion = 1;

  DigestState state = DigestState::kProvisional;
  bool open = false;                    // by the content last published
  bool doubt = false;                   // a later row, not published, shows a closed record open: read it by id
  std::optional<std::uint64_t> common;  // none while wanted or gone
  std::optional<std::uint64_t> full;    // none for a query form
  Second read_at;                       // of the read that published it; for a job form the date its data was complete to
  Second changed_at;                    // when its content last changed
  HomeDay home_day;
  std::optional<Second> owed_at;  // owed: a job row is needed whose data is complete beyond this
  // Digest of the query form that the job form is known to stand for, though they are spelt differently.
  std::optional<std::uint64_t> seen;

  [[nodiscard]] bool is_owed() const { return owed_at.has_value(); }
  // Only job rows may replace a job form: a query form would take its attributes away.
  [[nodiscard]] bool is_job_form() const { return full.has_value(); }
  // To be read by id until it is published, closed and beyond doubt.
  [[nodiscard]] bool is_followed() const {
    return state == DigestState::kWanted || (state != DigestState::kGone && (open || doubt));
  }

  // One line of words: `1 sealed closed <common> <full> <read_at> <changed_at> <home day>`, digests in 16 hexadecimal digits or
  // `-`, times in Unix seconds; then, where they apply, `owed <time>`, `seen <digest>`, `doubt`. Times outside 1970 to 2106 and
  // days outside 1970 to 2149 are moved to that border, as DigestIndex does.
  [[nodiscard]] std::string serialize() const;
  // kStateRefused with the remedy: a newer format version, or anything that serialize() does not write.
  static common::Result<DigestEntry> parse(std::string_view stored);
  friend bool operator==(const DigestEntry&, const DigestEntry&) = default;
};

// The key of an entry in the digests topic: `<stream>/<record key>` (a stream's name has no `/`).
std::string digest_key(const StreamName& stream, std::string_view record_key);
struct DigestKey {
  std::string_view stream;
  std::string_view record_key;
};
// Views into `stored`. kStateRefused: not of that form.
common::Result<DigestKey> parse_digest_key(std::string_view stored);

}  // namespace connector::core
