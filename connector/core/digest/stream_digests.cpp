#include "connector/core/digest/stream_digests.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <map>

namespace connector::core {

using common::Instant;
using common::Result;

namespace {

enum class Over : std::uint8_t { kNo, kDone, kGivenUp };

Over is_over(const DigestEntry& entry, const ExpiryRules& rules, Instant now) {
  const common::Duration unchanged = now - Instant(entry.changed_at);
  // Only who waits for something can wait in vain: what is done goes with its day, however old it is.
  if (entry.is_followed() || entry.is_owed()) return unchanged >= rules.give_up ? Over::kGivenUp : Over::kNo;
  // Somebody may still ask for a dead letter to be published (dead-letters retry).
  if (entry.state == DigestState::kDead) return unchanged >= rules.give_up ? Over::kDone : Over::kNo;
  // While history is caught up every record has just been read: what is sealed must not stand there for hours.
  const bool is_sealed = entry.state == DigestState::kSealed;
  return unchanged >= (is_sealed ? std::min(rules.quiet, rules.sealed) : rules.quiet) ? Over::kDone : Over::kNo;
}

}  // namespace

DigestCounters& DigestCounters::operator+=(const DigestCounters& other) {
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] += other.rows[i];
  published += other.published;
  dead_letters += other.dead_letters;
  expired += other.expired;
  return *this;
}

StreamDigests::StreamDigests(StreamName stream, StreamRules rules)
    : stream_(std::move(stream)), rules_(rules), index_(rules.has_by_id ? Following::kById : Following::kNobody) {}

Result<void> StreamDigests::restore(std::string_view record_key, std::optional<std::string_view> value) {
  if (!value) {
    index_.erase(record_key);
    return {};
  }
  const auto entry = DigestEntry::parse(*value);
  if (!entry) return common::fail(common::with_context(entry.error(), digest_key(stream_, record_key)));
  index_.put(record_key, *entry);
  return {};
}

std::optional<DigestEntry> StreamDigests::find(std::string_view key) const {
  if (!overlay_.empty()) {
    if (const auto found = overlay_.find(key); found != overlay_.end()) return found->second.entry;
  }
  return index_.find(key);
}

void StreamDigests::overlay(std::string_view key, BatchNumber number, const std::optional<DigestEntry>& entry) {
  const Overlaid overlaid{.number = number, .entry = entry};
  if (const auto found = overlay_.find(key); found != overlay_.end()) {
    found->second = overlaid;
  } else {
    overlay_.emplace(key, overlaid);
  }
}

// `keys` may name a key more than once: what counts is how the overlay left it.
DigestBatch StreamDigests::close(Pending pending, std::vector<std::string_view> keys, std::vector<RowDecision> decisions) {
  std::ranges::sort(keys);
  const auto repeated = std::ranges::unique(keys);
  keys.erase(repeated.begin(), repeated.end());
  DigestBatch batch{.number = pending.number, .decisions = std::move(decisions), .records = {}};
  batch.records.reserve(keys.size());
  pending.changes.reserve(keys.size());
  for (const std::string_view key : keys) {
    const std::optional<DigestEntry>& entry = overlay_.find(key)->second.entry;
    batch.records.push_back({.key = digest_key(stream_, key), .value = entry ? std::optional(entry->serialize()) : std::nullopt});
    pending.changes.emplace_back(key, entry);
  }
  pending_.push_back(std::move(pending));
  return batch;
}

DigestBatch StreamDigests::decide(std::span<const KeyedSighting> rows) {
  Pending pending{.number = next_number_++, .counters = {}, .changes = {}};
  std::vector<RowDecision> decisions;
  std::vector<std::string_view> changed;
  decisions.reserve(rows.size());
  for (const KeyedSighting& row : rows) {
    const RowDecision& decision = decisions.emplace_back(reconcile(find(row.key), row.sighting, rules_));
    ++pending.counters.rows[static_cast<std::size_t>(decision.reason)];
    if (decision.outcome == DigestOutcome::kPublish) ++pending.counters.published;
    if (decision.outcome == DigestOutcome::kDeadLetter) ++pending.counters.dead_letters;
    if (!decision.entry) continue;
    overlay(row.key, pending.number, decision.entry);
    changed.push_back(row.key);
  }
  return close(std::move(pending), std::move(changed), std::move(decisions));
}

