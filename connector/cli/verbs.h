#pragma once

// One function a verb: each returns the exit code (cli/exit_code.h). Results go to `out`, problems and logs to `err` and stderr.

#include "connector/cli/command.h"
#include "connector/cli/surroundings.h"

namespace connector::cli {

int run(const RunCommand& command, const Surroundings& surroundings);
int check(const CheckCommand& command, const Surroundings& surroundings);
int sample(const SampleCommand& command, const Surroundings& surroundings);
int streams_list(const StreamsListCommand& command, const Surroundings& surroundings);
int streams_show(const StreamsShowCommand& command, const Surroundings& surroundings);
int offsets_get(const OffsetsGetCommand& command, const Surroundings& surroundings);
int offsets_set(const OffsetsSetCommand& command, const Surroundings& surroundings);
int offsets_reset(const OffsetsResetCommand& command, const Surroundings& surroundings);
int offsets_import(const OffsetsImportCommand& command, const Surroundings& surroundings);
int offsets_accept_lost_digests(const OffsetsAcceptLostDigestsCommand& command, const Surroundings& surroundings);
int plan(const PlanCommand& command, const Surroundings& surroundings);
int plan_diff(const PlanCommand& command, const Surroundings& surroundings);  // `diff` is given
int verify(const VerifyCommand& command, const Surroundings& surroundings);
int backfill(const BackfillCommand& command, const Surroundings& surroundings);
int backfill_cancel(const BackfillCancelCommand& command, const Surroundings& surroundings);
int backfill_list(const BackfillListCommand& command, const Surroundings& surroundings);
int dead_letters_list(const DeadLettersListCommand& command, const Surroundings& surroundings);
int dead_letters_retry(const DeadLettersRetryCommand& command, const Surroundings& surroundings);
int config_show(const ConfigShowCommand& command, const Surroundings& surroundings);
int config_schema(const ConfigSchemaCommand& command, const Surroundings& surroundings);

}  // namespace connector::cli
