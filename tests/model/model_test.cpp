// Thousands of small worlds, each by its number: whatever happens, what is published holds the guarantees (docs/guarantees.md).
//   GK_MODEL_SEEDS=100000 …   so many of them, in place of the usual few
//   GK_MODEL_SEED=4711 …      that one alone, with the log of what happened

#include "tests/model/run.h"
#include "tests/model/shrink.h"

#include <gtest/gtest.h>
#include <cstdlib>
#include <iostream>
#include <string>

namespace tests::model {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): one thread
  return text == nullptr ? otherwise : std::stoull(text);
}

void explain(std::uint64_t seed, const std::string& broken) {
  const Shrunk shrunk = shrink(make_scenario(seed), broken);
  const RunResult last = run(shrunk.scenario, KeepLog::kYes, shrunk.attempt);
  std::string text = "seed " + std::to_string(seed) + ": " + broken + "\nsmallest world found:\n" + describe(shrunk.scenario);
  for (const std::string& line : last.log) text += line + "\n";
  ADD_FAILURE() << text << "run it again with GK_MODEL_SEED=" << seed;
}

TEST(Model, EveryWorldIsPublishedCompleteCurrentAndOncePerChange) {
  constexpr std::uint64_t kUsual = 40;  // a second each under a sanitizer
  constexpr int kFailuresShown = 3;
  const std::uint64_t only = number_from("GK_MODEL_SEED", 0);
  const std::uint64_t first = only != 0 ? only : number_from("GK_MODEL_FIRST_SEED", 1);
  const std::uint64_t count = only != 0 ? 1 : number_from("GK_MODEL_SEEDS", kUsual);
  std::size_t records = 0;
  std::size_t sealed = 0;
  std::size_t steps = 0;
  std::size_t beyond = 0;
  std::size_t tombstones = 0;
  int failures = 0;

  for (std::uint64_t seed = first; seed < first + count && failures < kFailuresShown; ++seed) {
    const RunResult result = run(make_scenario(seed), KeepLog::kNo);
    records += result.records;
    sealed += result.sealed;
    steps += result.steps;
    beyond += result.beyond_horizon;
    tombstones += result.tombstones;
    if (!result.broken) continue;
    ++failures;
    explain(seed, *result.broken);
  }

  std::cout << count << " worlds, " << steps << " steps, " << records << " records, " << sealed << " sealed, " << beyond
            << " beyond the horizon, " << tombstones << " tombstones\n";
  if (only == 0) {
    // A model in which nothing happens holds every guarantee.
    EXPECT_GE(records, count * 8);
    EXPECT_GE(sealed, count * 3);
    EXPECT_GE(tombstones * 4, count);
  }
}

}  // namespace
}  // namespace tests::model
