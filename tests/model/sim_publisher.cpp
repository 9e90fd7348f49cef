#include "tests/model/sim_publisher.h"

#include "connector/core/planning/watermarks.h"
#include "connector/kafka/state_store.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace tests::model {

using namespace std::chrono_literals;
using common::ErrorCode;
using common::fail;
using common::Result;
using connector::core::Lane;
using connector::core::RecordFate;
using connector::core::SourcePartition;

namespace {

const connector::core::ConnectorName kName{"model"};
constexpr Duration kSweepEvery = 20min;  // (5 seconds in the product; by then nothing else can have happened in most worlds)

std::string describe(const Row& row) {
  return "#" + std::to_string(row.version) + (row.form == Form::kJob ? " job form " : " query form ") + std::string(row.json());
}

}  // namespace

void Topics::publish(const Row& row, Lane lane, bool is_told) {
  Key& key = keys_[row.conversation];
  if (stage_.keeps_log) published.push_back(&row);
  const std::string name = stage_.world.conversation(row.conversation).key;
  stage_.note("published " + name + " by " + std::string(connector::core::to_string(lane)) +
              (is_told ? "" : " (not known to be)") + " " + describe(row));
  // What is beyond the horizon may come once more, and so may what was not known to be published (at_least_once).
  if (key.last != nullptr && key.is_told && !key.is_gone && key.last->digests.full == row.digests.full) {
    if (!key.is_forgotten) {
      stage_.fail("G4: " + name + " is published again with equal content: " + describe(row));
    } else {
      ++beyond_horizon;
      if (!stage_.scenario.availability_goes_back) {
        stage_.fail("G4: " + name + " was forgotten and is published again with equal content: " + describe(row));
      }
    }
  }
  const bool may_regress = key.is_forgotten && stage_.scenario.availability_goes_back;
  if (key.newest_told != nullptr && !may_regress) {
    if (row.version < key.newest_told->version) {
      stage_.fail("G5: " + name + " goes back from " + describe(*key.newest_told) + " to " + describe(row));
    }
    if (key.newest_told->form == Form::kJob && row.form == Form::kQuery && !key.is_gone) {
      stage_.fail("G5: " + name + " loses its attributes: " + describe(row));
    }
  }
  key.last = &row;
  key.is_told = is_told;
  if (is_told) key.newest_told = &row;
  key.is_forgotten = false;
  if (is_told) key.is_gone = false;
  key.is_deleted = false;
  ++key.records;
}

void Topics::publish_tombstone(const std::string& name, Instant at, bool is_told) {
  const std::size_t number = *stage_.world.find(name);
  Key& key = keys_[number];
  stage_.note("deleted " + name + (is_told ? "" : " (not known to be)"));
  if (stage_.scenario.stream.settle.on_delete != connector::core::OnDelete::kTombstone)
    stage_.fail("G1: " + name + " is not kept");
  if (key.last == nullptr) stage_.fail("G4: " + name + " was never published and is deleted");
  if (key.is_deleted && key.is_told) stage_.fail("G4: " + name + " is deleted again");
  // (The service's `Date` is cut to the second.)
  const bool exists = stage_.world.exists_at(number, at) && stage_.world.exists_at(number, at + 1s);
  if (exists && !may_be_taken_for_gone(number)) stage_.fail("G1: " + name + " exists and is deleted");
  key.is_deleted = true;
  key.is_told = is_told;
  if (is_told) key.is_gone = true;
  ++key.tombstones;
}

// What a role hides, if with all that is gone it is no more than the share of its day (docs/guarantees.md).
bool Topics::may_be_taken_for_gone(std::size_t number) const {
  const auto day_of = [&](std::size_t other) { return common::start_of_day(stage_.world.conversation(other).start); };
  if (!stage_.world.conversation(number).hidden) return false;
  double known = 0;
  double gone = 1;
  for (std::size_t other = 0; other < keys_.size(); ++other) {
    if (keys_[other].last == nullptr || day_of(other) != day_of(number)) continue;
    ++known;
    if (keys_[other].is_deleted) ++gone;
  }
  return gone <= stage_.scenario.stream.settle.delete_max_share * known + 1e-9;
}

void Topics::note_gone(const std::string& name) {
  stage_.note("kept " + name + ", which is gone");
  keys_[*stage_.world.find(name)].is_gone = true;
}

void Topics::forget(const std::string& key) {
  if (const auto number = stage_.world.find(key)) {
    keys_[*number].is_forgotten = true;
    // What its day's last pass could not tell, no later one asks about.
    const auto day = std::chrono::floor<std::chrono::days>(stage_.world.conversation(*number).start);
    if (stage_.not_judged.contains(day)) keys_[*number].is_undecided = true;
  }
  stage_.note("forgot " + key);
}

