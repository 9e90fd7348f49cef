// docs/configuration.md names every key with its default, and nothing that is not there.

#include "tests/unit/config/support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <sstream>

namespace config::test {
namespace {

// The rows of its tables: | `path` | type | default | meaning |.
std::map<std::string, std::string> documented() {
  std::map<std::string, std::string> rows;
  std::istringstream lines(read_text(source_directory() / "docs/configuration.md"));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) {
      continue;
    }
    std::vector<std::string> cells;
    std::istringstream row(line.substr(1));
    for (std::string cell; std::getline(row, cell, '|');) {
      const auto first = cell.find_first_not_of(" `");
      const auto last = cell.find_last_not_of(" `");
      cells.push_back(first == std::string::npos ? std::string() : cell.substr(first, last - first + 1));
    }
    EXPECT_GE(cells.size(), 4U) << line;
    std::string path = cells.at(0);
    if (const auto at = path.find("<name>"); at != std::string::npos) {
      path.replace(at, 6, "*");
    }
    EXPECT_TRUE(rows.emplace(path, cells.at(2)).second) << path << " stands twice";
  }
  return rows;
}

bool is_leaf(const std::vector<SchemaKey>& keys, const std::string& path) {
  return std::ranges::none_of(keys, [&](const SchemaKey& key) { return key.path.starts_with(path + "."); });
}

TEST(ConfigurationReference, NamesEveryKeyAndNoOther) {
  const auto keys = schema_keys();
  std::set<std::string> leaves;
  for (const auto& key : keys) {
    if (is_leaf(keys, key.path)) {
      leaves.insert(key.path);
    }
  }
  std::set<std::string> rows;
  for (const auto& [path, cell] : documented()) {
    rows.insert(path);
  }

  EXPECT_EQ(rows, leaves);
}

TEST(ConfigurationReference, NamesTheDefaultsOfTheLoader) {
  Loaded loaded = load_text(read_text(source_directory() / "tests/data/config/good/minimal.yaml"));
  // A stream has windows or is a snapshot.
  for (auto& setting : load_text(read_text(source_directory() / "tests/data/config/good/snapshot-defaults.yaml")).settings) {
    if (setting.path.contains(".snapshot.")) {
      loaded.settings.push_back(std::move(setting));
    }
  }
  const auto rows = documented();
  int compared = 0;
  for (const auto& setting : loaded.settings) {
    if (setting.origin != "default" || setting.value.starts_with('(') || setting.value == "{}") {
      continue;
    }
    if (setting.path.ends_with("page_size")) {
      continue;  // the definition's
    }
    std::string path = setting.path;
    if (path.starts_with("streams.conversations.")) {
      path.replace(0, std::string("streams.conversations").size(), "streams.*");
    }
    const auto row = rows.find(path);
    ASSERT_NE(row, rows.end()) << path;
    EXPECT_EQ(row->second, setting.value) << path;
    ++compared;
  }
  EXPECT_GT(compared, 40);
}

TEST(StreamDefinitionsReference, NamesEveryBuiltInDefinition) {
  const std::string text = read_text(source_directory() / "docs/stream-definitions.md");
  for (const auto& [name, definition] : built_in_definition_texts()) {
    EXPECT_NE(text.find("`" + name + "`"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace config::test
