// Thousands of small worlds, each by its number: whatever happens, what is published holds the guarantees (docs/guarantees.md).
//   GK_MODEL_SEEDS=100000 …   so many of them, in place of the usual few
//   GK_MODEL_SEED=4711 …      that one alone, with the log of what happened
//   GK_MODEL_SHRINK=0 …       the log is that of the world as it was, not of the smallest one that fails

#include "tests/model/run.h"
#include "tests/model/shrink.h"

#include <gtest/gtest.h>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

namespace tests::model {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): one thread
  return text == nullptr ? otherwise : std::stoull(text);
}

void explain(std::uint64_t seed, const std::string& broken) {
  const Scenario scenario = make_scenario(seed);
  const bool shrinks = number_from("GK_MODEL_SHRINK", 1) != 0;
  const Shrunk shrunk = shrinks ? shrink(scenario, broken) : Shrunk{.scenario = scenario};
  const RunResult last = run(shrunk.scenario, KeepLog::kYes, shrunk.attempt);
  std::string text =
      "seed " + std::to_string(seed) + ": " + broken + (shrinks ? "\nsmallest world found:\n" : "\n") + describe(shrunk.scenario);
  for (const std::string& line : last.log) text += line + "\n";
  ADD_FAILURE() << text << "run it again with GK_MODEL_SEED=" << seed;
}

TEST(Model, EveryWorldIsPublishedCompleteCurrentAndOncePerChange) {
  constexpr std::uint64_t kUsual = 40;  // a second each under a sanitizer
  constexpr int kFailuresShown = 3;     // made small, which takes a while each
  constexpr std::size_t kFailuresNamed = 100;
  const std::uint64_t only = number_from("GK_MODEL_SEED", 0);
  const std::uint64_t first = only != 0 ? only : number_from("GK_MODEL_FIRST_SEED", 1);
  const std::uint64_t count = only != 0 ? 1 : number_from("GK_MODEL_SEEDS", kUsual);
  std::size_t records = 0;
  std::size_t sealed = 0;
  std::size_t steps = 0;
  std::size_t beyond = 0;
  std::size_t tombstones = 0;
  int failures = 0;
  std::vector<std::string> others;

  for (std::uint64_t seed = first; seed < first + count && others.size() < kFailuresNamed; ++seed) {
    const RunResult result = run(make_scenario(seed), KeepLog::kNo);
    records += result.records;
    sealed += result.sealed;
    steps += result.steps;
    beyond += result.beyond_horizon;
    tombstones += result.tombstones;
    if (!result.broken) continue;
    if (++failures <= kFailuresShown) {
      explain(seed, *result.broken);
    } else {
      others.push_back("seed " + std::to_string(seed) + ": " + *result.broken);
    }
  }
  for (const std::string& other : others) ADD_FAILURE() << other << "\nrun it again with its number as GK_MODEL_SEED";

  std::cout << count << " worlds, " << steps << " steps, " << records << " records, " << sealed << " sealed, " << beyond
            << " beyond the horizon, " << tombstones << " tombstones\n";
  if (only == 0) {
    // A model in which nothing happens holds every guarantee.
    EXPECT_GE(records, count * 8);
    EXPECT_GE(sealed, count * 3);
    EXPECT_GE(tombstones * 10, count);
  }
}

}  // namespace
}  // namespace tests::model
