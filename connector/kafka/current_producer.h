#pragma once

// The task's producer of the moment: made, used, replaced when it is of no use any more, and what it refused meanwhile. When to
// do which is core::TransactionMachine's decision. On the one executor; never two calls at a time, but `set_password` and
// `request_stop`.

#include "common/result.h"
#include "common/secret.h"
#include "connector/core/ports/transactional_producer.h"
#include "connector/kafka/producer.h"

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace connector::kafka {

class CurrentProducer {
 public:
  // Without a factory: make_producer.
  explicit CurrentProducer(ProducerFactory factory) : factory_(factory ? std::move(factory) : ProducerFactory{&make_producer}) {}

  common::Result<void> create(const ProducerSetup& setup);
  // Gives the present one up, if there is one: nothing of the batch in hand is referenced any more. `retire` leaves a batch that
  // another producer will publish, and takes into account which of its records were refused.
  boost::asio::awaitable<void> retire(core::TransactionBatch& batch);
  boost::asio::awaitable<void> close();

  // As core::TransactionalProducer's; one was created.
  boost::asio::awaitable<common::Result<void>> init() { return producer_->init(); }
  std::optional<std::string> take_trouble() { return producer_->take_trouble(); }
  boost::asio::awaitable<common::Result<void>> begin();
  boost::asio::awaitable<common::Result<void>> produce(const core::TransactionBatch& batch);
  boost::asio::awaitable<common::Result<void>> commit();
  boost::asio::awaitable<common::Result<void>> abort() { return producer_->abort(); }
  boost::asio::awaitable<common::Result<std::vector<std::int64_t>>> end_offsets(core::StreamName stream) {
    return producer_->end_offsets(std::move(stream));
  }
  // After an abort, if records were refused in the attempt: the next one knows better which. kTopicUnusable: no record is at
  // fault.
  common::Result<void> narrow_refused(core::TransactionBatch& batch);

  // Nothing if there is none.
  void set_password(const common::Secret& password);
  void request_stop();

 private:
  bool narrow(core::TransactionBatch& batch, common::ErrorCode refusal) const;
  common::Result<void> note_refusal(common::Result<void> result);

  ProducerFactory factory_;
  std::unique_ptr<core::TransactionalProducer> producer_;
  std::optional<common::Error> refusal_;  // of records, in the attempt under way
};

}  // namespace connector::kafka
