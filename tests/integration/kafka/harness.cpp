#include "tests/integration/kafka/harness.h"

#include "common/json.h"
#include "connector/kafka/handles.h"

#include <gtest/gtest.h>

#include <array>
#include <exception>
#include <iostream>
#include <stdexcept>

namespace tests::integration {

namespace kafka = connector::kafka;
namespace core = connector::core;

namespace {

constexpr int kCallMs = 20'000;

kafka::ClientHandle make_client(rd_kafka_type_t type, const std::string& bootstrap, const Properties& more) {
  kafka::ConfHandle conf{rd_kafka_conf_new()};
  std::array<char, 512> reason{};
  Properties all{{"bootstrap.servers", bootstrap}, {"log_level", "0"}, {"reconnect.backoff.max.ms", "200"}};
  for (const auto& [key, value] : more) all[key] = value;
  for (const auto& [key, value] : all) {
    if (rd_kafka_conf_set(conf.get(), key.c_str(), value.c_str(), reason.data(), reason.size()) != RD_KAFKA_CONF_OK) {
      throw std::runtime_error(reason.data());
    }
  }
  kafka::ClientHandle client{rd_kafka_new(type, conf.get(), reason.data(), reason.size())};
  if (!client) throw std::runtime_error(reason.data());
  [[maybe_unused]] auto* consumed = conf.release();
  return client;
}

// Runs one administrative request and returns its answer; throws what went wrong.
kafka::EventHandle admin(rd_kafka_t* client, const std::function<void(rd_kafka_queue_t*)>& send) {
  const kafka::QueueHandle queue{rd_kafka_queue_new(client)};
  send(queue.get());
  kafka::EventHandle event{rd_kafka_queue_poll(queue.get(), kCallMs)};
  if (!event) throw std::runtime_error("no answer to an administrative request");
  if (rd_kafka_event_error(event.get())) throw std::runtime_error(rd_kafka_event_error_string(event.get()));
  return event;
}

std::vector<int> partitions_of(rd_kafka_t* client, const std::string& topic) {
  const kafka::TopicHandle handle{rd_kafka_topic_new(client, topic.c_str(), nullptr)};
  const struct rd_kafka_metadata* raw = nullptr;
  if (const auto code = rd_kafka_metadata(client, 0, handle.get(), &raw, kCallMs)) {
    throw std::runtime_error(rd_kafka_err2str(code));
  }
  const kafka::MetadataHandle metadata{raw};
  std::vector<int> partitions;
  for (int t = 0; t < metadata->topic_cnt; ++t) {
    for (int p = 0; p < metadata->topics[t].partition_cnt; ++p) partitions.push_back(metadata->topics[t].partitions[p].id);
  }
  return partitions;
}

// A commit is answered before its markers stand in every partition, so the end of what is committed is not the end of what will
// be: everything that was written before now is waited for.
std::int64_t high_watermark(rd_kafka_t* client, const std::string& topic, int partition) {
  const kafka::PartitionListHandle partitions{rd_kafka_topic_partition_list_new(1)};
  rd_kafka_topic_partition_list_add(partitions.get(), topic.c_str(), partition)->offset = RD_KAFKA_OFFSET_SPEC_LATEST;
  const kafka::AdminOptionsHandle options{rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_LISTOFFSETS)};
  const kafka::ErrorHandle refused{
      rd_kafka_AdminOptions_set_isolation_level(options.get(), RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED)};
  const auto event =
      admin(client, [&](rd_kafka_queue_t* queue) { rd_kafka_ListOffsets(client, partitions.get(), options.get(), queue); });
  std::size_t count = 0;
  const auto* const* infos = rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event.get()), &count);
  if (count != 1) throw std::runtime_error("no end is known of " + topic);
  return rd_kafka_ListOffsetsResultInfo_topic_partition(infos[0])->offset;
}

std::map<std::string, std::string> headers_of(const rd_kafka_message_t& message) {
  std::map<std::string, std::string> found;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return found;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    found[name] = std::string{static_cast<const char*>(value), size};
  }
  return found;
}

}  // namespace

