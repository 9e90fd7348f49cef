#include "connector/core/budget/budget.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace connector::core {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;

// The service counts a minute; we count a little more, because a request that leaves at the end of our minute may arrive at the
// beginning of the service's next one. 60.3 s instead of 60 s costs 0.5 % of the rate and is what a 100 % share needs to see
// no 429.
constexpr milliseconds kMinute{60'300};
// Slots that were not used stay usable for this long: makes up for timers that fire late, and is all the burst there is.
constexpr milliseconds kTolerance{1'000};
// Somebody else's turn at a slot that is free: they take it within moments.
constexpr milliseconds kNotMyTurn{50};
// A Retry-After beyond this is taken for a mistake; asking once an hour harms nobody.
constexpr milliseconds kLongestBlock{3'600'000};
// 429 without Retry-After: 5 s, 10 s, 20 s, 40 s, 60 s …
constexpr milliseconds kFirstBlock{5'000};
constexpr milliseconds kMostUnaskedBlock{60'000};
// `reset` has whole seconds, so that two answers of one interval may name ends this far apart.
constexpr milliseconds kSameEnd{2'000};

// Each lane's part of the rate when all of them have work: by weight, but at least the floor, the rest shared by weight again.
std::array<double, kAllLanes.size()> shares_of(const BudgetSettings& settings) {
  std::array<double, kAllLanes.size()> shares{};
  std::array<bool, kAllLanes.size()> at_floor{};
  const double floor = std::clamp(settings.floor, 0.0001, 1.0 / static_cast<double>(kAllLanes.size()));
  for (std::size_t round = 0; round < kAllLanes.size(); ++round) {
    double rest = 1;
    double weights = 0;
    for (std::size_t lane = 0; lane < shares.size(); ++lane) {
      (at_floor[lane] ? rest : weights) += at_floor[lane] ? -floor : std::max(settings.weights[lane], 0.0);
    }
    bool changed = false;
    for (std::size_t lane = 0; lane < shares.size(); ++lane) {
      shares[lane] = at_floor[lane] || weights <= 0 ? floor : rest * std::max(settings.weights[lane], 0.0) / weights;
      if (!at_floor[lane] && shares[lane] < floor) {
        at_floor[lane] = changed = true;
      }
    }
    if (!changed) {
      break;
    }
  }
  return shares;
}

}  // namespace

Budget::Budget(const BudgetSettings& settings) : settings_(settings), shares_(shares_of(settings)) {}

Budget::Ticket Budget::queue(Lane lane, RequestKind kind) {
  LaneQueue& queue = lanes_[index(lane)];
  queue.waiting.push_back({.ticket = ++last_ticket_, .kind = kind});
  if (queue.waiting.size() == 1) {
    start_head(queue, lane_share(lane));
  }
  return last_ticket_;
}

// Self-clocked fair queueing: a head finishes 1/share after what was served last, be it of this lane or, if the lane had been
// idle, of another, so that idleness earns no credit.
void Budget::start_head(LaneQueue& lane, double share) {
  lane.finish = virtual_time_ + 1 / share;
}

Budget::Decision Budget::acquire(Ticket ticket, common::SteadyTime now) {
  auto mine = std::ranges::find_if(lanes_, [&](const LaneQueue& lane) {
    return std::ranges::any_of(lane.waiting, [&](const Waiting& one) { return one.ticket == ticket; });
  });
  assert(mine != lanes_.end());
  while (!log_.empty() && log_.front() + kMinute <= now) {
    log_.pop_front();
  }

  if (const common::SteadyTime slot = earliest_slot(now); slot > now) {
    return {.grant = std::nullopt, .ask_again = slot};
  }
  if (next_lane(now) == &*mine && mine->waiting.front().ticket == ticket) {
    return {.grant = grant_head(*mine, now), .ask_again = now};
  }
  return {.grant = std::nullopt, .ask_again = std::max(earliest_for(*mine), now + kNotMyTurn)};
}

Budget::Grant Budget::grant_head(LaneQueue& lane, common::SteadyTime now) {
  if (lane.waiting.front().kind == RequestKind::kJobSubmission && job_interval_) {
    next_job_ = now + *job_interval_;
  }
  lane.waiting.pop_front();
  virtual_time_ = std::max(virtual_time_, lane.finish);  // a lane that was blocked has an old one
  if (!lane.waiting.empty()) {
    start_head(lane, shares_[static_cast<std::size_t>(&lane - lanes_.data())]);
  }
  theoretical_ = std::max(theoretical_, now) + interval();
  last_grant_ = now;
  log_.push_back(now);
  return {.number = ++granted_, .at = now};
}

void Budget::forget(Ticket ticket) {
  for (LaneQueue& lane : lanes_) {
    // The head's virtual time passes to its successor: a lane neither gains nor loses when someone gives up.
    std::erase_if(lane.waiting, [&](const Waiting& one) { return one.ticket == ticket; });
  }
}

// The lane whose head is first by virtual finish time; the earlier lane where two are equal.
const Budget::LaneQueue* Budget::next_lane(common::SteadyTime now) const {
  const LaneQueue* best = nullptr;
  for (const LaneQueue& lane : lanes_) {
    if (!lane.waiting.empty() && earliest_for(lane) <= now && (best == nullptr || lane.finish < best->finish)) {
      best = &lane;
    }
  }
  return best;
}

common::SteadyTime Budget::earliest_for(const LaneQueue& lane) const {
  const bool submits = !lane.waiting.empty() && lane.waiting.front().kind == RequestKind::kJobSubmission;
  return submits ? std::max(lane.blocked_until, next_job_) : lane.blocked_until;
}

// The first instant at which any lane may send: after a 429's time, at the pace, with room in our minute and in the service's.
common::SteadyTime Budget::earliest_slot(common::SteadyTime now) const {
  common::SteadyTime slot = blocked_until_;
  if (theoretical_ != common::SteadyTime::min()) {
    slot = std::max(slot, theoretical_ - kTolerance);
  }
  // A rate below one a minute is kept by the pace alone.
  const auto room = static_cast<std::size_t>(std::max(1.0, std::floor(permitted_per_minute())));
  if (log_.size() >= room) {
    slot = std::max(slot, log_[log_.size() - room] + kMinute);
  }
  if (interval_end_ && now < *interval_end_) {
    const std::int64_t left = left_by_headers();
    if (left <= 0) {
      return std::max(slot, *interval_end_);
    }
    // Others use the token too: spread what they leave over the rest of the interval instead of running dry.
    const auto rest = *interval_end_ - now;
    const double own_pace = static_cast<double>(rest.count()) / static_cast<double>(interval().count());
    const double burst =
        1 + static_cast<double>(duration_cast<Clock::duration>(kTolerance).count()) / static_cast<double>(interval().count());
    if (static_cast<double>(left) < 0.9 * own_pace - burst) {
      slot = std::max(slot, last_grant_ + rest / left);
    }
  }
  return slot;
}

void Budget::on_answer(const Grant& grant, const RateHeaders& headers, common::SteadyTime now) {
  limited_in_a_row_ = 0;
  if (headers.allowed && *headers.allowed > 0) {
    header_allowed_ = static_cast<double>(*headers.allowed);
  }
  if (!headers.count || !headers.reset || *headers.reset <= seconds{0} || *headers.reset > seconds{600}) {
    return;
  }
  // The headers were true when the request arrived there, which is nearer to its sending than to its answer.
  const common::SteadyTime end = grant.at + *headers.reset;
  if (end <= now || (interval_end_ && end < *interval_end_ - kSameEnd)) {
    return;  // a slow answer about an interval that is over
  }
  // What was sent after this request is not in its count. The difference rises only by what others send.
  const std::int64_t offset = static_cast<std::int64_t>(*headers.count) - static_cast<std::int64_t>(grant.number);
  if (!interval_end_ || end > *interval_end_ + kSameEnd) {
    interval_end_ = end;
    offset_ = offset;
  } else {
    interval_end_ = std::min(*interval_end_, end);
    offset_ = std::max(offset_, offset);
  }
}

void Budget::on_rate_limited(RateLimitScope scope, Lane lane, std::optional<milliseconds> retry_after, common::SteadyTime now) {
  common::SteadyTime until;
  if (retry_after) {
    until = now + std::clamp(*retry_after, milliseconds{0}, kLongestBlock);
  } else {
    const auto exponent = std::min(limited_in_a_row_, 8U);
    until = now + std::min(kFirstBlock * (1U << exponent), kMostUnaskedBlock);
    if (interval_end_ && *interval_end_ > now) {
      until = std::max(until, *interval_end_);
    }
  }
  ++limited_in_a_row_;
  if (scope == RateLimitScope::kLane) {
    LaneQueue& queue = lanes_[index(lane)];
    queue.blocked_until = std::max(queue.blocked_until, until);
    return;
  }
  blocked_until_ = std::max(blocked_until_, until);
  // One request at the end of the block, then the pace: what was saved up meanwhile is lost.
  theoretical_ = std::max(theoretical_, blocked_until_ + kTolerance);
}

void Budget::set_weight(Lane lane, double weight) {
  settings_.weights[index(lane)] = weight;
  shares_ = shares_of(settings_);  // a head that waits keeps its time: one request at the former weight
}

void Budget::on_limit(double per_minute) {
  if (per_minute > 0) {
    limit_per_minute_ = per_minute;
  }
}

void Budget::on_job_limit(double per_second) {
  if (per_second > 0) {
    job_interval_ = duration_cast<Clock::duration>(std::chrono::duration<double>(1 / per_second));
  }
}

double Budget::service_allows() const {
  if (header_allowed_ && limit_per_minute_) {
    return std::min(*header_allowed_, *limit_per_minute_);
  }
  return header_allowed_.value_or(limit_per_minute_.value_or(settings_.assumed_per_minute));
}

double Budget::permitted_per_minute() const {
  const double share = service_allows() * settings_.share;
  return settings_.max_per_minute ? std::min(share, *settings_.max_per_minute) : share;
}

std::int64_t Budget::left_by_headers() const {
  const double share = std::max(1.0, std::floor(service_allows() * settings_.share));
  return static_cast<std::int64_t>(share) - (static_cast<std::int64_t>(granted_) + offset_);
}

Budget::Clock::duration Budget::interval() const {
  return duration_cast<Clock::duration>(kMinute / std::max(permitted_per_minute(), 0.001));
}

double Budget::remaining(common::SteadyTime now) const {
  const auto sent = log_.end() - std::ranges::upper_bound(log_, now - kMinute);
  double left = permitted_per_minute() - static_cast<double>(sent);
  if (interval_end_ && now < *interval_end_) {
    left = std::min(left, static_cast<double>(left_by_headers()));
  }
  return blocked_until_ > now ? 0 : std::max(0.0, left);
}

std::size_t Budget::waiting(Lane lane) const {
  return lanes_[index(lane)].waiting.size();
}

}  // namespace connector::core
