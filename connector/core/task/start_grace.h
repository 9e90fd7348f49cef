#pragma once

// How long a start puts up with what only an operator can mend: a wrong password may be replaced in its file, a name may appear
// in DNS, so the first refusal does not end it; one that lasts does. Pure.

#include "common/clock.h"
#include "common/instant.h"

#include <optional>

namespace connector::core {

class StartGrace {
 public:
  explicit StartGrace(common::Duration grace) : grace_(grace) {}

  // An attempt failed; `trouble`: with an error that needs an operator. True once that has lasted for the whole grace.
  bool failed(bool trouble, common::SteadyTime now) {
    if (trouble) {
      if (!since_) since_ = now;
      last_ = now;
    } else if (since_ && now - last_ > kSilence) {
      since_.reset();  // it went away: something else keeps the start waiting
    }
    return since_ && now - *since_ >= grace_;
  }

 private:
  // Reconnects are at most a second apart, so an error that persists is seen more often than this.
  static constexpr common::Duration kSilence{5'000};

  common::Duration grace_;
  std::optional<common::SteadyTime> since_;
  common::SteadyTime last_;
};

}  // namespace connector::core
