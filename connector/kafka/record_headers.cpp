#include "connector/kafka/record_headers.h"

#include <string>

namespace connector::kafka {

namespace {

constexpr std::size_t kMaxDetailBytes = 512;

void add(const HeadersHandle& headers, std::string_view name, std::string_view value) {
  // Copies both; fails only for a null name.
  rd_kafka_header_add(headers.get(), name.data(), static_cast<ssize_t>(name.size()), value.empty() ? "" : value.data(),
                      static_cast<ssize_t>(value.size()));
}

}  // namespace

HeadersHandle page_headers(const core::Page& page, Horizon horizon) {
  HeadersHandle headers{rd_kafka_headers_new(9)};
  add(headers, "gk.stream", page.source.stream.str());
  add(headers, "gk.lane", core::to_string(page.source.lane));
  add(headers, "gk.form", core::to_string(page.form));
  add(headers, "gk.window", common::format_interval(page.window));
  add(headers, "gk.read-at", common::format_instant(page.read_at));
  add(headers, "gk.correlation-id", page.correlation_id);
  add(headers, "gk.version", kHeaderVersion);
  if (page.gone) add(headers, "gk.deleted", "true");
  if (horizon == Horizon::kBeyond) add(headers, "gk.beyond-horizon", "true");
  return headers;
}

HeadersHandle dead_letter_headers(const core::Page& page, std::string_view reason, std::string_view detail, std::uint64_t index,
                                  std::uint64_t size) {
  HeadersHandle headers{rd_kafka_headers_new(11)};
  add(headers, "gk.reason", reason);
  add(headers, "gk.detail", detail.substr(0, kMaxDetailBytes));
  add(headers, "gk.stream", page.source.stream.str());
  add(headers, "gk.lane", core::to_string(page.source.lane));
  add(headers, "gk.window", common::format_interval(page.window));
  add(headers, "gk.position", page.position);
  add(headers, "gk.index", std::to_string(index));
  add(headers, "gk.size", std::to_string(size));
  add(headers, "gk.read-at", common::format_instant(page.read_at));
  add(headers, "gk.correlation-id", page.correlation_id);
  add(headers, "gk.version", kHeaderVersion);
  return headers;
}

std::size_t header_bytes(const core::Page& page) {
  // Names and fixed values together are under 200 bytes, lengths under 3 each; the window is two instants.
  return 300 + page.source.stream.str().size() + page.correlation_id.size();
}

}  // namespace connector::kafka
