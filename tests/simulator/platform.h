#pragma once

// The organisation, its limits and the token: what a client asks before it works.

#include "tests/simulator/service.h"

namespace tests::simulator {

Outcome<Answer> get_organization(Service& service, Call& call);
Outcome<Answer> get_limits(Service& service, Call& call);
Outcome<Answer> get_token(Service& service, Call& call);
Outcome<Answer> head_token(Service& service, Call& call);
Outcome<Answer> delete_token(Service& service, Call& call);
Outcome<Answer> get_subject(Service& service, Call& call);

}  // namespace tests::simulator
