#include "config/config.h"
#include "config/embedded.h"

#include <cassert>
#include <string>

namespace config {

const std::map<std::string, std::string_view>& built_in_definition_texts() {
  static const std::map<std::string, std::string_view> texts = [] {
    constexpr std::string_view kSuffix = ".yaml";
    std::map<std::string, std::string_view> found;
    for (const auto& file : embedded_files()) {
      if (file.name.ends_with(kSuffix)) {
        found.emplace(file.name.substr(0, file.name.size() - kSuffix.size()), file.content);
      }
    }
    return found;
  }();
  return texts;
}

std::map<std::string, connector::source::Definition> built_in_definitions() {
  std::map<std::string, connector::source::Definition> definitions;
  for (const auto& [name, text] : built_in_definition_texts()) {
    LoadedDefinition loaded = load_definition(text, "built-in " + name);
    assert(loaded.problems.empty());
    definitions.emplace(name, std::move(loaded.definition));
  }
  return definitions;
}

std::string_view schema() {
  for (const auto& file : embedded_files()) {
    if (file.name == "schema.json") {
      return file.content;
    }
  }
  assert(false && "config/CMakeLists.txt embeds schema.json");
  return {};
}

}  // namespace config
