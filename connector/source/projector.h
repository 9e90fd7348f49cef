#pragma once

// Turns a record as the service sent it into what the user lets out of it: parts dropped, values replaced by a keyed hash, or
// only chosen fields. Made once for a stream and only where it asks for that; reused from record to record, so that it allocates
// only for a record larger than any before. Not thread-safe.

#include "common/result.h"
#include "connector/source/options.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace connector::source {

// A pointer of the configuration, and where it stands there: `redaction.hash`.
struct ConfiguredPointer {
  std::string setting;
  std::string pointer;
};

class Projector {
 public:
  Projector(const ProjectionOptions& projection, const RedactionOptions& redaction);
  ~Projector();
  Projector(const Projector&) = delete;
  Projector& operator=(const Projector&) = delete;

  // Appends to `out` what is left of the record: an object without white space; what no pointer speaks of stays byte for byte.
  // `record`: a JSON object, validated by PageSlicer, with ContentDigester::padding() readable bytes behind it; not part of
  // `out`. After an error `out` is as before; the error tells nothing of the record's content.
  common::Result<void> project(std::string_view record, std::string& out);

  // The pointers that have met nothing in any record so far: a slip in one leaves in what was to go.
  [[nodiscard]] std::vector<ConfiguredPointer> unmatched() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace connector::source
