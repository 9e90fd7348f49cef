#pragma once

// One function a verb: each returns the exit code (cli/exit_code.h). Results go to `out`, problems and logs to `err` and stderr.

#include "connector/cli/command.h"
#include "connector/cli/surroundings.h"

namespace connector::cli {

int run(const RunCommand& command, const Surroundings& surroundings);
int check(const CheckCommand& command, const Surroundings& surroundings);
int sample(const SampleCommand& command, const Surroundings& surroundings);
int plan(const PlanCommand& command, const Surroundings& surroundings);
int plan_diff(const PlanCommand& command, const Surroundings& surroundings);  // `diff` is given
int config_show(const ConfigShowCommand& command, const Surroundings& surroundings);
int config_schema(const ConfigSchemaCommand& command, const Surroundings& surroundings);

}  // namespace connector::cli
