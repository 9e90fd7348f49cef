#include "connector/app/check.h"

#include "common/clock.h"
#include "common/json.h"
#include "connector/cli/configuration.h"
#include "connector/cli/exit_code.h"
#include "connector/cli/verbs.h"

#include <chrono>
#include <string_view>

namespace connector::cli {
namespace {

constexpr common::Duration kPatience = std::chrono::seconds(15);  // for each of service and Kafka: a person waits

void print_text(const std::vector<app::Finding>& findings, std::ostream& out) {
  for (const auto& finding : findings) {
    out << app::to_string(finding.verdict) << ": " << finding.subject << ": " << finding.detail << "\n";
    if (!finding.remedy.empty()) out << "    to do: " << finding.remedy << "\n";
  }
}

void print_json(const std::vector<app::Finding>& findings, std::ostream& out) {
  common::json::Array all;
  for (const auto& finding : findings) {
    all.push_back(common::json::Object{{"verdict", app::to_string(finding.verdict)},
                                       {"subject", finding.subject},
                                       {"detail", finding.detail},
                                       {"remedy", finding.remedy}});
  }
  out << common::json::serialize(all) << "\n";
}

// The first failure decides: what comes after it often follows from it.
int exit_code(const std::vector<app::Finding>& findings) {
  for (const auto& finding : findings) {
    if (finding.verdict == app::Verdict::kFailed) return exit_code_of({.code = finding.code, .message = {}, .retry_after = {}});
  }
  return kDone;
}

}  // namespace

int check(const CheckCommand& command, const Surroundings& surroundings) {
  const auto configuration = read_configuration(command.config, surroundings);
  if (!configuration) return kConfigurationError;

  std::vector<app::Finding> findings{
      {.verdict = app::Verdict::kOk, .subject = "configuration", .detail = command.config.string(), .remedy = {}}};
  if (command.offline) {
    for (auto& finding :
         app::check_starts(configuration->loaded.config, configuration->definitions, common::SystemClock().utc_now()))
      findings.push_back(std::move(finding));
  } else {
    // Findings say it all; the log would only repeat it.
    const auto logger =
        common::Logger::to_stderr({.level = common::LogLevel::kError, .format = configuration->loaded.config.log.format});
    for (auto& finding : app::check(configuration->loaded.config, configuration->definitions, logger, kPatience))
      findings.push_back(std::move(finding));
  }
  command.output == Output::kJson ? print_json(findings, surroundings.out) : print_text(findings, surroundings.out);
  return exit_code(findings);
}

}  // namespace connector::cli
