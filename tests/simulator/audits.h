#pragma once

// The audit log: one audit every 97 seconds, each a pure function of the seed and its number. The realtime query shows those of
// some services soon; the asynchronous one, of which one runs at a time, shows all of them somewhat later.

#include "tests/simulator/service.h"

#include <cstdint>
#include <string>

namespace tests::simulator {

Outcome<Answer> query_realtime_audits(Service& service, Call& call);
Outcome<Answer> submit_audit_query(Service& service, Call& call);
Outcome<Answer> get_audit_query(Service& service, Call& call);
Outcome<Answer> get_audit_results(Service& service, Call& call);

// For tests: what there is to find.
Instant audit_time(const World& world, std::uint64_t number);
std::string audit_id(const World& world, std::uint64_t number);
bool is_in_realtime(const World& world, std::uint64_t number);

}  // namespace tests::simulator
