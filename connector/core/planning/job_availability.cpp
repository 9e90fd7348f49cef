#include "connector/core/planning/job_availability.h"

#include <algorithm>
#include <chrono>

namespace connector::core {

using common::Duration;
using common::Instant;

Instant available_by_age(Duration lag, Instant now) {
  return std::chrono::floor<std::chrono::seconds>(now - lag);
}

Instant plannable_by_age(Duration lag, Instant now) {
  return available_by_age(lag + Duration{2'000}, now);
}

void JobAvailability::submitted(Instant now, std::optional<Instant> told) {
  behind_ = lag_ ? available_by_age(*lag_, now) : told;
}

void JobAvailability::taken_up(Instant then, std::optional<Instant> seen) {
  if (!lag_ || behind_) return;
  const Instant complete = available_by_age(*lag_, then);
  behind_ = std::min(complete, seen.value_or(complete));
}

std::optional<Instant> JobAvailability::of_page(std::optional<Instant> told, Instant now) const {
  if (told || !lag_ || !behind_) return told;
  // What was taken for the present when it was submitted may have been the future.
  return std::min(*behind_, available_by_age(*lag_, now));
}

}  // namespace connector::core
