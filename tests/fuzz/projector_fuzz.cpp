// Arbitrary bytes as a record that is redacted and projected. What the slicer takes for one can be made into another one, which
// is a record too and, redacted, the same however the first is written; what it does not take must not crash the projector
// either. The first byte chooses rules and spelling. Seeds: tests/data/samples.

#include "connector/source/content_digest.h"
#include "connector/source/page_slicer.h"
#include "connector/source/projector.h"
#include "tests/support/json_spelling.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>

namespace {

using connector::source::ContentDigester;
using connector::source::Projector;
using connector::source::TakeValues;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

std::string padded(std::string_view text) {
  std::string copy;
  copy.reserve(text.size() + ContentDigester::padding());
  copy.append(text);
  return copy;
}

// Whether a page that is nothing but `input` has one record and no dead letter beside it.
bool is_record(std::string_view input) {
  std::string page = "[" + std::string(input) + "]";
  connector::source::PageSlicer slicer;
  connector::source::SlicedPage sliced;
  const connector::source::SliceSpec spec{
      .records = "", .key = "/id", .start = "", .end = "", .open_while_absent = "", .wanted = {}, .key_optional = true};
  return slicer.slice(spec, page, sliced) && sliced.records.size() == 1 && sliced.rows() == 1;
}

std::array<Projector, 3>& projectors() {
  static const connector::source::RedactionOptions redaction{
      .drop = {"/conversationStart", "/participants/*/attributes", "/a/0"},
      .hash = {"/participants/*/sessions/*/ani", "/*/name", "/b"},
      .key = common::SecretSource::of_value(common::Secret("the key of a fuzz test"))};
  static const connector::source::ProjectionOptions flat{
      .fields = {{.name = "id", .from = "/conversationId"},
                 {.name = "all", .from = "/participants/*/*/*"},
                 {.name = "time", .from = "/conversationStart", .until = "/conversationEnd"},
                 {.name = "last", .from = "/*/name", .take = TakeValues::kLast}}};
  static std::array<Projector, 3> made{Projector({}, redaction), Projector(flat, {}), Projector(flat, redaction)};
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::minstd_rand random(data[0]);
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  Projector& projector = projectors()[data[0] % 3];
  const std::string record = padded(input);

  std::string out;
  const auto projected = projector.project(record, out);
  if (!is_record(input)) return 0;

  require(projected.has_value() && is_record(out));
  out.reserve(out.size() + ContentDigester::padding());
  static ContentDigester digester({});
  const auto digests = digester.digest(out);
  require(digests.has_value());
  const std::string other =
      padded(tests::support::respell(input, [&](std::size_t count) { return static_cast<std::size_t>(random()) % count; }));
  std::string other_out;
  require(projector.project(other, other_out).has_value() && is_record(other_out));
  // (Of fields not: members of one name may stand in any order, and then another one is the first.)
  if (data[0] % 3 == 0) {
    other_out.reserve(other_out.size() + ContentDigester::padding());
    require(digester.digest(other_out) == digests.value());
  }
  return 0;
}
