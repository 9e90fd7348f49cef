#pragma once

// What a definition amounts to for whoever chooses one: how it is read, and by which lanes. Pure.

#include "connector/core/names.h"
#include "connector/source/definition.h"

#include <string_view>
#include <vector>

namespace connector::source {

// "query", "job", "query and job", "figures" (buckets of time) or "state" (as it is now): docs/stream-definitions.md.
std::string_view way_of_reading(const Definition& definition);
// Those that a stream of it can have, in order of precedence.
std::vector<core::Lane> lanes_of(const Definition& definition);

}  // namespace connector::source
