#pragma once

// The life cycle of detail jobs, the same for conversations and users: submit, status, results by cursor, cancel, availability.

#include "tests/simulator/service.h"

namespace tests::simulator {

Outcome<Answer> submit_job(Service& service, Call& call, JobKind kind);
Outcome<Answer> get_job_status(Service& service, Call& call, JobKind kind);
Outcome<Answer> get_job_results(Service& service, Call& call, JobKind kind);
Outcome<Answer> delete_job(Service& service, Call& call, JobKind kind);
Outcome<Answer> get_job_availability(Service& service, Call& call);

}  // namespace tests::simulator