void Topics::saw(const Row& row) {
  Key& key = keys_[row.conversation];
  std::size_t version = stage_.world.oldest_like(row.conversation, row.version, row.form);
  // What has changed and changed back looks unchanged, and a job may still show what lay between (docs/guarantees.md, G5).
  if (key.last != nullptr && key.last->digests.common == row.digests.common) version = std::min(version, key.last->version);
  key.seen = std::max(key.seen.value_or(0), version);
}

SimPublisher::SimPublisher(Stage& stage, Topics& topics, int incarnation)
    : stage_(stage),
      topics_(topics),
      topic_(topic_of(stage.scenario)),
      digests_({topic_}),
      queue_({.batching = {.commit_interval = 200ms, .commit_bytes = stage.scenario.commit_bytes}}),
      incarnation_("life " + std::to_string(incarnation)) {
  connector::core::StoredState stored;
  const connector::kafka::StateLocation location{.name = kName, .topic = "model-offsets", .partition = 0};
  for (const auto& [key, value] : topics_.state) {
    const std::string_view view = value;
    if (auto taken = connector::kafka::take_stored(location, key, &view, stored); !taken) stage_.fail(taken.error().message);
  }
  for (const auto& [key, value] : topics_.digests) {
    const std::string_view view = value;
    digests_.restore(key, &view);
  }
  if (auto restored = digests_.restored(); !restored) stage_.fail(restored.error().message);
  committed_ = std::move(stored.ledgers);
  for (const Lane lane : {Lane::kLive, Lane::kFollow, Lane::kSettle}) {
    committed_.try_emplace({topic_.stream, lane}, connector::core::LedgerIdentity{},
                           std::get<Instant>(stage_.scenario.stream.start));
  }
  next_sweep_ = stage_.now + stage_.chance.between(0ms, kSweepEvery);
  wake = next_sweep_;
}

Result<void> SimPublisher::submit(connector::core::PageGroup group) {
  if (stopped_until_) return fail(ErrorCode::kTopicUnusable, "stopped");
  if (queue_.dropped_among(group)) return fail(ErrorCode::kTopicUnusable, "dropped");
  const auto ticket = queue_.line_up(group);
  if (!queue_.may_enter(ticket)) stage_.fail("no room");
  queue_.enter(ticket, std::move(group), stage_.steady_now());
  if (doing_ == Doing::kIdle) wake = next_wake();
  return {};
}

Result<bool> SimPublisher::flush(const SourcePartition& source) {
  if (stopped_until_) return fail(ErrorCode::kTopicUnusable, "stopped");
  if (queue_.pending(source) > 0) {
    flushing_ = true;
    if (doing_ == Doing::kIdle) wake = next_wake();
    return false;
  }
  if (queue_.tell_dropped(source)) return fail(ErrorCode::kTopicUnusable, "dropped");
  return true;
}

Instant SimPublisher::next_wake() const {
  if (stopped_until_) return *stopped_until_;
  const auto next = queue_.next(flushing_ ? connector::core::Pace::kHurry : connector::core::Pace::kUsual);
  Instant at = next_sweep_;
  if (next) at = std::min(at, Instant(std::chrono::duration_cast<Duration>(next->begin_at.time_since_epoch())));
  return std::max(at, stage_.now);
}

bool SimPublisher::step() {
  if (doing_ == Doing::kCommitting) {
    if (redo_) {
      // Aborted, or found not applied: what was decided is void, and decided again.
      if (!stage_.scenario.exactly_once) write(false);
      digests_.decide(in_hand_, committed_);
      stage_.note("aborted, done again");
      put_off();
      return false;
    }
    published();
    wake = next_wake();
    return true;
  }
  if (stopped_until_ && stage_.now >= *stopped_until_) stopped_until_.reset();
  if (stopped_until_ || (stage_.now >= next_sweep_ && begin_expiry())) return stopped_until_.has_value();
  begin();
  return true;
}

bool SimPublisher::begin_expiry() {
  next_sweep_ = stage_.now + kSweepEvery;
  auto expired = digests_.expire(committed_, stage_.earlier_now());
  if (!expired) return false;
  in_hand_ = std::move(*expired);
  in_hand_.number = ++commit_number_;
  in_hand_.ledgers.insert(*committed_.begin());
  connector::kafka::stamp_ledgers(in_hand_, kName, incarnation_);
  put_off();
  return true;
}

void SimPublisher::begin() {
  const auto next = queue_.next(flushing_ ? connector::core::Pace::kHurry : connector::core::Pace::kUsual);
  if (!next || next->begin_at > stage_.steady_now()) {
    wake = next_wake();
    return;
  }
  in_hand_ = {};
  in_hand_.number = ++commit_number_;
  in_hand_.batch.stream = topic_.stream;
  in_hand_.batch.pages = queue_.take(topic_.stream);
  if (auto moved = connector::kafka::move_ledgers(in_hand_, kName, committed_, incarnation_); !moved) {
    stage_.fail("the publisher refuses a ledger's change: " + moved.error().message);
  }
  connector::kafka::measure(in_hand_, {.record = 1U << 20U, .dead_letter = 1U << 20U});
  digests_.decide(in_hand_, committed_);
  put_off();
}

