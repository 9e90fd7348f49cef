#include "tests/unit/config/support.h"

#include "config/document.h"
#include "config/reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <fstream>
#include <iterator>
#include <sstream>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

namespace config::test {

namespace json = common::json;

std::filesystem::path source_directory() {
  return GK_SOURCE_DIR;
}

std::string read_text(const std::filesystem::path& path) {
  std::ifstream input(path, std::ios::binary);
  EXPECT_TRUE(input) << path;
  return {std::istreambuf_iterator<char>(input), {}};
}

std::vector<std::filesystem::path> yaml_files(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() == ".yaml") {
      files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  return files;
}

Sources corpus_sources() {
  const std::map<std::string, std::string> files{
      {"/run/secrets/genesys", "s3cr3t-genesys\n"},
      {"/run/secrets/kafka", "s3cr3t-kafka\n"},
      {"/run/secrets/refresh", "s3cr3t-refresh\r\n"},
      {"/run/secrets/pseudonyms", "s3cr3t-pseudonyms-0123456789\n"},
      {"/run/secrets/empty", "\n"},
      {"/etc/ssl/corp.pem", "-----BEGIN CERTIFICATE-----\n"},
      {"/etc/ssl/client.pem", "-----BEGIN CERTIFICATE-----\n"},
      {"/etc/ssl/client.key", "-----BEGIN PRIVATE KEY-----\n"},
      {"own-queues.yaml", read_text(source_directory() / "tests/data/config/own-queues.yaml")},
      {"queue-state.yaml", read_text(source_directory() / "tests/data/config/queue-state.yaml")},
      {"queue-metrics.yaml", read_text(source_directory() / "tests/data/config/queue-metrics.yaml")},
      {"wrong-records.yaml", read_text(source_directory() / "tests/data/config/wrong-records.yaml")},
      {"exports.yaml", read_text(source_directory() / "tests/data/config/exports.yaml")},
      {"wrong-definition.yaml", read_text(source_directory() / "tests/data/config/wrong-definition.yaml")},
  };
  return Sources{
      .environment = {{"GENESYS_CLIENT_ID", "3f2c1d40"},
                      {"GENESYS_SECRET", "s3cr3t-environment"},
                      {"HTTPS_PROXY", "http://user:s3cr3t%20proxy@proxy.example.com:3128"},
                      {"NAME_PART", "acme"},
                      {"REGION", "eu-west-1"},
                      {"SHARE", "0.25"},
                      {"COUNT", "1000"},
                      {"WAIT", "2s"},
                      {"FLAG", "false"},
                      {"BROKERS", "kafka-1:9092"},
                      {"SIZE", "32MiB"},
                      {"EMPTY", ""}},
      .read_file = [files](const std::string& path) -> common::Result<std::string> {
        const auto found = files.find(path);
        if (found == files.end()) {
          return common::fail(common::ErrorCode::kConfigInvalid, "No such file or directory");
        }
        return found->second;
      },
  };
}

Loaded load_text(std::string_view yaml, const std::string& file_name) {
  return load(yaml, file_name, corpus_sources(), built_in_definitions());
}

std::string problems_text(const std::vector<Problem>& problems) {
  std::string text;
  for (const auto& problem : problems) {
    text += problem.to_string() + "\n";
  }
  return text;
}

std::string shown(const Loaded& loaded, std::string_view path) {
  const auto found = std::ranges::find(loaded.settings, path, &Setting::path);
  return found == loaded.settings.end() ? std::string() : found->value;
}

json::Value yaml_to_json(std::string_view yaml) {
  const Document document = parse_document(yaml);
  EXPECT_TRUE(document.faults.empty() && document.root != nullptr);
  Scope scope;
  bool from_file = false;
  return document.root == nullptr ? json::Value() : to_json(scope, *document.root, "", from_file);
}

namespace {

json::Value schema_json() {
  auto parsed = json::parse(schema());
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  return parsed ? *parsed : json::Value();
}

void collect(const json::Object& root, const json::Object& schema, const std::string& path, std::vector<SchemaKey>& keys) {
  if (const auto* reference = schema.if_contains("$ref")) {
    const std::string name(reference->as_string().subview(std::string_view("#/definitions/").size()));
    collect(root, root.at("definitions").as_object().at(name).as_object(), path, keys);
    return;
  }
  for (const std::string_view combined : {"allOf", "anyOf"}) {
    if (const auto* parts = schema.if_contains(combined)) {
      for (const auto& part : parts->as_array()) {
        collect(root, part.as_object(), path, keys);
      }
    }
  }
  const auto child = [&](const std::string& name, const json::Object& inner) {
    const std::string inner_path = path.empty() ? name : path + "." + name;
    keys.push_back({inner_path, inner});
    collect(root, inner, inner_path, keys);
  };
  if (const auto* properties = schema.if_contains("properties")) {
    for (const auto& [name, inner] : properties->as_object()) {
      child(std::string(name), inner.as_object());
    }
  }
  if (const auto* others = schema.if_contains("additionalProperties"); others != nullptr && others->is_object()) {
    child("*", others->as_object());
  }
}

}  // namespace

bool schema_accepts(const json::Value& value) {
  static const json::Value document = schema_json();
  static const valijson::Schema& schema = [&]() -> const valijson::Schema& {
    static valijson::Schema parsed;
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.populateSchema(valijson::adapters::BoostJsonAdapter(document), parsed);
    return parsed;
  }();
  valijson::Validator validator(valijson::Validator::kStrongTypes);
  return validator.validate(schema, valijson::adapters::BoostJsonAdapter(value), nullptr);
}

std::vector<SchemaKey> schema_keys() {
  std::vector<SchemaKey> keys;
  const json::Value document = schema_json();
  collect(document.as_object(), document.as_object(), "", keys);
  return keys;
}

}  // namespace config::test
