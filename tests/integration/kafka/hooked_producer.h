#pragma once

// A real producer of which a test holds single steps back, or has something happen around them.

#include "connector/kafka/producer.h"

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tests::integration {

class HookedProducer final : public connector::core::TransactionalProducer {
 public:
  using Batch = connector::core::TransactionBatch;
  using Step = boost::asio::awaitable<common::Result<void>>;
  // Performs the commit of `batch`, or whatever the test wants to have come of it.
  using Commit = std::function<Step(TransactionalProducer& inner, const Batch& batch)>;

  HookedProducer(std::unique_ptr<TransactionalProducer> inner, Commit commit)
      : inner_(std::move(inner)), commit_(std::move(commit)) {}

  // Makes real producers whose commits are the test's.
  static connector::kafka::ProducerFactory factory(Commit commit) {
    return [commit = std::move(commit)](
               const connector::kafka::ProducerSetup& setup) -> common::Result<std::unique_ptr<TransactionalProducer>> {
      auto made = connector::kafka::make_producer(setup);
      if (!made) return common::fail(made.error());
      return std::make_unique<HookedProducer>(std::move(*made), commit);
    };
  }

  Step init() override { return inner_->init(); }
  Step begin() override { return inner_->begin(); }
  Step produce(const Batch& batch) override {
    batch_ = &batch;
    return inner_->produce(batch);
  }
  Step commit() override { return commit_(*inner_, *batch_); }
  Step abort() override { return inner_->abort(); }
  boost::asio::awaitable<common::Result<std::vector<std::int64_t>>> end_offsets(connector::core::StreamName stream) override {
    return inner_->end_offsets(std::move(stream));
  }
  boost::asio::awaitable<void> close() override { return inner_->close(); }
  [[nodiscard]] std::vector<std::size_t> refused_records() const override { return inner_->refused_records(); }
  std::optional<std::string> take_trouble() override { return inner_->take_trouble(); }
  void set_password(const common::Secret& password) override { inner_->set_password(password); }
  void request_stop() override { inner_->request_stop(); }

 private:
  std::unique_ptr<TransactionalProducer> inner_;
  Commit commit_;
  const Batch* batch_ = nullptr;  // of the last produce(), alive until its commit's end
};

}  // namespace tests::integration
