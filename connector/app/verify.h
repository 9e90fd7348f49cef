#pragma once

// `verify STREAM`: asks the service again for a range, reads the stream's topic, and says where they differ; with `repair` it
// becomes the owner of the task and publishes what is missing or different (docs/operations.md, "Verifying a range").

#include "common/instant.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/app/definitions.h"
#include "connector/app/options.h"
#include "connector/core/ports/publisher.h"
#include "connector/core/task/claim.h"
#include "connector/core/verification/verification.h"
#include "connector/kafka/data_topic_reader.h"
#include "connector/source/range_reader.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace connector::app {

struct VerifyRequest {
  std::string stream;
  common::Interval range;                // records that began in it
  std::optional<core::RecordForm> form;  // none: by the job if the stream has that lane, else by the query
  bool repair = false;
  std::size_t max_keys_of_each = 1'000;  // listed of each finding
};

struct RepairOutcome {
  std::uint64_t asked = 0;         // rows handed over
  std::uint64_t published = 0;     // of them; those that were not wait for a lane (docs/operations.md)
  std::uint64_t keys = 0;          // of which rows were published: a record may change while it is repaired, and come again
  std::uint64_t dead_letters = 0;  // too large for the topic
};

struct VerifyOutcome {
  std::string topic;
  core::RecordForm form = core::RecordForm::kJob;
  common::Interval verified;                    // of the range that was asked for
  std::optional<common::Instant> availability;  // of the job's data
  source::RangeFigures service;
  kafka::DataTopicFigures topic_figures;
  core::VerificationReport report;  // what was found; before the repair, if there was one
  std::optional<RepairOutcome> repair;

  // Differences that are still there. A key has one, beside its repetitions, and one is mended however many rows it took.
  [[nodiscard]] std::uint64_t left() const;
};

struct VerifyTalk {
  // Before the task is taken over from `previous`, the owner who last claimed it. False: nothing is done.
  std::function<bool(const std::optional<core::Claim>& previous)> confirm;
  std::function<void(const std::string& line)> tell;  // how far it is
};

// kConfigInvalid: no such stream, nothing of the range can be verified yet, not confirmed; kStateRefused; kFenced, should
// somebody else become the owner meanwhile; kTopicUnusable: no topic, or Kafka does not answer, which is found before the service
// is asked, or an open transaction is in the way; errors of the service as they are. What a repair has published before an error
// stays published, in transactions with its digests.
common::Result<VerifyOutcome> verify(const AppOptions& options, const Definitions& definitions, const VerifyRequest& request,
                                     const common::Logger& logger, const VerifyTalk& talk);

}  // namespace connector::app
