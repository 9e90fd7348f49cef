#pragma once

// The headers of records and dead letters (docs/data.md). A page's list is built once; librdkafka takes a copy per record.

#include "connector/core/ports/publisher.h"
#include "connector/kafka/handles.h"

#include <cstdint>
#include <string_view>

namespace connector::kafka {

inline constexpr std::string_view kHeaderVersion = "1";

// Whether it may be known what was published of the record before: beyond, the memory of its key would be gone.
enum class Horizon : std::uint8_t { kWithin, kBeyond };

// gk.stream gk.lane gk.form gk.window gk.read-at gk.correlation-id gk.version; of tombstones gk.deleted, and beyond the horizon
// gk.beyond-horizon, too
HeadersHandle page_headers(const core::Page& page, Horizon horizon = Horizon::kWithin);

// gk.reason gk.detail gk.stream gk.lane gk.window gk.position gk.index gk.size gk.read-at gk.correlation-id gk.version. `size` is
// that of the whole record; the value may be a prefix.
HeadersHandle dead_letter_headers(const core::Page& page, std::string_view reason, std::string_view detail, std::uint64_t index,
                                  std::uint64_t size);

// Upper bound of what the page's headers add to each record.
std::size_t header_bytes(const core::Page& page);

}  // namespace connector::kafka
