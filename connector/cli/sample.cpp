#include "connector/app/sample.h"

#include "common/clock.h"
#include "common/json.h"
#include "connector/cli/configuration.h"
#include "connector/cli/exit_code.h"
#include "connector/cli/known_definitions.h"
#include "connector/cli/verbs.h"
#include "connector/source/saved_answer.h"

#include <algorithm>
#include <chrono>
#include <span>

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

// One line a record: as it would be published; in JSON with what the definition finds in it.
void print_records(std::span<const source::SampledRecord> records, Output output, std::ostream& out) {
  for (const auto& record : records) {
    if (output == Output::kText) {
      out << record.value << "\n";
      continue;
    }
    common::json::Object facts{{"key", record.key}};
    if (record.start) facts["start"] = common::format_instant(*record.start);
    if (record.end) facts["end"] = common::format_instant(*record.end);
    if (record.open) facts["open"] = *record.open;
    std::string line = common::json::serialize(facts);
    line.back() = ',';
    out << line << "\"value\":" << record.value << "}\n";  // its own bytes
  }
}

std::optional<source::AnswerOf> answer_of(std::optional<SavedForm> form) {
  if (!form) return std::nullopt;
  switch (*form) {
    case SavedForm::kQuery:
      return source::AnswerOf::kQuery;
    case SavedForm::kJob:
      return source::AnswerOf::kJob;
    case SavedForm::kById:
      return source::AnswerOf::kById;
  }
  return std::nullopt;
}

int sample_saved(const SampleCommand& command, const Surroundings& surroundings) {
  const auto known = read_known_definitions(command.config, surroundings);
  if (!known) return kConfigurationError;
  // A stream's own projection and redaction hold here, too.
  const auto* stream = find_stream(*known, command.stream);
  const auto* named =
      stream != nullptr ? &known->at(stream->definition).definition : find_definition(*known, command.stream, surroundings);
  if (named == nullptr) return kConfigurationError;
  auto text = surroundings.read_file(command.against.string());
  if (!text) {
    surroundings.err << command.against.string() << ": cannot be read: " << text.error().message << "\n";
    return kConfigurationError;
  }
  const auto answer = source::read_saved_answer(*named, stream != nullptr ? *stream : source::StreamOptions{},
                                                answer_of(command.form), std::move(*text));
  if (!answer) {
    surroundings.err << command.against.string() << ": " << answer.error().message << "\n";
    return exit_code_of(answer.error());
  }
  const auto shown = std::min<std::uint64_t>(answer->records.size(), command.max_records);
  print_records(std::span(answer->records).first(shown), command.output, surroundings.out);
  auto& err = surroundings.err;
  err << answer->records.size() << " record(s)";
  if (shown < answer->records.size()) err << ", the first " << shown << " shown";
  if (answer->elements != answer->records.size()) err << ", of " << answer->elements << " element(s) that are paged through";
  if (answer->total) err << ", " << *answer->total << " in all as the service says";
  if (answer->next) err << ", goes on at " << *answer->next;
  err << "\n";
  if (answer->repeated > 0) {
    err << answer->repeated << " record(s) have the key of another one: of those only one would be published\n";
  }
  for (const auto& letter : answer->dead_letters) err << "dead letter: " << letter << "\n";
  for (const auto& pointer : answer->unmatched) err << pointer << " has matched nothing in them\n";
  return kDone;
}

}  // namespace

int sample(const SampleCommand& command, const Surroundings& surroundings) {
  if (!command.against.empty()) return sample_saved(command, surroundings);
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
  print_records(sample->records, command.output, surroundings.out);
  surroundings.err << sample->records.size() << " record(s) of " << common::format_interval(*interval);
  if (sample->total) surroundings.err << ", " << *sample->total << " in all as the service says";
  if (sample->without_key > 0) surroundings.err << ", " << sample->without_key << " without a key (they would be dead-lettered)";
  surroundings.err << ", " << sample->pages << " request(s)\n";
  for (const auto& pointer : sample->unmatched) surroundings.err << pointer << " has matched nothing in them\n";
  return kDone;
}

}  // namespace connector::cli
