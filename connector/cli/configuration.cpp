#include "connector/cli/configuration.h"

#include "common/http/client.h"
#include "connector/observability/build_info.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <utility>
#include <vector>

namespace connector::cli {
namespace {

// The environment's proxy counts unless the configuration names one or says `none`.
common::Result<void> take_proxy_from_environment(genesys::GenesysOptions& genesys,
                                                 const std::map<std::string, std::string>& environment) {
  if (!genesys.proxy_from_environment || genesys.http.proxy) return {};
  const std::vector<std::pair<std::string, std::string>> pairs(environment.begin(), environment.end());
  auto proxy = common::http::proxy_from_environment(pairs, genesys.api_url.starts_with("https://"));
  if (!proxy) return common::fail(proxy.error());
  genesys.http.proxy = std::move(*proxy);
  return {};
}

// Memory holds secrets from here on, whatever the verb: no core file, and no other process of the same user may attach.
void forbid_core_dumps() {
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);
}

}  // namespace

std::optional<Configuration> read_configuration(const std::filesystem::path& file, const Surroundings& surroundings) {
  const auto text = surroundings.read_file(file.string());
  if (!text) {
    surroundings.err << file.string() << ": cannot be read: " << text.error().message << "\n";
    return std::nullopt;
  }

  Configuration configuration{.loaded = {}, .definitions = config::built_in_definitions()};
  configuration.loaded =
      config::load(*text, file.string(), {.environment = surroundings.environment, .read_file = surroundings.read_file},
                   configuration.definitions);
  configuration.definitions = configuration.loaded.definitions;
  for (const auto& problem : configuration.loaded.problems) surroundings.err << problem.to_string() << "\n";
  if (!configuration.loaded.problems.empty()) {
    surroundings.err << configuration.loaded.problems.size() << " problem(s); nothing was started\n";
    return std::nullopt;
  }

  if (!configuration.loaded.config.core_dumps) forbid_core_dumps();
  if (const auto taken = take_proxy_from_environment(configuration.loaded.config.genesys, surroundings.environment); !taken) {
    surroundings.err << "environment: " << taken.error().message << "\n";
    return std::nullopt;
  }
  configuration.loaded.config.genesys.http.user_agent = "genesys-kafka/" + std::string(observability::kVersion);
  for (const auto& warning : configuration.loaded.warnings) surroundings.err << "warning: " << warning << "\n";
  return configuration;
}

}  // namespace connector::cli
