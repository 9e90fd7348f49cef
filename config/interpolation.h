#pragma once

// ${env:NAME}, ${env:NAME:-default}, ${file:/path} inside the values of a configuration; $${ stands for ${. What is put in is not
// looked at again. Pure: the environment and the file reader are passed in.

#include "common/result.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace config {

struct Interpolated {
  std::string text;
  bool changed = false;                   // something was put in
  bool from_file = false;                 // … from a file: then the value is never shown
  std::optional<std::string> whole_file;  // the value is one file reference and nothing else: its path
  std::string origin;                     // "environment X", "default of environment X", "file /run/x"; empty if unchanged
};

using ReadFile = std::function<common::Result<std::string>(const std::string& path)>;

// `directory` is what a relative path in a file reference starts from (may be empty). kConfigInvalid says what cannot be had.
common::Result<Interpolated> interpolate(std::string_view text, const std::map<std::string, std::string>& environment,
                                         const ReadFile& read_file, const std::string& directory);

// `path` below `directory` unless it is absolute.
std::string resolve_path(const std::string& directory, const std::string& path);

}  // namespace config
