// Lanes that read again at their ages: what they ask for, and what of it the ledger keeps.

#include "common/json.h"
#include "connector/source/json_pointer.h"
#include "tests/unit/connector/source/reader_fixture.h"

namespace connector::source {
namespace {

using namespace std::chrono_literals;
using testing::SizeIs;
using tests::support::answer;
using tests::support::refuse;

class LaneAges : public ReaderTest {
 protected:
  [[nodiscard]] std::size_t reads_of(const std::string& window) const {
    return static_cast<std::size_t>(std::ranges::count_if(api.requests, [&](const core::ApiRequest& request) {
      return request.source == live && request.window == window && request.position == "page 1";
    }));
  }
};

TEST_F(LaneAges, LiveReadsWindowsAgainWhenTheyAreOfAge) {
  options.live.every = 10min;
  options.live.ages = {1h};
  service = [](const core::ApiRequest&) { return answer(R"({"totalHits":0})"); };
  run_live();

  pass(3h);

  const core::Ledger& ledger = publisher.committed(live);
  ASSERT_TRUE(ledger.passes().contains(1h));
  EXPECT_GE(ledger.passes().at(1h).prefix_end(ledger.start()), start + 90min);
  EXPECT_LE(ledger.passes().at(1h).prefix_end(ledger.start()), start + 2h);
}

// One window that the service chokes on must keep neither new ones nor the other ages from being read.
TEST_F(LaneAges, AWindowThatCannotBeReadAgainStarvesNothingElse) {
  for (const auto code : {common::ErrorCode::kRequestRejected, common::ErrorCode::kRetryable}) {
    SCOPED_TRACE(common::to_string(code));
    publisher = {};
    const common::Instant begun = clock.utc_now();
    start = begun;
    options.live.ages = {10min, 1h};
    bool fails = true;
    std::size_t refused = 0;
    service = [&](const core::ApiRequest& request) -> tests::support::FakeAnswer {
      const auto window = common::parse_interval(request.window).value();
      const bool is_again = clock.utc_now() >= window.end + 10min;
      const bool is_bad = window.contains(begun + 3min) && is_again && fails;
      if (is_bad) ++refused;
      return is_bad ? tests::support::FakeAnswer{refuse(code, "not this one")} : answer(R"({"totalHits":0})");
    };
    run_live();
    const core::Ledger& ledger = publisher.committed(live);
    for (int minute = 0; minute < 180; ++minute) {
      pass(1min);
      if (minute > 2) ASSERT_GE(ledger.complete_until(), clock.utc_now() - 3min) << "after " << minute << " minutes";
    }

    EXPECT_GT(refused, 2U);
    EXPECT_LE(refused, 120U) << "ever more seldom";
    EXPECT_TRUE(ledger.passes().at(10min).covers({.start = begun + 60min, .end = begun + 150min}));
    EXPECT_TRUE(ledger.passes().at(1h).covers({.start = begun + 60min, .end = begun + 90min}));
    EXPECT_FALSE(ledger.passes().at(1h).covers({.start = begun, .end = begun + 5min}));
    EXPECT_EQ(metrics.last("lane_failing")->number, 1);

    fails = false;
    pass(20min);
    EXPECT_TRUE(ledger.passes().at(1h).covers({.start = begun, .end = begun + 90min}));
    EXPECT_EQ(metrics.last("lane_failing")->number, 0);
    restart_process();
  }
}

TEST_F(LaneAges, AnOutageDoesNotMakeTheLaneAskForEveryWindowThatIsOfAge) {
  options.live.ages = {10min, 1h};
  bool fails = false;
  service = [&](const core::ApiRequest&) -> tests::support::FakeAnswer {
    return fails ? tests::support::FakeAnswer{refuse(common::ErrorCode::kRetryable, "down")} : answer(R"({"totalHits":0})");
  };
  run_live();
  pass(3h);
  fails = true;
  const std::size_t before = api.requests.size();
  pass(1h);
  EXPECT_LE(api.requests.size() - before, 60U);
}

TEST_F(LaneAges, AChangedConfigurationTakesEffectAndReadsNoHistory) {
  options.live.every = 10min;
  service = [](const core::ApiRequest&) { return answer(R"({"totalHits":0})"); };
  run_live();
  pass(5h);
  restart_process();
  options.live.ages = {30min};
  const std::size_t before = api.requests.size();
  run_live();
  pass(20min);

  EXPECT_TRUE(publisher.committed(live).passes().contains(30min));
  EXPECT_LE(api.requests.size() - before, 60U);
}

}  // namespace
}  // namespace connector::source
