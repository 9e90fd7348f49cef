#include "connector/kafka/current_producer.h"

#include "connector/core/transaction/refusal_search.h"

#include <utility>

namespace connector::kafka {

using boost::asio::awaitable;
using common::ErrorCode;
using common::Result;

Result<void> CurrentProducer::create(const ProducerSetup& setup) {
  auto made = factory_(setup);
  if (!made) return common::fail(made.error());
  producer_ = std::move(*made);
  return {};
}

awaitable<void> CurrentProducer::retire(core::TransactionBatch& batch) {
  if (!producer_) co_return;
  co_await producer_->close();
  if (const auto refusal = std::exchange(refusal_, std::nullopt)) narrow(batch, refusal->code);
  producer_.reset();
}

awaitable<void> CurrentProducer::close() {
  if (!producer_) co_return;
  co_await producer_->close();
  producer_.reset();
}

awaitable<Result<void>> CurrentProducer::begin() {
  refusal_.reset();
  return producer_->begin();
}

awaitable<Result<void>> CurrentProducer::produce(const core::TransactionBatch& batch) {
  co_return note_refusal(co_await producer_->produce(batch));
}

awaitable<Result<void>> CurrentProducer::commit() {
  co_return note_refusal(co_await producer_->commit());
}

// Only when the transaction is closed, or its producer is (`retire`): a failed commit returns while reports still come, and the
// first of them alone would condemn the wrong record.
Result<void> CurrentProducer::narrow_refused(core::TransactionBatch& batch) {
  const auto refusal = std::exchange(refusal_, std::nullopt);
  if (!refusal || narrow(batch, refusal->code)) return {};
  return common::fail(ErrorCode::kTopicUnusable, refusal->message + "; no single record is at fault");
}

bool CurrentProducer::narrow(core::TransactionBatch& batch, ErrorCode refusal) const {
  return core::narrow(batch, producer_->refused_records(),
                      refusal == ErrorCode::kOversize ? batch.too_large : core::RecordFate::kRefused);
}

void CurrentProducer::set_password(const common::Secret& password) {
  if (producer_) producer_->set_password(password);
}

void CurrentProducer::request_stop() {
  if (producer_) producer_->request_stop();
}

Result<void> CurrentProducer::note_refusal(Result<void> result) {
  const bool refused =
      !result && (result.error().code == ErrorCode::kOversize || result.error().code == ErrorCode::kRequestRejected);
  if (refused) refusal_ = result.error();
  return result;
}

}  // namespace connector::kafka
