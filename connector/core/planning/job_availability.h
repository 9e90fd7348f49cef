#pragma once

// Up to which date the data of one job is complete, so that nothing is taken for the present that it cannot know. Most services
// tell it with the results; of one that tells no date, what was `lag` old when the job was submitted counts as complete. Pure:
// every present is an argument, and the earlier of the host's and the service's (clocks.h).

#include "common/instant.h"

#include <optional>

namespace connector::core {

// Of a service that tells no date.
common::Instant available_by_age(common::Duration lag, common::Instant now);
// What may be asked for by then: the service's clock is known to a second, and may seem earlier by the next answer.
common::Instant plannable_by_age(common::Duration lag, common::Instant now);

class JobAvailability {
 public:
  // Without `lag` the service tells a date.
  explicit JobAvailability(std::optional<common::Duration> lag) : lag_(lag) {}

  // A job was submitted at `now`, in the former one's stead. `told`: the service's newest date then, if it tells any.
  void submitted(common::Instant now, std::optional<common::Instant> told = std::nullopt);
  // The job goes on that an earlier life submitted at `then`, behind the date `seen`. No-op unless that is not known and counts.
  void taken_up(common::Instant then, std::optional<common::Instant> seen);

  // What the job was submitted behind; none: nothing is known of it.
  [[nodiscard]] std::optional<common::Instant> behind() const { return behind_; }
  // Of a page of results that tells the date `told`, or none; none: nobody tells.
  [[nodiscard]] std::optional<common::Instant> of_page(std::optional<common::Instant> told, common::Instant now) const;

 private:
  std::optional<common::Duration> lag_;
  std::optional<common::Instant> behind_;
};

}  // namespace connector::core
