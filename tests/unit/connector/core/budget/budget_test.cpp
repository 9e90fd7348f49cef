#include "connector/core/budget/budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <queue>
#include <random>
#include <vector>

namespace connector::core {
namespace {

using common::SteadyTime;
using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr SteadyTime kStart{std::chrono::hours{1000}};

// The service's counter as its headers describe it: fixed intervals of one minute, all clients of the token together.
class Service {
 public:
  Service(std::uint64_t allowed, SteadyTime first_interval) : allowed_(allowed), begin_(first_interval) {}

  struct Answer {
    bool limited = false;
    RateHeaders headers;
    std::optional<milliseconds> retry_after;
  };
  Answer arrive(SteadyTime now) {
    while (now >= begin_ + 60s) {
      begin_ += 60s;
      count_ = 0;
    }
    ++count_;
    // `reset` in whole seconds, rounded up: 61 at the very beginning has been seen.
    const auto reset = std::chrono::floor<seconds>(begin_ + 60s - now) + 1s;
    Answer answer;
    answer.limited = count_ > allowed_;
    answer.headers = {.count = count_, .allowed = allowed_, .reset = reset};
    if (answer.limited) {
      answer.retry_after = reset;
    }
    return answer;
  }

 private:
  std::uint64_t allowed_;
  SteadyTime begin_;
  std::uint64_t count_ = 0;
};

struct Scenario {
  std::string name;
  BudgetSettings settings;
  std::uint64_t allowed = 300;
  double others_per_minute = 0;
  milliseconds latency_min{50};
  milliseconds latency_max{1500};
  milliseconds timer_lateness{5};
  double header_loss = 0;  // probability that an answer lacks them
  std::size_t workers = 12;
  std::vector<Lane> lanes{Lane::kLive, Lane::kSettle, Lane::kBackfill};
  std::chrono::minutes length{8};
};

struct Outcome {
  std::vector<SteadyTime> sent;
  std::map<Lane, std::size_t> by_lane;
  std::size_t limited = 0;
  std::size_t granted_while_blocked = 0;

