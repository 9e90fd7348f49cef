#pragma once

// The one way by which an answer's records come in: a page is sliced, its records become what the stream lets out, and these have
// their digests taken. Whoever reads the service (lanes, verbs) reads through this, so that nothing that a redaction removes gets
// any further. Reused from page to page; not thread-safe.

#include "connector/source/content_digest.h"
#include "connector/source/definition.h"
#include "connector/source/options.h"
#include "connector/source/page_slicer.h"
#include "connector/source/projector.h"
#include "connector/source/unknown_fields.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace connector::source {

class PageReader {
 public:
  // `max_composed` as PageSlicer's.
  PageReader(const Definition& definition, const StreamOptions& options, std::size_t max_composed = PageSlicer::kMostComposed);

  // As PageSlicer::slice, with every record's digests. Where the stream has a projection or redaction, `body` is replaced by the
  // bytes that the records have become; `facts` are those of the records as the service sent them, and so are keys, unless a part
  // of them is hashed. A dead letter that has no members to choose from has no bytes then, but its size and what tells it from
  // others.
  common::Result<void> read(const SliceSpec& spec, std::string& body, SlicedPage& page);

  // Storage of a body that was replaced, to be reused; none without projection and redaction.
  std::optional<std::string> take_storage();

  // Members that records have and the definition's model does not name, found since the last call.
  std::vector<std::string> take_unknown_fields();

  // The records that were read so far, and which pointers of projection and redaction have met nothing in them, as
  // `redaction.hash /a/b`; not those to what only the job's form has.
  [[nodiscard]] std::uint64_t records() const { return records_; }
  [[nodiscard]] std::vector<std::string> unmatched() const;

 private:
  common::Result<void> rewrite(const KeyRule& key, std::string& body, SlicedPage& page);
  common::Result<void> rewrite_keys(const KeyRule& key, SlicedPage& page);

  PageSlicer slicer_;
  std::optional<UnknownFields> unknown_fields_;  // none: the definition has no model
  std::optional<Projector> projector_;
  std::optional<Projector> redactor_;  // without the projection; only where it makes another key of a record's
  ContentDigester digester_;
  std::vector<std::string> job_only_;
  std::uint64_t records_ = 0;

  std::string written_;            // of one page, one after another: keys and values
  std::vector<std::size_t> ends_;  // of each of them
  std::string redacted_;           // of one page, where keys are hashed: its records as an array
  SlicedPage keyed_;               // of that
  std::optional<std::string> storage_;
};

}  // namespace connector::source
