// A record that changes, closes, reopens and is read by all lanes at any time: what is published of it, whatever happens, holds
// the guarantees (docs/guarantees.md).

#include "connector/core/digest/reconcile.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <algorithm>
#include <optional>
#include <vector>

namespace connector::core {
namespace {

using namespace std::chrono_literals;

const HomeDay kDay = std::chrono::year(2026) / 5 / 4;

struct State {
  int content = 0;     // what every form shows
  int attributes = 0;  // what only the job's form shows; 0: it has none
  bool open = false;
};

// What the service would have answered at each second.
class Service {
 public:
  void become(State state) { history_.emplace_back(now, state); }
  [[nodiscard]] std::size_t version_at(int time) const {
    std::size_t version = 0;
    while (version + 1 < history_.size() && history_[version + 1].first <= time) ++version;
    return version;
  }
  [[nodiscard]] const State& state(std::size_t version) const { return history_[version].second; }
  [[nodiscard]] std::optional<std::size_t> last_open(std::size_t before) const {
    for (std::size_t version = before; version-- > 0;) {
      if (state(version).open) return version;
    }
    return std::nullopt;
  }
  int now = 1000;

 private:
  std::vector<std::pair<int, State>> history_;
};

struct Message {
  std::size_t version = 0;
  std::uint64_t identity = 0;  // equal for equal content
  bool is_job_form = false;
};

class Model {
 public:
  Model(StreamRules rules, bool other_spelling) : rules_(rules), other_spelling_(other_spelling) {}

  void query(SightingForm form) { row(form, service.version_at(service.now), std::nullopt); }
  // A page that drifted shows what the record was before it closed.
  void stale_query() {
    const std::size_t version = service.version_at(service.now);
    const auto stale = service.last_open(version);
    if (stale && !service.state(version).open && entry && !entry->open && !published.empty() &&
        published.back().version == version) {
      row(SightingForm::kQuery, *stale, std::nullopt);
    }
  }
  void job(int lag) {
    const int date = std::max(available_, service.now - lag);
    available_ = date;
    row(SightingForm::kJob, service.version_at(date), date);
  }
  [[nodiscard]] std::uint64_t job_identity(std::size_t version) const { return full_digest(service.state(version)); }

  Service service;
  std::optional<DigestEntry> entry;
  std::vector<Message> published;

 private:
  [[nodiscard]] std::uint64_t query_digest(const State& state) const {
    return static_cast<std::uint64_t>(state.content) * 2 + (state.open ? 1 : 0);
  }
  [[nodiscard]] std::uint64_t common_digest(const State& state) const {
    return query_digest(state) + (other_spelling_ ? 1000 : 0);
  }
  [[nodiscard]] std::uint64_t full_digest(const State& state) const {
    return common_digest(state) + static_cast<std::uint64_t>(state.attributes) * 10'000;
  }
  void row(SightingForm form, std::size_t version, std::optional<int> date) {
    const State& state = service.state(version);
    const bool is_job = form == SightingForm::kJob;
    Sighting sighting{.form = form, .open = state.open, .home_day = kDay};
    sighting.digests = is_job ? ContentDigests{common_digest(state), full_digest(state)}
                              : ContentDigests{query_digest(state), query_digest(state)};
    sighting.read_at = kDay + std::chrono::seconds(service.now);
    if (date) sighting.availability = kDay + std::chrono::seconds(*date);
    const RowDecision decision = reconcile(entry, sighting, rules_);
    if (decision.entry) entry = decision.entry;
    if (decision.outcome == DigestOutcome::kPublish) {
      published.push_back(
          {.version = version, .identity = is_job ? sighting.digests.full : sighting.digests.common, .is_job_form = is_job});
    }
  }

  StreamRules rules_;
  bool other_spelling_;
  int available_ = 0;
};

void check(const std::vector<Message>& published) {
  bool has_attributes = false;
  for (std::size_t i = 0; i < published.size(); ++i) {
    if (i > 0) {
      RC_ASSERT(published[i].identity != published[i - 1].identity);  // once per content
      RC_ASSERT(published[i].version >= published[i - 1].version);    // no older state after a newer one
    }
    RC_ASSERT(!has_attributes || published[i].is_job_form);  // attributes are never lost
    has_attributes = has_attributes || published[i].is_job_form;
  }
}

enum class Event : std::uint8_t { kChange, kClose, kReopen, kQuery, kStaleQuery, kById, kJob, kFreshJob, kPass };

void run(StreamRules rules) {
  Model model(rules, *rc::gen::arbitrary<bool>());
  model.service.become({.content = 0, .attributes = 0, .open = true});
  State state{.content = 0, .attributes = 0, .open = true};
  const auto events =
      *rc::gen::container<std::vector<std::pair<int, int>>>(rc::gen::pair(rc::gen::inRange(0, 9), rc::gen::inRange(0, 4)));
  for (const auto& [event, variant] : events) {
    model.service.now += 1 + variant * 10;
    switch (static_cast<Event>(event)) {
      case Event::kChange:
        state.content = variant;  // often back to what it was
        state.attributes = (state.attributes + variant) % 3;
        model.service.become(state);
        break;
      case Event::kClose:
        state.open = false;
        model.service.become(state);
        break;
      case Event::kReopen:
        if (variant == 0) {
          state.open = true;
          model.service.become(state);
        }
        break;
      case Event::kQuery:
        if (rules.has_query) model.query(SightingForm::kQuery);
        break;
      case Event::kStaleQuery:
        if (rules.has_query) model.stale_query();
        break;
      case Event::kById:
        if (rules.has_by_id && model.entry) model.query(SightingForm::kById);
        break;
      case Event::kJob:
        if (rules.has_job) model.job(variant * 50);
        break;
      case Event::kFreshJob:
        if (rules.has_job) model.job(0);
        break;
      case Event::kPass:
        model.service.now += 100;
        break;
    }
    check(model.published);
  }

  // It closes; from here on nobody reads it but who has to: the last settle pass, what is to be read by id, what is owed.
  state.open = false;
  model.service.become(state);
  const std::size_t last = model.service.version_at(model.service.now);
  model.service.now += 100;
  if (rules.has_query) model.query(SightingForm::kQuery);
  if (rules.has_job) model.job(0);
  int steps = 0;
  for (; steps < 10 && model.entry && (model.entry->is_owed() || (rules.has_by_id && model.entry->is_followed())); ++steps) {
    model.service.now += 10;
    if (rules.has_by_id && model.entry->is_followed()) model.query(SightingForm::kById);
    if (rules.has_job && model.entry->is_owed()) model.job(1);
    check(model.published);
  }
  RC_ASSERT(steps <= 3);  // nothing is owed for ever
  RC_ASSERT(!model.published.empty());
  RC_ASSERT(model.service.state(model.published.back().version).content == model.service.state(last).content);
  if (rules.has_job) RC_ASSERT(model.entry->state == DigestState::kSealed);
  if (rules.has_job && model.published.back().is_job_form) RC_ASSERT(model.published.back().identity == model.job_identity(last));
}

RC_GTEST_PROP(ReconcileModel, AllLanesTogether, ()) {
  run({});
}
RC_GTEST_PROP(ReconcileModel, WithoutReadsById, ()) {
  run({.has_query = true, .has_job = true, .has_by_id = false});
}
RC_GTEST_PROP(ReconcileModel, JobsAlone, ()) {
  run({.has_query = false, .has_job = true, .has_by_id = false});
}
RC_GTEST_PROP(ReconcileModel, QueriesAlone, ()) {
  run({.has_query = true, .has_job = false, .has_by_id = true});
}

}  // namespace
}  // namespace connector::core
