#pragma once

// What an operator asks for, against what the service keeps (`window.retention`, streams.<name>.retention). Pure functions; what
// becomes of a lane that has fallen behind it is core::beyond_reach's decision.

#include "common/instant.h"
#include "common/result.h"
#include "connector/source/options.h"

#include <optional>
#include <string>
#include <string_view>

namespace connector::app {

// What is wrong with the configured start of a stream that begins now; nothing: everything from there on can be read, or `now`.
std::optional<std::string> problem_of_start(const source::StreamOptions& stream, common::Instant now);

// From when on a range of this stream can be asked for; none: no bound is known.
std::optional<common::Instant> readable_from(const source::StreamOptions& stream, common::Instant now);

// kConfigInvalid, with the earliest instant there is, if the range begins before it.
common::Result<void> check_readable(const source::StreamOptions& stream, const common::Interval& range, common::Instant now);

}  // namespace connector::app
