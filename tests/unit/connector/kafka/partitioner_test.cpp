#include "connector/kafka/partitioner.h"

#include <gtest/gtest.h>

namespace connector::kafka {
namespace {

struct Vector {
  const char* bytes;
  std::int32_t hash;  // as Kafka's own test of Utils.murmur2 lists it
};

class Murmur2 : public testing::TestWithParam<Vector> {};

TEST_P(Murmur2, AgreesWithKafka) {
  EXPECT_EQ(static_cast<std::int32_t>(murmur2(GetParam().bytes)), GetParam().hash);
}

INSTANTIATE_TEST_SUITE_P(Vectors, Murmur2,
                         testing::Values(Vector{"21", -973932308}, Vector{"foobar", -790332482},
                                         Vector{"a-little-bit-long-string", -985981536},
                                         Vector{"a-little-bit-longer-string", -1486304829},
                                         Vector{"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
                                         Vector{"abc", 479470107}));

TEST(StatePartition, IsTheHashWithoutItsSignModuloThePartitions) {
  EXPECT_EQ(state_partition("conversations", 1), 0);
  for (const std::int32_t partitions : {2, 3, 7}) {
    EXPECT_EQ(state_partition("foobar", partitions), (-790332482 & 0x7fffffff) % partitions);
  }
}

}  // namespace
}  // namespace connector::kafka
