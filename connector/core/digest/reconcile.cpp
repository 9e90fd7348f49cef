#include "connector/core/digest/reconcile.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace connector::core {

namespace {

Second to_second(common::Instant instant) {
  return std::chrono::floor<std::chrono::seconds>(instant);
}

std::optional<Second> later(std::optional<Second> a, Second b) {
  return a ? std::max(*a, b) : b;
}

RowDecision nothing(DigestReason reason, const std::optional<DigestEntry>& before, DigestEntry after) {
  return {.outcome = DigestOutcome::kNothing,
          .entry = after != before ? std::optional(after) : std::nullopt,
          .owed = after.is_owed(),
          .follow_by_id = after.state == DigestState::kWanted || after.doubt,
          .reason = reason};
}

// The row becomes what is published of its key, or a dead letter in its place.
RowDecision publish(DigestReason reason, const Sighting& row, DigestEntry entry) {
  const bool publishable = row.publishable == Publishable::kYes;
  entry.open = row.open;
  entry.common = row.digests.common;
  entry.changed_at = to_second(row.read_at);
  entry.home_day = row.home_day;
  if (!publishable) entry.state = DigestState::kDead;
  return {.outcome = publishable ? DigestOutcome::kPublish : DigestOutcome::kDeadLetter,
          .entry = entry,
          .owed = entry.is_owed(),
          .follow_by_id = entry.doubt,
          .reason = reason};
}

RowDecision publish_query_form(DigestReason reason, const std::optional<DigestEntry>& before, const Sighting& row,
                               const StreamRules& rules) {
  const Second read_at = to_second(row.read_at);
  DigestEntry entry{.state = DigestState::kProvisional, .full = std::nullopt, .read_at = read_at};
  // What was owed is owed still, now beyond this read; what had attributes gets them back by a job.
  const bool owed = row.home_day_settled || (before && (before->is_owed() || before->is_job_form()));
  if (rules.has_job && (owed || reason == DigestReason::kReturned)) entry.owed_at = read_at;
  return publish(reason, row, entry);
}

// Its content is a dead letter already, and cannot be published now either.
bool stays_dead(const DigestEntry& before, const Sighting& row) {
  const bool same = before.is_job_form() ? row.digests.full == before.full : row.digests.common == before.common;
  return before.state == DigestState::kDead && row.publishable == Publishable::kNo && same;
}

// What a query read says about a key of which a job form is published: never more than that another job row is needed.
RowDecision set_aside_for_job(const DigestEntry& before, const Sighting& row, const StreamRules& rules) {
  DigestEntry entry = before;
  // A later row that is closed ends the doubt that an earlier one raised; so does what the id itself returns, unless it is open.
  entry.doubt = row.open && rules.has_by_id;
  if (row.digests.common == before.common) return nothing(DigestReason::kUnchanged, before, entry);
  const Second read_at = to_second(row.read_at);
  // The job's data is complete beyond this read, so it is of an older state; or this content was settled before.
  if (read_at <= before.read_at || row.digests.common == before.seen) {
    if (read_at <= before.read_at) entry.doubt = before.doubt;
    return nothing(DigestReason::kSupersededBySealed, before, entry);
  }
  entry.seen = row.digests.common;
  entry.owed_at = later(before.owed_at, read_at);
  return nothing(DigestReason::kAwaitsJob, before, entry);
}

// A repair by the query of a key of which a job form is published: it has no attributes to bring back, and would hide those that
// are there.
RowDecision owe_a_job(const DigestEntry& before, const Sighting& row, const StreamRules& rules) {
  DigestEntry entry = before;
  if (rules.has_job) entry.owed_at = later(before.owed_at, to_second(row.read_at));
  return nothing(DigestReason::kAwaitsJob, before, entry);
}

RowDecision reconcile_query_form(const std::optional<DigestEntry>& before, const Sighting& row, const StreamRules& rules) {
  if (!before && row.form == SightingForm::kById && row.requested == Requested::kNo) {
    // Forgotten while it was asked for: its content is published, and no lane waits for another.
    if (row.known_when_asked) return {.reason = DigestReason::kUnchanged};
    // Another content, but a job may have sealed the key meanwhile, which knew as much: this would take the attributes away.
    if (rules.has_job) return {.reason = DigestReason::kSupersededBySealed};
  }
  if (!before || before->state == DigestState::kWanted) return publish_query_form(DigestReason::kNew, before, row, rules);
  if (before->state == DigestState::kGone) return publish_query_form(DigestReason::kReturned, before, row, rules);
  const bool repair = row.requested == Requested::kRepair && !stays_dead(*before, row);
  if (before->is_job_form()) return repair ? owe_a_job(*before, row, rules) : set_aside_for_job(*before, row, rules);
  if (repair) return publish_query_form(DigestReason::kRepaired, before, row, rules);
  DigestEntry entry = *before;
  if (row.digests.common == before->common) {
    entry.doubt = false;
    // That it closed is a change of the record, though what is published may not show it (a projection).
    if (before->open && !row.open) entry.changed_at = to_second(row.read_at);
    entry.open = row.open;
    return nothing(DigestReason::kUnchanged, before, entry);
  }
  const bool is_poorer = row.open && !before->open && row.form != SightingForm::kById;
  if (is_poorer && rules.has_by_id) {
    entry.doubt = true;
    return nothing(DigestReason::kInDoubt, before, entry);
  }
  if (is_poorer && rules.has_job) {
    // Nobody can ask for it by its id: the job will tell.
    entry.owed_at = later(before->owed_at, to_second(row.read_at));
    return nothing(DigestReason::kInDoubt, before, entry);
  }
  return publish_query_form(DigestReason::kChanged, before, row, rules);
}

// Owed no longer, if this job row's data is complete beyond what it was owed for.
std::optional<Second> still_owed(const DigestEntry& before, Second availability) {
  return before.owed_at && *before.owed_at >= availability ? before.owed_at : std::nullopt;
}

RowDecision seal(const std::optional<DigestEntry>& before, const Sighting& row, Second availability, const StreamRules& rules) {
  DigestEntry entry{.state = row.open ? DigestState::kProvisional : DigestState::kSealed,
                    .open = row.open,
                    .common = row.digests.common,
                    .full = row.digests.full,
                    .read_at = availability,
                    .changed_at = to_second(row.read_at),
                    .home_day = row.home_day};
  if (!before || before->state == DigestState::kWanted) return publish(DigestReason::kNew, row, entry);
  if (before->state == DigestState::kGone) return publish(DigestReason::kReturned, row, entry);
  entry.owed_at = still_owed(*before, availability);
  entry.doubt = before->doubt;
  // The job knows at least as much as the query did: what it spells otherwise is the same state.
  if (rules.has_query && before->common != row.digests.common) entry.seen = before->common;
  if (row.requested == Requested::kRepair && !stays_dead(*before, row)) return publish(DigestReason::kRepaired, row, entry);
  const bool differs = before->common != row.digests.common || row.digests.full != row.digests.common;
  if (differs) return publish(DigestReason::kSealed, row, entry);
  entry.changed_at = before->changed_at;
  if (before->state == DigestState::kDead) entry.state = DigestState::kDead;
  return nothing(DigestReason::kSealedUnchanged, before, entry);
}

// A job row of a key of which a job form is published.
RowDecision update_sealed(const DigestEntry& before, const Sighting& row, Second availability) {
  DigestEntry entry = before;
  entry.owed_at = still_owed(before, availability);
  const bool repair = row.requested == Requested::kRepair && !stays_dead(before, row);
  if (row.digests.full == before.full && !repair) {
    // It may have closed all the same, if what is published does not show that (a projection): it must not be held for open.
    entry.open = row.open;
    if (entry.state != DigestState::kDead) entry.state = row.open ? DigestState::kProvisional : DigestState::kSealed;
    return nothing(DigestReason::kUnchanged, before, entry);
  }
  entry.state = row.open ? DigestState::kProvisional : DigestState::kSealed;
  entry.full = row.digests.full;
  entry.read_at = availability;
  // A query form that waited for this row is explained by it; one that an older row explained would hide a return to that state.
  const bool explained = before.is_owed() || before.common == row.digests.common;
  if (!explained || entry.seen == row.digests.common) entry.seen = std::nullopt;
  return publish(repair ? DigestReason::kRepaired : DigestReason::kChanged, row, entry);
}

RowDecision reconcile_job_form(const std::optional<DigestEntry>& before, const Sighting& row, const StreamRules& rules) {
  // A job that does not say how far its data goes knows of nothing for certain.
  const Second availability = row.availability ? to_second(*row.availability) : Second();
  const bool is_sealed = before && before->is_job_form();
  if (is_sealed && availability < before->read_at) return nothing(DigestReason::kOlderJob, before, *before);
  // The lake is hours behind, and may still show what the service no longer had then.
  const bool is_older_than_its_end = before && before->state == DigestState::kGone && availability <= before->read_at;
  // Also when it was asked for by a repair: that is about equal content, not about order.
  if (row.open && rules.has_query && !is_older_than_its_end) {
    DigestEntry entry = before.value_or(DigestEntry{.state = DigestState::kWanted,
                                                    .open = true,
                                                    .read_at = availability,
                                                    .changed_at = to_second(row.read_at),
                                                    .home_day = row.home_day});
    if (entry.state == DigestState::kGone) {
      entry.state = DigestState::kWanted;
      entry.open = true;
    }
    entry.owed_at = later(later(entry.owed_at, entry.read_at), availability);
    // What is published as open is read by id anyway.
    const bool is_followed = entry.state == DigestState::kWanted || entry.open;
    entry.doubt = entry.doubt || (!is_followed && rules.has_by_id);
    return nothing(DigestReason::kOpenInJob, before, entry);
  }
  if (is_sealed) return update_sealed(*before, row, availability);
  // (What is known by name only was never published.)
  if (before && before->state != DigestState::kWanted && availability <= before->read_at) {
    DigestEntry entry = *before;
    entry.owed_at = later(before->owed_at, before->read_at);
    return nothing(DigestReason::kTooOldToSeal, before, entry);
  }
  return seal(before, row, availability, rules);
}

// Decided when every row that arrived before has been: one that was read after the job says that the key came back.
RowDecision reconcile_absent(const std::optional<DigestEntry>& before, const Sighting& absent) {
  const bool is_gone = before && absent.availability && may_have_vanished(*before, *absent.availability);
  if (!is_gone) return {.owed = before && before->is_owed(), .reason = DigestReason::kSeenSince};
  // What is known by name only has no record in the topic; nor has what was gone and is owed a look by a job that showed it
  // still.
  const bool has_record = before->state != DigestState::kWanted && before->state != DigestState::kGone;
  return {.outcome = has_record ? DigestOutcome::kDelete : DigestOutcome::kNothing,
          .entry = gone_entry(*before, absent.read_at),
          .reason = DigestReason::kGone};
}

// What was returned for a later day than any before is remembered until that day's readings are done; the reading of an earlier
// one takes nothing back.
void keep_latest_day(const std::optional<DigestEntry>& before, const Sighting& row, RowDecision& decision) {
  if (!decision.entry && !before) return;
  DigestEntry entry = decision.entry ? *decision.entry : *before;
  entry.home_day = before ? std::max(before->home_day, row.home_day) : row.home_day;
  decision.entry = entry != before ? std::optional(entry) : std::nullopt;
}

}  // namespace

