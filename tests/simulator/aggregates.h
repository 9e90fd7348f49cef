#pragma once

// Aggregates of conversations and users, and queue observations, in simple form: the numbers come from the same data set as the
// details, for the commonest metrics; a metric that is not computed has no data.

#include "tests/simulator/service.h"

namespace tests::simulator {

Outcome<Answer> query_conversation_aggregates(Service& service, Call& call);
Outcome<Answer> query_user_aggregates(Service& service, Call& call);
Outcome<Answer> query_queue_observations(Service& service, Call& call);

// `PT30M`, `P1D`, `P1W` …; nothing for what is no period or not above zero.
std::optional<Duration> parse_period(std::string_view text);

}  // namespace tests::simulator
