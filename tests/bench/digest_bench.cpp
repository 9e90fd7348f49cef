// What comparing contents costs: the digest of records as the job returns them, and the index at a million and at ten million
// conversations. `bytes_per_second`, `bytes_per_key`, `puts_per_second` and the time of a lookup are what to look at; `peak_mib`
// is that of the process, so that it counts of the first benchmark only (--benchmark_filter=look_up/keys:10000000).

#include "connector/core/digest/index.h"
#include "connector/source/content_digest.h"
#include "tests/bench/conversation_record.h"
#include "tests/bench/resources.h"
#include "tests/bench/uuids.h"

#include <benchmark/benchmark.h>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

void digest_record(benchmark::State& state) {
  const connector::source::ContentRules rules{
      .ignore = {},
      .job_only = state.range(0) != 0 ? std::vector<std::string>{"/participants/*/attributes"} : std::vector<std::string>{}};
  connector::source::ContentDigester digester(rules);
  std::vector<std::string> records;
  for (int i = 0; i < 1000; ++i) {
    records.push_back(bench::conversation_record(i));
    records.back().reserve(records.back().size() + connector::source::ContentDigester::padding());
  }
  std::size_t next = 0;
  std::int64_t bytes = 0;
  for (auto _ : state) {
    const std::string& record = records[next];
    next = next + 1 == records.size() ? 0 : next + 1;
    const auto digests = digester.digest(record);
    if (!digests) {
      state.SkipWithError("a record has no digest");
      break;
    }
    benchmark::DoNotOptimize(digests->full);
    bytes += static_cast<std::int64_t>(record.size());
  }
  state.SetBytesProcessed(bytes);
}
BENCHMARK(digest_record)->ArgName("job_only")->Arg(0)->Arg(1);

using connector::core::DigestEntry;
using connector::core::DigestIndex;
using tests::bench::Uuids;

DigestEntry entry(std::uint64_t number) {
  return {.state = connector::core::DigestState::kSealed,
          .common = number,
          .full = number + 1,
          .read_at = connector::core::Second(std::chrono::seconds(1'777'885'923)),
          .changed_at = connector::core::Second(std::chrono::seconds(1'777'885'923)),
          .home_day = connector::core::HomeDay(std::chrono::days(20'000 + static_cast<int>(number / 100'000)))};
}

void look_up(benchmark::State& state) {
  using Clock = std::chrono::steady_clock;
  const auto keys = static_cast<std::uint64_t>(state.range(0));
  DigestIndex index;
  Uuids uuids;
  Clock::duration longest{};
  const auto begin = Clock::now();
  for (std::uint64_t i = 0; i < keys; ++i) {
    const std::string_view key = uuids.at(i);
    const auto before = Clock::now();
    index.put(key, entry(i));
    longest = std::max(longest, Clock::now() - before);
  }
  const std::chrono::duration<double> filled = Clock::now() - begin;
  std::minstd_rand random(1);
  for (auto _ : state) {
    benchmark::DoNotOptimize(index.find(uuids.at((random() * std::uint64_t{2'147'483'646} + random()) % keys)));
  }
  state.counters["bytes_per_key"] = static_cast<double>(index.bytes()) / static_cast<double>(keys);
  state.counters["puts_per_second"] = static_cast<double>(keys) / filled.count();
  state.counters["finds_per_second"] = benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  state.counters["peak_mib"] = static_cast<double>(tests::bench::peak_kib()) / 1024;
  state.counters["longest_put"] = std::chrono::duration<double>(longest).count();
}
BENCHMARK(look_up)->ArgName("keys")->Arg(1'000'000)->Arg(10'000'000)->Iterations(5'000'000);

void make_key(benchmark::State& state) {
  Uuids uuids;
  std::uint64_t number = 0;
  for (auto _ : state) benchmark::DoNotOptimize(uuids.at(++number).data());
}
BENCHMARK(make_key);  // what the loop of look_up spends besides

void visit_step(benchmark::State& state) {
  DigestIndex index;
  Uuids uuids;
  for (std::uint64_t i = 0; i < 1'000'000; ++i) index.put(uuids.at(i), entry(i));
  DigestIndex::Cursor cursor;
  std::uint64_t visited = 0;
  for (auto _ : state) {
    if (cursor.at_end()) cursor = {};
    index.visit(cursor, 10'000, [&](std::string_view, const DigestEntry&) { ++visited; });
  }
  benchmark::DoNotOptimize(visited);
}
BENCHMARK(visit_step)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
