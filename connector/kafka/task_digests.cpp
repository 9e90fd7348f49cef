#include "connector/kafka/task_digests.h"

#include "connector/core/digest/day_standing.h"

#include <utility>

namespace connector::kafka {

using common::Result;
using core::DigestOutcome;
using core::RecordFate;
using core::SightingForm;

namespace {

constexpr std::size_t kSweepStep = 20'000;  // entries looked at: a few milliseconds

SightingForm form_of(core::RecordForm form) {
  switch (form) {
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

Result<void> TaskDigests::restore(std::string_view key, const std::string_view* value) {
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
  std::map<core::HomeDay, bool> settled;

  rows_.clear();
  places_.clear();
  std::size_t place = 0;
  for (const core::Page& page : batch.pages) {
    const bool decided = page.contents.size() == page.records.size();
    for (std::size_t index = 0; index < page.records.size(); ++index, ++place) {
      if (!decided) continue;
      const core::RecordContent& content = page.contents[index];
      auto [day, unknown] = settled.try_emplace(content.home_day, false);
      if (unknown) day->second = core::is_settled(content.home_day, settle);
      if (batch.fates[place] == RecordFate::kWithheld) {
        const bool small_enough = fits(page, page.records[index], transaction.limits.record);
        batch.fates[place] = small_enough ? RecordFate::kPublish : batch.too_large;
      }
      const bool refused = core::is_unpublishable(batch.fates[place]);
      rows_.push_back({.key = page.records[index].key,
                       .sighting = {.form = form_of(page.form),
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
    }
  }
  if (rows_.empty()) return;
  core::DigestBatch decisions = found->second.digests.decide(rows_);
  for (std::size_t row = 0; row < places_.size(); ++row) {
    if (decisions.decisions[row].outcome == DigestOutcome::kNothing) batch.fates[places_[row]] = RecordFate::kWithheld;
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

std::optional<Transaction> TaskDigests::expire(const core::Ledgers& ledgers, common::Instant now) {
  if (streams_.empty()) return std::nullopt;
  // The streams take turns, a step each.
  auto next = last_swept_ ? streams_.upper_bound(*last_swept_) : streams_.begin();
  if (next == streams_.end()) next = streams_.begin();
  auto& [name, stream] = *next;
  last_swept_ = name;
  if (stream.swept.at_end()) stream.swept = {};
  const core::Ledger* live = ledger_of(ledgers, name, core::Lane::kLive, stream.rules.has_query);
  const core::Ledger* settle = ledger_of(ledgers, name, core::Lane::kSettle, stream.rules.has_job);
  // A lane that has not begun will read every day.
  if ((stream.rules.has_query && live == nullptr) || (stream.rules.has_job && settle == nullptr)) return std::nullopt;
  auto batch = stream.digests.expire(stream.swept, kSweepStep, stream.expiry, now,
                                     [&](core::HomeDay day) { return core::is_done_with(day, live, settle); });
  if (!batch) return std::nullopt;
  Transaction transaction;
  transaction.batch.stream = name;
  transaction.batch.digests = std::move(batch->records);
  transaction.digests = batch->number;
  return transaction;
}

const core::StreamDigests* TaskDigests::of(const core::StreamName& stream) const {
  const auto found = streams_.find(stream);
  return found == streams_.end() ? nullptr : &found->second.digests;
}

}  // namespace connector::kafka
