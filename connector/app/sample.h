#pragma once

// `sample STREAM`: asks the service for a few records of a stream and touches nothing else.

#include "common/log.h"
#include "common/result.h"
#include "connector/app/app.h"
#include "connector/app/options.h"
#include "connector/source/sample.h"

#include <cstddef>
#include <string>

namespace connector::app {

// kConfigInvalid if there is no such stream (the message lists those there are); errors of the service as they are; bounded by
// `patience`.
common::Result<source::Sample> sample(const AppOptions& options, const Definitions& definitions, const std::string& stream,
                                      common::Interval interval, std::size_t max_records, const common::Logger& logger,
                                      common::Duration patience);

}  // namespace connector::app
