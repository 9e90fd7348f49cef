// Arbitrary bytes as the stored value of a lane: refused, or understood and written back so that it reads the same.
// Seeds: tests/data/state.

#include "connector/core/ledger/ledger.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using connector::core::Ledger;
  const common::Result<Ledger> ledger = Ledger::parse(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!ledger) {
    require(ledger.error().code == common::ErrorCode::kStateRefused && !ledger.error().message.empty());
    return 0;
  }
  const std::string written = ledger->serialize();
  const common::Result<Ledger> again = Ledger::parse(written);
  require(again.has_value());
  require(again->serialize() == written);
  return 0;
}
