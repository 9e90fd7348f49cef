#pragma once

// The asynchronous jobs: what was asked, how far it is at an instant, and its result, which is the state of the lake at
// completion. Time is an argument; nothing runs in the background. One thread.

#include "tests/simulator/lake.h"
#include "tests/simulator/options.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tests::simulator {

enum class JobKind : std::uint8_t { kConversations, kUsers, kAudits };
enum class JobState : std::uint8_t { kQueued, kPending, kFulfilled, kFailed, kCancelled, kExpired };
std::string_view to_string(JobState state);

struct Job {
  std::string id;
  JobKind kind = JobKind::kConversations;
  Instant submitted;
  std::string interval;  // as asked, for the statistics
  // Item numbers of the result, given the availability date. Called once.
  std::function<std::vector<std::uint64_t>(Instant as_of)> select;
  std::optional<std::string> forced_state;  // by a fault

  std::optional<Instant> as_of;  // set when completed
  std::vector<std::uint64_t> items;
};

class JobStore {
 public:
  JobStore(ApiOptions options, std::uint64_t seed) : options_(options), seed_(seed) {}

  Job& submit(JobKind kind, Instant now);
  // Null for an unknown, deleted or long expired job, or one of another kind.
  Job* find(JobKind kind, std::string_view id, Instant now);
  void remove(std::string_view id);
  [[nodiscard]] JobState state(const Job& job, Instant now) const;
  [[nodiscard]] Instant completed_at(const Job& job) const { return job.submitted + options_.job_time; }
  [[nodiscard]] Instant expires_at(const Job& job) const { return completed_at(job) + options_.job_life; }
  [[nodiscard]] std::size_t running(Instant now, std::optional<JobKind> kind = std::nullopt) const;  // without one: of all
  // Makes the result of a fulfilled job, the first time it is asked for.
  void complete(Job& job, const Lake& lake) const;

  static std::string to_cursor(const Job& job, std::size_t offset);
  // Nothing if the cursor is not of this job.
  static std::optional<std::size_t> parse_cursor(const Job& job, std::string_view cursor);

 private:
  ApiOptions options_;
  std::uint64_t seed_;
  std::uint64_t submitted_ = 0;
  std::map<std::string, Job, std::less<>> jobs_;
};

}  // namespace tests::simulator
