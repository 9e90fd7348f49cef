#pragma once

// Chance of a simulated run: the same numbers for the same seed on every machine. Value, one thread.

#include "common/instant.h"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>

namespace tests::model {

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15U + 1) {}

  std::uint64_t next() {  // splitmix64
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  double unit() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }
  bool one_in(std::uint64_t n) { return next() % n == 0; }
  int below(int n) { return static_cast<int>(next() % static_cast<std::uint64_t>(n)); }
  // In [from, to).
  common::Duration between(common::Duration from, common::Duration to) {
    return from + common::Duration{static_cast<common::Duration::rep>(unit() * static_cast<double>((to - from).count()))};
  }
  template <class T>
  T any_of(std::initializer_list<T> values) {
    return *std::next(values.begin(), below(static_cast<int>(values.size())));
  }

 private:
  std::uint64_t state_;
};

}  // namespace tests::model
