#pragma once

// Agent status: users/details/query and what its jobs need. Simple: every user has a record, presences and routing statuses are
// runs of a deterministic sequence.

#include "tests/simulator/service.h"

#include <cstdint>

namespace tests::simulator {

Outcome<Answer> query_user_details(Service& service, Call& call);
Outcome<Job*> submit_user_job(Service& service, Call& call);
// Appends one user's record over the interval, as known at `now`.
void append_user_details(std::string& out, const World& world, std::uint32_t user, const Interval& interval, Instant now);

}  // namespace tests::simulator
