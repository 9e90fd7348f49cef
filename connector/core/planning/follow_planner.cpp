#include "connector/core/planning/follow_planner.h"

#include <algorithm>
#include <utility>

namespace connector::core {

using common::Duration;
using common::Instant;

// Grows with the silence, so that it needs no count of reads and is the same after a restart.
Duration FollowPlanner::wait_after(Duration unchanged) const {
  const double silence = static_cast<double>(std::max(unchanged, Duration{0}).count());
  const double wait = std::min(silence * (options_.factor - 1), static_cast<double>(options_.max.count()));
  return std::max(Duration{static_cast<Duration::rep>(wait)}, options_.every);
}

Instant FollowPlanner::due_after(const Entry& entry, Instant read_at, double chance) const {
  constexpr double kSpread = 0.1;
  const Duration wait = wait_after(read_at - entry.changed_at);
  const Instant due = read_at + wait + Duration{static_cast<Duration::rep>(static_cast<double>(wait.count()) * kSpread * chance)};
  if (entry.state != FollowState::kClosed) return due;
  // One read when it has been quiet long enough, to let it go.
  return std::max(std::min(due, entry.changed_at + options_.quiet), read_at + Duration{1});
}

bool FollowPlanner::is_quiet(const Entry& entry, Instant read_at) const {
  return entry.state == FollowState::kClosed && read_at >= entry.changed_at + options_.quiet;
}

void FollowPlanner::enqueue(Entry& entry, Instant due) {
  entry.due = due;
  entry.wanted = due;
  days_[entry.day].insert(&entry);
}

void FollowPlanner::dequeue(Entry& entry) {
  if (entry.in_flight) return;
  const auto day = days_.find(entry.day);
  if (day == days_.end()) return;
  day->second.erase(&entry);
  if (day->second.empty()) days_.erase(day);
}

void FollowPlanner::follow(const RecordKey& key, const Followed& followed, Instant now, double chance) {
  const auto [found, is_new] = keys_.try_emplace(key);
  Entry& entry = found->second;
  if (!is_new) dequeue(entry);
  entry.key = &found->first;
  entry.day = common::start_of_day(followed.start);
  entry.changed_at = followed.changed_at;
  entry.state = followed.state;
  if (followed.read_at && is_quiet(entry, *followed.read_at)) {
    keys_.erase(found);
    return;
  }
  if (entry.in_flight) return;  // its answer tells when it is due
  if (entry.state == FollowState::kWanted) {
    enqueue(entry, now);
    entry.wanted = std::min(now, entry.changed_at);  // since it became known by name
  } else if (followed.read_at) {
    enqueue(entry, due_after(entry, *followed.read_at, chance));
  } else {
    // It may have been read at any time of its wait.
    const Duration wait = wait_after(now - entry.changed_at);
    enqueue(entry, now + Duration{static_cast<Duration::rep>(static_cast<double>(wait.count()) * chance)});
  }
}

void FollowPlanner::forget(const RecordKey& key) {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return;
  dequeue(found->second);
  keys_.erase(found);
}

FollowPlan FollowPlanner::next(Instant now, std::span<const Instant> blocked_days) {
  // The soonest keys of all free days, merged: the head of each day in a heap.
  using Place = std::pair<Queue::iterator, Queue::iterator>;
  std::vector<Place> heads;
  Instant blocked_at = Instant::max();
  for (auto& [day, queue] : days_) {
    if (std::ranges::find(blocked_days, day) != blocked_days.end()) {
      blocked_at = std::min(blocked_at, (*queue.begin())->due + options_.gather);
    } else {
      heads.emplace_back(queue.begin(), queue.end());
    }
  }
  const auto later = [](const Place& left, const Place& right) { return Sooner{}(*right.first, *left.first); };
  std::ranges::make_heap(heads, later);
  std::vector<Entry*> soonest;
  while (!heads.empty() && soonest.size() < options_.max_ids && (*heads.front().first)->due <= now + options_.gather) {
    std::ranges::pop_heap(heads, later);
    Place& head = heads.back();
    soonest.push_back(*head.first);
    if (++head.first == head.second) {
      heads.pop_back();
    } else {
      std::ranges::push_heap(heads, later);
    }
  }

  Instant free_at = heads.empty() ? Instant::max() : (*heads.front().first)->due + options_.gather;
  if (!soonest.empty()) {
    free_at = soonest.front()->due + options_.gather;
    if (soonest.size() == options_.max_ids) free_at = std::min(free_at, soonest.back()->due);  // the request is full by then
    if (free_at <= now) return ask(soonest, now);
  }
  if (blocked_at <= now) return FollowWhenFree{free_at};
  if (days_.empty()) return FollowNothing{};
  return FollowAt{std::min(free_at, blocked_at)};
}

FollowPlan FollowPlanner::ask(const std::vector<Entry*>& soonest, Instant now) {
  GiveUp given_up;
  for (const Entry* entry : soonest) {
    if (now - entry->changed_at >= options_.give_up) given_up.ids.push_back(*entry->key);
  }
  if (!given_up.ids.empty()) {
    for (const RecordKey& key : given_up.ids) forget(key);
    return given_up;
  }
  AskIds asked;
  for (Entry* entry : soonest) {
    asked.ids.push_back(*entry->key);
    asked.days.push_back(entry->day);
    dequeue(*entry);
    entry->in_flight = true;
  }
  std::ranges::sort(asked.days);
  const auto repeated = std::ranges::unique(asked.days);
  asked.days.erase(repeated.begin(), repeated.end());
  return asked;
}

bool FollowPlanner::read(const RecordKey& key, FollowFinding finding, bool changed, Instant read_at, double chance) {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return false;
  Entry& entry = found->second;
  if (!entry.in_flight) return true;  // forgotten and followed again meanwhile
  entry.in_flight = false;
  if (finding != FollowFinding::kAbsent) {
    // (What is published may not show that it closed.)
    const bool closes = entry.state == FollowState::kOpen && finding == FollowFinding::kClosed;
    if (changed || closes) entry.changed_at = read_at;
    entry.state = finding == FollowFinding::kOpen ? FollowState::kOpen : FollowState::kClosed;
  }
  if (is_quiet(entry, read_at)) {
    keys_.erase(found);
    return false;
  }
  enqueue(entry, due_after(entry, read_at, chance));
  return true;
}

void FollowPlanner::put_back(const RecordKey& key, Instant not_before, AtFault at_fault) {
  const auto found = keys_.find(key);
  if (found == keys_.end() || !found->second.in_flight) return;
  found->second.in_flight = false;
  const Instant wanted = found->second.wanted;
  enqueue(found->second, not_before);
  if (at_fault == AtFault::kOther) found->second.wanted = wanted;
}

bool FollowPlanner::has_due(Instant by) const {
  return std::ranges::any_of(keys_, [&](const auto& key) { return key.second.wanted <= by; });
}

}  // namespace connector::core