DigestBatch StreamDigests::change(std::span<const std::pair<std::string, std::optional<DigestEntry>>> entries) {
  Pending pending{.number = next_number_++, .counters = {}, .changes = {}};
  std::vector<std::string_view> changed;
  for (const auto& [key, entry] : entries) {
    overlay(key, pending.number, entry);
    changed.push_back(key);
  }
  return close(std::move(pending), std::move(changed), {});
}

std::optional<DigestBatch> StreamDigests::expire(DigestIndex::Cursor& cursor, std::size_t most, const ExpiryRules& rules,
                                                 Instant now, const std::function<bool(HomeDay)>& is_done_with) {
  std::map<HomeDay, bool> done;
  std::optional<std::set<HomeDay>> awaited;
  std::vector<std::pair<std::string, std::optional<DigestEntry>>> expired;
  index_.visit(cursor, most, [&](std::string_view key, const DigestEntry& entry) {
    const Over over = is_over(entry, rules, now);
    if (over == Over::kNo) return;
    if (rules_.awaits_absence && entry.state != DigestState::kGone) return;
    auto day = done.find(entry.home_day);
    if (day == done.end()) day = done.emplace(entry.home_day, is_done_with(entry.home_day)).first;
    // A transaction under way may make another entry of it.
    if (!day->second || overlay_.contains(key)) return;
    if (over == Over::kDone && rules_.has_query && rules_.has_job) {
      if (!awaited) awaited = days_awaited(rules, now);
      if (awaited->contains(entry.home_day)) return;
    }
    expired.emplace_back(key, std::nullopt);
  });
  if (expired.empty()) return std::nullopt;
  DigestBatch batch = change(expired);
  pending_.back().counters.expired = expired.size();
  return batch;
}

// An open record becomes owed with its next change, if it is not owed yet.
std::set<HomeDay> StreamDigests::days_awaited(const ExpiryRules& rules, Instant now) const {
  constexpr std::size_t kStep = 100'000;
  std::set<HomeDay> days;
  for (const auto& [day, records] : index_.owed()) days.insert(day);
  DigestIndex::Cursor cursor;
  while (!cursor.at_end()) {
    index_.visit_followed(cursor, kStep, [&](std::string_view, const DigestEntry& entry) {
      if (is_over(entry, rules, now) == Over::kNo) days.insert(entry.home_day);
    });
  }
  return days;
}

void StreamDigests::apply(BatchNumber number) {
  assert(!pending_.empty() && pending_.front().number == number && "transactions commit in the order of their batches");
  for (const auto& [key, entry] : pending_.front().changes) {
    if (entry) {
      index_.put(key, *entry);
    } else {
      index_.erase(key);
    }
    if (const auto found = overlay_.find(key); found != overlay_.end() && found->second.number == number) overlay_.erase(found);
  }
  counters_ += pending_.front().counters;
  pending_.pop_front();
}

void StreamDigests::discard(BatchNumber number) {
  std::erase_if(pending_, [&](const Pending& batch) { return batch.number >= number; });
  overlay_.clear();
  for (const Pending& batch : pending_) {
    for (const auto& [key, entry] : batch.changes) overlay(key, batch.number, entry);
  }
}

std::uint64_t StreamDigests::due(HomeDay day, std::optional<Instant> last_availability, Instant availability) const {
  const auto found = index_.owed().find(day);
  if (found == index_.owed().end()) return 0;
  // Entries know no more than seconds: a job pays what is owed from before the second to which its data is complete.
  using std::chrono::floor;
  const Second complete_to = floor<std::chrono::seconds>(availability);
  std::uint64_t count = 0;
  for (const auto& [owed_at, keys] : found->second.due) {
    const bool was_looked_for = last_availability && owed_at < floor<std::chrono::seconds>(*last_availability);
    if (owed_at < complete_to && !was_looked_for) count += keys;
  }
  return count;
}

}  // namespace connector::core
