// Arbitrary bytes as an HTTP answer, arriving in pieces of arbitrary size: no read outside the buffers, no body above its bound,
// and no answer taken from what is not complete. The first byte chooses the method, the second the size of the pieces. Seeds:
// tests/fuzz/seeds/response.

#include "common/http/response_reader.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace {

constexpr common::http::ResponseReader::Bounds kBounds{.max_header_bytes = 4UL << 10U, .max_body_bytes = 64UL << 10U};

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

void read(common::http::Method method, std::string_view input, std::size_t piece) {
  common::http::ResponseReader reader(method, kBounds, {});
  while (!reader.done() && !input.empty()) {
    const std::span<char> room = reader.prepare();
    require(!room.empty());
    const std::size_t size = std::min({room.size(), input.size(), piece});
    std::memcpy(room.data(), input.data(), size);
    input.remove_prefix(size);
    if (!reader.commit(size)) {
      return;
    }
  }
  if (!reader.done() && !reader.finish_at_end()) {
    return;
  }
  require(reader.done());
  const bool surplus = reader.surplus();
  require(!(surplus && reader.reusable()));
  const common::http::Response response = reader.take();
  require(response.status >= 100 && response.status <= 999);
  require(response.body.size() <= kBounds.max_body_bytes);
  require(method != common::http::Method::kHead || response.body.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) {
    return 0;
  }
  const auto method = data[0] % 2 == 0 ? common::http::Method::kGet : common::http::Method::kHead;
  const std::size_t piece = std::size_t{data[1]} * 16 + 1;
  read(method, std::string_view(reinterpret_cast<const char*>(data), size).substr(2), piece);
  return 0;
}
