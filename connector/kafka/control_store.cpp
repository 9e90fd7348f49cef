#include "connector/kafka/control_store.h"

#include "common/json.h"
#include "connector/kafka/client.h"
#include "connector/kafka/conf.h"
#include "connector/kafka/deliveries.h"
#include "connector/kafka/error.h"

#include <array>
#include <utility>

namespace connector::kafka {

using common::ErrorCode;
using common::Result;

std::string backfill_key(const core::ConnectorName& name, const core::StreamName& stream) {
  common::json::Object what;
  what["backfill"] = stream.str();
  common::json::Array key;
  key.emplace_back(name.str());
  key.emplace_back(std::move(what));
  return common::json::serialize(key);
}

std::optional<core::StreamName> backfill_stream(const core::ConnectorName& name, std::string_view key) {
  const auto parsed = common::json::parse(key);
  if (!parsed || !parsed->is_array() || parsed->as_array().size() != 2) return std::nullopt;
  const auto& parts = parsed->as_array();
  if (!parts[0].is_string() || std::string_view{parts[0].as_string()} != name.str()) return std::nullopt;
  auto stream = common::json::find_string(parts[1], "backfill");
  return stream ? std::optional(core::StreamName{std::move(*stream)}) : std::nullopt;
}

Result<void> write_control(const KafkaOptions& options, const core::ConnectorName& name, const std::string& topic,
                           const std::string& key, const std::string& value, common::Logger logger, common::Duration patience) {
  auto conf = make_conf(options, {.role = ClientRole::kIdempotentProducer, .name = name});
  if (!conf) return common::fail(conf.error());
  Deliveries deliveries;
  auto client = Client::create(RD_KAFKA_PRODUCER, std::move(*conf), std::move(logger), &deliveries);
  if (!client) return common::fail(client.error());
  deliveries.begin();
  deliveries.sent(value.size());
  const TopicHandle handle{rd_kafka_topic_new((*client)->get(), topic.c_str(), nullptr)};
  std::array<rd_kafka_vu_t, 5> fields{};
  fields[0].vtype = RD_KAFKA_VTYPE_RKT;
  fields[0].u.rkt = handle.get();
  fields[1].vtype = RD_KAFKA_VTYPE_PARTITION;
  fields[1].u.i32 = kControlPartition;
  fields[2].vtype = RD_KAFKA_VTYPE_KEY;
  fields[2].u.mem.ptr = const_cast<char*>(key.data());  // NOLINT(cppcoreguidelines-pro-type-const-cast): not written through
  fields[2].u.mem.size = key.size();
  fields[3].vtype = RD_KAFKA_VTYPE_VALUE;
  fields[3].u.mem.ptr = const_cast<char*>(value.data());  // NOLINT(cppcoreguidelines-pro-type-const-cast): the same
  fields[3].u.mem.size = value.size();
  fields[4].vtype = RD_KAFKA_VTYPE_OPAQUE;
  fields[4].u.ptr = Deliveries::tag(RecordKind::kControl, 0);
  if (const ErrorHandle error{rd_kafka_produceva((*client)->get(), fields.data(), fields.size())}) {
    return common::fail(to_error(rd_kafka_error_code(error.get()), "writing to topic " + topic));
  }
  constexpr int kSliceMs = 200;
  for (common::Duration waited{0}; waited < patience; waited += common::Duration{kSliceMs}) {
    rd_kafka_flush((*client)->get(), kSliceMs);
    if (auto outcome = deliveries.outcome()) {
      if (*outcome) return {};
      return common::fail(common::with_context(outcome->error(), "topic " + topic));
    }
  }
  const auto trouble = (*client)->take_trouble();
  return common::fail(ErrorCode::kRetryable,
                      "writing to topic " + topic + ": not acknowledged in time" + (trouble ? ": " + *trouble : std::string{}));
}

}  // namespace connector::kafka
