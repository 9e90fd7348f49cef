#include "tests/model/lane_shell.h"

#include "connector/core/planning/ages.h"

#include <string>
#include <utility>

namespace tests::model {

using common::ErrorCode;
using common::Result;
using connector::core::LedgerChange;
using connector::core::PageGroup;

bool needs_operator(ErrorCode code) {
  return code == ErrorCode::kPermissionDenied || code == ErrorCode::kRequestRejected || code == ErrorCode::kTooComplex ||
         code == ErrorCode::kTopicUnusable;
}

bool may_be_one_of_them(ErrorCode code) {
  return code == ErrorCode::kRequestRejected || code == ErrorCode::kPositionInvalid || code == ErrorCode::kTooComplex ||
         code == ErrorCode::kOversize || code == ErrorCode::kMalformedResponse;
}

bool SimTurns::take(Instant& wake) {
  if (!std::exchange(taken_, true)) return true;
  waiting_.push_back(&wake);
  return false;
}

void SimTurns::give_back(Instant now) {
  taken_ = !waiting_.empty();
  if (!taken_) return;
  *waiting_.front() = now;
  waiting_.pop_front();
}

connector::core::Page LaneShell::make_page(const Interval& window, connector::core::RecordForm form,
                                           const Stage::Answer& answer) const {
  connector::core::Page page;
  page.source = source_;
  page.buffer = std::make_unique<std::string>();
  page.form = form;
  page.window = window;
  page.read_at = stage_.host_now();
  page.service_date = answer.date;
  return page;
}

connector::core::RecordSlice LaneShell::slice_of(const Stage& stage, const Row& row) {
  return {.key = stage.world.conversation(row.conversation).key, .value = row.json()};
}

Result<void> LaneShell::submit_changes(const Interval& window, std::vector<LedgerChange> changes) {
  PageGroup group;
  group.emplace_back();
  group.back().source = source_;
  group.back().window = window;
  group.back().changes = std::move(changes);
  return submit(std::move(group));
}

Result<void> LaneShell::submit(PageGroup group) {
  connector::core::Ledger changed = working_;
  for (const connector::core::Page& page : group) {
    for (const LedgerChange& change : page.changes) {
      if (auto applied = changed.apply(change); !applied) {
        check_internal(applied.error());
        return applied;
      }
    }
  }
  working_ = std::move(changed);
  return publisher_.submit(std::move(group));
}

Result<bool> LaneShell::flush() {
  const Result<bool> flushed = publisher_.flush(source_);
  if (!flushed || !*flushed) return flushed;
  if (!publisher_.committed(source_).has_same_progress(working_)) resynchronise();
  return true;
}

bool LaneShell::decided() {
  using namespace std::chrono_literals;
  const Result<bool> flushed = publisher_.flush(source_);
  if (!flushed) {
    sleep(30s);
    return false;
  }
  if (*flushed) resynchronise();
  return *flushed;
}

Result<void> LaneShell::start_ledger(Instant start) {
  const bool is_stored = !working_.stamp().incarnation.empty();
  if (!working_.is_untouched() || (is_stored && working_.start() == start)) return {};
  return submit_changes({.start = start, .end = start}, {connector::core::LaneStarted{start}});
}

Result<void> LaneShell::start_ages(const std::vector<Duration>& ages) {
  std::vector<LedgerChange> changes = connector::core::change_ages(working_, ages, stage_.earlier_now());
  if (changes.empty()) return {};
  const Instant start = working_.start();
  return submit_changes({.start = start, .end = start}, std::move(changes));
}

void LaneShell::check_internal(const common::Error& error) {
  if (error.code == ErrorCode::kInternal) {
    stage_.fail("lane " + std::string(connector::core::to_string(source_.lane)) + ": " + error.message);
  }
}

}  // namespace tests::model
