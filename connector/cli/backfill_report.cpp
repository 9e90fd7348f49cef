#include "connector/cli/backfill_report.h"

#include "connector/cli/exit_code.h"
#include "connector/core/backfill/backfill_pace.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ostream>
#include <utility>
#include <vector>

namespace connector::cli {

using core::BackfillMark;
using core::BackfillState;

namespace {

constexpr common::Duration kLineEvery = std::chrono::seconds(10);
constexpr std::size_t kBarWidth = 30;

// Nobody wants the milliseconds of an estimate.
std::string rounded(common::Duration left) {
  using std::chrono::hours;
  using std::chrono::minutes;
  using std::chrono::seconds;
  if (left >= hours(10)) return common::format_duration(std::chrono::ceil<hours>(left));
  if (left >= minutes(10)) return common::format_duration(std::chrono::ceil<minutes>(left));
  return common::format_duration(std::chrono::ceil<seconds>(left));
}

std::string lost_of(const core::Ledger& ledger) {
  constexpr std::size_t kShown = 3;
  const std::vector<common::Interval>& lost = ledger.lost().intervals();
  std::string ranges;
  for (std::size_t i = 0; i < std::min(kShown, lost.size()); ++i) ranges += " " + common::format_interval(lost[i]);
  if (lost.size() > kShown) ranges += fmt::format(" and {} more (--output json has them all)", lost.size() - kShown);
  return fmt::format("; but {} of it could not be read any more, as the service keeps it no longer (`retention`):{}",
                     common::format_duration(ledger.lost().length()), ranges);
}

}  // namespace

std::string progress_of(const std::string& stream, const core::Ledger& ledger) {
  const BackfillMark& mark = *ledger.backfill();
  const core::BackfillPace pace = core::pace_of(ledger);
  // Never 100 before it is over.
  const double percent = std::min(std::floor(pace.done * 1000) / 10, mark.is_running() && pace.done < 1 ? 99.9 : 100.0);
  std::string text = fmt::format("{}: {:.1f} % of {}, {} windows, {} records, {} requests", stream, percent,
                                 common::format_interval(mark.order.range), mark.windows, mark.records, mark.requests);
  if (pace.quota) text += fmt::format(", {:.1f} % of the quota", *pace.quota * 100);
  if (pace.left) text += fmt::format(", about {} left", rounded(*pace.left));
  if (has_lost(ledger)) text += fmt::format("; {} of it lost", common::format_duration(ledger.lost().length()));
  return text;
}

bool has_lost(const core::Ledger& ledger) {
  return !ledger.lost().intervals().empty();
}

std::string bar_of(double done, std::size_t width) {
  const auto filled = static_cast<std::size_t>(std::clamp(done, 0.0, 1.0) * static_cast<double>(width));
  return "[" + std::string(filled, '#') + std::string(width - filled, '-') + "]";
}

std::string end_of(const std::string& stream, const core::Ledger& ledger) {
  const BackfillMark& mark = *ledger.backfill();
  if (mark.state == BackfillState::kRefused) {
    return fmt::format("{}: the backfill of {} was refused: {}", stream, common::format_interval(mark.order.range), mark.detail);
  }
  std::string text =
      fmt::format("{}: the backfill of {} is {} since {}: {} windows, {} records, {} requests in {}", stream,
                  common::format_interval(mark.order.range), core::to_string(mark.state), common::format_instant(mark.updated),
                  mark.windows, mark.records, mark.requests, rounded(mark.updated - mark.began));
  if (mark.set_aside > 0) {
    text += fmt::format(
        "; {} records were still open, or newer than what the jobs show, and lie before the stream's start: ask for their days "
        "again later to have their final form",
        mark.set_aside);
  }
  if (has_lost(ledger)) text += lost_of(ledger);
  return text;
}

int exit_code_of(const core::Ledger& ledger) {
  switch (ledger.backfill()->state) {
    case BackfillState::kDone:
      return has_lost(ledger) ? kDifferenceFound : kDone;
    case BackfillState::kRefused:
      return kConfigurationError;
    case BackfillState::kCancelled:
    case BackfillState::kRunning:
      return kInterrupted;
  }
  std::unreachable();
}

common::json::Object to_json(const std::string& stream, const core::Ledger& ledger) {
  const BackfillMark& mark = *ledger.backfill();
  const core::BackfillPace pace = core::pace_of(ledger);
  common::json::Object object{{"stream", stream},
                              {"state", core::to_string(mark.state)},
                              {"from", common::format_instant(mark.order.range.start)},
                              {"to", common::format_instant(mark.order.range.end)},
                              {"done", pace.done},
                              {"windows", mark.windows},
                              {"windows_open", pace.windows_open},
                              {"records", mark.records},
                              {"requests", mark.requests},
                              {"requests_per_minute", pace.requests_per_minute},
                              {"began", common::format_instant(mark.began)},
                              {"updated", common::format_instant(mark.updated)},
                              {"set_aside", mark.set_aside}};
  if (pace.quota) object["quota"] = *pace.quota;
  if (pace.left) object["seconds_left"] = std::chrono::duration_cast<std::chrono::seconds>(*pace.left).count();
  if (!mark.detail.empty()) object["detail"] = mark.detail;
  if (has_lost(ledger)) {
    common::json::Array lost;
    for (const common::Interval& interval : ledger.lost().intervals()) lost.emplace_back(common::format_interval(interval));
    object["lost"] = std::move(lost);
    object["lost_seconds"] = std::chrono::duration<double>(ledger.lost().length()).count();
  }
  return object;
}

void BackfillReport::tell(const core::Ledger& ledger) {
  const BackfillMark& mark = *ledger.backfill();
  if (!mark.is_running()) return;
  if (surroundings_.terminal) {
    // \r and "erase to the end of the line": one line that moves.
    surroundings_.err << "\r\x1b[K" << bar_of(core::pace_of(ledger).done, kBarWidth) << " " << progress_of(stream_, ledger)
                      << std::flush;
    on_line_ = true;
    return;
  }
  if (told_ && mark.updated - *told_ < kLineEvery) return;
  told_ = mark.updated;
  surroundings_.err << progress_of(stream_, ledger) << "\n" << std::flush;
}

void BackfillReport::close() {
  if (on_line_) surroundings_.err << "\n";
  on_line_ = false;
}

}  // namespace connector::cli
