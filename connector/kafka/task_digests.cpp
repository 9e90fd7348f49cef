#include "connector/kafka/task_digests.h"

#include "connector/core/digest/day_standing.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

namespace connector::kafka {

using common::Result;
using core::DigestOutcome;
using core::RecordFate;
using core::SightingForm;

namespace {

constexpr std::size_t kSweepStep = 20'000;  // entries looked at: a few milliseconds

SightingForm form_of(const core::Page& page) {
  if (page.gone) return SightingForm::kAbsent;
  switch (page.form) {
    case core::RecordForm::kJob:
      return SightingForm::kJob;
    case core::RecordForm::kById:
      return SightingForm::kById;
    case core::RecordForm::kQuery:
      break;
  }
  return SightingForm::kQuery;
}

// Null: the stream has no such lane, or the lane has not begun. What a lane left behind that was switched off does not count.
const core::Ledger* ledger_of(const core::Ledgers& ledgers, const core::StreamName& stream, core::Lane lane, bool has_lane) {
  const auto found = ledgers.find({stream, lane});
  return !has_lane || found == ledgers.end() ? nullptr : &found->second;
}

}  // namespace

TaskDigests::TaskDigests(const std::vector<StreamTopic>& streams) {
  for (const StreamTopic& stream : streams) {
    streams_.emplace(stream.stream, Stream{.digests = core::StreamDigests(stream.stream, stream.rules),
                                           .rules = stream.rules,
                                           .expiry = stream.expiry,
                                           .swept = {}});
  }
}

// What was damaged and has been replaced or ended since is in the topic until it is compacted.
void TaskDigests::restore(std::string_view key, const std::string_view* value) {
  auto taken = take_stored(key, value);
  if (!taken) {
    damaged_.insert_or_assign(std::string{key}, std::move(taken.error()));
  } else if (const auto found = damaged_.find(key); found != damaged_.end()) {
    damaged_.erase(found);
  }
}

Result<void> TaskDigests::restored() const {
  if (damaged_.empty()) return {};
  common::Error error = damaged_.begin()->second;
  if (damaged_.size() > 1) error.message += "; so are " + std::to_string(damaged_.size() - 1) + " others";
  return common::fail(std::move(error));
}

Result<void> TaskDigests::take_stored(std::string_view key, const std::string_view* value) {
  if (value == nullptr && !core::parse_digest_key(key)) return {};
  const auto parsed = core::parse_digest_key(key);
  if (!parsed) return common::fail(parsed.error());
  const auto found = streams_.find(core::StreamName{std::string{parsed->stream}});
  if (found == streams_.end()) return {};
  return found->second.digests.restore(parsed->record_key, value == nullptr ? std::nullopt : std::optional{*value});
}

void TaskDigests::decide(Transaction& transaction, const core::Ledgers& ledgers) {
  core::TransactionBatch& batch = transaction.batch;
  const auto found = streams_.find(batch.stream);
  if (found == streams_.end() || batch.pages.empty()) return;
  discard(transaction);
  const core::Ledger* settle = ledger_of(ledgers, batch.stream, core::Lane::kSettle, found->second.rules.has_job);
  const core::Ledger* live = ledger_of(ledgers, batch.stream, core::Lane::kLive, found->second.rules.has_query);
  std::map<core::HomeDay, bool> settled;
  std::set<std::size_t> refused_by_broker;

  rows_.clear();
  places_.clear();
  keeps_.clear();
  backfilled_.clear();
  batch.beyond_horizon.clear();
  std::size_t place = 0;
  for (const core::Page& page : batch.pages) {
    const bool decided = page.contents.size() == page.records.size();
    for (std::size_t index = 0; index < page.records.size(); ++index, ++place) {
      if (!decided) continue;
      const core::RecordContent& content = page.contents[index];
      auto [day, unknown] = settled.try_emplace(content.home_day, false);
      if (unknown) day->second = core::is_settled(content.home_day, settle);
      const auto small_enough = [&] { return fits(page, page.records[index], transaction.limits.record); };
      RecordFate& fate = batch.fates[place];
      if (fate == RecordFate::kWithheld || fate == RecordFate::kKept) {
        fate = small_enough() ? RecordFate::kPublish : batch.too_large;
      }
      const bool refused = core::is_unpublishable(fate);
      if (refused && small_enough()) refused_by_broker.insert(place);
      rows_.push_back({.key = page.records[index].key,
                       .sighting = {.form = form_of(page),
                                    .open = content.open,
                                    .digests = content.digests,
                                    .read_at = page.service_date,
                                    .availability = page.availability,
                                    .home_day = content.home_day,
                                    .home_day_settled = day->second,
                                    .known_when_asked = content.known_when_asked,
                                    .publishable = refused ? core::Publishable::kNo : core::Publishable::kYes,
                                    .requested = page.repair ? core::Requested::kRepair : core::Requested::kNo}});
      places_.push_back(place);
      keeps_.push_back(page.gone == core::OnDelete::kKeep);
      backfilled_.push_back(page.source.lane == core::Lane::kBackfill);
    }
  }
  if (rows_.empty()) return;
  core::DigestBatch decisions = found->second.digests.decide(rows_);
  for (std::size_t row = 0; row < places_.size(); ++row) {
    const core::RowDecision& decision = decisions.decisions[row];
    RecordFate& fate = batch.fates[places_[row]];
    if (decision.outcome == DigestOutcome::kNothing) {
      // What the broker has refused is not tried again when others turn out to be refused, too.
      fate = refused_by_broker.contains(places_[row]) ? RecordFate::kDead : RecordFate::kWithheld;
    } else if (decision.outcome == DigestOutcome::kDelete && keeps_[row]) {
      fate = RecordFate::kKept;
    }
    // Of such a day entries are forgotten: nobody knows whether this was published before.
    if (backfilled_[row] && decision.reason == core::DigestReason::kNew &&
        core::is_done_with(rows_[row].sighting.home_day, live, settle)) {
      batch.beyond_horizon.resize(batch.fates.size());
      batch.beyond_horizon[places_[row]] = true;
    }
  }
  batch.digests = std::move(decisions.records);
  transaction.digests = decisions.number;
}

void TaskDigests::apply(const Transaction& transaction) {
  if (transaction.digests) streams_.at(transaction.batch.stream).digests.apply(*transaction.digests);
}

void TaskDigests::discard(Transaction& transaction) {
  if (!transaction.digests) return;
  streams_.at(transaction.batch.stream).digests.discard(*transaction.digests);
  transaction.digests.reset();
  transaction.batch.digests.clear();
}

// The streams take turns, a step each, until one of them has something.
std::optional<Transaction> TaskDigests::expire(const core::Ledgers& ledgers, common::Instant now) {
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (auto expired = expire_next(ledgers, now)) return expired;
  }
  return std::nullopt;
}

