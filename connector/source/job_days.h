#pragma once

// Which windows of a stream its lanes read by jobs just now: jobs of one home day are never in flight together, as they return
// the same records, and an older state could come after a newer one. One executor. Internal to connector/source.

#include "connector/core/names.h"
#include "connector/core/planning/settle_planner.h"

#include <functional>
#include <map>
#include <utility>

namespace connector::source {

class JobDays {
 public:
  // What `lane` has now, instead of what it had; the other lanes look again.
  void hold(core::Lane lane, core::JobsElsewhere jobs) {
    held_[lane] = std::move(jobs);
    for (const auto& [other, wake] : wakers_) {
      if (other != lane) wake();
    }
  }
  [[nodiscard]] core::JobsElsewhere of_others(core::Lane lane) const {
    core::JobsElsewhere all;
    for (const auto& [other, jobs] : held_) {
      if (other == lane) continue;
      all.running.insert(all.running.end(), jobs.running.begin(), jobs.running.end());
      all.open.insert(all.open.end(), jobs.open.begin(), jobs.open.end());
    }
    return all;
  }

  // `wake` is called when another lane's windows change, for as long as the object lives.
  class Waker {
   public:
    Waker(JobDays& days, core::Lane lane, std::function<void()> wake) : days_(days), lane_(lane) {
      days_.wakers_[lane] = std::move(wake);
    }
    ~Waker() { days_.wakers_.erase(lane_); }
    Waker(const Waker&) = delete;
    Waker& operator=(const Waker&) = delete;

   private:
    JobDays& days_;
    core::Lane lane_;
  };

 private:
  std::map<core::Lane, core::JobsElsewhere> held_;
  std::map<core::Lane, std::function<void()>> wakers_;
};

}  // namespace connector::source
