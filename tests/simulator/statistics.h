#pragma once

// What the simulator has been asked and what it gave: the other side of every "nothing lost, nothing twice" test. One thread;
// bounded: the oldest windows are forgotten.

#include "common/json.h"

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tests::simulator {

class Statistics {
 public:
  void count_request(std::string_view endpoint, int status);
  // One page of `form` ("query" or "job") for an interval; `last` if nothing follows it.
  void count_page(std::string_view form, std::string_view interval, std::string_view job, const std::vector<std::uint64_t>& items,
                  bool last);
  // Without items, for fixed pages.
  void count_page(std::string_view form, std::string_view interval, std::string_view job, std::size_t records, bool last);

  [[nodiscard]] common::json::Object requests() const;
  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::uint64_t with_status(int status) const;

  struct Served {
    std::string form;
    std::string interval;
    std::string job;
    std::uint64_t pages = 0;
    std::uint64_t records = 0;         // rows, repeats included
    std::uint64_t completions = 0;     // how often a last page was given
    std::vector<std::uint64_t> items;  // rows' numbers, repeats included
  };
  [[nodiscard]] const std::deque<Served>& served() const { return served_; }

 private:
  Served& window(std::string_view form, std::string_view interval, std::string_view job);

  std::map<std::string, std::map<int, std::uint64_t>, std::less<>> requests_;
  std::uint64_t total_ = 0;
  std::deque<Served> served_;
};

}  // namespace tests::simulator
