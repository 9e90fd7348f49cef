#pragma once

// How many requests may be sent, when, and by which lane: one Budget per token. It paces (no burst after idle), never exceeds the
// configured share of what the service allows in any minute, learns from the service's rate headers what other clients of the
// token use, obeys 429, and shares the slots between lanes by weight with a floor. Decisions only: no clock, no waiting.
// Every request to the API counts: pages, job polls, cancels, retries (docs/genesys-api.md section 4).

#include "common/clock.h"
#include "connector/core/names.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

namespace connector::core {

struct BudgetSettings {
  double share = 0.8;                    // of what the service allows; (0, 1]
  std::optional<double> max_per_minute;  // absolute cap on our own requests
  double assumed_per_minute = 300;       // until a header or the limits endpoint says better
  std::array<double, kAllLanes.size()> weights{8, 4, 2, 1};
  double floor = 0.05;  // of the rate, for every lane that has work; 0 … 1 / number of lanes
};

// What the service's rate headers said; each may be missing.
struct RateHeaders {
  std::optional<std::uint64_t> count;         // requests of the token in the current rate interval, this one included
  std::optional<std::uint64_t> allowed;       // in that interval
  std::optional<std::chrono::seconds> reset;  // until it ends
};

// Submissions of jobs may have a rate limit of their own.
enum class RequestKind : std::uint8_t { kOrdinary, kJobSubmission };

// Whom a 429 concerns: everybody who uses the token, or only the kind of work that ran into a limit of its own.
enum class RateLimitScope : std::uint8_t { kToken, kLane };

class Budget {
 public:
  using Ticket = std::uint64_t;

  // The right to send one request at once. `number` rises by one with every grant.
  struct Grant {
    std::uint64_t number = 0;
    common::SteadyTime at;
  };
  struct Decision {
    std::optional<Grant> grant;
    common::SteadyTime ask_again;  // if there is no grant
  };

  explicit Budget(const BudgetSettings& settings);

  // Takes a place at the end of the lane's queue. Every ticket ends in a grant or in forget().
  Ticket queue(Lane lane, RequestKind kind = RequestKind::kOrdinary);
  // Precondition: `ticket` is queued. A grant is for the request to be sent now and takes the ticket out of its queue.
  Decision acquire(Ticket ticket, common::SteadyTime now);
  void forget(Ticket ticket);  // gave up waiting; unknown tickets are ignored

  void on_answer(const Grant& grant, const RateHeaders& headers, common::SteadyTime now);  // any answer but 429
  // Nothing is granted (in scope) until the service's time has passed; without one, until the rate interval is thought to end
  // or for a growing while.
  void on_rate_limited(RateLimitScope scope, Lane lane, std::optional<std::chrono::milliseconds> retry_after,
                       common::SteadyTime now);
  void set_weight(Lane lane, double weight);  // from now on; above 0
  void on_limit(double per_minute);           // the organisation's effective limit of the token
  void on_job_limit(double per_second);       // … of job submissions

  // Requests a minute that we may send: the share, capped.
  [[nodiscard]] double permitted_per_minute() const;
  // Requests that may still be sent in the current minute.
  [[nodiscard]] double remaining(common::SteadyTime now) const;
  [[nodiscard]] std::size_t waiting(Lane lane) const;
  // The lane's part of the rate while every lane has work.
  [[nodiscard]] double lane_share(Lane lane) const { return shares_[index(lane)]; }

 private:
  using Clock = std::chrono::steady_clock;

  struct Waiting {
    Ticket ticket = 0;
    RequestKind kind = RequestKind::kOrdinary;
  };
  struct LaneQueue {
    std::deque<Waiting> waiting;
    double finish = 0;  // virtual finish time of the head, while there is one
    common::SteadyTime blocked_until = common::SteadyTime::min();
  };

  static std::size_t index(Lane lane) { return static_cast<std::size_t>(lane); }
  [[nodiscard]] double service_allows() const;
  [[nodiscard]] std::int64_t left_by_headers() const;
  [[nodiscard]] Clock::duration interval() const;
  [[nodiscard]] common::SteadyTime earliest_slot(common::SteadyTime now) const;
  [[nodiscard]] common::SteadyTime earliest_for(const LaneQueue& lane) const;
  [[nodiscard]] const LaneQueue* next_lane(common::SteadyTime now) const;
  void start_head(LaneQueue& lane, double share);
  Grant grant_head(LaneQueue& lane, common::SteadyTime now);

  BudgetSettings settings_;
  std::array<double, kAllLanes.size()> shares_{};
  std::array<LaneQueue, kAllLanes.size()> lanes_;
  double virtual_time_ = 0;
  Ticket last_ticket_ = 0;

  std::uint64_t granted_ = 0;
  std::deque<common::SteadyTime> log_;  // grants of the last minute
  common::SteadyTime theoretical_ = common::SteadyTime::min();
  common::SteadyTime last_grant_ = common::SteadyTime::min();
  common::SteadyTime next_job_ = common::SteadyTime::min();

  std::optional<double> limit_per_minute_;
  std::optional<double> header_allowed_;
  std::optional<Clock::duration> job_interval_;
  // The service's rate interval as its headers describe it: requests used = granted_ + offset_ until interval_end_.
  std::optional<common::SteadyTime> interval_end_;
  std::int64_t offset_ = 0;

  common::SteadyTime blocked_until_ = common::SteadyTime::min();
  std::uint32_t limited_in_a_row_ = 0;
};

}  // namespace connector::core
