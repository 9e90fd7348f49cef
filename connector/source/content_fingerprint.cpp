#include "connector/source/content_fingerprint.h"

#include "connector/source/content_digest.h"
#include "connector/source/fingerprint.h"
#include "connector/source/keyed_hash.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace connector::source {

namespace {

// Pointers are a set: their order decides nothing.
common::json::Array sorted(std::vector<std::string> pointers) {
  std::ranges::sort(pointers);
  common::json::Array array;
  for (const std::string& pointer : pointers) array.emplace_back(std::string_view{pointer});
  return array;
}

// Raised when records that a projection or redaction makes are made otherwise.
constexpr int kRewritingVersion = 1;

common::json::Object rewriting(const StreamOptions& options) {
  common::json::Object fields;
  for (const ProjectedField& field : options.projection.fields) {
    common::json::Array drawn{std::string_view{field.from}, static_cast<int>(field.take)};
    if (!field.until.empty()) drawn.emplace_back(std::string_view{field.until});
    fields[field.name] = std::move(drawn);
  }
  common::json::Object object;
  object["version"] = kRewritingVersion;
  object["fields"] = std::move(fields);
  object["drop"] = sorted(options.redaction.drop);
  object["hash"] = sorted(options.redaction.hash);
  if (!options.redaction.hash.empty()) object["key"] = KeyedHash(options.redaction.key.value()).key_mark();
  return object;
}

}  // namespace

std::string content_fingerprint(const Definition& definition, const StreamOptions& options) {
  common::json::Object object;
  object["digest"] = kContentDigestVersion;
  object["ignore"] = sorted(definition.digest_ignore);
  object["job_only"] = sorted(definition.job_only);
  // Only where there is one: the fingerprints of all other streams stay what they are.
  if (rewrites_records(options)) object["rewriting"] = rewriting(options);
  return fingerprint(object);
}

}  // namespace connector::source
