#include "connector/core/task/start_grace.h"

#include <gtest/gtest.h>

namespace connector::core {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const common::SteadyTime kStart{seconds{1'000}};

TEST(StartGrace, EndsOnlyWhenTheTroubleHasLasted) {
  StartGrace grace{seconds{30}};

  EXPECT_FALSE(grace.failed(true, kStart));
  EXPECT_FALSE(grace.failed(true, kStart + milliseconds{29'999}));
  EXPECT_TRUE(grace.failed(true, kStart + seconds{30}));
}

TEST(StartGrace, IsPatientForeverWithABrokerThatIsAway) {
  StartGrace grace{seconds{30}};

  for (int second = 0; second < 3'600; ++second) EXPECT_FALSE(grace.failed(false, kStart + seconds{second}));
}

TEST(StartGrace, BeginsAnewWhenTheTroubleWentAway) {
  StartGrace grace{seconds{30}};
  grace.failed(true, kStart);
  grace.failed(false, kStart + seconds{6});

  EXPECT_FALSE(grace.failed(true, kStart + seconds{31}));
}

TEST(StartGrace, BridgesAttemptsBetweenTwoReconnects) {
  StartGrace grace{seconds{3}};
  grace.failed(true, kStart);
  grace.failed(false, kStart + seconds{1});

  EXPECT_TRUE(grace.failed(true, kStart + seconds{3}));
}

}  // namespace
}  // namespace connector::core
