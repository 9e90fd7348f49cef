#include "connector/app/changes.h"

#include "common/clock.h"
#include "common/json.h"
#include "connector/cli/configuration.h"
#include "connector/cli/exit_code.h"
#include "connector/cli/verbs.h"

#include <map>
#include <string>

namespace connector::cli {
namespace {

using common::json::Array;
using common::json::Object;

app::Configured configured(const Configuration& configuration) {
  std::map<std::string, std::string> settings;
  for (const auto& setting : configuration.loaded.settings) settings[setting.path] = setting.value;
  return {.options = configuration.loaded.config, .definitions = configuration.definitions, .settings = std::move(settings)};
}

std::string shown(const std::string& value) {
  return value.empty() ? "(none)" : value;
}

}  // namespace

int plan_diff(const PlanCommand& command, const Surroundings& surroundings) {
  const auto before = read_configuration(*command.diff, surroundings);
  const auto after = read_configuration(command.config, surroundings);
  if (!before || !after) return kConfigurationError;
  common::SystemClock clock;
  const auto changes = app::compare(configured(*before), configured(*after), clock.utc_now());

  if (command.output == Output::kJson) {
    Array all;
    for (const app::Change& change : changes) {
      all.push_back(Object{{"path", change.path},
                           {"before", change.before},
                           {"after", change.after},
                           {"effect", app::to_string(change.effect)},
                           {"consequence", change.consequence}});
    }
    surroundings.out << common::json::serialize(all) << "\n";
    return kDone;
  }
  if (changes.empty()) surroundings.out << "no difference (what a masked secret is cannot be compared)\n";
  for (const app::Change& change : changes) {
    surroundings.out << app::to_string(change.effect) << ": " << change.path << ": " << shown(change.before) << " -> "
                     << shown(change.after) << "\n    " << change.consequence << "\n";
  }
  return kDone;
}

}  // namespace connector::cli
