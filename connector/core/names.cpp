#include "connector/core/names.h"

#include "connector/core/ports/publisher.h"

namespace connector::core {

std::string_view to_string(Lane lane) {
  switch (lane) {
    case Lane::kLive:
      return "live";
    case Lane::kFollow:
      return "follow";
    case Lane::kSettle:
      return "settle";
    case Lane::kBackfill:
      return "backfill";
  }
  return "unknown";
}

std::optional<Lane> parse_lane(std::string_view text) {
  for (const Lane lane : kAllLanes) {
    if (to_string(lane) == text) return lane;
  }
  return std::nullopt;
}

std::string_view to_string(RecordForm form) {
  return form == RecordForm::kJob ? "job" : "query";
}

}  // namespace connector::core
