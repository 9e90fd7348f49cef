#include "connector/source/definition_summary.h"

namespace connector::source {

std::string_view way_of_reading(const Definition& definition) {
  if (is_snapshot(definition)) return "state";
  if (definition.bucket) return "figures";
  if (!definition.job) return "query";
  return definition.query ? "query and job" : "job";
}

std::vector<core::Lane> lanes_of(const Definition& definition) {
  std::vector<core::Lane> lanes;
  if (definition.query) lanes.push_back(core::Lane::kLive);
  if (definition.query && definition.by_id) lanes.push_back(core::Lane::kFollow);
  if (definition.job) lanes.push_back(core::Lane::kSettle);
  // Jobs of several days return one record then, and nothing would order a backfill's beside those of settle.
  if (definition.job && !definition.spans_days) lanes.push_back(core::Lane::kBackfill);
  return lanes;
}

}  // namespace connector::source
