#include "connector/core/task/claim.h"

#include "common/json.h"

#include <utility>

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
  Claim claim{.incarnation = *incarnation, .host = *host, .claimed_at = *instant};
  if (const auto* digests = common::json::find(*document, "digests")) {
    auto mark = DigestsMark::parse(common::json::serialize(*digests));
    if (!mark) return common::fail(common::with_context(mark.error(), "the stored claim"));
    claim.digests = std::move(*mark);
  }
  return claim;
}

std::string Claim::serialize() const {
  common::json::Object document;
  document["v"] = kFormatVersion;
  document["incarnation"] = incarnation;
  document["host"] = host;
  document["claimed_at"] = common::format_instant(claimed_at);
  if (digests) {
    common::json::Object mark;
    mark["v"] = DigestsMark::kFormatVersion;
    mark["incarnation"] = digests->incarnation;
    mark["generation"] = digests->generation;
    document["digests"] = std::move(mark);
  }
  return common::json::serialize(document);
}

}  // namespace connector::core
