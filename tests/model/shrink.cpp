#include "tests/model/shrink.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace tests::model {

namespace {

constexpr int kMostRuns = 1'500;
constexpr std::uint64_t kAttempts = 6;  // dice to throw for each smaller world

// "2026-…Z: G4: c3 is …" → "G4".
std::string_view name_of(std::string_view broken) {
  const std::size_t begin = broken.find(": ") + 2;
  return broken.substr(begin, broken.find(':', begin) - begin);
}

class Shrinking {
 public:
  Shrinking(Scenario scenario, std::string_view broken) : best_{.scenario = std::move(scenario)}, name_(name_of(broken)) {}

  Shrunk go() {
    bool smaller = true;
    while (smaller && runs_ < kMostRuns) {
      smaller = drop([](Scenario& scenario) -> auto& { return scenario.world.conversations; });
      smaller = drop([](Scenario& scenario) -> auto& { return scenario.faults; }) || smaller;
      smaller = calm() || smaller;
      for (std::size_t i = 0; i < best_.scenario.world.conversations.size(); ++i) smaller = drop_versions(i) || smaller;
    }
    return best_;
  }

 private:
  bool still_fails(const Scenario& scenario) {
    for (std::uint64_t attempt = 0; attempt < kAttempts && runs_ < kMostRuns; ++attempt) {
      ++runs_;
      const RunResult result = run(scenario, KeepLog::kNo, attempt);
      if (!result.broken || name_of(*result.broken) != name_) continue;
      best_ = {.scenario = scenario, .attempt = attempt};
      return true;
    }
    return false;
  }

  // Halves first, then smaller parts.
  template <class Part>
  bool drop(const Part& part) {
    bool dropped = false;
    for (std::size_t length = std::max<std::size_t>(part(best_.scenario).size() / 2, 1); length > 0; length /= 2) {
      for (std::size_t at = 0; at < part(best_.scenario).size();) {
        Scenario less = best_.scenario;
        auto& all = part(less);
        const auto begin = all.begin() + static_cast<std::ptrdiff_t>(at);
        all.erase(begin, begin + static_cast<std::ptrdiff_t>(std::min(length, all.size() - at)));
        if (still_fails(less)) {
          dropped = true;
        } else {
          at += length;
        }
      }
    }
    return dropped;
  }

  bool drop_versions(std::size_t number) {
    bool dropped = false;
    for (std::size_t at = 1; at < best_.scenario.world.conversations[number].versions.size();) {
      Scenario less = best_.scenario;
      auto& versions = less.world.conversations[number].versions;
      versions.erase(versions.begin() + static_cast<std::ptrdiff_t>(at));
      if (still_fails(less)) {
        dropped = true;
      } else {
        ++at;
      }
    }
    return dropped;
  }

  bool calm() {
    bool calmer = false;
    for (std::uint64_t Odds::* odds :
         {&Odds::request_fails, &Odds::job_fails, &Odds::abort, &Odds::unknown_applied, &Odds::slow_request}) {
      if (best_.scenario.odds.*odds == 0) continue;
      Scenario less = best_.scenario;
      less.odds.*odds = 0;
      calmer = still_fails(less) || calmer;
    }
    return calmer;
  }

  Shrunk best_;
  std::string name_;
  int runs_ = 0;
};

}  // namespace

Shrunk shrink(Scenario scenario, std::string_view broken) {
  return Shrinking(std::move(scenario), broken).go();
}

}  // namespace tests::model
