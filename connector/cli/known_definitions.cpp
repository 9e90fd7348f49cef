#include "connector/cli/known_definitions.h"

#include "config/config.h"
#include "connector/cli/configuration.h"

#include <algorithm>
#include <utility>

namespace connector::cli {

std::optional<KnownDefinitions> read_known_definitions(const std::filesystem::path& config, const Surroundings& surroundings) {
  std::optional<Configuration> configuration;
  if (!config.empty()) {
    configuration = read_configuration(config, surroundings);
    if (!configuration) return std::nullopt;
  }
  KnownDefinitions known;
  for (auto& [name, definition] : configuration ? configuration->definitions : config::built_in_definitions()) {
    KnownDefinition& one = known[name];
    one.definition = definition;
    if (const auto built_in = config::built_in_definition_texts().find(name);
        built_in != config::built_in_definition_texts().end()) {
      one.text = built_in->second;
    }
  }
  if (configuration) {
    for (auto& [name, file] : configuration->loaded.definition_files) {
      known[name].file = file.file;
      known[name].text = file.text;
    }
    for (const auto& stream : configuration->loaded.config.streams) known[stream.definition].streams.push_back(stream.name.str());
  }
  return known;
}

const KnownDefinition* find_known(const KnownDefinitions& known, const std::string& name, const Surroundings& surroundings) {
  if (const auto found = known.find(name); found != known.end()) return &found->second;
  const auto used = std::ranges::find_if(
      known, [&](const auto& one) { return std::ranges::find(one.second.streams, name) != one.second.streams.end(); });
  if (used != known.end()) return &used->second;
  surroundings.err << "there is no definition " << name << " (definitions: ";
  for (bool first = true; const auto& [other, definition] : known) {
    surroundings.err << (std::exchange(first, false) ? "" : ", ") << other;
  }
  surroundings.err << "; your own need --config)\n";
  return nullptr;
}

const source::Definition* find_definition(const KnownDefinitions& known, const std::string& name,
                                          const Surroundings& surroundings) {
  const KnownDefinition* found = find_known(known, name, surroundings);
  return found == nullptr ? nullptr : &found->definition;
}

}  // namespace connector::cli
