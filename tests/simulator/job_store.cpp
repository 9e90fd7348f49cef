#include "tests/simulator/job_store.h"

#include "tests/simulator/chance.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace tests::simulator {

namespace {
constexpr std::array<std::string_view, 6> kStates{"QUEUED", "PENDING", "FULFILLED", "FAILED", "CANCELLED", "EXPIRED"};
constexpr std::string_view kCursorMark = "cursor_v2:";
}  // namespace

std::string_view to_string(JobState state) {
  return kStates.at(static_cast<std::size_t>(state));
}

Job& JobStore::submit(JobKind kind, Instant now) {
  // An expired job is still known, as EXPIRED, for another life.
  std::erase_if(jobs_, [&](const auto& entry) { return expires_at(entry.second) + options_.job_life <= now; });
  const std::string id =
      uuid_of(chance(seed_, 0x10bULL, ++submitted_, static_cast<std::uint64_t>(now.time_since_epoch().count())));
  Job& job = jobs_[id];
  job.id = id;
  job.kind = kind;
  job.submitted = now;
  return job;
}

Job* JobStore::find(JobKind kind, std::string_view id, Instant now) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end() || found->second.kind != kind || expires_at(found->second) + options_.job_life <= now) {
    return nullptr;
  }
  return &found->second;
}

void JobStore::remove(std::string_view id) {
  if (const auto found = jobs_.find(id); found != jobs_.end()) {
    jobs_.erase(found);
  }
}

JobState JobStore::state(const Job& job, Instant now) const {
  if (job.forced_state) {
    return static_cast<JobState>(std::ranges::find(kStates, *job.forced_state) - kStates.begin());
  }
  if (now < job.submitted + std::min(options_.job_queued, options_.job_time)) {
    return JobState::kQueued;
  }
  if (now < completed_at(job)) {
    return JobState::kPending;
  }
  return now < expires_at(job) ? JobState::kFulfilled : JobState::kExpired;
}

std::size_t JobStore::running(Instant now, std::optional<JobKind> kind) const {
  return static_cast<std::size_t>(std::ranges::count_if(jobs_, [&](const auto& entry) {
    const JobState at = state(entry.second, now);
    return (!kind || entry.second.kind == *kind) && (at == JobState::kQueued || at == JobState::kPending);
  }));
}

void JobStore::complete(Job& job, const Lake& lake) const {
  if (!job.as_of) {
    job.as_of = lake.availability(completed_at(job));
    job.items = job.select(*job.as_of);
    job.select = nullptr;
  }
}

std::string JobStore::to_cursor(const Job& job, std::size_t offset) {
  return to_base64(std::string(kCursorMark) + job.id + ":" + std::to_string(offset));
}

std::optional<std::size_t> JobStore::parse_cursor(const Job& job, std::string_view cursor) {
  const std::string text = from_base64(cursor);
  const std::string mark = std::string(kCursorMark) + job.id + ":";
  std::size_t offset = 0;
  if (!text.starts_with(mark)) {
    return std::nullopt;
  }
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data() + mark.size(), end, offset);
  return error == std::errc() && stopped == end && offset <= job.items.size() ? std::optional(offset) : std::nullopt;
}

}  // namespace tests::simulator
