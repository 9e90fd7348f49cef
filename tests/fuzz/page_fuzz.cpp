// Arbitrary bytes as a page of records. What the slicer lets through is held against another parser: no page with a broken byte
// may pass, and each record must be a whole object inside the body. Seeds: tests/data/samples.

#include "connector/source/page_slicer.h"

#include <boost/json/error.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/parse_options.hpp>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using connector::source::CompositeRecords;
using connector::source::KeyPart;
using connector::source::PageSlicer;
using connector::source::SlicedPage;
using connector::source::SliceSpec;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

bool is_json(std::string_view text) {
  using boost::json::error;
  boost::json::parse_options options;
  options.max_depth = 2 * connector::source::kMaxNesting;
  boost::system::error_code code;
  boost::json::parse(text, code, {}, options);
  // By RFC 8259 a number of any size and a lone surrogate in an escape are JSON; Boost.JSON, which makes values of them, refuses
  // some.
  return !code || code == error::exponent_overflow || code == error::illegal_leading_surrogate ||
         code == error::illegal_trailing_surrogate || code == error::expected_utf16_escape;
}

bool is_inside(std::string_view part, const std::string& whole) {
  const std::less_equal<const char*> not_after;
  return not_after(whole.data(), part.data()) && not_after(part.data() + part.size(), whole.data() + whole.size());
}

void check(const SliceSpec& spec, std::string_view input) {
  std::string body(input);
  SlicedPage page;
  PageSlicer slicer;
  if (const auto sliced = slicer.slice(spec, body, page); !sliced) {
    require(!sliced.error().message.empty());
    return;
  }
  const bool marked = input.starts_with(kByteOrderMark);
  require(is_json(marked ? input.substr(kByteOrderMark.size()) : input));
  require(page.wanted.size() == spec.wanted.size());
  require(page.facts.empty() || page.facts.size() == page.records.size());
  for (const auto& record : page.records) {
    require(record.value.size() >= 2 && record.value.front() == '{' && record.value.back() == '}');
    require(is_inside(record.value, body) && is_inside(record.key, body));
    require(is_json(record.value));
  }
  for (const auto& letter : page.dead_letters) {
    require(!letter.reason.empty() && is_inside(letter.bytes, body));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::array<SliceSpec, 4> specs{
      SliceSpec{.records = "/conversations",
                .key = "/conversationId",
                .start = "/conversationStart",
                .end = "/conversationEnd",
                .open_while_absent = "/conversationEnd",
                .wanted = {"/totalHits", "/cursor", "/dataAvailabilityDate"}},
      SliceSpec{.records = "/results/0/data",
                .key = "/group/queueId",
                .start = "",
                .end = "",
                .open_while_absent = "",
                .wanted = {"/a/0"}},
      SliceSpec{.records = CompositeRecords{.each = {"/userDetails/*/primaryPresence/*", "/userDetails/*/routingStatus/*"},
                                            .with = {"/userDetails/*/userId", "/totalHits"},
                                            .as = "status",
                                            .list = "list"},
                .key = std::vector<KeyPart>{{"/userId"}, {"/list"}, {"/status/startTime"}},
                .start = "/status/startTime",
                .end = "/status/endTime",
                .open_while_absent = "/status/endTime",
                .wanted = {"/totalHits"}},
      SliceSpec{.records = CompositeRecords{.each = {"/results/*/data/*"}, .with = {"/results/*/group"}, .as = {}, .list = {}},
                .key = std::vector<KeyPart>{{"/group", true}, {"/data/interval"}},
                .start = "",
                .end = "",
                .open_while_absent = "",
                .wanted = {}}};
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  for (const SliceSpec& spec : specs) {
    check(spec, input);
  }
  return 0;
}
