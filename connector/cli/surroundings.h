#pragma once

// What a verb may see of the outside; main fills it, tests replace it.

#include "common/result.h"

#include <functional>
#include <map>
#include <optional>
#include <ostream>
#include <string>

namespace connector::cli {

struct Surroundings {
  std::map<std::string, std::string> environment;
  std::function<common::Result<std::string>(const std::string& path)> read_file;
  // Asks the person at the terminal; nothing if there is none.
  std::function<std::optional<bool>(const std::string& question)> confirm;
  std::ostream& out;      // results
  std::ostream& err;      // problems
  bool terminal = false;  // `err` is one
};

}  // namespace connector::cli
