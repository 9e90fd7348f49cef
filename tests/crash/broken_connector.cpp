// The connector with a publisher that is wrong on purpose: it writes the ledger outside of the transaction, before the records.
// The crash test must catch it, else the test proves nothing. Built for tests only; takes the same command line as `genesys-kafka
// run`.

#include "connector/app/app.h"
#include "connector/cli/configuration.h"
#include "connector/cli/exit_code.h"
#include "connector/kafka/producer.h"
#include "connector/kafka/publisher.h"

#include <librdkafka/rdkafka.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <utility>

namespace {

using common::Result;
using connector::core::TransactionalProducer;
using connector::core::TransactionBatch;

// A plain acknowledged write, outside of every transaction.
class LooseProducer final {
 public:
  explicit LooseProducer(const std::string& bootstrap) {
    std::array<char, 512> error{};
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap.c_str(), error.data(), error.size());
    rd_kafka_conf_set(conf, "linger.ms", "0", error.data(), error.size());
    handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error.data(), error.size());
    if (handle_ == nullptr) throw std::runtime_error(error.data());
  }
  ~LooseProducer() { rd_kafka_destroy(handle_); }
  LooseProducer(const LooseProducer&) = delete;
  LooseProducer& operator=(const LooseProducer&) = delete;

  void write(const std::string& topic, std::int32_t partition, const std::string& key, const std::string& value) {
    std::array<rd_kafka_vu_t, 5> message{};
    message[0].vtype = RD_KAFKA_VTYPE_TOPIC;
    message[0].u.cstr = topic.c_str();
    message[1].vtype = RD_KAFKA_VTYPE_PARTITION;
    message[1].u.i32 = partition;
    message[2].vtype = RD_KAFKA_VTYPE_KEY;
    message[2].u.mem = {.ptr = const_cast<char*>(key.data()), .size = key.size()};
    message[3].vtype = RD_KAFKA_VTYPE_VALUE;
    message[3].u.mem = {.ptr = const_cast<char*>(value.data()), .size = value.size()};
    message[4].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    message[4].u.i = RD_KAFKA_MSG_F_COPY;
    rd_kafka_error_destroy(rd_kafka_produceva(handle_, message.data(), message.size()));
    rd_kafka_flush(handle_, kFlushMs);
  }

 private:
  static constexpr int kFlushMs = 5'000;
  rd_kafka_t* handle_ = nullptr;
};

class LedgerFirstProducer final : public TransactionalProducer {
 public:
  LedgerFirstProducer(std::unique_ptr<TransactionalProducer> real, const connector::kafka::ProducerSetup& setup)
      : real_(std::move(real)),
        loose_(setup.options.bootstrap_servers),
        topic_(setup.offsets_topic),
        partition_(setup.partition) {}

  boost::asio::awaitable<Result<void>> init() override { co_return co_await real_->init(); }
  boost::asio::awaitable<Result<void>> begin() override { co_return co_await real_->begin(); }
  boost::asio::awaitable<Result<void>> produce(const TransactionBatch& batch) override {
    // (Not claims: one that is ahead of the digests' mark is found at the next start, which is another test's matter.)
    if (!batch.pages.empty()) {
      for (const auto& record : batch.state) loose_.write(topic_, partition_, record.key, record.value.value());
    }
    // Wrong for long enough that a kill meets it within a few rounds.
    boost::asio::steady_timer gap(co_await boost::asio::this_coro::executor, kGap);
    co_await gap.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    co_return co_await real_->produce(batch);
  }
  boost::asio::awaitable<Result<void>> commit() override { co_return co_await real_->commit(); }
  boost::asio::awaitable<Result<void>> abort() override { co_return co_await real_->abort(); }
  boost::asio::awaitable<Result<std::vector<std::int64_t>>> end_offsets(connector::core::StreamName stream) override {
    return real_->end_offsets(std::move(stream));
  }
  boost::asio::awaitable<void> close() override { co_await real_->close(); }
  [[nodiscard]] std::vector<std::size_t> refused_records() const override { return real_->refused_records(); }
  std::optional<std::string> take_trouble() override { return real_->take_trouble(); }
  void set_password(const common::Secret& password) override { real_->set_password(password); }
  void request_stop() override { real_->request_stop(); }

 private:
  static constexpr std::chrono::milliseconds kGap{300};

  std::unique_ptr<TransactionalProducer> real_;
  LooseProducer loose_;
  std::string topic_;
  std::int32_t partition_ = 0;
};

Result<std::unique_ptr<TransactionalProducer>> make_broken(const connector::kafka::ProducerSetup& setup) {
  auto real = connector::kafka::make_producer(setup);
  if (!real) return common::fail(real.error());
  return std::make_unique<LedgerFirstProducer>(std::move(*real), setup);
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return common::fail(common::ErrorCode::kConfigInvalid, std::strerror(errno));
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 || std::string_view(argv[1]) != "run" || std::string_view(argv[2]) != "--config")
    return connector::cli::kConfigurationError;
  auto configuration = connector::cli::read_configuration(
      argv[3], {.environment = {}, .read_file = read_file, .out = std::cout, .err = std::cerr});
  if (!configuration) return connector::cli::kConfigurationError;
  const auto logger = common::Logger::to_stderr(configuration->loaded.config.log);
  connector::app::App app(std::move(configuration->loaded.config), std::move(configuration->definitions), logger, make_broken);
  const auto ended = app.run();
  return ended ? connector::cli::kDone : connector::cli::exit_code_of(ended.error());
}
