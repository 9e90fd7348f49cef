#pragma once

// `sample STREAM`: a few records of one interval, straight from the service's query, without Kafka and without state.

#include "common/instant.h"
#include "common/result.h"
#include "connector/core/ports/api.h"
#include "connector/source/definition.h"
#include "connector/source/options.h"
#include "connector/source/page_slicer.h"

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace connector::source {

struct SampledRecord {
  std::string key;
  std::string value;
  // Where the definition says where these stand, and the record has them.
  std::optional<common::Instant> start;
  std::optional<common::Instant> end;
  std::optional<bool> open;
};

struct Sample {
  std::vector<SampledRecord> records;
  std::optional<std::int64_t> total;   // what the service says the interval holds
  std::uint64_t without_key = 0;       // records that would be dead-lettered
  std::uint32_t pages = 0;             // requests sent
  std::vector<std::string> unmatched;  // pointers of the projection and redaction that met nothing in the records read
};

// What to look for in an answer, and one of its records, copied.
SliceSpec sample_spec(const Definition& definition, const RecordsRule& records);
SampledRecord sampled_record(const Definition& definition, const SlicedPage& page, std::size_t index);

// Reads pages until `max_records` are there or the interval is exhausted. kConfigInvalid if the definition has no query; errors
// of the Api as they are. `definition`, `options` and `api` must outlive the coroutine.
boost::asio::awaitable<common::Result<Sample>> sample(const Definition& definition, const StreamOptions& options, core::Api& api,
                                                      common::Interval interval, std::size_t max_records);

}  // namespace connector::source
