#pragma once

// Reads the configuration file of a verb, with what belongs to the environment (proxies) filled in, and tells every problem at
// once.

#include "config/config.h"
#include "connector/cli/surroundings.h"
#include "connector/source/definition.h"

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace connector::cli {

struct Configuration {
  config::Loaded loaded;
  std::map<std::string, source::Definition> definitions;
};

// Nothing if there are problems; they have been written to `err` then, one a line, and the exit code is 2.
std::optional<Configuration> read_configuration(const std::filesystem::path& file, const Surroundings& surroundings);

}  // namespace connector::cli
