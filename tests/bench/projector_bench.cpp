// What a projection and redaction cost beside what a page costs anyway: pages as the job returns them (1,000 records of 13 kB),
// sliced, rewritten and digested. `bytes_per_second` (of what the service sent) and `per_record` are what to look at.

#include "connector/source/page_reader.h"
#include "tests/bench/conversation_record.h"

#include <benchmark/benchmark.h>
#include <cstdint>
#include <string>

namespace {

using namespace connector::source;

enum Rules : std::int64_t { kNone, kDrop, kHash, kFields };

StreamOptions options_of(std::int64_t rules) {
  StreamOptions options;
  if (rules == kDrop) options.redaction.drop = {"/participants/*/participantName", "/participants/*/attributes"};
  if (rules == kHash) {
    options.redaction.hash = {"/participants/*/participantName", "/participants/*/sessions/*/ani"};
    options.redaction.key = common::SecretSource::of_value(common::Secret("key of a benchmark"));
  }
  if (rules == kFields) {
    options.projection.fields = {
        {.name = "conversationId", .from = "/conversationId"},
        {.name = "startTime", .from = "/conversationStart"},
        {.name = "mediaType", .from = "/participants/*/sessions/*/mediaType", .take = TakeValues::kFirst},
        {.name = "wrapUpCode", .from = "/participants/*/sessions/*/segments/*/wrapUpCode", .take = TakeValues::kLast}};
  }
  return options;
}

void read_page(benchmark::State& state) {
  constexpr int kRecords = 1000;
  Definition definition;
  definition.key = "/conversationId";
  definition.job_only = {"/participants/*/attributes"};
  std::string page_text = R"({"conversations":[)";
  for (int i = 0; i < kRecords; ++i) page_text += (i == 0 ? "" : ",") + bench::conversation_record(i);
  page_text += "]}";
  const SliceSpec spec{.records = "/conversations", .key = "/conversationId"};
  PageReader reader(definition, options_of(state.range(0)));
  SlicedPage page;
  std::string body;
  body.reserve(page_text.size() + ContentDigester::padding());
  std::size_t written = 0;
  for (auto _ : state) {
    state.PauseTiming();
    if (auto storage = reader.take_storage()) body = std::move(*storage);
    body.assign(page_text);
    state.ResumeTiming();
    if (!reader.read(spec, body, page) || page.records.size() != kRecords) {
      state.SkipWithError("the page was not read");
      break;
    }
    written = body.size();
    benchmark::DoNotOptimize(page.digests.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(page_text.size()) * state.iterations());
  state.counters["published_bytes"] = static_cast<double>(written);
  state.counters["per_record"] = benchmark::Counter(static_cast<double>(kRecords) * static_cast<double>(state.iterations()),
                                                    benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(read_page)->ArgName("rules")->Arg(kNone)->Arg(kDrop)->Arg(kHash)->Arg(kFields)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
