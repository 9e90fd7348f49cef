#pragma once

// The test hooks under /_sim/: what was served, what is true, which faults to make. Not part of the simulated service: no token,
// no limit, never faulty.

#include "tests/simulator/service.h"

namespace tests::simulator {

Answer control(Service& service, Call& call);

}  // namespace tests::simulator
