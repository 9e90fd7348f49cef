// Arbitrary bytes as a configuration and as a stream definition: neither may crash, hang, or accept what it cannot use.
// Seeds: tests/data/config/good, tests/data/config/bad, config/streams, config/examples.

#include "config/config.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

void check_problems(const std::vector<config::Problem>& problems) {
  for (const auto& problem : problems) {
    require(!problem.file.empty() && !problem.message.empty() && !problem.to_string().empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto definitions = config::built_in_definitions();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // A file that is named reads as the configuration itself, so that definitions of users' own are fuzzed through `definitions:`
  // too.
  const config::Sources sources{.environment = {{"A", "a"}, {"SECRET", "s3cr3t"}, {"EMPTY", ""}},
                                .read_file = [&](const std::string& path) -> common::Result<std::string> {
                                  return path.ends_with(".yaml") ? std::string(text) : std::string("content");
                                }};

  const config::Loaded loaded = config::load(text, "fuzz.yaml", sources, definitions);
  check_problems(loaded.problems);
  if (loaded.problems.empty()) {
    require(!loaded.config.name.empty() && !loaded.config.streams.empty() && !loaded.config.genesys.api_url.empty() &&
            !loaded.config.genesys.client_secret.value().empty() && !loaded.config.kafka.bootstrap_servers.empty());
  }

  const config::LoadedDefinition definition = config::load_definition(text, "fuzz.yaml");
  check_problems(definition.problems);
  if (definition.problems.empty()) {
    require(definition.definition.key != connector::source::KeyRule() &&
            (definition.definition.query || definition.definition.job));
  }
  return 0;
}