std::vector<VisibleRecord> read_committed(const std::string& bootstrap, const std::string& topic, const Properties& more) {
  Properties properties{{"isolation.level", "read_committed"}, {"enable.partition.eof", "true"}, {"fetch.wait.max.ms", "10"}};
  for (const auto& [key, value] : more) properties[key] = value;
  const kafka::ClientHandle client = make_client(RD_KAFKA_CONSUMER, bootstrap, properties);
  const kafka::TopicHandle handle{rd_kafka_topic_new(client.get(), topic.c_str(), nullptr)};
  std::vector<VisibleRecord> records;
  for (const int partition : partitions_of(client.get(), topic)) {
    const std::int64_t end = high_watermark(client.get(), topic, partition);
    rd_kafka_consume_start(handle.get(), partition, RD_KAFKA_OFFSET_BEGINNING);
    for (;;) {
      const kafka::MessageHandle message{rd_kafka_consume(handle.get(), partition, kCallMs)};
      if (!message) throw std::runtime_error("nothing more can be read from " + topic);
      if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (message->offset >= end) break;
        continue;
      }
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error(rd_kafka_message_errstr(message.get()));
      rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
      records.push_back({.key = {static_cast<const char*>(message->key), message->key_len},
                         .value = {static_cast<const char*>(message->payload), message->len},
                         .tombstone = message->payload == nullptr,
                         .headers = headers_of(*message),
                         .timestamp = rd_kafka_message_timestamp(message.get(), &type),
                         .offset = message->offset,
                         .partition = message->partition});
    }
    rd_kafka_consume_stop(handle.get(), partition);
  }
  return records;
}

void make_topic(const std::string& bootstrap, const std::string& topic, int partitions, const Properties& config,
                const Properties& more) {
  const kafka::ClientHandle client = make_client(RD_KAFKA_PRODUCER, bootstrap, more);
  const kafka::NewTopicHandle wanted{rd_kafka_NewTopic_new(topic.c_str(), partitions, 1, nullptr, 0)};
  for (const auto& [key, value] : config) rd_kafka_NewTopic_set_config(wanted.get(), key.c_str(), value.c_str());
  std::array<rd_kafka_NewTopic_t*, 1> list{wanted.get()};
  const auto event = admin(client.get(), [&](rd_kafka_queue_t* queue) {
    rd_kafka_CreateTopics(client.get(), list.data(), list.size(), nullptr, queue);
  });
  std::size_t count = 0;
  const auto* const* answers = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  if (count != 1 || rd_kafka_topic_result_error(answers[0])) throw std::runtime_error("cannot make topic " + topic);
}

void delete_topic(const std::string& bootstrap, const std::string& topic, const Properties& more) {
  const kafka::ClientHandle client = make_client(RD_KAFKA_PRODUCER, bootstrap, more);
  const std::unique_ptr<rd_kafka_DeleteTopic_t, kafka::Destroyer<rd_kafka_DeleteTopic_destroy>> wanted{
      rd_kafka_DeleteTopic_new(topic.c_str())};
  std::array<rd_kafka_DeleteTopic_t*, 1> list{wanted.get()};
  admin(client.get(),
        [&](rd_kafka_queue_t* queue) { rd_kafka_DeleteTopics(client.get(), list.data(), list.size(), nullptr, queue); });
  // The answer comes before the brokers have let go of it: until then they still take records.
  for (int asked = 0; asked < 10'000; ++asked) {
    if (partitions_of(client.get(), topic).empty()) return;
  }
  throw std::runtime_error("topic " + topic + " does not go away");
}

void allow(const std::string& bootstrap, int resource_type, const std::string& resource, int operation,
           const std::string& principal, const Properties& more) {
  const kafka::ClientHandle client = make_client(RD_KAFKA_PRODUCER, bootstrap, more);
  std::array<char, 512> reason{};
  const std::unique_ptr<rd_kafka_AclBinding_t, kafka::Destroyer<rd_kafka_AclBinding_destroy>> binding{rd_kafka_AclBinding_new(
      static_cast<rd_kafka_ResourceType_t>(resource_type), resource.c_str(), RD_KAFKA_RESOURCE_PATTERN_LITERAL, principal.c_str(),
      "*", static_cast<rd_kafka_AclOperation_t>(operation), RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW, reason.data(), reason.size())};
  if (!binding) throw std::runtime_error(reason.data());
  std::array<rd_kafka_AclBinding_t*, 1> list{binding.get()};
  admin(client.get(),
        [&](rd_kafka_queue_t* queue) { rd_kafka_CreateAcls(client.get(), list.data(), list.size(), nullptr, queue); });
}

