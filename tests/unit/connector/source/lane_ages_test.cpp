// Lanes that read again at their ages: what they ask for, and what of it the ledger keeps.

#include "common/json.h"
#include "connector/source/json_pointer.h"
#include "tests/unit/connector/source/reader_fixture.h"

namespace connector::source {
namespace {

using namespace std::chrono_literals;
using testing::SizeIs;
using tests::support::answer;

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
