#include "connector/kafka/control_store.h"

#include <gtest/gtest.h>

namespace connector::kafka {
namespace {

const core::ConnectorName kName{"acme"};

TEST(ControlStore, AKeyNamesTheConnectorTheKindAndTheStream) {
  const std::string key = backfill_key(kName, core::StreamName{"conversations"});

  EXPECT_EQ(key, R"(["acme",{"backfill":"conversations"}])");
  EXPECT_EQ(backfill_stream(kName, key), core::StreamName{"conversations"});
}

// A topic may be shared, and later releases will ask for more.
TEST(ControlStore, OtherKeysArePassedOver) {
  for (const char* other : {R"(["others",{"backfill":"conversations"}])", R"(["acme",{"state":"paused"}])", R"(["acme"])", "{}",
                            "no json", R"(["acme",{"backfill":7}])", R"([7,{"backfill":"conversations"}])"}) {
    EXPECT_FALSE(backfill_stream(kName, other)) << other;
  }
}

}  // namespace
}  // namespace connector::kafka
