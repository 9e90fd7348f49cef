#include "connector/kafka/published_report.h"

#include "connector/kafka/transaction.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace connector::kafka {

namespace {

void report_gone(const core::StreamName& stream, std::string_view outcome, std::uint64_t count, core::Metrics& metrics,
                 common::Logger& logger) {
  if (count == 0) return;
  metrics.records_gone(stream, outcome, count);
  logger.info("Records that the service no longer has are gone",
              {{"stream", stream.str()}, {"outcome", std::string{outcome}}, {"count", static_cast<std::int64_t>(count)}});
}

}  // namespace

void report_published(const core::TransactionBatch& batch, core::Metrics& metrics, common::Logger& logger) {
  for (const auto& [source, sum] : sum_up(batch)) {
    metrics.records_published(source, sum.records, sum.bytes);
    if (sum.dropped > 0) {
      metrics.records_dropped(source, "oversize", sum.dropped);
      logger.warn("Records larger than their topic takes were dropped", {{"stream", source.stream.str()},
                                                                         {"lane", std::string{core::to_string(source.lane)}},
                                                                         {"count", static_cast<std::int64_t>(sum.dropped)}});
    }
    report_gone(source.stream, "tombstoned", sum.tombstones, metrics, logger);
    report_gone(source.stream, "kept", sum.kept, metrics, logger);
    if (sum.withheld > 0) metrics.records_dropped(source, "known", sum.withheld);
    for (const auto& [reason, count] : sum.dead_letters) {
      metrics.dead_letters(source, reason, count);
      logger.warn("Records went to the dead-letter topic", {{"stream", source.stream.str()},
                                                            {"lane", std::string{core::to_string(source.lane)}},
                                                            {"reason", reason},
                                                            {"count", static_cast<std::int64_t>(count)}});
    }
  }
}

}  // namespace connector::kafka
