#pragma once

// What must hold when nothing has gone wrong for long and every pass is done.

#include "tests/model/sim_publisher.h"
#include "tests/model/stage.h"

namespace tests::model {

void check_final_state(Stage& stage, const Topics& topics, const SimPublisher& publisher);

}  // namespace tests::model
