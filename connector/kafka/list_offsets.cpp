#include "connector/kafka/list_offsets.h"

#include "connector/kafka/admin_call.h"

#include <algorithm>
#include <numeric>

namespace connector::kafka {

using common::ErrorCode;
using common::Result;

Result<std::vector<std::int64_t>> list_offsets(rd_kafka_t* handle, const std::string& topic,
                                               const std::vector<std::int32_t>& partitions, TopicEdge edge,
                                               common::Duration timeout, const std::atomic<bool>& stop) {
  const std::string doing = "asking the offsets of topic " + topic;
  const auto spec = edge == TopicEdge::kFirst ? RD_KAFKA_OFFSET_SPEC_EARLIEST : RD_KAFKA_OFFSET_SPEC_LATEST;
  const PartitionListHandle wanted{rd_kafka_topic_partition_list_new(static_cast<int>(partitions.size()))};
  for (const std::int32_t partition : partitions) {
    rd_kafka_topic_partition_list_add(wanted.get(), topic.c_str(), partition)->offset = spec;
  }
  auto event = admin_call(
      handle, RD_KAFKA_ADMIN_OP_LISTOFFSETS, doing, timeout, stop,
      [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
        const ErrorHandle error{rd_kafka_AdminOptions_set_isolation_level(options, RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED)};
        rd_kafka_ListOffsets(handle, wanted.get(), options, queue);
      });
  if (!event) return common::fail(event.error());
  std::size_t count = 0;
  const auto* const* infos = rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event->get()), &count);
  if (count != partitions.size()) return common::fail(ErrorCode::kRetryable, doing + ": an answer is missing");
  std::vector<std::int64_t> offsets(partitions.size(), 0);
  for (std::size_t i = 0; i < count; ++i) {
    const auto* answer = rd_kafka_ListOffsetsResultInfo_topic_partition(infos[i]);
    if (answer->err != RD_KAFKA_RESP_ERR_NO_ERROR) return common::fail(to_error(answer->err, doing));
    const auto place = std::ranges::find(partitions, answer->partition);
    if (place == partitions.end()) return common::fail(ErrorCode::kRetryable, doing + ": an answer to another question");
    offsets[static_cast<std::size_t>(place - partitions.begin())] = answer->offset;
  }
  return offsets;
}

std::vector<std::int32_t> first_partitions(int count) {
  std::vector<std::int32_t> partitions(static_cast<std::size_t>(std::max(count, 0)));
  std::iota(partitions.begin(), partitions.end(), 0);
  return partitions;
}

}  // namespace connector::kafka
