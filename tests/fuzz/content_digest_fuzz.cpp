// Arbitrary bytes as a record. What the slicer takes for one has a digest, and the same digest however it is written; what it
// does not take must not crash the digester either. The first byte chooses the spelling. Seeds: tests/data/samples.

#include "connector/source/content_digest.h"
#include "connector/source/page_slicer.h"
#include "tests/support/json_spelling.h"

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

namespace {

using connector::source::ContentDigester;
using connector::source::ContentRules;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

std::string padded(std::string_view text) {
  std::string copy;
  copy.reserve(text.size() + ContentDigester::padding());
  copy.append(text);
  return copy;  // not what append() returns: a copy of that has no room behind it
}

// The one record of a page that is nothing but it; nothing if the slicer refuses.
bool is_record(std::string_view input) {
  std::string page = "[" + std::string(input) + "]";
  connector::source::PageSlicer slicer;
  connector::source::SlicedPage sliced;
  const connector::source::SliceSpec spec{
      .records = "", .key = "/id", .start = "", .end = "", .open_while_absent = "", .wanted = {}};
  return slicer.slice(spec, page, sliced) && sliced.rows() == 1 &&
         (sliced.dead_letters.empty() || sliced.dead_letters.front().reason == "no_key");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static ContentDigester plain({});
  static ContentDigester ruled(ContentRules{.ignore = {"/*/readAt", "/a/0"}, .job_only = {"/participants/*/attributes", "/*/x"}});
  if (size == 0) return 0;
  std::minstd_rand random(data[0]);
  const std::string_view input(reinterpret_cast<const char*>(data), size);

  const std::string record = padded(input);
  const auto digests = plain.digest(record);
  const auto with_rules = ruled.digest(record);
  if (!is_record(input)) return 0;

  require(digests.has_value() && with_rules.has_value() && digests->common == digests->full);
  const std::string other =
      padded(tests::support::respell(input, [&](std::size_t count) { return static_cast<std::size_t>(random()) % count; }));
  require(is_record(other));
  require(plain.digest(other) == digests.value());
  require(ruled.digest(other) == with_rules.value());
  return 0;
}
