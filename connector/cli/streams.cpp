#include "common/json.h"
#include "connector/cli/exit_code.h"
#include "connector/cli/known_definitions.h"
#include "connector/cli/verbs.h"
#include "connector/source/definition_summary.h"

#include <string>
#include <string_view>
#include <vector>

namespace connector::cli {
namespace {

std::string joined(const std::vector<std::string>& texts, std::string_view between) {
  std::string all;
  for (const auto& text : texts) all += (all.empty() ? "" : std::string(between)) + text;
  return all;
}

std::vector<std::string> lane_names(const source::Definition& definition) {
  std::vector<std::string> names;
  for (const core::Lane lane : source::lanes_of(definition)) names.emplace_back(core::to_string(lane));
  return names;
}

std::vector<std::string> stream_names(const KnownDefinition& known) {
  std::vector<std::string> names;
  for (const auto& stream : known.streams) names.push_back(stream.name.str());
  return names;
}

// What is worth knowing before one is used, a line each.
std::vector<std::string> remarks(const KnownDefinition& known) {
  const source::Definition& definition = known.definition;
  std::vector<std::string> lines;
  if (!definition.description.empty()) lines.push_back(definition.description);
  if (!definition.partial.empty()) lines.push_back("shows only a part: " + definition.partial);
  if (definition.preview) lines.emplace_back("preview: the vendor may change it at any time without notice");
  lines.push_back("permission: " +
                  (definition.permissions.empty() ? "none, as far as is known" : joined(definition.permissions, " or ")));
  if (!known.file.empty()) lines.push_back("file: " + known.file);
  if (!known.streams.empty()) lines.push_back("streams: " + joined(stream_names(known), ", "));
  return lines;
}

std::string heading(const KnownDefinition& known) {
  return known.definition.name + "  [" + std::string(source::way_of_reading(known.definition)) +
         "; lanes: " + joined(lane_names(known.definition), ", ") + "]";
}

common::json::Array array_of(const std::vector<std::string>& texts) {
  common::json::Array all;
  for (const auto& text : texts) all.emplace_back(text);
  return all;
}

common::json::Object summary(const KnownDefinition& known) {
  const source::Definition& definition = known.definition;
  return {{"name", definition.name},
          {"description", definition.description},
          {"read_as", source::way_of_reading(definition)},
          {"lanes", array_of(lane_names(definition))},
          {"preview", definition.preview},
          {"partial", definition.partial.empty() ? common::json::Value(nullptr) : common::json::Value(definition.partial)},
          {"permissions", array_of(definition.permissions)},
          {"file", known.file.empty() ? common::json::Value(nullptr) : common::json::Value(known.file)},
          {"streams", array_of(stream_names(known))}};
}

}  // namespace

int streams_list(const StreamsListCommand& command, const Surroundings& surroundings) {
  const auto known = read_known_definitions(command.config, surroundings);
  if (!known) return kConfigurationError;
  if (command.output == Output::kJson) {
    common::json::Array all;
    for (const auto& [name, one] : *known) all.push_back(summary(one));
    surroundings.out << common::json::serialize(all) << "\n";
    return kDone;
  }
  for (const auto& [name, one] : *known) {
    surroundings.out << heading(one) << "\n";
    for (const auto& line : remarks(one)) surroundings.out << "    " << line << "\n";
  }
  return kDone;
}

int streams_show(const StreamsShowCommand& command, const Surroundings& surroundings) {
  const auto known = read_known_definitions(command.config, surroundings);
  if (!known) return kConfigurationError;
  const KnownDefinition* one = find_known(*known, command.name, surroundings);
  if (one == nullptr) return kConfigurationError;
  if (command.output == Output::kJson) {
    common::json::Object shown = summary(*one);
    shown["yaml"] = one->text;
    surroundings.out << common::json::serialize(shown) << "\n";
    return kDone;
  }
  surroundings.out << "# " << heading(*one) << "\n";
  for (const auto& line : remarks(*one)) surroundings.out << "#   " << line << "\n";
  if (one->file.empty()) {
    surroundings.out << "# To change it: save this under another name (`name:`, too), and list the file under `definitions:`.\n";
  }
  surroundings.out << "\n" << one->text;
  return kDone;
}

}  // namespace connector::cli
