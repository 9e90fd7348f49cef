#include "connector/kafka/digests_memory.h"

#include <cstdint>
#include <utility>

namespace connector::kafka {

DigestsMemory::DigestsMemory(const std::vector<StreamTopic>& streams, std::size_t max_bytes, core::Metrics& metrics,
                             common::Logger logger)
    : streams_(streams), limit_(max_bytes), metrics_(metrics), logger_(std::move(logger)) {}

void DigestsMemory::tell(const TaskDigests& digests) {
  for (const StreamTopic& stream : streams_) {
    const core::DigestIndex& index = digests.of(stream.stream)->committed();
    metrics_.digests(stream.stream,
                     {.keys = index.size(), .bytes = index.bytes(), .followed = index.followed(), .owed = index.owed_count()});
  }
  const std::size_t bytes = digests.bytes();
  const core::DigestsLimit::Told told = limit_.check(bytes);
  if (told == core::DigestsLimit::Told::kPassed) {
    logger_.warn(
        "What is remembered of keys takes more memory than kafka.digests_memory; a start with that much would be refused",
        {{"bytes", static_cast<std::uint64_t>(bytes)}, {"limit", static_cast<std::uint64_t>(limit_.max_bytes())}});
  } else if (told == core::DigestsLimit::Told::kWithin) {
    logger_.info("What is remembered of keys is within kafka.digests_memory again",
                 {{"bytes", static_cast<std::uint64_t>(bytes)}});
  }
  metrics_.digests_limit(limit_.max_bytes());
}

}  // namespace connector::kafka
