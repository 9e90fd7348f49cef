#include "connector/app/sample.h"

#include "common/clock.h"
#include "connector/cli/configuration.h"
#include "connector/cli/exit_code.h"
#include "connector/cli/verbs.h"

#include <chrono>

namespace connector::cli {
namespace {

constexpr common::Duration kPatience = std::chrono::minutes(2);

common::Result<common::Interval> interval_of(const SampleCommand& command, common::Instant now) {
  common::Interval interval{.start = now - std::chrono::hours(1), .end = now};
  if (!command.to.empty()) {
    const auto to = common::parse_instant(command.to);
    if (!to) return common::fail(common::with_context(to.error(), "--to"));
    interval = {.start = *to - std::chrono::hours(1), .end = *to};
  }
  if (!command.from.empty()) {
    const auto from = common::parse_instant(command.from);
    if (!from) return common::fail(common::with_context(from.error(), "--from"));
    interval.start = *from;
  }
  if (interval.empty()) return common::fail(common::ErrorCode::kConfigInvalid, "--from must be before --to");
  return interval;
}

}  // namespace

int sample(const SampleCommand& command, const Surroundings& surroundings) {
  const auto configuration = read_configuration(command.config, surroundings);
  if (!configuration) return kConfigurationError;
  const auto interval = interval_of(command, common::SystemClock().utc_now());
  if (!interval) {
    surroundings.err << interval.error().message << "\n";
    return kConfigurationError;
  }

  const auto& options = configuration->loaded.config;
  const auto logger = common::Logger::to_stderr({.level = common::LogLevel::kWarn, .format = options.log.format});
  const auto sample =
      app::sample(options, configuration->definitions, command.stream, *interval, command.max_records, logger, kPatience);
  if (!sample) {
    surroundings.err << sample.error().message << "\n";
    return exit_code_of(sample.error());
  }
  for (const auto& record : sample->records) surroundings.out << record.value << "\n";
  surroundings.err << sample->records.size() << " record(s) of " << common::format_interval(*interval);
  if (sample->total) surroundings.err << ", " << *sample->total << " in all as the service says";
  if (sample->without_key > 0) surroundings.err << ", " << sample->without_key << " without a key (they would be dead-lettered)";
  surroundings.err << ", " << sample->pages << " request(s)\n";
  for (const auto& pointer : sample->unmatched) surroundings.err << pointer << " has matched nothing in them\n";
  return kDone;
}

}  // namespace connector::cli
