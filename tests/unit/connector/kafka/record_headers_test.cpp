#include "connector/kafka/record_headers.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace connector::kafka {
namespace {

std::map<std::string, std::string> contents(const HeadersHandle& headers) {
  std::map<std::string, std::string> found;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0; rd_kafka_header_get_all(headers.get(), i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    found[name] = std::string{static_cast<const char*>(value), size};
  }
  return found;
}

core::Page example() {
  core::Page page;
  page.source = {.stream = core::StreamName{"conversations"}, .lane = core::Lane::kSettle};
  page.form = core::RecordForm::kJob;
  page.window = *common::parse_interval("2026-05-04T00:00:00.000Z/2026-05-05T00:00:00.000Z");
  page.read_at = *common::parse_instant("2026-05-05T06:00:00.000Z");
  page.correlation_id = "c-1";
  page.position = "cursor abc";
  return page;
}

TEST(RecordHeaders, OfARecord) {
  const auto headers = contents(page_headers(example()));

  const std::map<std::string, std::string> expected{{"gk.stream", "conversations"},
                                                    {"gk.lane", "settle"},
                                                    {"gk.form", "job"},
                                                    {"gk.window", "2026-05-04T00:00:00.000Z/2026-05-05T00:00:00.000Z"},
                                                    {"gk.read-at", "2026-05-05T06:00:00.000Z"},
                                                    {"gk.correlation-id", "c-1"},
                                                    {"gk.version", "1"}};
  EXPECT_EQ(headers, expected);
}

TEST(RecordHeaders, BeyondTheHorizonSaySo) {
  auto beyond = contents(page_headers(example(), Horizon::kBeyond));

  EXPECT_EQ(beyond.at("gk.beyond-horizon"), "true");
  beyond.erase("gk.beyond-horizon");
  EXPECT_EQ(beyond, contents(page_headers(example())));
}

TEST(RecordHeaders, OfATombstoneSayThatTheKeyIsDeleted) {
  core::Page page = example();
  page.gone = core::OnDelete::kTombstone;

  const auto headers = contents(page_headers(page));

  EXPECT_EQ(headers.at("gk.deleted"), "true");
  EXPECT_EQ(headers.at("gk.form"), "job") << "who looks at job forms only must not miss it";
  EXPECT_EQ(headers.size(), 8U);
}

TEST(RecordHeaders, OfADeadLetterSayWhyAndFromWhere) {
  const auto headers = contents(dead_letter_headers(example(), "oversize", std::string(2'000, 'd'), 17, 99'000));

  EXPECT_EQ(headers.at("gk.reason"), "oversize");
  EXPECT_EQ(headers.at("gk.detail").size(), 512U);
  EXPECT_EQ(headers.at("gk.index"), "17");
  EXPECT_EQ(headers.at("gk.size"), "99000");
  EXPECT_EQ(headers.at("gk.position"), "cursor abc");
  EXPECT_EQ(headers.at("gk.stream"), "conversations");
}

TEST(RecordHeaders, TheBoundCoversThem) {
  const core::Page page = example();
  std::size_t bytes = 0;
  for (const auto& [name, value] : contents(page_headers(page))) bytes += name.size() + value.size() + 4;

  EXPECT_LE(bytes, header_bytes(page));
}

}  // namespace
}  // namespace connector::kafka
