#include "connector/app/plan.h"

#include "connector/app/retention.h"
#include "connector/app/stream_topics.h"
#include "connector/kafka/state_topics.h"
#include "connector/source/follow_settings.h"
#include "connector/source/pagination.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <variant>

namespace connector::app {
namespace {

using common::Duration;

core::Traffic traffic_of(const source::StreamOptions& stream, const source::Definition& definition,
                         const PlanAssumptions& assumptions) {
  const auto own = assumptions.records_per_day_of.find(stream.name);
  const bool lasts = definition.start_pointer && (definition.end_pointer || definition.open_while_absent);
  return {.records_per_day = own != assumptions.records_per_day_of.end() ? own->second : assumptions.records_per_day,
          .mean_duration = lasts ? assumptions.mean_duration : Duration{0}};
}

core::LaneEstimate estimate_live(const source::StreamOptions& stream, const source::Definition& definition,
                                 const core::Traffic& traffic, Duration history) {
  // One answer is everything, however much that is.
  const bool one_page = std::holds_alternative<source::NoPages>(definition.query->pages);
  if (source::is_snapshot(definition)) {
    // Of a state what is assumed of a day is what it holds: each reading returns all of it.
    const double readings = std::chrono::duration<double>(std::chrono::days{1}) / stream.snapshot.every;
    const auto page_size = static_cast<std::size_t>(source::page_size_of(definition.query->pages, stream.page_size));
    return core::estimate_live({.plan = {.every = stream.snapshot.every}, .page_size = one_page ? 1 : page_size},
                               {.records_per_day = one_page ? 0 : traffic.records_per_day * readings}, Duration{0});
  }
  const source::LiveOptions& live = stream.live;
  const bool starts = stream.sync_match == source::SyncMatch::kStartDay;
  return core::estimate_live(
      {.plan = {.every = live.every,
                .delay = live.delay,
                .overlap = live.overlap,
                .max_window = definition.max_window,
                .buckets = live.buckets},
       .ages = live.ages,
       .page_size = one_page ? std::numeric_limits<std::size_t>::max()
                             : static_cast<std::size_t>(source::page_size_of(definition.query->pages, stream.page_size)),
       .rows = starts ? core::WindowRows::kStartedInside : core::WindowRows::kOverlapping},
      traffic, history);
}

core::LaneEstimate estimate_follow(const source::StreamOptions& stream, const source::Definition& definition,
                                   const core::Traffic& traffic) {
  return core::estimate_follow(source::follow_settings(stream.follow, definition.by_id->max_ids),
                               stream.live.delay + stream.live.every / 2, traffic);
}

core::LaneEstimate estimate_settle(const source::StreamOptions& stream, const source::Definition& definition,
                                   const core::Traffic& traffic, Duration history, Duration job_duration) {
  const source::SettleOptions& settle = stream.settle;
  return core::estimate_settle(
      {.window = settle.window,
       .passes = settle.ages.size(),
       .page_size = static_cast<std::size_t>(source::page_size_of(definition.job->pages, stream.job_page_size)),
       .max_jobs = settle.max_jobs,
       .poll_initial = settle.poll_initial,
       .poll_max = settle.poll_max,
       .availability_every = settle.availability_every,
       .job_duration = job_duration},
      traffic, history);
}

std::vector<PlannedTopic> planned_topics(const AppOptions& options, const Definitions& definitions) {
  const kafka::TopicsOptions& topics = options.kafka.topics;
  const kafka::StateTopics state = kafka::state_topics(options.name, topics);
  std::vector<PlannedTopic> planned;
  const auto add = [&](const std::string& name, std::string holds, const core::TopicSettings& settings, int partitions) {
    const int replication = settings.replication_factor > 0 ? settings.replication_factor : topics.replication_factor;
    planned.push_back({.name = name,
                       .holds = std::move(holds),
                       .partitions = partitions,
                       .replication_factor = std::max(replication, 0),
                       .created = topics.create});
  };
  add(state.offsets, "ledgers", topics.offsets, 1);
  add(state.digests, "digests", topics.digests, 1);
  add(state.dead_letters, "dead letters", topics.dead_letters, topics.dead_letters.partitions);
  if (!state.progress.empty()) {
    const core::TopicSettings& progress = topics.progress.topic;
    add(state.progress, "progress", progress, std::max(progress.partitions, 1));
  }
  if (!state.control.empty()) add(state.control, "requests", topics.control.topic, 1);
  for (const kafka::StreamTopic& topic : stream_topics(options, definitions)) {
    add(topic.topic, "stream " + topic.stream.str(), topic.settings, topic.settings.partitions);
  }
  return planned;
}

double permitted_per_minute(const genesys::BudgetOptions& budget) {
  const double share = budget.share * budget.assumed_per_minute;
  return budget.max_requests_per_minute ? std::min(share, *budget.max_requests_per_minute) : share;
}

}  // namespace

Plan make_plan(const AppOptions& options, const Definitions& definitions, const PlanAssumptions& assumptions,
               common::Instant now) {
  Plan plan{.assumptions = assumptions, .max_requests_per_month = options.genesys.budget.max_requests_per_month};
  std::vector<core::LaneEstimate> estimates;
  for (const source::StreamOptions& stream : options.streams) {
    const source::Definition& definition = definitions.at(stream.definition);
    const core::Traffic traffic = traffic_of(stream, definition, assumptions);
    const auto* start = std::get_if<common::Instant>(&stream.start);
    Duration history = start != nullptr ? std::max(now - *start, Duration{0}) : Duration{0};
    if (auto problem = problem_of_start(stream, now)) {
      plan.problems.push_back(std::move(*problem));
      history = kept(stream, form_of_history(stream));
    }
    plan.history[stream.name] = history;
    for (const core::Lane lane : lanes_of(stream, definition)) {
      core::LaneEstimate estimate;
      if (lane == core::Lane::kLive) estimate = estimate_live(stream, definition, traffic, history);
      if (lane == core::Lane::kFollow) estimate = estimate_follow(stream, definition, traffic);
      if (lane == core::Lane::kSettle) {
        estimate = estimate_settle(stream, definition, traffic, history, assumptions.job_duration);
      }
      estimates.push_back(estimate);
      plan.lanes.push_back({.source = {.stream = stream.name, .lane = lane}, .estimate = estimate});
    }
  }
  plan.budget = core::estimate_budget(estimates, permitted_per_minute(options.genesys.budget));
  plan.topics = planned_topics(options, definitions);
  return plan;
}

}  // namespace connector::app