std::optional<Transaction> TaskDigests::expire_next(const core::Ledgers& ledgers, common::Instant now) {
  auto next = last_swept_ ? streams_.upper_bound(*last_swept_) : streams_.begin();
  if (next == streams_.end()) next = streams_.begin();
  auto& [name, stream] = *next;
  last_swept_ = name;
  if (stream.swept.at_end()) stream.swept = {};
  const core::Ledger* live = ledger_of(ledgers, name, core::Lane::kLive, stream.rules.has_query);
  const core::Ledger* settle = ledger_of(ledgers, name, core::Lane::kSettle, stream.rules.has_job);
  const core::Ledger* backfill = ledger_of(ledgers, name, core::Lane::kBackfill, true);
  // A lane that has not begun will read every day.
  if ((stream.rules.has_query && live == nullptr) || (stream.rules.has_job && settle == nullptr)) return std::nullopt;
  const auto is_done = [&](core::HomeDay day) { return core::is_done_with(day, live, settle) && !core::awaits(backfill, day); };
  // A record that lasts is seen on the next day with its first reading, and not before.
  const bool many_days = stream.rules.many_days;
  auto batch = stream.digests.expire(stream.swept, kSweepStep, stream.expiry, now, [&](core::HomeDay day) {
    return is_done(day) && (!many_days || is_done(day + std::chrono::days{1}));
  });
  if (!batch) return std::nullopt;
  Transaction transaction;
  transaction.batch.stream = name;
  transaction.batch.digests = std::move(batch->records);
  transaction.digests = batch->number;
  return transaction;
}

std::uint64_t TaskDigests::keys() const {
  std::uint64_t keys = 0;
  for (const auto& [name, stream] : streams_) keys += stream.digests.committed().size();
  return keys;
}

std::size_t TaskDigests::bytes() const {
  std::size_t bytes = 0;
  for (const auto& [name, stream] : streams_) bytes += stream.digests.committed().bytes();
  return bytes;
}

std::size_t TaskDigests::steps_a_round() const {
  std::size_t steps = 0;
  for (const auto& [name, stream] : streams_) steps = std::max(steps, stream.digests.committed().slots() / kSweepStep + 1);
  return steps;
}

const core::StreamDigests* TaskDigests::of(const core::StreamName& stream) const {
  const auto found = streams_.find(stream);
  return found == streams_.end() ? nullptr : &found->second.digests;
}

}  // namespace connector::kafka
