#include "connector/core/dead_letters/retry.h"

#include <algorithm>
#include <chrono>

namespace connector::core {

namespace {

common::Interval day_of(HomeDay day) {
  return {.start = day, .end = day + std::chrono::days{1}};
}

// The whole day: a window of it returns what overlaps it, so the dead letter's own need not be the one the record began in.
RetryStep by_job(const DigestEntry& entry) {
  return {.way = RetryWay::kByJob, .range = day_of(entry.home_day)};
}

RetryStep by_query(const RetryCandidate& candidate, const DigestEntry& entry, bool knows_start) {
  if (knows_start) return {.way = RetryWay::kByQuery, .range = day_of(entry.home_day)};
  const auto window = common::parse_interval(candidate.window);
  if (!window || window->empty()) return {.finding = RetryFinding::kNoWay};
  return {.way = RetryWay::kByQuery, .range = *window};
}

}  // namespace

std::string_view to_string(RetryFinding finding) {
  switch (finding) {
    case RetryFinding::kPublished:
      return "published";
    case RetryFinding::kRetryable:
      return "retryable";
    case RetryFinding::kNoLongerDead:
      return "no_longer_dead";
    case RetryFinding::kNoKey:
      return "no_key";
    case RetryFinding::kForgotten:
      return "forgotten";
    case RetryFinding::kNotConfigured:
      return "not_configured";
    case RetryFinding::kNeedsJob:
      return "needs_job";
    case RetryFinding::kNoWay:
      return "no_way";
    case RetryFinding::kNotAvailableYet:
      return "not_available_yet";
    case RetryFinding::kTooLarge:
      return "too_large";
    case RetryFinding::kRefused:
      return "refused";
    case RetryFinding::kAbsent:
      return "absent";
    case RetryFinding::kWaits:
      return "waits";
  }
  return "";
}

std::string_view to_string(RetryWay way) {
  switch (way) {
    case RetryWay::kById:
      return "by id";
    case RetryWay::kByJob:
      return "by job";
    case RetryWay::kByQuery:
      return "by query";
  }
  return "";
}

RetryStep plan_retry(const RetryCandidate& candidate, const std::optional<DigestEntry>& entry, const RetryMeans& means) {
  if (candidate.key.empty()) return {.finding = RetryFinding::kNoKey};
  if (!entry) return {.finding = RetryFinding::kForgotten};
  if (entry->state != DigestState::kDead) return {.finding = RetryFinding::kNoLongerDead};
  if (entry->is_job_form()) {
    return means.by_job ? by_job(*entry) : RetryStep{.finding = RetryFinding::kNeedsJob};
  }
  if (means.by_id) return {.way = RetryWay::kById};
  if (means.by_query) return by_query(candidate, *entry, means.knows_start);
  // The job's form may always follow a query form.
  return means.by_job ? by_job(*entry) : RetryStep{.finding = RetryFinding::kNoWay};
}

RetryStep bounded(RetryStep step, common::Instant until) {
  if (step.finding != RetryFinding::kRetryable || step.way == RetryWay::kById) return step;
  if (step.range.start >= until) return {.finding = RetryFinding::kNotAvailableYet};
  step.range.end = std::min(step.range.end, until);
  return step;
}

RetryFinding judge_retry(const std::optional<DigestEntry>& entry, const std::optional<RetryRow>& row) {
  if (!row) return RetryFinding::kAbsent;
  if (!entry || entry->state != DigestState::kDead) return RetryFinding::kPublished;
  if (row->form == RecordForm::kJob) {
    const bool older = !row->availability || std::chrono::floor<std::chrono::seconds>(*row->availability) < entry->read_at;
    if (row->open || older) return RetryFinding::kWaits;
  }
  return row->fits ? RetryFinding::kRefused : RetryFinding::kTooLarge;
}

}  // namespace connector::core
