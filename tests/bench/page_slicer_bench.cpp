// What cutting and validating a page costs: pages as the job (1,000 records of 13 kB) and the query (100 records) return them.
// The budget is 8 ms for 13 MB on one core; `bytes_per_second` and `ns_per_record` are what to look at.

#include "connector/source/page_slicer.h"
#include "tests/bench/conversation_record.h"

#include <benchmark/benchmark.h>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

void slice_page(benchmark::State& state) {
  const auto records = static_cast<int>(state.range(0));
  const bool facts = state.range(1) != 0;
  std::string body = R"({"conversations":[)";
  for (int i = 0; i < records; ++i) body += (i == 0 ? "" : ",") + bench::conversation_record(i);
  body += R"(],"cursor":"b3BhcXVlLWN1cnNvci0x","dataAvailabilityDate":"2026-05-04T04:10:03Z"})";
  body.reserve(body.size() + 64);
  connector::source::SliceSpec spec{
      .records = "/conversations", .key = "/conversationId", .wanted = {"/cursor", "/dataAvailabilityDate"}};
  if (facts) {
    spec.start = "/conversationStart";
    spec.end = "/conversationEnd";
    spec.open_while_absent = "/conversationEnd";
  }
  connector::source::PageSlicer slicer;
  connector::source::SlicedPage page;
  for (auto _ : state) {
    if (!slicer.slice(spec, body, page) || page.records.size() != static_cast<std::size_t>(records)) {
      state.SkipWithError("the page was not cut into its records");
      break;
    }
    benchmark::DoNotOptimize(page.records.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(body.size()) * state.iterations());
  state.counters["page_bytes"] = static_cast<double>(body.size());
  // A rate inverted is a time: seconds per record, shown as n (nanoseconds).
  state.counters["per_record"] = benchmark::Counter(static_cast<double>(records) * static_cast<double>(state.iterations()),
                                                    benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

BENCHMARK(slice_page)
    ->ArgNames({"records", "facts"})
    ->Args({1000, 0})
    ->Args({1000, 1})
    ->Args({100, 1})
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
