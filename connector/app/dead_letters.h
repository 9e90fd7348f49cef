#pragma once

// The verbs `dead-letters list` and `retry`. Listing reads the topic as any consumer does, beside a running connector too.
// Retrying reads the records again from the service and publishes them as the owner of the task (docs/operations.md, "Dead
// letters").

#include "common/log.h"
#include "common/result.h"
#include "connector/app/definitions.h"
#include "connector/app/options.h"
#include "connector/core/dead_letters/letter.h"
#include "connector/core/dead_letters/retry.h"
#include "connector/core/task/claim.h"
#include "connector/kafka/dead_letter_reader.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace connector::app {

struct ListRequest {
  core::DeadLetterSelection selection;
  std::size_t max_records = 100;
  kafka::LetterBytes bytes = kafka::LetterBytes::kLeaveOut;
};
struct DeadLetterList {
  std::string topic;
  core::DeadLetterListing letters;
};

// kConfigInvalid: there is no such topic; errors of the brokers as they are.
common::Result<DeadLetterList> list_dead_letters(const AppOptions& options, const ListRequest& request,
                                                 const common::Logger& logger);

enum class DryRun : std::uint8_t { kNo, kYes };
struct RetryRequest {
  core::DeadLetterSelection selection;
  DryRun dry_run = DryRun::kNo;
};

// A key, by its last dead letter.
struct RetriedRecord {
  core::StoredDeadLetter letter;
  core::RetryFinding finding = core::RetryFinding::kRetryable;
  std::optional<core::RetryWay> way;  // it was read, or would be
  std::string detail;                 // for people
};
struct RetryReport {
  std::string topic;
  std::vector<RetriedRecord> records;                                        // by stream and key
  std::map<std::pair<std::string, std::string>, std::uint64_t> without_key;  // letters, by stream and reason

  [[nodiscard]] std::uint64_t count(core::RetryFinding finding) const;
  // What could not be published and was not published otherwise.
  [[nodiscard]] std::uint64_t left() const;
};

struct RetryTalk {
  // Before the task is taken over from `previous`, the owner who last claimed it. False: nothing is done.
  std::function<bool(std::size_t records, const std::optional<core::Claim>& previous)> confirm;
  std::function<void(const std::string& line)> tell;  // how far it is
};

// kConfigInvalid: there is no such topic, not confirmed; kStateRefused; kFenced, should somebody else become the owner meanwhile;
// errors of service and brokers as they are. What was published before an error stays published, in transactions with its
// digests: the next time it is dead no longer.
common::Result<RetryReport> retry_dead_letters(const AppOptions& options, const Definitions& definitions,
                                               const RetryRequest& request, const common::Logger& logger, const RetryTalk& talk);

}  // namespace connector::app
