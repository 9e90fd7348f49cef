// The files under tests/data/config: what the loader says about each, and whether the schema says the same.

#include "tests/unit/config/support.h"

#include "config/document.h"
#include "config/reader.h"
#include "config/sections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace config::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::filesystem::path corpus() {
  return source_directory() / "tests/data/config";
}

std::string case_name(const ::testing::TestParamInfo<std::filesystem::path>& info) {
  std::string name = info.param.stem().string();
  std::ranges::replace(name, '-', '_');
  std::ranges::replace(name, '.', '_');
  return name;
}

Loaded load_file(const std::filesystem::path& path) {
  return load_text(read_text(path), path.filename().string());
}

// Files whose fault a schema cannot see: it depends on another key, on the environment, a file or a definition, or it is not a
// question of structure.
std::set<std::string> loader_only() {
  std::set<std::string> names;
  std::istringstream lines(read_text(corpus() / "loader-only.txt"));
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && !line.starts_with('#')) {
      names.insert(line);
    }
  }
  return names;
}

class GoodFile : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(GoodFile, IsAcceptedByLoaderAndSchema) {
  const Loaded loaded = load_file(GetParam());

  EXPECT_EQ(problems_text(loaded.problems), "");
  EXPECT_TRUE(schema_accepts(yaml_to_json(read_text(GetParam()))));
}

TEST_P(GoodFile, ShowsNoSecret) {
  const Loaded loaded = load_file(GetParam());

  for (const auto& setting : loaded.settings) {
    EXPECT_THAT(setting.value, Not(HasSubstr("s3cr3t"))) << setting.path;
  }
  EXPECT_THAT(loaded.settings, Not(IsEmpty()));
}

INSTANTIATE_TEST_SUITE_P(Corpus, GoodFile, ::testing::ValuesIn(yaml_files(corpus() / "good")), case_name);

class BadFile : public ::testing::TestWithParam<std::filesystem::path> {};

// GK_UPDATE_EXPECTED=1 writes the files anew, to be read before they are committed.
TEST_P(BadFile, IsRefusedAsExpected) {
  const std::string said = problems_text(load_file(GetParam()).problems);

  auto expected_file = GetParam();
  expected_file.replace_extension(".expected");
  if (std::getenv("GK_UPDATE_EXPECTED") != nullptr) {
    std::ofstream(expected_file) << said;
  }
  EXPECT_NE(said, "");
  EXPECT_EQ(said, read_text(expected_file));
  EXPECT_THAT(said, Not(HasSubstr("s3cr3t")));
  EXPECT_THAT(said, Not(HasSubstr("hunter2")));
}

TEST_P(BadFile, IsRefusedByTheSchemaUnlessOnlyTheLoaderCanTell) {
  const std::string name = GetParam().stem().string();
  const Document document = parse_document(read_text(GetParam()));
  if (!document.faults.empty()) {
    EXPECT_FALSE(loader_only().contains(name)) << "a file that is no document is judged by no schema";
    return;
  }

  EXPECT_EQ(schema_accepts(yaml_to_json(read_text(GetParam()))), loader_only().contains(name));
}

INSTANTIATE_TEST_SUITE_P(Corpus, BadFile, ::testing::ValuesIn(yaml_files(corpus() / "bad")), case_name);

TEST(LoaderOnlyList, NamesFilesOfTheCorpus) {
  for (const auto& name : loader_only()) {
    EXPECT_TRUE(std::filesystem::exists(corpus() / "bad" / (name + ".yaml"))) << name;
  }
}

class Example : public ::testing::TestWithParam<std::filesystem::path> {};

// The examples name files and variables of the user's machine: here each has some value.
Sources obliging_sources() {
  Sources sources = corpus_sources();
  sources.environment["KAFKA_BOOTSTRAP_SERVERS"] = "kafka-1:9092";
  sources.environment["GENESYS_REGION"] = "eu-central-1";
  sources.environment["GENESYS_CLIENT_SECRET"] = "s3cr3t";
  sources.read_file = [](const std::string& path) -> common::Result<std::string> {
    return path.ends_with(".yaml") ? read_text(path) : "content of " + path;
  };
  return sources;
}

TEST_P(Example, LoadsAndFitsTheSchema) {
  const std::string text = read_text(GetParam());

  const Loaded loaded = load(text, GetParam().string(), obliging_sources(), built_in_definitions());

  EXPECT_EQ(problems_text(loaded.problems), "");
  EXPECT_THAT(loaded.warnings, IsEmpty());
  EXPECT_TRUE(schema_accepts(yaml_to_json(text)));
}

INSTANTIATE_TEST_SUITE_P(Config, Example, ::testing::ValuesIn(yaml_files(source_directory() / "config/examples")), case_name);

TEST(Schema, KnowsExactlyTheKeysTheLoaderKnows) {
  std::set<std::string> loader;
  for (const auto& file : yaml_files(corpus() / "good")) {
    const Loaded loaded = load_file(file);
    loader.insert(loaded.known_paths.begin(), loaded.known_paths.end());
  }
  std::set<std::string> in_schema;
  for (const auto& key : schema_keys()) {
    in_schema.insert(key.path);
  }

  EXPECT_EQ(loader, in_schema);
}

TEST(Schema, DescribesEveryKey) {
  for (const auto& key : schema_keys()) {
    EXPECT_TRUE(key.schema.contains("description") || key.schema.contains("$ref")) << key.path;
  }
}

TEST(Schema, NamesTheDefaultsOfTheLoader) {
  Loaded loaded = load_file(corpus() / "good/minimal.yaml");
  // A stream has windows or is a snapshot.
  for (auto& setting : load_file(corpus() / "good/snapshot-defaults.yaml").settings) {
    if (setting.path.contains(".snapshot.")) {
      loaded.settings.push_back(std::move(setting));
    }
  }
  std::map<std::string, std::string> defaults;
  for (const auto& setting : loaded.settings) {
    if (setting.origin == "default") {
      std::string path = setting.path;
      if (const auto at = path.find("streams.conversations"); at == 0) {
        path.replace(0, std::string("streams.conversations").size(), "streams.*");
      }
      defaults[path] = setting.value;
    }
  }
  int compared = 0;
  for (const auto& key : schema_keys()) {
    const auto* value = key.schema.if_contains("default");
    if (value == nullptr) {
      continue;
    }
    std::string text;
    if (value->is_string()) {
      text = value->as_string();
    } else if (value->is_array()) {
      for (const auto& element : value->as_array()) {
        text += (text.empty() ? "" : ", ") + std::string(element.as_string());
      }
      text = "[" + text + "]";
    } else {
      text = common::json::serialize(*value);
      text = value->is_double() ? format_number(value->as_double()) : text;
    }
    EXPECT_EQ(defaults[key.path], text) << key.path;
    ++compared;
  }
  EXPECT_GT(compared, 40);
}

TEST(Schema, RefusesTheLibrdkafkaPropertiesTheLoaderRefuses) {
  std::set<std::string> in_schema;
  for (const auto& key : schema_keys()) {
    if (key.path == "kafka.librdkafka") {
      for (const auto& name : key.schema.at("propertyNames").as_object().at("not").as_object().at("enum").as_array()) {
        in_schema.emplace(name.as_string());
      }
    }
  }
  const auto refused = refused_librdkafka_properties();

  EXPECT_EQ(in_schema, std::set<std::string>(refused.begin(), refused.end()));
}

}  // namespace
}  // namespace config::test
