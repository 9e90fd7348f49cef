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

// The source partition in a key of this connector, as JSON.
std::optional<common::json::Value> partition_of(const core::ConnectorName& name, std::string_view key) {
  auto parsed = common::json::parse(key);
  if (!parsed || !parsed->is_array() || parsed->as_array().size() != 2) return std::nullopt;
  auto& parts = parsed->as_array();
  if (!parts[0].is_string() || std::string_view{parts[0].as_string()} != name.str()) return std::nullopt;
  return std::move(parts[1]);
}

std::optional<core::SourcePartition> source_of(const common::json::Value& partition) {
  const auto stream = common::json::find_string(partition, "stream");
  const auto lane_text = common::json::find_string(partition, "lane");
  const auto lane = lane_text ? core::parse_lane(*lane_text) : std::nullopt;
  if (!stream || !lane) return std::nullopt;
  return core::SourcePartition{.stream = core::StreamName{*stream}, .lane = *lane};
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
  const auto partition = partition_of(location.name, key);
  if (!partition) return {};  // not of ours
  if (const auto task = common::json::find_int(*partition, "task")) {
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
  const auto source = source_of(*partition);
  if (!source) return {};
  if (value == nullptr) {
    state.ledgers.erase(*source);
    return {};
  }
  auto ledger = core::Ledger::parse(*value);
  if (!ledger) {
    return common::fail(common::with_context(ledger.error(), "topic " + location.topic + ", key " + std::string{key}));
  }
  state.ledgers[*source] = std::move(*ledger);
  return {};
}

Result<StoredOffsets> read_offsets(const KafkaOptions& options, const StateLocation& location, common::Logger logger,
                                   common::Duration timeout, const std::atomic<bool>& stop) {
  StoredOffsets stored;
  const auto take = [&](std::string_view key, const std::string_view* value) -> Result<void> {
    if (!partition_of(location.name, key)) return {};
    if (value == nullptr) {
      stored.erase(std::string{key});
    } else {
      stored.insert_or_assign(std::string{key}, std::string{*value});
    }
    return {};
  };
  if (auto read = read_partition(options, location, std::move(logger), timeout, stop, take); !read)
    return common::fail(read.error());
  return stored;
}

// The last value of each key counts: what was damaged and has been mended since is in the topic until it is compacted.
Result<core::StoredState> read_state(const KafkaOptions& options, const StateLocation& location, common::Logger logger,
                                     common::Duration timeout, const std::atomic<bool>& stop) {
  const auto stored = read_offsets(options, location, std::move(logger), timeout, stop);
  if (!stored) return common::fail(stored.error());
  core::StoredState state;
  for (const auto& [key, text] : *stored) {
    const std::string_view value{text};
    if (auto taken = take_stored(location, key, &value, state); !taken) return common::fail(taken.error());
  }
  return state;
}

std::optional<core::SourcePartition> ledger_source(const core::ConnectorName& name, std::string_view key) {
  const auto partition = partition_of(name, key);
  return partition ? source_of(*partition) : std::nullopt;
}

core::StoredState readable_state(const StateLocation& location, const StoredOffsets& stored) {
  core::StoredState state;
  for (const auto& [key, text] : stored) {
    const std::string_view value{text};
    // What cannot be read is left as it was: absent.
    static_cast<void>(take_stored(location, key, &value, state));
  }
  return state;
}

}  // namespace connector::kafka
