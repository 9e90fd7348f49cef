#include "connector/app/sample.h"

#include "connector/app/one_shot.h"
#include "connector/app/retention.h"

#include <algorithm>
#include <utility>

namespace connector::app {

common::Result<source::Sample> sample(const AppOptions& options, const Definitions& definitions, const std::string& stream,
                                      common::Interval interval, std::size_t max_records, const common::Logger& logger,
                                      common::Duration patience) {
  const auto found = std::ranges::find_if(options.streams, [&](const auto& candidate) { return candidate.name.str() == stream; });
  if (found == options.streams.end()) {
    std::string known;
    for (const auto& candidate : options.streams) known += (known.empty() ? "" : ", ") + candidate.name.str();
    return common::fail(common::ErrorCode::kConfigInvalid,
                        "there is no stream " + stream + " in the configuration (streams: " + known + ")");
  }
  auto one_shot = OneShot::make(options, logger, patience);
  if (!one_shot) return common::fail(one_shot.error());
  if (auto readable = check_readable(*found, interval, (*one_shot)->clock().utc_now(), core::RecordForm::kQuery); !readable) {
    return common::fail(readable.error());
  }
  return (*one_shot)->ask(source::sample(definitions.at(found->definition), *found, (*one_shot)->api(), interval, max_records));
}

}  // namespace connector::app
