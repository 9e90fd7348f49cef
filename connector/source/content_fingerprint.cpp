#include "connector/source/content_fingerprint.h"

#include "connector/source/content_digest.h"
#include "connector/source/fingerprint.h"

#include <algorithm>
#include <string_view>
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

}  // namespace

std::string content_fingerprint(const Definition& definition) {
  common::json::Object object;
  object["digest"] = kContentDigestVersion;
  object["ignore"] = sorted(definition.digest_ignore);
  object["job_only"] = sorted(definition.job_only);
  return fingerprint(object);
}

}  // namespace connector::source
