#include "tests/support/topic_writer.h"

#include <librdkafka/rdkafka.h>

#include <array>
#include <memory>
#include <stdexcept>

namespace tests::support {
namespace {

template <auto Function>
struct Release {
  template <class T>
  void operator()(T* pointer) const {
    Function(pointer);
  }
};
using Producer = std::unique_ptr<rd_kafka_t, Release<rd_kafka_destroy>>;

Producer make_producer(const TopicReaderOptions& options, rd_kafka_resp_err_t& delivered) {
  std::map<std::string, std::string> settings = options.properties;
  settings["bootstrap.servers"] = options.bootstrap;
  settings["acks"] = "all";
  std::array<char, 512> error{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set_opaque(conf, &delivered);
  rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t* /*handle*/, const rd_kafka_message_t* message, void* opaque) {
    auto& worst = *static_cast<rd_kafka_resp_err_t*>(opaque);
    if (worst == RD_KAFKA_RESP_ERR_NO_ERROR) worst = message->err;
  });
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error.data(), error.size()) != RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      throw std::runtime_error(error.data());
    }
  }
  Producer producer(rd_kafka_new(RD_KAFKA_PRODUCER, conf, error.data(), error.size()));
  if (!producer) {
    rd_kafka_conf_destroy(conf);
    throw std::runtime_error(error.data());
  }
  return producer;
}

void produce(rd_kafka_t* producer, const std::string& topic, const TopicRecord& record) {
  rd_kafka_headers_t* headers = rd_kafka_headers_new(record.headers.size());
  for (const auto& [name, value] : record.headers) {
    rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                        static_cast<ssize_t>(value.size()));
  }
  std::string key = record.key.value_or("");
  std::string value = record.value.value_or("");
  std::array<rd_kafka_vu_t, 6> fields{};
  fields[0].vtype = RD_KAFKA_VTYPE_TOPIC;
  fields[0].u.cstr = topic.c_str();
  fields[1].vtype = RD_KAFKA_VTYPE_PARTITION;
  fields[1].u.i32 = record.partition;
  fields[2].vtype = RD_KAFKA_VTYPE_KEY;
  fields[2].u.mem = {.ptr = key.data(), .size = key.size()};
  fields[3].vtype = RD_KAFKA_VTYPE_VALUE;
  fields[3].u.mem = {.ptr = record.value ? value.data() : nullptr, .size = value.size()};
  fields[4].vtype = RD_KAFKA_VTYPE_HEADERS;
  fields[4].u.headers = headers;
  fields[5].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  fields[5].u.i = RD_KAFKA_MSG_F_COPY;
  if (rd_kafka_error_t* error = rd_kafka_produceva(producer, fields.data(), fields.size()); error != nullptr) {
    const std::string text = rd_kafka_error_string(error);
    rd_kafka_error_destroy(error);
    rd_kafka_headers_destroy(headers);
    throw std::runtime_error("producing: " + text);
  }
}

// And waits until all are acknowledged.
void produce_all(rd_kafka_t* producer, const rd_kafka_resp_err_t& worst, int timeout_ms, const std::string& topic,
                 const std::vector<TopicRecord>& records) {
  for (const TopicRecord& record : records) produce(producer, topic, record);
  if (rd_kafka_flush(producer, timeout_ms) != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error("delivery: not in time");
  if (worst != RD_KAFKA_RESP_ERR_NO_ERROR) throw std::runtime_error(std::string("delivery: ") + rd_kafka_err2str(worst));
}

void check(rd_kafka_error_t* error, const std::string& what) {
  if (error == nullptr) return;
  const std::string text = what + ": " + rd_kafka_error_string(error);
  rd_kafka_error_destroy(error);
  throw std::runtime_error(text);
}

}  // namespace

void write_records(const TopicReaderOptions& options, const std::string& topic, const std::vector<TopicRecord>& records) {
  rd_kafka_resp_err_t worst = RD_KAFKA_RESP_ERR_NO_ERROR;
  const Producer producer = make_producer(options, worst);
  produce_all(producer.get(), worst, static_cast<int>(options.timeout.count()), topic, records);
}

void write_aborted_records(TopicReaderOptions options, const std::string& topic, const std::vector<TopicRecord>& records) {
  const auto timeout_ms = static_cast<int>(options.timeout.count());
  options.properties["transactional.id"] = "aborts-in-" + topic;
  rd_kafka_resp_err_t worst = RD_KAFKA_RESP_ERR_NO_ERROR;
  const Producer producer = make_producer(options, worst);
  check(rd_kafka_init_transactions(producer.get(), timeout_ms), "initialising transactions");
  check(rd_kafka_begin_transaction(producer.get()), "beginning a transaction");
  produce_all(producer.get(), worst, timeout_ms, topic, records);
  check(rd_kafka_abort_transaction(producer.get(), timeout_ms), "aborting");
}

void write_record(const TopicReaderOptions& options, const std::string& topic, const TopicRecord& record) {
  write_records(options, topic, {record});
}

}  // namespace tests::support
