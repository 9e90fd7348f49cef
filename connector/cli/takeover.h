#pragma once

// What the verbs that become the task's owner have in common: what they say of a connector that runs, and how they ask.

#include "connector/cli/surroundings.h"
#include "connector/kafka/options.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace connector::cli {

// Without transactions nobody is fenced.
std::string_view of_a_connector_that_runs(kafka::Delivery delivery);

enum class Confirmed : std::uint8_t { kAskFirst, kBeforehand };

// Says `what` and asks, unless that was answered beforehand. An exit code if it is not to be done: 7 declined, 2 nobody to ask.
std::optional<int> ask(Confirmed confirmed, const std::string& what, const Surroundings& surroundings);

}  // namespace connector::cli
