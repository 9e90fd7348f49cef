#include "config/config.h"

#include "config/checks.h"
#include "config/document.h"
#include "config/reader.h"
#include "config/sections.h"

#include <algorithm>
#include <filesystem>
#include <tuple>

namespace config {

namespace {

using namespace std::chrono_literals;

void read_metrics(Section& root, connector::observability::MetricsOptions& options) {
  if (root.is_off("metrics")) {
    options.listen.clear();
    root.scope().setting("metrics", "off", root.scope().origin(root.mark("metrics")));
    return;
  }
  Section metrics = root.section("metrics");
  metrics.text("listen", options.listen, {.check = check_listen});
  metrics.finish();
}

void read_log(Section log, common::LogOptions& options) {
  using common::LogFormat;
  using common::LogLevel;
  log.choice<LogLevel>("level", options.level,
                       {{"debug", LogLevel::kDebug},
                        {"info", LogLevel::kInfo},
                        {"warn", LogLevel::kWarn},
                        {"error", LogLevel::kError},
                        {"off", LogLevel::kOff}});
  log.choice<LogFormat>("format", options.format, {{"json", LogFormat::kJson}, {"text", LogFormat::kText}});
  log.finish();
}

void read_root(Section root, Loaded& loaded) {
  Config& config = loaded.config;
  // Topics add up to 13 characters to it (`-dead-letters`) and end at 249.
  constexpr std::size_t kLongestName = 200;
  std::string name;
  root.text("name", name,
            {.need = Need::kRequired, .check = [](const std::string& text) { return check_name(text, kLongestName); }});
  config.name = connector::core::ConnectorName(name);
  read_genesys(root.section("genesys", Need::kRequired), config.genesys);
  read_kafka(root.section("kafka", Need::kRequired), config.name, config.kafka);
  read_definitions(root, loaded.definitions, loaded.definition_files);
  read_streams(root, loaded.definitions, config);
  read_metrics(root, config.metrics);
  read_log(root.section("log"), config.log);
  Section shutdown = root.section("shutdown");
  shutdown.duration("grace", config.shutdown_grace, {.min = 0ms, .max = 1h});
  shutdown.finish();
  root.boolean("core_dumps", config.core_dumps);
  root.finish({{.key = "admin"}});
}

}  // namespace

std::string Problem::to_string() const {
  std::string text = file;
  if (line > 0) {
    text += ":" + std::to_string(line) + ":" + std::to_string(column);
  }
  for (const auto* part : {&path, &value, &message}) {
    if (!part->empty()) {
      text += ": " + *part;
    }
  }
  return text;
}

Loaded load(std::string_view yaml, const std::string& file_name, const Sources& sources,
            const std::map<std::string, connector::source::Definition>& definitions) {
  Loaded loaded;
  loaded.definitions = definitions;
  Scope scope;
  scope.file = file_name;
  scope.directory = std::filesystem::path(file_name).parent_path().string();
  scope.sources = &sources;

  const Document document = parse_document(yaml);
  for (const auto& fault : document.faults) {
    scope.problem(fault.mark, fault.path, fault.value, fault.message);
  }
  if (document.root != nullptr) {
    if (document.root->kind != Node::Kind::kMap) {
      scope.problem(document.root->mark, "", "",
                    "a configuration is expected, not " + std::string(describe(*document.root)) +
                        " (allowed: a map with name, genesys, kafka, streams)");
    } else {
      read_root(Section(scope, document.root, document.root->mark, "", ""), loaded);
    }
  }

  // The configuration's own problems first, each file's from top to bottom.
  std::ranges::sort(scope.problems, {}, [&](const Problem& problem) {
    return std::tuple(problem.file != file_name, problem.file, problem.line, problem.column, problem.path, problem.message);
  });
  loaded.problems = std::move(scope.problems);
  loaded.settings = std::move(scope.settings);
  loaded.warnings = std::move(scope.warnings);
  loaded.known_paths.assign(scope.known.begin(), scope.known.end());
  return loaded;
}

}  // namespace config
