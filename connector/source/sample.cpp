#include "connector/source/sample.h"

#include "connector/core/planning/query_paging.h"
#include "connector/source/page_reader.h"
#include "connector/source/pagination.h"
#include "connector/source/request_template.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace connector::source {

using common::ErrorCode;
using common::fail;
using common::Result;

SliceSpec sample_spec(const Definition& definition, const RecordsRule& records) {
  return {.records = records,
          .key = definition.key,
          .start = definition.start_pointer.value_or(""),
          .end = definition.end_pointer.value_or(""),
          .open_while_absent = definition.open_while_absent.value_or(""),
          .wanted = {}};
}

SampledRecord sampled_record(const Definition& definition, const SlicedPage& page, std::size_t index) {
  SampledRecord record{.key = std::string(page.records[index].key), .value = std::string(page.records[index].value)};
  if (!page.facts.empty()) {
    const RecordFacts& facts = page.facts[index];
    record.start = facts.start;
    record.end = facts.end;
    if (definition.open_while_absent) record.open = facts.open;
  }
  return record;
}

boost::asio::awaitable<Result<Sample>> sample(const Definition& definition, const StreamOptions& options, core::Api& api,
                                              common::Interval interval, std::size_t max_records) {
  if (!definition.query) {
    co_return fail(ErrorCode::kConfigInvalid, "definition " + definition.name + " has no query to take a sample with");
  }
  const QuerySource& query = *definition.query;
  // A part of a bucket would have other figures than are published.
  if (const core::Buckets& buckets = options.live.buckets) {
    const common::Interval first = buckets.at(interval.start);
    interval = {.start = first.start,
                .end = buckets.is_local() ? first.end : std::max(buckets.start_of(interval.end), first.end)};
  }
  SliceSpec spec = sample_spec(definition, query.records);
  const PageScalars scalars(query.pages, query.total, std::string(), spec);
  const auto wanted = static_cast<int>(std::min<std::size_t>(max_records, std::numeric_limits<int>::max()));
  const int size = std::min(page_size_of(query.pages, options.page_size), std::max(wanted, 1));
  core::QueryPagingOptions paging_options{.chain = chain_of(query.pages), .page_size = size};
  if (const auto* numbered = std::get_if<PageNumberPages>(&query.pages)) paging_options.first_page = numbered->first;
  paging_options.limits.memory_bytes = std::numeric_limits<std::uint64_t>::max();
  core::QueryPaging paging(paging_options, interval);
  PageReader reader(definition, options);
  Sample sampled;

  core::PagingAction action = paging.begin();
  while (sampled.records.size() < max_records) {
    const auto* fetch = std::get_if<core::FetchPage>(&action);
    if (fetch == nullptr) {
      if (auto* failed = std::get_if<core::FailRead>(&action)) co_return fail(std::move(failed->error));
      break;
    }
    RequestBuilder builder = query_request(definition, options, interval);
    put_position(builder, query.pages, fetch->at, size);
    core::ApiRequest request = std::move(builder).build({.stream = options.name, .lane = core::Lane::kLive});
    request.window = common::format_interval(interval);
    request.position = describe(fetch->at);
    Result<core::ApiResponse> response = co_await api.send(std::move(request));
    if (!response) co_return fail(std::move(response.error()));
    ++sampled.pages;
    SlicedPage page;
    if (auto read = reader.read(spec, response->body, page); !read) co_return fail(std::move(read.error()));
    sampled.total = scalars.total(page);
    sampled.without_key += page.dead_letters.size();
    for (std::size_t i = 0; i < page.records.size() && sampled.records.size() < max_records; ++i) {
      sampled.records.push_back(sampled_record(definition, page, i));
    }
    // No window is bounded here, so every page counts as new: only its emptiness or its last cursor ends the sample.
    core::PageFacts facts{.rows = page.elements, .bytes = response->body.size()};
    facts.distinct = sampled.records.size() + sampled.without_key;
    facts.next = scalars.next(page, response->headers);
    action = paging.step(facts);
  }
  if (reader.records() > 0) sampled.unmatched = reader.unmatched();
  co_return sampled;
}

}  // namespace connector::source