// Its outcome is known later.
void SimPublisher::put_off() {
  const Odds& odds = stage_.scenario.odds;
  doing_ = Doing::kCommitting;
  redo_ = stage_.happens(odds.abort);
  Duration took = stage_.chance.between(1ms, 500ms);
  if (!redo_ && stage_.happens(odds.unknown_applied)) took = stage_.chance.between(1s, 5min);  // read back
  if (redo_) took += stage_.chance.between(0ms, 1min);
  wake = stage_.now + took;
}

// `all`: the transaction was applied. Else (at_least_once) some records of it were sent, or all and their digests, but not the
// ledger.
void SimPublisher::write(bool all) {
  std::size_t records = in_hand_.batch.fates.size();
  bool told = true;
  if (!all) {
    records = static_cast<std::size_t>(stage_.chance.below(static_cast<int>(records) + 1));
    told = records == in_hand_.batch.fates.size() && stage_.chance.one_in(2);
  }
  std::size_t place = 0;
  for (const connector::core::Page& page : in_hand_.batch.pages) {
    for (const connector::core::RecordSlice& record : page.records) {
      if (page.gone) {
        const std::string key(record.key);
        const bool is_sent = place < records;
        if (is_sent && in_hand_.batch.fates[place] == RecordFate::kPublish) {
          topics_.publish_tombstone(key, page.service_date, all);
        }
        if (told && in_hand_.batch.fates[place] == RecordFate::kKept) topics_.note_gone(key);
        ++place;
        continue;
      }
      const Row& row = stage_.world.row_of(record.value);
      if (all) topics_.saw(row);
      if (place < records && in_hand_.batch.fates[place] == RecordFate::kPublish) {
        topics_.publish(row, page.source.lane, all);
      }
      ++place;
    }
  }
  if (told) {
    for (const connector::core::DigestRecord& digest : in_hand_.batch.digests) {
      if (digest.value) {
        stage_.note("digest " + digest.key + " " + *digest.value);
        topics_.digests[digest.key] = *digest.value;
      } else {
        topics_.digests.erase(digest.key);
        topics_.forget(std::string(connector::core::parse_digest_key(digest.key)->record_key));
      }
    }
  }
  if (!all) return;
  for (const connector::core::StateRecord& record : in_hand_.batch.state) {
    topics_.state[record.key] = record.value.value();
    if (record.value->size() > connector::core::Ledger::kMaxBytes) stage_.fail("G9: a ledger above its bound");
  }
}

void SimPublisher::published() {
  write(true);
  digests_.apply(in_hand_);
  const connector::core::Ledgers before = committed_;
  for (auto& [source, ledger] : in_hand_.ledgers) committed_[source] = std::move(ledger);
  const auto marks = [&](const connector::core::Ledgers& ledgers) {
    return connector::core::watermarks_of(&ledgers.at({topic_.stream, Lane::kLive}), &ledgers.at({topic_.stream, Lane::kSettle}));
  };
  const auto was = marks(before);
  const auto is = marks(committed_);
  const bool live_began = !before.at({topic_.stream, Lane::kLive}).is_untouched();
  if ((live_began && is.seen_until < was.seen_until) || is.complete_until < was.complete_until ||
      is.settled_until < was.settled_until) {
    stage_.fail("G6: a watermark went back");
  }
  const auto& settle = committed_.at({topic_.stream, Lane::kSettle});
  if (!settle.is_untouched() && settle.complete_until() > stage_.world.best_availability_until(stage_.now)) {
    stage_.fail("G6: complete_until " + common::format_instant(settle.complete_until()) + " is beyond the availability date");
  }
  const auto& live = committed_.at({topic_.stream, Lane::kLive});
  if (!live.is_untouched() && live.complete_until() > stage_.now + 1s) stage_.fail("G6: seen_until lies in the future");
  queue_.release(std::exchange(in_hand_, {}).batch.pages, connector::core::PageFate::kCommitted);
  doing_ = Doing::kIdle;
  flushing_ = false;
}

void SimPublisher::stop_stream(Duration how_long) {
  stopped_until_ = stage_.now + how_long;
  queue_.drop(topic_.stream);
  if (doing_ == Doing::kCommitting) {
    digests_.discard(in_hand_);
    queue_.release(std::exchange(in_hand_, {}).batch.pages, connector::core::PageFate::kDropped);
    doing_ = Doing::kIdle;
  }
  wake = *stopped_until_;
}

void SimPublisher::die() {
  if (doing_ != Doing::kCommitting) return;
  if (!redo_ && stage_.chance.one_in(2)) {
    published();  // the broker has it, nobody was told
  } else if (!stage_.scenario.exactly_once) {
    write(false);
  }
}

}  // namespace tests::model
