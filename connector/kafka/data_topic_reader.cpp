#include "connector/kafka/data_topic_reader.h"

#include "connector/kafka/topic_scan.h"

#include <utility>

namespace connector::kafka {

using common::Result;

namespace {

DataRecord to_record(const rd_kafka_message_t& message) {
  DataRecord record;
  record.key = {static_cast<const char*>(message.key), message.key_len};
  if (message.payload != nullptr) record.value.emplace(static_cast<const char*>(message.payload), message.len);
  if (header(message, "gk.form") == core::to_string(core::RecordForm::kJob)) record.form = core::RecordForm::kJob;
  record.read_at = read_at(message);
  return record;
}

}  // namespace

Result<DataTopicFigures> read_data_topic(const KafkaOptions& options, const core::ConnectorName& name,
                                         const std::string& topic_name, std::optional<common::Instant> from,
                                         common::Logger logger, common::Duration silence, const std::atomic<bool>& stop,
                                         const TakeData& take) {
  DataTopicFigures figures;
  const auto scanned =
      scan_topic(options, name, topic_name, from, std::move(logger), silence, stop, [&](const rd_kafka_message_t& message) {
        if (message.key == nullptr) return;
        ++figures.records;
        take(to_record(message));
      });
  if (!scanned) return common::fail(scanned.error());
  figures.partitions = scanned->partitions;
  return figures;
}

}  // namespace connector::kafka
