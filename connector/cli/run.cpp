#include "connector/app/app.h"
#include "connector/cli/configuration.h"
#include "connector/cli/exit_code.h"
#include "connector/cli/verbs.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <utility>

namespace connector::cli {
namespace {

// Memory holds secrets: no core file, and no other process of the same user may attach.
void forbid_core_dumps() {
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);
}

}  // namespace

int run(const RunCommand& command, const Surroundings& surroundings) {
  auto configuration = read_configuration(command.config, surroundings);
  if (!configuration) return kConfigurationError;
  auto& options = configuration->loaded.config;
  if (!options.core_dumps) forbid_core_dumps();

  const auto logger = common::Logger::to_stderr(options.log);
  app::App app(std::move(options), std::move(configuration->definitions), logger);
  const auto ended = app.run();
  if (ended) return kDone;
  surroundings.err << ended.error().message << "\n";
  return exit_code_of(ended.error());
}

}  // namespace connector::cli
