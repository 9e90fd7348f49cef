#pragma once

// The stream definitions that are known, built-in and the user's, by name.

#include "connector/source/definition.h"

#include <map>
#include <string>

namespace connector::app {

using Definitions = std::map<std::string, source::Definition>;

}  // namespace connector::app
