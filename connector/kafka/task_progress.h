#pragma once

// How far each of the task's streams has come: told as metrics whenever its ledgers were committed, and in records for the
// progress topic, which the publisher writes after the commits they speak of. No I/O. On the one executor.

#include "common/clock.h"
#include "connector/core/names.h"
#include "connector/core/planning/progress.h"
#include "connector/core/ports/metrics.h"
#include "connector/core/ports/transactional_producer.h"
#include "connector/core/transaction/read_back.h"
#include "connector/kafka/options.h"
#include "connector/kafka/stream_topic.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace connector::kafka {

class TaskProgress {
 public:
  // `metrics` outlives it.
  TaskProgress(std::vector<StreamTopic> streams, const ProgressOptions& options, core::Metrics& metrics);

  // The stream's ledgers are committed as they stand in `ledgers`; those adopted and not written yet do not count.
  void committed(const core::StreamName& stream, const core::Ledgers& ledgers);
  void committed(const core::Ledgers& ledgers);
  // `ledger` takes the place of what is committed. One that has read nothing takes the stream's watermarks back,
  // unless it is a backfill's.
  void replaced(const core::SourcePartition& source, const core::Ledger& ledger);

  // The stream whose progress is to be written, and when one is; never if it is switched off.
  [[nodiscard]] std::optional<core::StreamName> due(common::SteadyTime now) const;
  [[nodiscard]] common::SteadyTime next_due() const;
  // It is tried now, and not again before the configured time.
  void begin(const core::StreamName& stream, common::SteadyTime now) { schedule_.begin(stream, now); }
  // `offsets`: the ends of its topic's partitions, asked for after everything committed was.
  core::StateRecord record(const core::StreamName& stream, std::vector<std::int64_t> offsets);
  // The last record is committed.
  void written(const core::StreamName& stream);

  // It could not be written: nothing is due until `resume`, which is not to be thought of before `not_before`. True: it could be
  // written until now.
  bool hold(common::SteadyTime not_before);
  [[nodiscard]] bool may_resume(common::SteadyTime now) const { return held_until_ && now >= *held_until_; }
  void resume() { held_until_.reset(); }

 private:
  std::vector<StreamTopic> streams_;
  bool enabled_;
  core::Metrics& metrics_;
  core::ProgressSchedule schedule_;
  core::StreamProgress recorded_;
  std::optional<common::SteadyTime> held_until_;
  bool in_trouble_ = false;  // none was written since it could not be
};

}  // namespace connector::kafka