std::string_view to_string(DigestReason reason) {
  switch (reason) {
    case DigestReason::kNew:
      return "new";
    case DigestReason::kChanged:
      return "changed";
    case DigestReason::kSealed:
      return "sealed";
    case DigestReason::kReturned:
      return "returned";
    case DigestReason::kRepaired:
      return "repaired";
    case DigestReason::kUnchanged:
      return "unchanged";
    case DigestReason::kSealedUnchanged:
      return "sealed_unchanged";
    case DigestReason::kSupersededBySealed:
      return "superseded_by_sealed";
    case DigestReason::kAwaitsJob:
      return "awaits_job";
    case DigestReason::kInDoubt:
      return "in_doubt";
    case DigestReason::kOpenInJob:
      return "open_in_job";
    case DigestReason::kTooOldToSeal:
      return "too_old_to_seal";
    case DigestReason::kOlderJob:
      return "older_job";
    case DigestReason::kGone:
      return "gone";
    case DigestReason::kSeenSince:
      return "seen_since";
  }
  std::unreachable();
}

RowDecision reconcile(const std::optional<DigestEntry>& entry, const Sighting& sighting, const StreamRules& rules) {
  if (sighting.form == SightingForm::kAbsent) return reconcile_absent(entry, sighting);
  RowDecision decision = sighting.form == SightingForm::kJob ? reconcile_job_form(entry, sighting, rules)
                                                             : reconcile_query_form(entry, sighting, rules);
  if (rules.many_days) keep_latest_day(entry, sighting, decision);
  return decision;
}

bool may_have_vanished(const DigestEntry& entry, common::Instant availability) {
  const Second complete_to = to_second(availability);
  if (entry.state == DigestState::kGone && !entry.is_owed()) return false;
  return entry.read_at < complete_to && (!entry.owed_at || *entry.owed_at < complete_to);
}

DigestEntry gone_entry(const DigestEntry& entry, common::Instant read_at) {
  return {
      .state = DigestState::kGone, .read_at = to_second(read_at), .changed_at = to_second(read_at), .home_day = entry.home_day};
}

}  // namespace connector::core
