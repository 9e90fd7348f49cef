#pragma once

// A hash of settings that stands in stored state, so that a change of them is noticed. Pure.

#include "common/json.h"

#include <string>

namespace connector::source {

// 32 hexadecimal digits behind the version of the algorithm: `1:…`. The order of an object's members does not count.
std::string fingerprint(const common::json::Value& settings);

}  // namespace connector::source
