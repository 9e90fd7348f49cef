#pragma once

// The task's state and its contact with the brokers as operators see them: a hiccup is not told, an outage is told once, and what
// only an operator can mend ends a start when it lasts. It asks no broker. On the one executor.

#include "common/clock.h"
#include "common/instant.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/core/ports/metrics.h"
#include "connector/core/task/start_grace.h"
#include "connector/core/task/task_state.h"

#include <optional>
#include <string>

namespace connector::kafka {

class Contact {
 public:
  // `clock` and `metrics` outlive it. `start_grace`: see PublisherTuning.
  Contact(std::string bootstrap_servers, common::Duration start_grace, common::Clock& clock, core::Metrics& metrics,
          common::Logger logger);

  [[nodiscard]] core::TaskState state() const { return life_.state(); }
  void tell_state() { metrics_.task_state(core::to_string(life_.state())); }
  void tell(core::TaskEvent event);

  // A call failed and is made again; one succeeded.
  void retrying(const common::Error& error);
  void regained();
  // An attempt to start failed, with `trouble` if the client said what an operator must mend. The error to end with
  // (kConfigInvalid) once that has lasted for the whole grace.
  std::optional<common::Error> lasting_trouble(std::optional<std::string> trouble);

 private:
  std::string bootstrap_servers_;
  common::Clock& clock_;
  core::Metrics& metrics_;
  common::Logger logger_;
  core::TaskLife life_;
  core::StartGrace grace_;
  std::string last_trouble_;
  std::optional<common::SteadyTime> retrying_since_;
};

}  // namespace connector::kafka
