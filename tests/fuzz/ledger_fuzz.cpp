// Arbitrary bytes as the stored value of a lane, or as a request in the control topic: refused, or understood and written back so
// that it reads the same. Seeds: tests/data/state.

#include "connector/core/backfill/backfill_request.h"
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
  const std::string_view stored(reinterpret_cast<const char*>(data), size);
  if (const auto request = connector::core::BackfillRequest::parse(stored)) {
    const auto again = connector::core::BackfillRequest::parse(request->serialize());
    require(again.has_value() && *again == *request);
  }
  const common::Result<Ledger> ledger = Ledger::parse(stored);
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
