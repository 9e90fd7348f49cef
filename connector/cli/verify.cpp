#include "connector/app/verify.h"

#include "common/json.h"
#include "connector/cli/configuration.h"
#include "connector/cli/exit_code.h"
#include "connector/cli/takeover.h"
#include "connector/cli/verbs.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <optional>

namespace connector::cli {
namespace {

using core::Finding;

constexpr std::size_t kShownKeys = 20;
constexpr std::array kTold{Finding::kMissing,    Finding::kDifferent, Finding::kRegressed,
                           Finding::kUnexpected, Finding::kRepeated,  Finding::kProvisional,
                           Finding::kDeadLetter, Finding::kChanging,  Finding::kEqual};

common::Result<common::Interval> interval_of(const VerifyCommand& command) {
  const auto from = common::parse_instant(command.from);
  if (!from) return common::fail(common::ErrorCode::kConfigInvalid, "--from: " + from.error().message);
  const auto to = common::parse_instant(command.to);
  if (!to) return common::fail(common::ErrorCode::kConfigInvalid, "--to: " + to.error().message);
  if (*from >= *to) return common::fail(common::ErrorCode::kConfigInvalid, "--from must be before --to");
  return common::Interval{.start = *from, .end = *to};
}

std::optional<core::RecordForm> form_of(VerifyForm form) {
  if (form == VerifyForm::kJob) return core::RecordForm::kJob;
  if (form == VerifyForm::kQuery) return core::RecordForm::kQuery;
  return std::nullopt;
}

void print_text(const app::VerifyOutcome& outcome, std::ostream& out) {
  const auto& report = outcome.report;
  out << fmt::format("{}: {} keys of the service ({}, {} requests), {} records in {}\n",
                     common::format_interval(outcome.verified), report.service_keys, core::to_string(outcome.form),
                     outcome.service.requests, report.topic_records, outcome.topic);
  for (const Finding finding : kTold) {
    const auto& group = report.of(finding);
    if (group.count == 0) continue;
    out << core::to_string(finding) << ": " << group.count << "\n";
    for (std::size_t i = 0; i < std::min(kShownKeys, group.keys.size()); ++i) out << "    " << group.keys[i] << "\n";
    if (!group.keys.empty() && group.count > kShownKeys) out << "    … (--output json lists more)\n";
  }
  if (outcome.service.is_short) out << "the service returned fewer rows than it promised: unexpected keys are not looked for\n";
  if (outcome.repair) {
    out << fmt::format("repaired: {} of {} asked for\n", outcome.repair->published, outcome.repair->asked);
    if (outcome.repair->dead_letters > 0) out << "dead letters: " << outcome.repair->dead_letters << "\n";
  }
  const auto found = report.differences();
  if (found == 0) {
    out << "no difference\n";
  } else if (!outcome.repair) {
    out << found << " difference(s)\n";
  } else {
    out << fmt::format("{} difference(s), {} left\n", found, outcome.left());
  }
}

void print_json(const VerifyCommand& command, const app::VerifyOutcome& outcome, std::ostream& out) {
  common::json::Object findings;
  for (const Finding finding : kTold) {
    const auto& group = outcome.report.of(finding);
    common::json::Object one{{"count", group.count}};
    if (!group.keys.empty()) one["keys"] = common::json::Array(group.keys.begin(), group.keys.end());
    findings[core::to_string(finding)] = std::move(one);
  }
  common::json::Object all{{"stream", command.stream},
                           {"topic", outcome.topic},
                           {"form", core::to_string(outcome.form)},
                           {"from", common::format_instant(outcome.verified.start)},
                           {"to", common::format_instant(outcome.verified.end)},
                           {"service_keys", outcome.report.service_keys},
                           {"topic_records", outcome.report.topic_records},
                           {"requests", outcome.service.requests},
                           {"short_answer", outcome.service.is_short},
                           {"differences", outcome.report.differences()},
                           {"left", outcome.left()},
                           {"findings", std::move(findings)}};
  if (outcome.availability) all["available_until"] = common::format_instant(*outcome.availability);
  if (outcome.repair) {
    all["repair"] = common::json::Object{{"asked", outcome.repair->asked},
                                         {"published", outcome.repair->published},
                                         {"dead_letters", outcome.repair->dead_letters}};
  }
  out << common::json::serialize(all) << "\n";
}

// What the repair means for whoever owns the task.
std::string question(const std::optional<core::Claim>& previous, kafka::Delivery delivery) {
  std::string text = "The repair takes the task over.";
  if (previous) {
    text += fmt::format(" It was last claimed on host {} at {}.", previous->host, common::format_instant(previous->claimed_at));
  }
  return fmt::format("{} {} Repair?", text, of_a_connector_that_runs(delivery));
}

}  // namespace

int verify(const VerifyCommand& command, const Surroundings& surroundings) {
  const auto configuration = read_configuration(command.config, surroundings);
  if (!configuration) return kConfigurationError;
  const auto interval = interval_of(command);
  if (!interval) {
    surroundings.err << interval.error().message << "\n";
    return kConfigurationError;
  }

  const auto& options = configuration->loaded.config;
  const auto logger = common::Logger::to_stderr({.level = common::LogLevel::kWarn, .format = options.log.format});
  std::optional<int> declined;
  const app::VerifyTalk talk{.confirm =
                                 [&](const auto& previous) {
                                   declined = ask(command.yes ? Confirmed::kBeforehand : Confirmed::kAskFirst,
                                                  question(previous, options.kafka.delivery), surroundings);
                                   return !declined;
                                 },
                             .tell = [&](const std::string& line) { surroundings.err << line << "\n"
                                                                                     << std::flush; }};
  const auto outcome = app::verify(
      options, configuration->definitions,
      {.stream = command.stream, .range = *interval, .form = form_of(command.form), .repair = command.repair}, logger, talk);
  if (declined) return *declined;
  if (!outcome) {
    surroundings.err << outcome.error().message << "\n";
    return exit_code_of(outcome.error());
  }
  command.output == Output::kJson ? print_json(command, *outcome, surroundings.out) : print_text(*outcome, surroundings.out);
  return outcome->left() == 0 ? kDone : kDifferenceFound;
}

}  // namespace connector::cli
