#pragma once

// The definitions a verb may name: the built-in ones and, if a configuration is given, its own, with their texts and the streams
// that use them.

#include "connector/cli/surroundings.h"
#include "connector/source/definition.h"
#include "connector/source/options.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace connector::cli {

struct KnownDefinition {
  source::Definition definition;
  std::string file;  // empty: built in
  std::string text;
  std::vector<source::StreamOptions> streams;  // of the configuration
};

// By name.
using KnownDefinitions = std::map<std::string, KnownDefinition>;

// Without a configuration (an empty path): the built-in ones. Nothing if it has problems; they are written to `err` then.
std::optional<KnownDefinitions> read_known_definitions(const std::filesystem::path& config, const Surroundings& surroundings);

// By its name or that of a stream; a null pointer, and what there is written to `err`, if neither is known.
const source::Definition* find_definition(const KnownDefinitions& known, const std::string& name,
                                          const Surroundings& surroundings);
// The stream of that name; a null pointer if there is none.
const source::StreamOptions* find_stream(const KnownDefinitions& known, const std::string& name);
const KnownDefinition* find_known(const KnownDefinitions& known, const std::string& name, const Surroundings& surroundings);

}  // namespace connector::cli
