#pragma once

// The whole configuration as typed options, and the loader that fills it from YAML: strict, and every problem at once. yaml-cpp
// stops here. Pure: the environment and a file reader are passed in. Any thread.

#include "common/result.h"
#include "connector/app/options.h"
#include "connector/source/definition.h"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace config {

// What a configuration amounts to: the options of the application, each part in its module's own words.
using Config = connector::app::AppOptions;

// One thing wrong with a file. `path` is the place in the document (`streams.conversations.live.every`).
struct Problem {
  std::string file;
  int line = 0;  // from 1; 0 if there is no place
  int column = 0;
  std::string path;
  std::string value;    // as written; *** if it is a secret
  std::string message;  // what is wrong and what is allowed

  // `file:line:column: path: value: message`
  [[nodiscard]] std::string to_string() const;
};

// An effective setting for `config show`: masked if secret; origin is `file:line`, `default`, `region table`.
struct Setting {
  std::string path;
  std::string value;
  std::string origin;
};

// A file of `definitions:` as it was read.
struct DefinitionFile {
  std::string file;
  std::string text;
};

struct Loaded {
  Config config;  // meaningful only if there are no problems
  // Those given to load() and those of the files under `definitions:`; every stream's definition is among them.
  std::map<std::string, connector::source::Definition> definitions;
  std::map<std::string, DefinitionFile> definition_files;  // of those that are not built in
  std::vector<Problem> problems;
  std::vector<Setting> settings;      // every leaf, in document order
  std::vector<std::string> warnings;  // accepted, but worth saying
  // Every key that was looked for, with * for names the user chooses: tests hold schema.json and the documentation to it.
  std::vector<std::string> known_paths;
};

// How the loader sees the world.
struct Sources {
  std::map<std::string, std::string> environment;
  // Contents of a file named by ${file:…}; the error says why it cannot be read.
  std::function<common::Result<std::string>(const std::string& path)> read_file;
};

Loaded load(std::string_view yaml, const std::string& file_name, const Sources& sources,
            const std::map<std::string, connector::source::Definition>& definitions);

struct LoadedDefinition {
  connector::source::Definition definition;
  std::vector<Problem> problems;
};
LoadedDefinition load_definition(std::string_view yaml, const std::string& file_name);

// The definitions that ship with the binary (config/streams/*.yaml, embedded at build time), by name.
const std::map<std::string, std::string_view>& built_in_definition_texts();
// All of them loaded; a built-in with a problem is a bug and asserted by a test.
std::map<std::string, connector::source::Definition> built_in_definitions();

// config/schema.json, embedded.
std::string_view schema();

}  // namespace config
