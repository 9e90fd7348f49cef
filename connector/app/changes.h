#pragma once

// What a changed configuration will do to the state that the former one has made. From the two configurations alone; what only
// the service or the cluster knows (whether another client id is of the same organisation) is said as a condition. Pure
// functions.

#include "common/instant.h"
#include "connector/app/definitions.h"
#include "connector/app/options.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace connector::app {

struct Configured {
  const AppOptions& options;
  const Definitions& definitions;
  std::map<std::string, std::string> settings;  // effective, by path; secrets masked
};

enum class Effect : std::uint8_t {
  kNoEffect,   // only what does not exist yet would take it
  kFromNow,    // counts from the next start; no state is touched
  kReads,      // something is read that was read before, or was not yet; only what changed is published
  kPublishes,  // what is read is published though its content is known
  kNewState,   // begins without the state there is
  kStops,      // a stream is stopped at the start, the others run
  kRefuses,    // the start is refused
};
std::string_view to_string(Effect effect);  // "from now" …

struct Change {
  std::string path;  // of a setting, or of what it amounts to: `streams.conversations`
  std::string before;
  std::string after;
  Effect effect = Effect::kFromNow;
  std::string consequence;  // for people, with the remedy if there has to be one
};

// The gravest first. `now`: where ages begin that are new.
std::vector<Change> compare(const Configured& before, const Configured& after, common::Instant now);

}  // namespace connector::app
