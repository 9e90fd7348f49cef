#include "connector/app/find_cluster.h"

#include "common/clock.h"

#include <chrono>
#include <optional>
#include <utility>

namespace connector::app {

using namespace std::chrono_literals;

namespace {

constexpr common::Duration kTurn = 1s;
constexpr common::Duration kLastingTrouble = 5s;

}  // namespace

// In short turns: what an operator must mend (a refused password, an untrusted certificate) and what lasts for a while need not
// be waited for to the end.
common::Result<std::string> find_cluster(kafka::TopicAdmin& admin, common::Duration patience) {
  const common::SystemClock clock;
  const auto began = clock.steady_now();
  std::optional<std::string> trouble;
  for (;;) {
    auto id = admin.cluster_id(kTurn);
    if (id) return id;
    if (auto told = admin.take_trouble()) trouble = std::move(told);
    if (clock.steady_now() - began <= (trouble ? kLastingTrouble : patience)) continue;
    // With a reason it is the settings, without one the network.
    auto error = id.error();
    error.code = trouble ? common::ErrorCode::kConfigInvalid : common::ErrorCode::kTopicUnusable;
    if (trouble) error.message += " (" + *trouble + ")";
    return common::fail(std::move(error));
  }
}

}  // namespace connector::app
