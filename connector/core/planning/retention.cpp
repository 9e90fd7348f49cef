#include "connector/core/planning/retention.h"

#include <algorithm>
#include <chrono>
#include <variant>

namespace connector::core {

using common::Duration;
using common::Instant;
using common::Interval;

std::optional<Instant> kept_since(const Retention& retention, Instant now) {
  if (retention.kept <= Duration{0}) return std::nullopt;
  return now - retention.kept;
}

namespace {

// A window takes minutes to be read at most; of what is kept for hours it must not be a large part: a hundredth.
constexpr Duration kMargin{600'000};
constexpr int kParts = 100;

}  // namespace

std::optional<Instant> readable_from(const Retention& retention, Instant now) {
  const auto since = kept_since(retention, now);
  if (!since) return std::nullopt;
  const Instant safe = *since + std::min(kMargin, retention.kept / kParts);
  return retention.buckets.end_of(safe);
}

Duration needed_for(Duration age) {
  // kept - kept / 100 > age is kept > age + age / 99. (In whole seconds, for it is shown.)
  return std::chrono::ceil<std::chrono::seconds>(age + std::min(kMargin, age / (kParts - 1)));
}

std::optional<Proposal> proposal(const Retention& retention, Instant now) {
  using std::chrono::hours;
  using std::chrono::seconds;
  // Somebody reads a message, changes a file and starts anew; of what is kept for hours that must not be a large part.
  const Duration lasts = std::min<Duration>(hours{1}, retention.kept / 24);
  const auto from = readable_from({.kept = retention.kept, .buckets = {}}, now + lasts);
  if (!from) return std::nullopt;
  const bool is_long = retention.kept >= std::chrono::days{1};
  const Instant round = is_long ? Instant{std::chrono::ceil<hours>(*from)} : Instant{std::chrono::ceil<seconds>(*from)};
  return Proposal{.from = retention.buckets.end_of(round), .lasts = lasts};
}

namespace {

class Search {
 public:
  Search(const Ledger& ledger, Instant from, Instant now, std::span<const Interval> running)
      : after_(ledger), from_(from), now_(now), left_alone_(running.begin(), running.end()) {
    for (const OpenWindow& open : ledger.open()) {
      if (std::holds_alternative<AtJob>(open.position)) left_alone_.push_back(open.window);
    }
  }

  BeyondReach run(Instant until) {
    abandon_open();
    end_judgements();
    IntervalSet taken;
    for (const Interval& window : left_alone_) taken.add(window);
    Interval rest{.start = after_.start(), .end = until};
    while (const auto part = taken.first_gap(rest)) {
      mark(*part);
      rest.start = part->end;
    }
    return std::move(found_);
  }

 private:
  // What the ledger has no room for (its gaps are too many) waits until windows have closed some.
  bool change(LedgerChange next) {
    if (!after_.apply(next)) return false;
    found_.changes.push_back(std::move(next));
    return true;
  }

  [[nodiscard]] bool is_left_alone(const Interval& window) const {
    return std::ranges::find(left_alone_, window) != left_alone_.end();
  }

  void abandon_open() {
    const std::vector<OpenWindow> open = after_.open();
    for (const OpenWindow& one : open) {
      if (one.window.start >= from_ || is_left_alone(one.window)) continue;
      if (!change(WindowAbandoned{one.window})) continue;
      // What was cut because it kept failing stays cut.
      const Interval rest{.start = from_, .end = one.window.end};
      const bool waits_for_job = std::holds_alternative<AtStart>(one.position);
      if (waits_for_job && !rest.empty()) change(WindowOpened{.window = rest, .position = AtStart{}, .pass = one.pass});
    }
  }

  void end_judgements() {
    const std::vector<Interval> unjudged = after_.unjudged().intervals();
    for (const Interval& days : unjudged) {
      for (Instant day = days.start; day < days.end && day < from_; day += std::chrono::days{1}) {
        change(JudgingEnded{{.start = day, .end = std::min<Instant>(day + std::chrono::days{1}, days.end)}});
      }
    }
  }

  void mark(const Interval& part) {
    const IntervalSet unread = missing_in(after_.complete(), part);
    IntervalSet not_again;
    for (const auto& [age, pass] : after_.passes()) {
      for (const Interval& gap : missing_in(pass, part).intervals()) not_again.add(gap);
    }
    for (const Interval& gap : unread.intervals()) not_again.remove(gap);
    const bool owed = std::ranges::any_of(after_.owed(), [&](const OwedDay& day) { return day.window.overlaps(part); });
    if (unread.intervals().empty() && not_again.intervals().empty() && !owed) return;
    if (!change(OutOfReach{.window = part, .at = now_})) return;
    found_.lost.insert(found_.lost.end(), unread.intervals().begin(), unread.intervals().end());
    found_.not_again.insert(found_.not_again.end(), not_again.intervals().begin(), not_again.intervals().end());
  }

  static IntervalSet missing_in(const IntervalSet& done, const Interval& part) {
    IntervalSet missing;
    missing.add(part);
    for (const Interval& interval : done.intervals()) missing.remove(interval);
    return missing;
  }

  Ledger after_;
  Instant from_;
  Instant now_;
  std::vector<Interval> left_alone_;
  BeyondReach found_;
};

}  // namespace

BeyondReach beyond_reach(const Ledger& ledger, Instant from, Instant now, std::span<const Interval> running,
                         std::optional<Instant> until) {
  if (from <= ledger.start()) return {};
  return Search(ledger, from, now, running).run(until ? std::min(from, *until) : from);
}

}  // namespace connector::core
