#include "common/json.h"
#include "connector/cli/configuration.h"
#include "connector/cli/exit_code.h"
#include "connector/cli/verbs.h"

#include <algorithm>
#include <iomanip>

namespace connector::cli {

int config_show(const ConfigShowCommand& command, const Surroundings& surroundings) {
  const auto configuration = read_configuration(command.config, surroundings);
  if (!configuration) return kConfigurationError;
  const auto& settings = configuration->loaded.settings;

  if (command.output == Output::kJson) {
    common::json::Array all;
    for (const auto& setting : settings) {
      all.push_back(common::json::Object{{"path", setting.path}, {"value", setting.value}, {"origin", setting.origin}});
    }
    surroundings.out << common::json::serialize(all) << "\n";
    return kDone;
  }

  std::size_t path_width = 0;
  std::size_t value_width = 0;
  for (const auto& setting : settings) {
    path_width = std::max(path_width, setting.path.size());
    value_width = std::max(value_width, std::min<std::size_t>(setting.value.size(), 48));
  }
  for (const auto& setting : settings) {
    surroundings.out << std::left << std::setw(static_cast<int>(path_width) + 2) << setting.path
                     << std::setw(static_cast<int>(value_width) + 2) << setting.value << setting.origin << "\n";
  }
  return kDone;
}

int config_schema(const ConfigSchemaCommand& /*command*/, const Surroundings& surroundings) {
  surroundings.out << config::schema();
  return kDone;
}

}  // namespace connector::cli
