#include "connector/core/task/claim.h"

#include "common/json.h"

namespace connector::core {

common::Result<Claim> Claim::parse(std::string_view stored) {
  using common::ErrorCode;
  const auto document = common::json::parse(stored);
  if (!document) return common::fail(ErrorCode::kStateRefused, "the stored claim is damaged: " + document.error().message);
  const auto version = common::json::find_int(*document, "v");
  if (!version) return common::fail(ErrorCode::kStateRefused, "the stored claim has no format version");
  if (*version > kFormatVersion) {
    return common::fail(ErrorCode::kStateRefused, "the stored claim has format version " + std::to_string(*version) +
                                                      ", this program knows up to " + std::to_string(kFormatVersion) +
                                                      ": start the newer program");
  }
  const auto incarnation = common::json::find_string(*document, "incarnation");
  const auto host = common::json::find_string(*document, "host");
  const auto claimed_at = common::json::find_string(*document, "claimed_at");
  if (!incarnation || incarnation->empty() || !host || !claimed_at) {
    return common::fail(ErrorCode::kStateRefused, "the stored claim lacks incarnation, host or claimed_at");
  }
  const auto instant = common::parse_instant(*claimed_at);
  if (!instant) return common::fail(ErrorCode::kStateRefused, "the stored claim's time: " + instant.error().message);
  return Claim{.incarnation = *incarnation, .host = *host, .claimed_at = *instant};
}

std::string Claim::serialize() const {
  common::json::Object document;
  document["v"] = kFormatVersion;
  document["incarnation"] = incarnation;
  document["host"] = host;
  document["claimed_at"] = common::format_instant(claimed_at);
  return common::json::serialize(document);
}

}  // namespace connector::core
