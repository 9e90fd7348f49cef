#pragma once

// Reads one record as it stands in a topic the way a page's records are read: its digests, when it began, whether it is open.
// Reused from record to record; not thread-safe.

#include "common/instant.h"
#include "connector/core/digest/content.h"
#include "connector/source/content_digest.h"
#include "connector/source/definition.h"
#include "connector/source/page_slicer.h"

#include <optional>
#include <string>
#include <string_view>

namespace connector::source {

struct ReadRecord {
  core::ContentDigests digests;
  std::optional<common::Instant> start;  // none: the definition or the record does not say
  bool open = false;
};

class RecordReader final {
 public:
  explicit RecordReader(const Definition& definition);
  // Nothing: no JSON object, or one without the definition's key.
  std::optional<ReadRecord> read(std::string_view value);

 private:
  SliceSpec spec_;
  PageSlicer slicer_;
  ContentDigester digester_;
  std::string body_;
  SlicedPage page_;
};

}  // namespace connector::source
