#pragma once

// Reads one record as it stands in a topic (what a projection and redaction have made of it) the way a page's records are read:
// its digests, when it began, whether it is open.
// Reused from record to record; not thread-safe.

#include "common/instant.h"
#include "connector/core/digest/content.h"
#include "connector/source/content_digest.h"
#include "connector/source/definition.h"
#include "connector/source/options.h"
#include "connector/source/page_slicer.h"
#include "connector/source/published_shape.h"

#include <optional>
#include <string>
#include <string_view>

namespace connector::source {

struct ReadRecord {
  core::ContentDigests digests;
  std::optional<common::Instant> start;  // none: the definition or the record does not say
  bool open = false;                     // false too if what is published does not say
};

class RecordReader final {
 public:
  RecordReader(const Definition& definition, const StreamOptions& options);
  // Nothing: no JSON object, or one without the definition's key though it is published.
  std::optional<ReadRecord> read(std::string_view value);

 private:
  RecordReader(const Definition& definition, PublishedShape shape);

  SliceSpec spec_;
  PageSlicer slicer_;
  ContentDigester digester_;
  std::string body_;
  SlicedPage page_;
};

}  // namespace connector::source
