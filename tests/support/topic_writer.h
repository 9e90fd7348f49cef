#pragma once

// Puts a record into a topic beside its owner: how a test damages what was published. Waits until it is acknowledged.

#include "tests/support/topic_reader.h"

#include <string>
#include <vector>

namespace tests::support {

// Into the record's own partition; offset and timestamp are not looked at. Throws std::runtime_error when it is not taken.
void write_record(const TopicReaderOptions& options, const std::string& topic, const TopicRecord& record);
void write_records(const TopicReaderOptions& options, const std::string& topic, const std::vector<TopicRecord>& records);
// In a transaction that is aborted when they are all there: only who reads what is not committed is shown them.
void write_aborted_records(TopicReaderOptions options, const std::string& topic, const std::vector<TopicRecord>& records);

}  // namespace tests::support
