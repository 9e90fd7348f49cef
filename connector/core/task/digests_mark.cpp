#include "connector/core/task/digests_mark.h"

#include "common/json.h"

#include <algorithm>
#include <utility>

namespace connector::core {

using common::ErrorCode;
using common::Result;

common::Result<DigestsMark> DigestsMark::parse(std::string_view stored) {
  const auto document = common::json::parse(stored);
  if (!document) return common::fail(ErrorCode::kStateRefused, "the digests' mark is damaged: " + document.error().message);
  const auto version = common::json::find_int(*document, "v");
  if (!version) return common::fail(ErrorCode::kStateRefused, "the digests' mark has no format version");
  if (*version > kFormatVersion) {
    return common::fail(ErrorCode::kStateRefused, "the digests' mark has format version " + std::to_string(*version) +
                                                      ", this program knows up to " + std::to_string(kFormatVersion) +
                                                      ": start the newer program");
  }
  auto incarnation = common::json::find_string(*document, "incarnation");
  const auto generation = common::json::find_int(*document, "generation");
  if (!incarnation || incarnation->empty() || !generation || *generation < 1) {
    return common::fail(ErrorCode::kStateRefused, "the digests' mark lacks incarnation or generation");
  }
  return DigestsMark{.incarnation = std::move(*incarnation), .generation = static_cast<std::uint64_t>(*generation)};
}

std::string DigestsMark::serialize() const {
  common::json::Object document;
  document["v"] = kFormatVersion;
  document["incarnation"] = incarnation;
  document["generation"] = generation;
  return common::json::serialize(document);
}

Result<void> check_digests_mark(const std::optional<DigestsMark>& expected, const std::optional<DigestsMark>& found,
                                std::string_view topic) {
  if (!expected || (found && found->generation > expected->generation) || found == expected) return {};
  const std::string_view what = !found                                     ? "it was emptied or made again"
                                : found->generation < expected->generation ? "it is older than the ledgers: restored from a copy"
                                                                           : "it belongs to another connector";
  return common::fail(ErrorCode::kStateRefused,
                      "topic " + std::string(topic) + " is not the one that goes with the ledgers: " + std::string(what) +
                          ". Without its digests unchanged records would be published again. Restore the topic, or accept that "
                          "with `genesys-kafka offsets accept-lost-digests`");
}

DigestsMark next_mark(const std::optional<DigestsMark>& expected, const std::optional<DigestsMark>& found,
                      std::string incarnation) {
  const std::uint64_t before = std::max(expected ? expected->generation : 0, found ? found->generation : 0);
  return {.incarnation = std::move(incarnation), .generation = before + 1};
}

}  // namespace connector::core
