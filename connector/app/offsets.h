#pragma once

// The verbs `offsets …` against the brokers: reading needs no ownership and works beside a running connector; writing becomes the
// task's owner first, which fences one. What is to be changed is decided by offsets_change. Blocking; each bounded by `patience`.

#include "common/log.h"
#include "common/result.h"
#include "connector/app/definitions.h"
#include "connector/app/offsets_change.h"
#include "connector/app/options.h"
#include "connector/core/task/claim.h"

#include <optional>
#include <string>
#include <vector>

namespace connector::app {

struct TaskOffsets {
  std::string topic;
  bool topic_exists = true;
  std::string cluster_id;
  std::optional<core::Claim> owner;  // the last one; none, too, if its claim is damaged
  SourceOffsets offsets;
};

// What is committed now. kConfigInvalid, kPermissionDenied, kStateRefused: the topic cannot be what it should be; kTopicUnusable,
// kRetryable: Kafka does not answer.
common::Result<TaskOffsets> read_offsets(const AppOptions& options, const common::Logger& logger, common::Duration patience);

// What ledgers of the configured streams must belong to; asks the service who we are.
common::Result<Identities> present_identities(const AppOptions& options, const Definitions& definitions,
                                              const TaskOffsets& offsets, const common::Logger& logger,
                                              common::Duration patience);

// Writes `changes`, planned on `offsets`; makes the topic if it is missing and may be made. kStateRefused: somebody has moved one
// of these lanes since, and nothing was changed; kFenced, kOutcomeUnknown: see kafka::StateWriter.
common::Result<void> change_offsets(const AppOptions& options, const TaskOffsets& offsets, std::vector<OffsetChange> changes,
                                    const common::Logger& logger, common::Duration patience);

// The next start takes the digests topic as it is. Errors as above.
common::Result<void> accept_lost_digests(const AppOptions& options, const TaskOffsets& offsets, const common::Logger& logger,
                                         common::Duration patience);

}  // namespace connector::app
