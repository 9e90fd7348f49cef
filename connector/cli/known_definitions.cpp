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
    for (const auto& stream : configuration->loaded.config.streams) known[stream.definition].streams.push_back(stream);
  }
  return known;
}

const source::StreamOptions* find_stream(const KnownDefinitions& known, const std::string& name) {
  for (const auto& [definition, one] : known) {
    const auto found =
        std::ranges::find(one.streams, name, [](const auto& stream) -> const std::string& { return stream.name.str(); });
    if (found != one.streams.end()) return &*found;
  }
  return nullptr;
}

const KnownDefinition* find_known(const KnownDefinitions& known, const std::string& name, const Surroundings& surroundings) {
  if (const auto found = known.find(name); found != known.end()) return &found->second;
  if (const auto* stream = find_stream(known, name); stream != nullptr) return &known.at(stream->definition);
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