  // The most requests sent in any (sliding) minute.
  [[nodiscard]] std::size_t most_in(std::chrono::nanoseconds span) const {
    std::size_t most = 0;
    std::size_t first = 0;
    for (std::size_t last = 0; last < sent.size(); ++last) {
      while (sent[first] + span <= sent[last]) {
        ++first;
      }
      most = std::max(most, last - first + 1);
    }
    return most;
  }
};

// Event simulation of workers that always have another request to send, spread over lanes, against one service.
Outcome simulate(const Scenario& scenario, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto between = [&](milliseconds low, milliseconds high) {
    return milliseconds{std::uniform_int_distribution<std::int64_t>(low.count(), high.count())(random)};
  };
  struct Event {
    SteadyTime at;
    std::uint64_t order = 0;
    enum class Kind { kAsk, kArrival, kAnswer, kOther } kind = Kind::kAsk;
    std::size_t worker = 0;
    Budget::Grant grant{};
    Service::Answer answer{};
    bool operator>(const Event& other) const { return std::tie(at, order) > std::tie(other.at, other.order); }
  };
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events;
  std::uint64_t order = 0;
  const auto at = [&](SteadyTime when, Event event) {
    event.at = when;
    event.order = ++order;
    events.push(event);
  };

  Budget budget(scenario.settings);
  Service service(scenario.allowed, kStart - between(0ms, 59'000ms));
  Outcome outcome;
  SteadyTime blocked_until = SteadyTime::min();
  std::vector<std::optional<Budget::Ticket>> tickets(scenario.workers);
  const auto lane_of = [&](std::size_t worker) { return scenario.lanes[worker % scenario.lanes.size()]; };

  for (std::size_t worker = 0; worker < scenario.workers; ++worker) {
    at(kStart + between(0ms, 300ms), {.kind = Event::Kind::kAsk, .worker = worker});
  }
  if (scenario.others_per_minute > 0) {
    at(kStart, {.kind = Event::Kind::kOther});
  }
  while (!events.empty() && events.top().at < kStart + scenario.length) {
    const Event event = events.top();
    events.pop();
    switch (event.kind) {
      case Event::Kind::kAsk: {
        std::optional<Budget::Ticket>& ticket = tickets[event.worker];
        if (!ticket) {
          ticket = budget.queue(lane_of(event.worker));
        }
        const Budget::Decision decision = budget.acquire(*ticket, event.at);
        if (!decision.grant) {
          EXPECT_GT(decision.ask_again, event.at) << "a caller told to ask now would spin";
          at(decision.ask_again + between(0ms, scenario.timer_lateness), {.kind = Event::Kind::kAsk, .worker = event.worker});
          break;
        }
        ticket.reset();
        outcome.sent.push_back(event.at);
        ++outcome.by_lane[lane_of(event.worker)];
        outcome.granted_while_blocked += event.at < blocked_until;
        const milliseconds latency = between(scenario.latency_min, scenario.latency_max);
        at(event.at + std::min(latency / 4, 200ms),
           {.kind = Event::Kind::kArrival, .worker = event.worker, .grant = *decision.grant});
        break;
      }
      case Event::Kind::kArrival: {
        const Service::Answer answer = service.arrive(event.at);
        at(event.at + between(scenario.latency_min, scenario.latency_max),
           {.kind = Event::Kind::kAnswer, .worker = event.worker, .grant = event.grant, .answer = answer});
        break;
      }
      case Event::Kind::kAnswer: {
        if (event.answer.limited) {
          ++outcome.limited;
          budget.on_rate_limited(RateLimitScope::kToken, lane_of(event.worker), event.answer.retry_after, event.at);
          blocked_until = std::max(blocked_until, event.at + *event.answer.retry_after);
        } else {
          const bool lost = std::uniform_real_distribution<>(0, 1)(random) < scenario.header_loss;
          budget.on_answer(event.grant, lost ? RateHeaders{} : event.answer.headers, event.at);
        }
        at(event.at, {.kind = Event::Kind::kAsk, .worker = event.worker});
        break;
      }
      case Event::Kind::kOther: {
        service.arrive(event.at);
        const double mean_ms = 60'000 / scenario.others_per_minute;
        at(event.at + milliseconds{1 + static_cast<std::int64_t>(std::exponential_distribution<>(1 / mean_ms)(random))},
           {.kind = Event::Kind::kOther});
        break;
      }
    }
  }
  return outcome;
}

class BudgetUnderLoad : public testing::TestWithParam<Scenario> {};

TEST_P(BudgetUnderLoad, KeepsTheShareInEveryMinuteAndUsesNinetyNinePercentOfItWithoutA429) {
  const Scenario& scenario = GetParam();
  const double permitted =
      std::min(static_cast<double>(scenario.allowed) * scenario.settings.share, scenario.settings.max_per_minute.value_or(1e9));
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    const Outcome outcome = simulate(scenario, seed);

    EXPECT_LE(outcome.most_in(60s), static_cast<std::size_t>(permitted)) << "seed " << seed;
    EXPECT_EQ(outcome.limited, 0U) << "seed " << seed;
    const double usable = permitted * static_cast<double>(scenario.length.count());
    EXPECT_GE(static_cast<double>(outcome.sent.size()), 0.99 * usable) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Scenarios, BudgetUnderLoad,
    testing::Values(Scenario{.name = "Default"}, Scenario{.name = "WholeAllowance", .settings = {.share = 1.0}},
                    Scenario{.name = "WholeAllowanceAndHeadersOftenMissing", .settings = {.share = 1.0}, .header_loss = 0.9},
                    Scenario{.name = "NoHeadersAtAll", .settings = {.share = 0.9}, .header_loss = 1.0},
                    Scenario{.name = "AbsoluteCap", .settings = {.share = 1.0, .max_per_minute = 100}},
                    Scenario{.name = "LateTimers", .settings = {.share = 1.0}, .timer_lateness = 200ms},
                    Scenario{
                        .name = "SlowAnswers", .settings = {.share = 1.0}, .latency_min = 2s, .latency_max = 8s, .workers = 30},
                    Scenario{.name = "OneLane", .settings = {.share = 1.0}, .lanes = {Lane::kSettle}},
                    Scenario{.name = "RaisedLimit",
                             .settings = {.share = 0.8, .assumed_per_minute = 1500},
                             .allowed = 1500,
                             .workers = 40,
                             .length = std::chrono::minutes{2}}),
    [](const testing::TestParamInfo<Scenario>& tested) { return tested.param.name; });

TEST(Budget, OtherClientsOfTheTokenLowerWhatIsLeftAndSeeNo429) {
  const Scenario scenario{.name = "others", .settings = {.share = 0.8}, .others_per_minute = 120};

  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    const Outcome outcome = simulate(scenario, seed);

    // We stop when all together have used 240, which is some time before the minute ends; nobody is turned away.
    const double ours = static_cast<double>(outcome.sent.size()) / 8;
    EXPECT_EQ(outcome.limited, 0U) << "seed " << seed;
    EXPECT_LE(ours, 160) << "seed " << seed;
    EXPECT_GE(ours, 105) << "seed " << seed;
  }
}

TEST(Budget, ObeysRetryAfterWhenOthersTakeEverything) {
  const Scenario scenario{.name = "greedy", .settings = {.share = 1.0}, .others_per_minute = 500};

  const Outcome outcome = simulate(scenario, 7);

  EXPECT_GT(outcome.limited, 0U) << "the scenario must produce what it tests";
  EXPECT_EQ(outcome.granted_while_blocked, 0U);
  EXPECT_GT(outcome.sent.size(), 100U) << "starved for good";
}

// All four lanes always have work.
TEST(Budget, SharesTheRateByWeightWithAFloorForEveryLane) {
  Scenario scenario{.name = "lanes", .workers = 32, .lanes = {Lane::kLive, Lane::kFollow, Lane::kSettle, Lane::kBackfill}};
  scenario.settings.weights = {100, 10, 1, 0};

  const Outcome outcome = simulate(scenario, 3);

  const auto part = [&](Lane lane) {
    return static_cast<double>(outcome.by_lane.at(lane)) / static_cast<double>(outcome.sent.size());
  };
  EXPECT_GE(part(Lane::kSettle), 0.0495);
  EXPECT_GE(part(Lane::kBackfill), 0.0495);
  EXPECT_NEAR(part(Lane::kFollow), 0.9 * 10 / 110, 0.01);
  EXPECT_NEAR(part(Lane::kLive), 0.9 * 100 / 110, 0.01);
}

TEST(Budget, AWeightCanChangeWhileItRuns) {
  Budget budget({.weights = {8, 4, 2, 1}});
  const double before = budget.lane_share(Lane::kBackfill);

  budget.set_weight(Lane::kBackfill, 15);

  EXPECT_NEAR(budget.lane_share(Lane::kBackfill), 15.0 / 29, 0.03) << "half of it, but for the floors";
  EXPECT_GE(budget.lane_share(Lane::kSettle), 0.05);
  budget.set_weight(Lane::kBackfill, 1);
  EXPECT_DOUBLE_EQ(budget.lane_share(Lane::kBackfill), before);
}

TEST(Budget, GivesALaneAllThereIsWhenTheOthersRest) {
  Scenario scenario{.name = "alone", .lanes = {Lane::kBackfill}};

  const Outcome outcome = simulate(scenario, 4);

  EXPECT_GE(outcome.by_lane.at(Lane::kBackfill), static_cast<std::size_t>(0.99 * 240 * 8));
}

class BudgetSteps : public testing::Test {
 protected:
  // Asks until granted; fails if that takes longer than `within`.
  Budget::Grant grant(Lane lane, std::chrono::nanoseconds within = 5min, RequestKind kind = RequestKind::kOrdinary) {
    const Budget::Ticket ticket = budget_.queue(lane, kind);
    const SteadyTime limit = now_ + within;
    for (;;) {
      const Budget::Decision decision = budget_.acquire(ticket, now_);
      if (decision.grant) {
        return *decision.grant;
      }
      EXPECT_GT(decision.ask_again, now_);
      now_ = decision.ask_again;
      if (now_ > limit) {
        ADD_FAILURE() << "no grant within the time";
        return {};
      }
    }
  }
  std::size_t grants_at_once(Lane lane) {
    std::size_t granted = 0;
    for (;;) {
      const Budget::Ticket ticket = budget_.queue(lane);
      if (!budget_.acquire(ticket, now_).grant) {
        budget_.forget(ticket);
        return granted;
      }
      ++granted;
    }
  }

  SteadyTime now_ = kStart;
  Budget budget_{BudgetSettings{}};  // 0.8 of 300: four a second
};

TEST_F(BudgetSteps, AnHourIdleEarnsOneSecondsWorthOfRequestsAndNoMore) {
  grant(Lane::kLive);
  now_ += 1h;

  EXPECT_LE(grants_at_once(Lane::kLive), 5U);
}

TEST_F(BudgetSteps, ARequestAtRestIsGrantedAtOnce) {
  const Budget::Ticket ticket = budget_.queue(Lane::kBackfill);

  EXPECT_TRUE(budget_.acquire(ticket, now_).grant.has_value());
}

TEST_F(BudgetSteps, LiveOvertakesABackfillThatWaitedLonger) {
  grants_at_once(Lane::kLive);
  const Budget::Ticket backfill = budget_.queue(Lane::kBackfill);
  const Budget::Ticket live = budget_.queue(Lane::kLive);
  now_ = budget_.acquire(backfill, now_).ask_again;

  const Budget::Decision backfill_first = budget_.acquire(backfill, now_);
  const Budget::Decision live_next = budget_.acquire(live, now_);

  EXPECT_FALSE(backfill_first.grant.has_value());
  EXPECT_TRUE(live_next.grant.has_value());
}

TEST_F(BudgetSteps, GivingUpNeitherBlocksTheQueueNorCostsTheLaneItsTurn) {
  for (int round = 0; round < 1000; ++round) {
    budget_.forget(budget_.queue(Lane::kLive));
  }
  grants_at_once(Lane::kSettle);
  const Budget::Ticket settle = budget_.queue(Lane::kSettle);
  const Budget::Ticket live = budget_.queue(Lane::kLive);
  now_ = budget_.acquire(live, now_).ask_again;

  EXPECT_TRUE(budget_.acquire(live, now_).grant.has_value());
  EXPECT_EQ(budget_.waiting(Lane::kLive), 0U);
  EXPECT_EQ(budget_.waiting(Lane::kSettle), 1U);
  budget_.forget(settle);
}

TEST_F(BudgetSteps, A429BlocksEveryLaneForExactlyTheTimeTheServiceSaid) {
  grant(Lane::kSettle);
  budget_.on_rate_limited(RateLimitScope::kToken, Lane::kSettle, 13s, now_);
  const SteadyTime until = now_ + 13s;

  EXPECT_EQ(budget_.remaining(now_), 0);
  EXPECT_EQ(grant(Lane::kLive).at, until);
  EXPECT_LE(grants_at_once(Lane::kLive), 1U) << "what was saved up while blocked must not come as a burst";
}

TEST_F(BudgetSteps, A429WithoutATimeBlocksForAGrowingWhile) {
  std::vector<seconds> waits;
  for (int round = 0; round < 6; ++round) {
    const SteadyTime before = now_;
    budget_.on_rate_limited(RateLimitScope::kToken, Lane::kLive, std::nullopt, now_);
    waits.push_back(std::chrono::duration_cast<seconds>(grant(Lane::kLive).at - before));
  }

  EXPECT_THAT(waits, testing::ElementsAre(5s, 10s, 20s, 40s, 60s, 60s));
}

TEST_F(BudgetSteps, A429OfALimitOfItsOwnBlocksOnlyThatLane) {
  grant(Lane::kSettle);
  budget_.on_rate_limited(RateLimitScope::kLane, Lane::kSettle, 30s, now_);
  const SteadyTime until = now_ + 30s;

  EXPECT_LT(grant(Lane::kLive).at, now_ + 1s);
  EXPECT_EQ(grant(Lane::kSettle).at, until);
}

TEST_F(BudgetSteps, AnAbsurdRetryAfterIsCutToAnHour) {
  budget_.on_rate_limited(RateLimitScope::kToken, Lane::kLive, std::chrono::hours{24 * 365 * 100}, now_);
  const SteadyTime before = now_;

  EXPECT_EQ(grant(Lane::kLive, 2h).at - before, 1h);
}

TEST_F(BudgetSteps, NothingIsSentWhenTheServicesCountHasReachedTheShareUntilTheIntervalEnds) {
  const Budget::Grant first = grant(Lane::kLive);
  budget_.on_answer(first, {.count = 240, .allowed = 300, .reset = 30s}, now_);

  EXPECT_EQ(budget_.remaining(now_), 0);
  EXPECT_EQ(grant(Lane::kLive).at, first.at + 30s);
}

TEST_F(BudgetSteps, WhatOthersLeaveIsSpreadOverTheRestOfTheInterval) {
  const Budget::Grant first = grant(Lane::kLive);
  budget_.on_answer(first, {.count = 230, .allowed = 300, .reset = 50s}, now_);

  std::vector<SteadyTime> sent;
  for (int i = 0; i < 10; ++i) {
    sent.push_back(grant(Lane::kLive).at);
  }

  EXPECT_GE(sent.front() - first.at, 4s) << "ten are left for fifty seconds";
  EXPECT_LE(sent.back(), first.at + 50s);
}

TEST_F(BudgetSteps, AnAnswerAboutAnIntervalThatIsOverChangesNothing) {
  const Budget::Grant slow = grant(Lane::kLive);
  now_ += 40s;
  const double before = budget_.remaining(now_);

  budget_.on_answer(slow, {.count = 299, .allowed = 300, .reset = 20s}, now_);

  EXPECT_EQ(budget_.remaining(now_), before);
}

TEST_F(BudgetSteps, HeadersThatMakeNoSenseAreIgnored) {
  const Budget::Grant one = grant(Lane::kLive);
  budget_.on_answer(one, {.count = 5, .allowed = 0, .reset = 0s}, now_);
  budget_.on_answer(one, {.count = 5, .allowed = std::nullopt, .reset = std::chrono::hours{5000}}, now_);
  budget_.on_answer(one, {.count = std::nullopt, .allowed = std::nullopt, .reset = 3s}, now_);

  EXPECT_EQ(budget_.permitted_per_minute(), 240);
  EXPECT_GT(budget_.remaining(now_), 200);
}

TEST_F(BudgetSteps, TheSmallerOfHeaderAndEffectiveLimitCounts) {
  budget_.on_limit(600);
  EXPECT_DOUBLE_EQ(budget_.permitted_per_minute(), 480);

  budget_.on_answer(grant(Lane::kLive), {.count = 1, .allowed = 1000, .reset = 60s}, now_);
  EXPECT_DOUBLE_EQ(budget_.permitted_per_minute(), 480);

  budget_.on_answer(grant(Lane::kLive), {.count = 2, .allowed = 100, .reset = 60s}, now_);
  EXPECT_DOUBLE_EQ(budget_.permitted_per_minute(), 80);
}

TEST_F(BudgetSteps, JobSubmissionsKeepALimitOfTheirOwnAndHoldNobodyElseUp) {
  budget_.on_job_limit(0.1);
  const SteadyTime first = grant(Lane::kSettle, 1min, RequestKind::kJobSubmission).at;
  const Budget::Ticket second = budget_.queue(Lane::kSettle, RequestKind::kJobSubmission);

  EXPECT_LT(grant(Lane::kLive).at, first + 1s);
  now_ = first + 10s - 1ms;
  EXPECT_FALSE(budget_.acquire(second, now_).grant.has_value());
  now_ = first + 10s;
  EXPECT_TRUE(budget_.acquire(second, now_).grant.has_value());
}

TEST(Budget, KeepsARateBelowOneAMinute) {
  Budget budget({.share = 1, .max_per_minute = 0.5});
  SteadyTime now = kStart;
  std::vector<SteadyTime> sent;
  while (sent.size() < 4) {
    const Budget::Ticket ticket = budget.queue(Lane::kLive);
    Budget::Decision decision = budget.acquire(ticket, now);
    while (!decision.grant) {
      now = decision.ask_again;
      decision = budget.acquire(ticket, now);
    }
    sent.push_back(now);
  }

  EXPECT_GE(sent.back() - sent.front(), 3 * 2min - 5s);
}

}  // namespace
}  // namespace connector::core
