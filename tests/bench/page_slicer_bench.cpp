// What cutting and validating a page costs: pages as the job (1,000 records of 13 kB) and the query (100 records) return them.
// The budget is 8 ms for 13 MB on one core; `bytes_per_second` and `ns_per_record` are what to look at.

#include "connector/source/page_slicer.h"

#include <benchmark/benchmark.h>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

// A conversation-like record: many small members, some nesting, about 13 kB.
std::string record(int number) {
  std::string text = R"({"conversationEnd":"2026-05-04T09:17:42.118Z","conversationId":"9e3779b1-9e37-43d1-814b-)" +
                     std::to_string(100'000'000'000 + number) +
                     R"(","conversationStart":"2026-05-04T09:12:03.386Z","participants":[)";
  for (int participant = 0; participant < 6; ++participant) {
    text += participant == 0 ? "" : ",";
    text +=
        R"({"participantId":"17156075-1713-4315-8677-c4e27eeb7be1","purpose":"customer","sessions":[{"direction":"inbound","metrics":[)";
    for (int metric = 0; metric < 18; ++metric) {
      text += metric == 0 ? "" : ",";
      text += R"({"emitDate":"2026-05-04T09:12:03.612Z","name":"tTalkComplete","value":240018})";
    }
    text += R"(],"segments":[)";
    for (int segment = 0; segment < 4; ++segment) {
      text += segment == 0 ? "" : ",";
      text +=
          R"({"conference":false,"queueId":"8ff34739-8fef-4259-8ba3-9597b1417895","segmentEnd":"2026-05-04T09:13:02.100Z","segmentStart":"2026-05-04T09:12:58.450Z","segmentType":"alert"})";
    }
    text += "]}]}";
  }
  return text + "]}";
}

void slice_page(benchmark::State& state) {
  const auto records = static_cast<int>(state.range(0));
  const bool facts = state.range(1) != 0;
  std::string body = R"({"conversations":[)";
  for (int i = 0; i < records; ++i) body += (i == 0 ? "" : ",") + record(i);
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
