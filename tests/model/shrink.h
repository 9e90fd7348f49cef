#pragma once

// A failing scenario made smaller: fewer conversations, versions and faults, as long as a guarantee of the same name is broken.

#include "tests/model/run.h"

#include <cstdint>
#include <string_view>

namespace tests::model {

struct Shrunk {
  Scenario scenario;
  std::uint64_t attempt = 0;  // its dice
};

Shrunk shrink(Scenario scenario, std::string_view broken);

}  // namespace tests::model
