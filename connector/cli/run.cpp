#include "connector/app/app.h"
#include "connector/cli/configuration.h"
#include "connector/cli/exit_code.h"
#include "connector/cli/verbs.h"

#include <utility>

namespace connector::cli {

int run(const RunCommand& command, const Surroundings& surroundings) {
  auto configuration = read_configuration(command.config, surroundings);
  if (!configuration) return kConfigurationError;
  auto& options = configuration->loaded.config;

  const auto logger = common::Logger::to_stderr(options.log);
  const auto mode = command.until_complete ? app::RunMode{app::RunUntilComplete{}} : app::RunMode{app::RunForGood{}};
  app::App app(std::move(options), std::move(configuration->definitions), logger, {}, mode);
  const auto ended = app.run();
  if (ended) return kDone;
  surroundings.err << ended.error().message << "\n";
  return exit_code_of(ended.error());
}

}  // namespace connector::cli
