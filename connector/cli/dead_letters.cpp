#include "connector/app/dead_letters.h"

#include "common/json.h"
#include "connector/cli/configuration.h"
#include "connector/cli/dead_letter_table.h"
#include "connector/cli/exit_code.h"
#include "connector/cli/takeover.h"
#include "connector/cli/verbs.h"

#include <fmt/format.h>
#include <algorithm>
#include <optional>
#include <utility>

namespace connector::cli {
namespace {

using common::ErrorCode;
using common::Result;

Result<std::optional<common::Instant>> instant_of(std::string_view option, const std::string& text) {
  if (text.empty()) return std::optional<common::Instant>{};
  const auto instant = common::parse_instant(text);
  if (!instant) return common::fail(common::with_context(instant.error(), option));
  return std::optional{*instant};
}

Result<core::DeadLetterSelection> selection_of(const DeadLettersChoice& choice) {
  const auto from = instant_of("--from", choice.from);
  if (!from) return common::fail(from.error());
  const auto to = instant_of("--to", choice.to);
  if (!to) return common::fail(to.error());
  if (*from && *to && **from >= **to) return common::fail(ErrorCode::kConfigInvalid, "--from must be before --to");
  return core::DeadLetterSelection{.stream = choice.stream, .reason = choice.reason, .keys = {}, .from = *from, .to = *to};
}

common::Logger logger_of(const Configuration& configuration) {
  return common::Logger::to_stderr({.level = common::LogLevel::kWarn, .format = configuration.loaded.config.log.format});
}

int refused(const Surroundings& surroundings, const common::Error& error) {
  surroundings.err << error.message << "\n";
  return exit_code_of(error);
}

// What the retry means for whoever owns the task.
std::string question(std::size_t records, const std::optional<core::Claim>& previous, kafka::Delivery delivery) {
  std::string text = fmt::format("{} record(s) are read again and published. This takes the task over.", records);
  if (previous) {
    text += fmt::format(" It was last claimed on host {} at {}.", previous->host, common::format_instant(previous->claimed_at));
  }
  return fmt::format("{} {} Retry?", text, of_a_connector_that_runs(delivery));
}

}  // namespace

int dead_letters_list(const DeadLettersListCommand& command, const Surroundings& surroundings) {
  const auto configuration = read_configuration(command.config, surroundings);
  if (!configuration) return kConfigurationError;
  auto selection = selection_of(command.choice);
  if (!selection) return refused(surroundings, selection.error());
  const auto list =
      app::list_dead_letters(configuration->loaded.config,
                             {.selection = std::move(*selection),
                              .max_records = command.max_records,
                              .bytes = command.show_bytes ? kafka::LetterBytes::kTake : kafka::LetterBytes::kLeaveOut},
                             logger_of(*configuration));
  if (!list) {
    surroundings.err << list.error().message << "\n";
    // The brokers alone were asked: it is Kafka that does not answer.
    return list.error().code == ErrorCode::kRetryable ? kKafkaRefused : exit_code_of(list.error());
  }
  if (command.output == Output::kJson) {
    surroundings.out << common::json::serialize(list_as_json(*list, command.show_bytes)) << "\n";
  } else {
    print_list(*list, command.show_bytes, surroundings.out);
  }
  return kDone;
}

int dead_letters_retry(const DeadLettersRetryCommand& command, const Surroundings& surroundings) {
  const auto configuration = read_configuration(command.config, surroundings);
  if (!configuration) return kConfigurationError;
  auto selection = selection_of(command.choice);
  if (!selection) return refused(surroundings, selection.error());
  selection->keys = command.keys;
  const auto& options = configuration->loaded.config;
  std::optional<int> declined;
  const app::RetryTalk talk{.confirm =
                                [&](std::size_t records, const auto& previous) {
                                  declined = ask(command.yes ? Confirmed::kBeforehand : Confirmed::kAskFirst,
                                                 question(records, previous, options.kafka.delivery), surroundings);
                                  return !declined;
                                },
                            .tell = [&](const std::string& line) { surroundings.err << line << "\n"
                                                                                    << std::flush; }};
  const auto report = app::retry_dead_letters(
      options, configuration->definitions,
      {.selection = std::move(*selection), .dry_run = command.dry_run ? app::DryRun::kYes : app::DryRun::kNo},
      logger_of(*configuration), talk);
  if (declined) return *declined;
  if (!report) return refused(surroundings, report.error());
  if (command.output == Output::kJson) {
    surroundings.out << common::json::serialize(retry_as_json(*report, command.dry_run)) << "\n";
  } else {
    print_retry(*report, command.dry_run, surroundings.out);
  }
  return report->left() == 0 ? kDone : kDifferenceFound;
}

}  // namespace connector::cli
