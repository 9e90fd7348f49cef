#include "connector/cli/takeover.h"

#include "connector/cli/exit_code.h"

namespace connector::cli {

std::string_view of_a_connector_that_runs(kafka::Delivery delivery) {
  return delivery == kafka::Delivery::kExactlyOnce
             ? "A connector that still runs is fenced and ends with exit code 4."
             : "With delivery at_least_once a connector that still runs is not fenced, and would write over this and beside it: "
               "make sure that it is stopped.";
}

std::optional<int> ask(Confirmed confirmed, const std::string& what, const Surroundings& surroundings) {
  if (confirmed == Confirmed::kBeforehand) {
    surroundings.err << what << "\n";
    return std::nullopt;
  }
  const auto answer = surroundings.confirm(what);
  if (answer && *answer) return std::nullopt;
  if (!answer) surroundings.err << what << "\n";
  surroundings.err << (answer ? "nothing was changed\n" : "nothing was changed: without a terminal this needs --yes\n");
  return answer ? kInterrupted : kConfigurationError;
}

}  // namespace connector::cli
