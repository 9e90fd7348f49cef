#pragma once

// Pages for benches: a rendered template in which only ids, start and end times are written anew, in a few recycled buffers, so
// that the simulator costs little more than a copy of the page. One thread makes pages; the server may still be sending earlier
// ones.

#include "tests/simulator/record.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tests::simulator {

class FixedPages {
 public:
  // Renders `rows` conversations in the form, as long finished.
  FixedPages(const World& world, Form form, std::size_t rows);

  [[nodiscard]] std::size_t rows() const { return records_.size(); }
  // {"conversations":[items first …first+count-1],<tail>}; `tail` is the other members without braces. count is at most rows().
  std::shared_ptr<const std::string> page(std::uint64_t first, std::size_t count, std::string_view tail);

 private:
  struct Place {
    std::size_t end = 0;  // of the record, before its comma
    std::size_t id = 0;
    std::size_t start = 0;
    std::size_t end_time = 0;
    common::Duration life{};
  };
  const World& world_;
  std::string template_;
  std::vector<Place> records_;
  std::vector<std::shared_ptr<std::string>> buffers_;
};

}  // namespace tests::simulator
