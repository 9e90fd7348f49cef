#include "tests/model/run.h"

#include "tests/model/final_state.h"
#include "tests/model/follow_shell.h"
#include "tests/model/live_shell.h"
#include "tests/model/settle_shell.h"

#include <algorithm>
#include <chrono>
#include <memory>

namespace tests::model {

using namespace std::chrono_literals;

namespace {

// From a start to the kill.
struct Life {
  Life(Stage& stage, Topics& topics, int number) : publisher(stage, topics, number) {
    const auto& rules = publisher_rules(stage.scenario);
    if (rules.has_query) live = std::make_unique<LiveShell>(stage, publisher, turns);
    if (rules.has_by_id) follow = std::make_unique<FollowShell>(stage, publisher, turns);
    if (rules.has_job) settle = std::make_unique<SettleShell>(stage, publisher, turns);
  }
  static connector::core::StreamRules publisher_rules(const Scenario& scenario) { return topic_of(scenario).rules; }

  [[nodiscard]] Instant next_wake() const {
    Instant next = publisher.wake;
    if (live) next = std::min(next, live->wake);
    if (follow) next = std::min(next, follow->wake);
    if (settle) next = std::min(next, settle->next_wake());
    return next;
  }

  void step(Instant now) {
    if (publisher.wake <= now) {
      if (publisher.step()) look();
    } else if (live && live->wake <= now) {
      live->step();
    } else if (follow && follow->wake <= now) {
      follow->step();
    } else {
      settle->step();
    }
  }

  // Something was committed or dropped.
  void look() const {
    if (live) live->look();
    if (follow) follow->look();
    if (settle) settle->look();
  }

  void freeze_until(Instant instant) {
    publisher.wake = std::max(publisher.wake, instant);
    if (live) live->wake = std::max(live->wake, instant);
    if (follow) follow->wake = std::max(follow->wake, instant);
    if (settle) settle->freeze_until(instant);
  }

  SimPublisher publisher;
  SimTurns turns;
  std::unique_ptr<LiveShell> live;
  std::unique_ptr<FollowShell> follow;
  std::unique_ptr<SettleShell> settle;
};

class Run {
 public:
  Run(const Scenario& scenario, KeepLog keep_log, std::uint64_t attempt) : stage_(scenario, attempt), topics_(stage_) {
    stage_.keeps_log = keep_log == KeepLog::kYes;
  }

  RunResult go() {
    const Scenario& scenario = stage_.scenario;
    begin_life();
    auto fault = scenario.faults.begin();
    std::size_t steps = 0;
    bool is_set_right = false;
    while (!stage_.broken) {
      Instant next = life_->next_wake();
      const Instant fault_at = fault == scenario.faults.end() ? kNever : std::max(fault->at, stage_.now);
      next = std::min(next, fault_at);
      if (next >= scenario.ends) break;
      stage_.now = std::max(stage_.now, next);
      if (fault_at <= stage_.now) {
        strike(*fault++);
      } else {
        life_->step(stage_.now);
      }
      if (++steps > kMostSteps) stage_.fail("liveness: it runs in circles");
      if (!is_set_right && stage_.is_calm()) {
        is_set_right = true;
        set_clock(Duration{0});
        stage_.note("calm");
      }
    }
    stage_.now = std::max(stage_.now, scenario.ends);
    if (!stage_.broken) check_final_state(stage_, topics_, life_->publisher);
    return result(steps);
  }

 private:
  static constexpr std::size_t kMostSteps = 200'000;

  void begin_life() {
    stage_.note("life " + std::to_string(++lives_) + " begins");
    life_ = std::make_unique<Life>(stage_, topics_, lives_);
  }

  void strike(const Fault& fault) {
    const std::string duration = " for " + common::format_duration(fault.duration);
    switch (fault.kind) {
      case FaultKind::kKill:
        stage_.note("killed" + duration);
        life_->publisher.die();
        stage_.now = std::max(stage_.now, fault.at + fault.duration);
        begin_life();
        break;
      case FaultKind::kFreeze:
        stage_.note("frozen" + duration);
        life_->freeze_until(fault.at + fault.duration);
        break;
      case FaultKind::kOutage:
        stage_.note("outage" + duration);
        stage_.outage_until = fault.at + fault.duration;
        break;
      case FaultKind::kClock:
        if (stage_.is_calm()) break;  // overdue: the host was off
        stage_.note("the host's clock is ahead" + duration);
        set_clock(fault.duration);
        break;
      case FaultKind::kStreamStops:
        // It may be overdue, for the host was off; nothing lasts into the calm.
        if (fault.at + fault.duration <= stage_.now) break;
        stage_.note("the stream is stopped" + duration);
        life_->publisher.stop_stream(fault.at + fault.duration - stage_.now);
        life_->look();
        break;
    }
  }

  void set_clock(Duration ahead) {
    stage_.host_ahead = ahead;
    if (life_->live) life_->live->clock_was_set();
  }

  RunResult result(std::size_t steps) {
    RunResult result{.broken = stage_.broken,
                     .published = {},
                     .log = std::move(stage_.log),
                     .steps = steps,
                     .beyond_horizon = topics_.beyond_horizon};
    for (const Row* row : topics_.published) {
      result.published.push_back(
          {.key = stage_.world.conversation(row->conversation).key, .version = row->version, .form = row->form});
    }
    for (const Topics::Key& key : topics_.keys()) {
      result.records += key.records;
      result.tombstones += key.tombstones;
      if (key.last != nullptr && key.last->form == Form::kJob) ++result.sealed;
    }
    return result;
  }

  Stage stage_;
  Topics topics_;
  std::unique_ptr<Life> life_;
  int lives_ = 0;
};

}  // namespace

RunResult run(const Scenario& scenario, KeepLog keep_log, std::uint64_t attempt) {
  return Run(scenario, keep_log, attempt).go();
}

}  // namespace tests::model
