#pragma once

// Which window a live lane reads next. Windows lie side by side, never cross a UTC midnight and never leave a gap; a lane that is
// behind (downtime, a start in the past) reads wider ones instead of queueing more. When nothing new is old enough, windows that
// have come of age (the ledger's ages) are read again, many at once. Where the service answers in buckets of time, windows begin
// and end where buckets do; each local one is a window of its own, over midnight too. A decision: no I/O, time is an argument.

#include "common/instant.h"
#include "connector/core/ledger/ledger.h"
#include "connector/core/planning/buckets.h"
#include "connector/core/planning/lane_backoff.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

namespace connector::core {

struct LivePlanOptions {
  common::Duration every{60'000};
  common::Duration delay{30'000};
  common::Duration overlap{0};
  common::Duration min_window{1'000};
  common::Duration max_window{0};  // of the definition; 0: none known (a day bounds it anyway)
  // What is read again waits for its neighbours, so that it costs a request for so much and not for each window; 0: a quarter of
  // its age, from `every` to an hour.
  common::Duration reread_width{0};
  // In which the service answers: a part of one would be answered with other figures. Their length is a part of `every`,
  // `overlap` and `min_window` without a rest; of local ones windows are of one each, without an overlap.
  Buckets buckets = {};
};

struct ReadWindow {
  common::Interval window;
  bool is_open = false;  // in the ledger, from an earlier page-by-page attempt: restart it at its first page
  Pass pass = {};
};
struct WaitUntil {
  common::Instant instant;  // on the clock that `now` came from
};
// What is due lies on days that are being read: when one of the reads ends, or at the instant.
struct WaitForReads {
  common::Instant instant;
};
using LivePlan = std::variant<ReadWindow, WaitUntil, WaitForReads>;

// For how long: growing from seconds to minutes, or minutes at once (what only an operator can mend).
enum class Patience : std::uint8_t { kUsual, kSlow };
struct PutOff {
  Patience patience = Patience::kUsual;
  double chance = 0;
  common::Duration at_least{0};
};

class LivePlanner {
 public:
  explicit LivePlanner(LivePlanOptions options) : options_(std::move(options)) {}

  // `now` is the earlier of host and service clock. `running`: what is being read now; nothing else of those start days is begun,
  // for it could return the same records.
  [[nodiscard]] LivePlan next(const Ledger& ledger, common::Instant now, std::span<const common::Interval> running = {}) const;

  // Reading this window again has failed: it is put off, each time for longer, and everything else is planned meanwhile. Returns
  // for how long, at least `at_least`. `chance` in [0, 1).
  common::Duration put_off(const ReadWindow& failed, common::Instant now, PutOff how);
  // A window was read at `age` (and so at the younger ones).
  void went_well(const common::Interval& window, common::Duration age);
  // Nothing before it can be read any more: what was put off there is not waited for.
  void forget_before(common::Instant from);
  [[nodiscard]] bool has_put_off() const { return !put_off_.empty(); }

  // The window held more than fits: plan parts of this length (not below min_window) up to its end …
  void narrow(const common::Interval& window, common::Duration part);
  // … until windows of that length went well: each success doubles it.
  void widen();
  // How much is read again at once, at this age.
  [[nodiscard]] common::Duration step_at(common::Duration age) const;
  [[nodiscard]] bool can_split(const common::Interval& window) const { return window.length() > options_.min_window; }

 private:
  struct Due;
  struct Failed {
    common::Interval window;
    common::Duration age;
    LaneBackoff backoff;
    common::Instant since;
    common::Instant until;
  };
  static constexpr std::size_t kMostFailed = 64;

  [[nodiscard]] IntervalSet done_at(const Ledger& ledger, common::Instant now, common::Duration age) const;
  [[nodiscard]] common::Instant end_alone(common::Instant begin, common::Duration age) const;
  [[nodiscard]] Due first_pass(const Ledger& ledger, common::Instant now) const;
  [[nodiscard]] std::optional<Due> reread(const Ledger& ledger, common::Instant now, common::Duration age,
                                          const IntervalSet& blocked) const;
  [[nodiscard]] common::Duration widest() const;
  [[nodiscard]] common::Duration bounded(common::Duration width) const;

  LivePlanOptions options_;
  std::vector<Failed> put_off_;
  common::Duration width_{0};  // bound learnt from windows that were too full; 0: none
  common::Instant cut_end_{};  // where the window ended that was cut last: its parts do not reach beyond
};

}  // namespace connector::core
