#pragma once

// What the tests of config/ share: the world the loader is shown, the files of tests/data/config, and the schema as a judge.

#include "common/json.h"
#include "config/config.h"

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace config::test {

std::filesystem::path source_directory();
std::string read_text(const std::filesystem::path& path);
// The .yaml files of a directory, sorted.
std::vector<std::filesystem::path> yaml_files(const std::filesystem::path& directory);

// The environment and the files every test file may refer to; definitions lie beside the corpus.
Sources corpus_sources();
// Loads a file of the corpus as `<stem>.yaml`, with the built-in definitions.
Loaded load_text(std::string_view yaml, const std::string& file_name = "test.yaml");
std::string problems_text(const std::vector<Problem>& problems);
// The value `config show` gives for a path; empty if there is none.
std::string shown(const Loaded& loaded, std::string_view path);

// A YAML text as the JSON an editor would check (references not resolved).
common::json::Value yaml_to_json(std::string_view yaml);
bool schema_accepts(const common::json::Value& value);

// A leaf or map of schema.json, `*` for names the user chooses.
struct SchemaKey {
  std::string path;
  common::json::Object schema;
};
std::vector<SchemaKey> schema_keys();

}  // namespace config::test
