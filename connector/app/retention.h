#pragma once

// What an operator asks for, against what the service keeps (`window.retention`, streams.<name>.retention). Pure functions; what
// becomes of a lane that has fallen behind it is core::beyond_reach's decision.

#include "common/instant.h"
#include "common/result.h"
#include "connector/core/ports/publisher.h"
#include "connector/source/options.h"

#include <optional>
#include <string>
#include <string_view>

namespace connector::app {

// How long the service keeps what it is asked for in this form; 0: no bound is known.
common::Duration kept(const source::StreamOptions& stream, core::RecordForm form);
// By what a stream that begins now is read from its start on: by jobs, unless it has none.
core::RecordForm form_of_history(const source::StreamOptions& stream);

// What is wrong with the configured start of a stream that begins now; nothing: everything from there on can be read, or `now`.
// Here and below what is proposed instead is not refused for some time to come.
std::optional<std::string> problem_of_start(const source::StreamOptions& stream, common::Instant now);

// From when on a range of this stream can be asked for; none: no bound is known.
std::optional<common::Instant> readable_from(const source::StreamOptions& stream, common::Instant now, core::RecordForm form);

// kConfigInvalid, with an instant to begin at, if the range begins before what can be read.
common::Result<void> check_readable(const source::StreamOptions& stream, const common::Interval& range, common::Instant now,
                                    core::RecordForm form);

}  // namespace connector::app