void make_topics_and_grant_least(const std::string& bootstrap, const std::string& name, const std::string& principal,
                                 const Properties& admin) {
  const std::string offsets = name + "-offsets";
  const std::string digests = name + "-digests";
  const std::string dead_letters = name + "-dead-letters";
  const std::string progress = name + "-progress";
  const std::string control = name + "-control";
  const std::string data = name + ".conversations";
  for (const auto& state : {offsets, digests}) make_topic(bootstrap, state, 1, {{"cleanup.policy", "compact"}}, admin);
  make_topic(bootstrap, dead_letters, 1, {}, admin);
  make_topic(bootstrap, progress, 1, {}, admin);
  make_topic(bootstrap, control, 1, {{"cleanup.policy", "compact"}}, admin);
  make_topic(bootstrap, data, 3, {}, admin);
  const auto allow_topic = [&](const std::string& topic, int operation) {
    allow(bootstrap, RD_KAFKA_RESOURCE_TOPIC, topic, operation, principal, admin);
  };
  for (const auto& topic : {offsets, digests, dead_letters, progress, control, data})
    allow_topic(topic, RD_KAFKA_ACL_OPERATION_WRITE);
  for (const auto& state : {offsets, digests}) {
    allow_topic(state, RD_KAFKA_ACL_OPERATION_READ);
    allow_topic(state, RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS);
  }
  allow_topic(control, RD_KAFKA_ACL_OPERATION_READ);
  for (const int operation : {RD_KAFKA_ACL_OPERATION_WRITE, RD_KAFKA_ACL_OPERATION_DESCRIBE})
    allow(bootstrap, RD_KAFKA_RESOURCE_TRANSACTIONAL_ID, name + "-task-0", operation, principal, admin);
}

void set_topic_config(const std::string& bootstrap, const std::string& topic, const std::string& property,
                      const std::string& value, const Properties& more) {
  const kafka::ClientHandle client = make_client(RD_KAFKA_PRODUCER, bootstrap, more);
  const kafka::ConfigResourceHandle resource{rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str())};
  rd_kafka_ConfigResource_add_incremental_config(resource.get(), property.c_str(), RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET,
                                                 value.c_str());
  std::array<rd_kafka_ConfigResource_t*, 1> list{resource.get()};
  admin(client.get(), [&](rd_kafka_queue_t* queue) {
    rd_kafka_IncrementalAlterConfigs(client.get(), list.data(), list.size(), nullptr, queue);
  });
}

common::Interval window(std::uint64_t number) {
  const auto start = common::Instant{std::chrono::hours{24L * 20'000}} + std::chrono::minutes{number};
  return {.start = start, .end = start + std::chrono::minutes{1}};
}

std::string key_of(std::uint64_t record) {
  return "k-" + std::to_string(record);
}

PageGroup page(const StreamName& stream, std::uint64_t number, std::uint64_t first, std::uint64_t count,
               std::size_t value_bytes) {
  core::Page made;
  made.source = {.stream = stream, .lane = Lane::kLive};
  made.buffer = std::make_unique<std::string>();
  made.buffer->reserve(count * (value_bytes + 64));
  std::vector<std::array<std::size_t, 4>> places;
  for (std::uint64_t record = first; record < first + count; ++record) {
    const std::string key = key_of(record);
    const std::size_t key_at = made.buffer->size();
    *made.buffer += key;
    const std::size_t value_at = made.buffer->size();
    *made.buffer += R"({"id":")" + key + R"(","text":")";
    while (made.buffer->size() - value_at < value_bytes) *made.buffer += 'x';
    *made.buffer += "\"}";
    places.push_back({key_at, key.size(), value_at, made.buffer->size() - value_at});
  }
  const std::string_view all = *made.buffer;
  for (const auto& at : places) made.records.push_back({.key = all.substr(at[0], at[1]), .value = all.substr(at[2], at[3])});
  made.window = window(number);
  made.read_at = *common::parse_instant("2026-05-04T09:12:03.386Z");
  made.correlation_id = "corr-1";
  made.position = "page 1";
  made.changes.emplace_back(core::WindowOpened{.window = made.window, .position = core::AtStart{}});
  made.changes.emplace_back(core::WindowCompleted{.window = made.window, .records = count});
  PageGroup group;
  group.push_back(std::move(made));
  return group;
}

bool Loop::until(const std::function<bool()>& done, std::chrono::milliseconds bound) {
  const auto end = std::chrono::steady_clock::now() + bound;
  while (!done()) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= end) return false;
    io.restart();
    // Conditions may be about the broker or a log, so look again soon even if no handler ran.
    io.run_one_for(std::min<std::chrono::steady_clock::duration>(end - now, std::chrono::milliseconds{10}));
  }
  return true;
}

void Loop::wait(boost::asio::awaitable<void> operation, std::chrono::milliseconds bound) {
  bool done = false;
  boost::asio::co_spawn(io, std::move(operation), [&done](const std::exception_ptr& failure) {
    if (failure) std::rethrow_exception(failure);
    done = true;
  });
  if (!until([&] { return done; }, bound)) throw std::runtime_error("an operation did not end within its bound");
}

