#pragma once

// A property that must hold for whatever rapidcheck thinks of; what breaks it is shrunk and printed. The same cases in every run,
// unless RC_PARAMS says otherwise.

#include <rapidcheck.h>
#include <cstdlib>
#include <string>
#include <utility>

namespace tests::support {

template <class Property>
bool holds_always(const std::string& description, Property&& property) {
  setenv("RC_PARAMS", "seed=20260504 max_success=150", 0);
  return rc::check(description, std::forward<Property>(property));
}

}  // namespace tests::support
