#include "connector/kafka/state_store.h"

#include "common/json.h"

#include <optional>
#include <string_view>
#include <utility>

namespace connector::kafka {

using common::ErrorCode;
using common::Result;

namespace {

std::string key_of(const core::ConnectorName& name, common::json::Object partition) {
  common::json::Array key;
  key.emplace_back(name.str().c_str());
  key.emplace_back(std::move(partition));
  return common::json::serialize(key);
}

}  // namespace

std::string ledger_key(const core::ConnectorName& name, const core::SourcePartition& source) {
  common::json::Object partition;
  partition["stream"] = source.stream.str().c_str();
  partition["lane"] = core::to_string(source.lane);
  return key_of(name, std::move(partition));
}

std::string claim_key(const core::ConnectorName& name, std::int32_t task) {
  common::json::Object partition;
  partition["task"] = task;
  return key_of(name, std::move(partition));
}

Result<void> take_stored(const StateLocation& location, std::string_view key, const std::string_view* value,
                         core::StoredState& state) {
  const auto parsed = common::json::parse(key);
  if (!parsed || !parsed->is_array() || parsed->as_array().size() != 2) return {};  // not of ours
  const auto& parts = parsed->as_array();
  if (!parts[0].is_string() || std::string_view{parts[0].as_string()} != location.name.str()) return {};
  if (const auto task = common::json::find_int(parts[1], "task")) {
    if (*task != location.partition) return {};
    if (value == nullptr) {
      state.claim.reset();
      return {};
    }
    auto claim = core::Claim::parse(*value);
    if (!claim) return common::fail(common::with_context(claim.error(), "topic " + location.topic));
    state.claim = std::move(*claim);
    return {};
  }
  const auto stream = common::json::find_string(parts[1], "stream");
  const auto lane_text = common::json::find_string(parts[1], "lane");
  const auto lane = lane_text ? core::parse_lane(*lane_text) : std::nullopt;
  if (!stream || !lane) return {};
  const core::SourcePartition source{.stream = core::StreamName{*stream}, .lane = *lane};
  if (value == nullptr) {
    state.ledgers.erase(source);
    return {};
  }
  auto ledger = core::Ledger::parse(*value);
  if (!ledger) {
    return common::fail(common::with_context(ledger.error(), "topic " + location.topic + ", key " + std::string{key}));
  }
  state.ledgers[source] = std::move(*ledger);
  return {};
}

Result<core::StoredState> read_state(const KafkaOptions& options, const StateLocation& location, common::Logger logger,
                                     common::Duration timeout, const std::atomic<bool>& stop) {
  core::StoredState state;
  const auto take = [&](std::string_view key, const std::string_view* value) { return take_stored(location, key, value, state); };
  if (auto read = read_partition(options, location, std::move(logger), timeout, stop, take); !read)
    return common::fail(read.error());
  return state;
}

}  // namespace connector::kafka