Instance::Instance(Loop& loop, InstanceOptions options) : loop_(loop), options_(std::move(options)) {
  std::vector<kafka::StreamTopic> streams;
  for (const auto& stream : options_.streams) {
    streams.push_back({.stream = StreamName{stream},
                       .topic = topic(stream),
                       .settings = {.partitions = 3},
                       .dead_letters = options_.dead_letters});
  }
  common::Logger logger{{.level = common::LogLevel::kDebug, .format = common::LogFormat::kJson},
                        [lines = lines_](common::LogLevel, std::string_view line) {
                          const std::scoped_lock lock{lines->mutex};
                          lines->text.append(line).append("\n");
                        }};
  publisher = std::make_unique<kafka::KafkaPublisher>(loop_.io.get_executor(), core::ConnectorName{options_.name}, options_.kafka,
                                                      std::move(streams), clock_, metrics, std::move(logger), options_.seed,
                                                      options_.factory, options_.tuning);
}

Instance::~Instance() {
  if (running_ && !ended()) stop(std::chrono::milliseconds{0});
  if (testing::Test::HasFailure() || std::uncaught_exceptions() > 0)
    std::cerr << "--- log of " << options_.name << " ---\n" << log();
}

std::string Instance::log() const {
  const std::scoped_lock lock{lines_->mutex};
  return lines_->text;
}

common::Result<kafka::RestoredState> Instance::start(std::chrono::milliseconds bound) {
  return loop_.wait(publisher->start(), bound);
}

void Instance::run() {
  running_ = true;
  boost::asio::co_spawn(loop_.io, publisher->run(), [this](const std::exception_ptr& failure, common::Result<void> ended) {
    if (failure) std::rethrow_exception(failure);
    result = std::move(ended);
  });
}

void Instance::start_and_run() {
  const auto restored = start();
  if (!restored) throw std::runtime_error(restored.error().message);
  for (const auto& stream : options_.streams) {
    if (restored->ledgers.contains(live(stream))) continue;
    const auto facts = publisher->topic(StreamName{stream});
    const auto adopted = publisher->adopt(
        live(stream), core::Ledger{{.cluster_id = restored->cluster_id, .topic_id = facts ? facts->id : ""}, window(0).start});
    if (!adopted) throw std::runtime_error(adopted.error().message);
  }
  run();
}

void Instance::submit_pages(std::uint64_t pages, std::uint64_t per_page, std::size_t value_bytes, const std::string& stream) {
  for (std::uint64_t i = 0; i < pages; ++i) {
    const auto submitted = submit(page(StreamName{stream}, next_window++, next_record, per_page, value_bytes));
    if (!submitted) throw std::runtime_error(submitted.error().message);
    next_record += per_page;
  }
}

void Instance::stop(std::chrono::milliseconds patience) {
  loop_.wait(publisher->stop(patience), patience + kPatience);
  if (running_) loop_.until([this] { return ended(); });
}

InstanceOptions plain_options(const tests::support::KafkaBroker& broker) {
  InstanceOptions options;
  options.name = tests::support::unique_name("acme");
  options.kafka.bootstrap_servers = broker.bootstrap();
  options.kafka.commit_interval = common::Duration{20};
  options.kafka.topics.progress.enabled = false;
  options.kafka.topics.control.enabled = false;
  return options;
}

void expect_each_once(const std::string& bootstrap, const std::string& topic, std::uint64_t count, const Properties& more) {
  std::map<std::string, int> seen;
  for (const auto& record : read_committed(bootstrap, topic, more)) ++seen[record.key];
  std::uint64_t missing = 0;
  std::uint64_t repeated = 0;
  for (std::uint64_t record = 0; record < count; ++record) {
    const auto found = seen.find(key_of(record));
    if (found == seen.end()) {
      ++missing;
    } else if (found->second > 1) {
      ++repeated;
    }
  }
  EXPECT_EQ(missing, 0U);
  EXPECT_EQ(repeated, 0U);
  EXPECT_EQ(seen.size(), count);
}

std::optional<core::Ledger> visible_ledger(const std::string& bootstrap, const std::string& offsets_topic,
                                           const std::string& stream, const Properties& more) {
  std::optional<core::Ledger> newest;
  for (const auto& record : read_committed(bootstrap, offsets_topic, more)) {
    const auto key = common::json::parse(record.key);
    if (!key || common::json::find_string(key->as_array().at(1), "stream") != stream) continue;
    auto ledger = core::Ledger::parse(record.value);
    if (!ledger) throw std::runtime_error(ledger.error().message);
    newest = std::move(*ledger);
  }
  return newest;
}

}  // namespace tests::integration
