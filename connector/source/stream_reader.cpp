#include "connector/source/stream_reader.h"

#include "connector/source/follow_lane.h"
#include "connector/source/live_lane.h"
#include "connector/source/settle_lane.h"

#include <cassert>
#include <utility>

namespace connector::source {

struct StreamReader::Shared {
  StreamContext context;
  std::unique_ptr<LiveLane> live;
  std::unique_ptr<FollowLane> follow;
  std::unique_ptr<SettleLane> settle;
};

StreamReader::StreamReader(Definition definition, StreamOptions options, ResolvedStart start, core::Api& api,
                           core::Publisher& publisher, common::Clock& clock, core::Metrics& metrics, common::Logger logger,
                           std::size_t memory_bytes, std::uint64_t seed)
    : shared_(new Shared{
          .context = {.definition = definition,
                      .options = std::move(options),
                      .start = start,
                      .api = api,
                      .publisher = publisher,
                      .clock = clock,
                      .metrics = metrics,
                      .logger = logger.named("source"),
                      .memory_bytes = memory_bytes,
                      .random = std::mt19937_64(seed),
                      .slicer = {},
                      .digester = ContentDigester({.ignore = definition.digest_ignore, .job_only = definition.job_only}),
                      .reads = {}}}) {
  if (has_follow()) shared_->follow = std::make_unique<FollowLane>(shared_->context);
  if (has_live()) shared_->live = std::make_unique<LiveLane>(shared_->context);
  if (has_settle()) shared_->settle = std::make_unique<SettleLane>(shared_->context);
}

StreamReader::~StreamReader() = default;

bool StreamReader::has_live() const {
  return shared_->context.definition.query.has_value() && shared_->context.options.live.enabled;
}

bool StreamReader::has_follow() const {
  return has_live() && shared_->context.definition.by_id.has_value() && shared_->context.options.follow.enabled;
}

bool StreamReader::has_settle() const {
  return shared_->context.definition.job.has_value() && shared_->context.options.settle.enabled;
}

boost::asio::awaitable<common::Result<void>> StreamReader::run_live() {
  assert(shared_->live != nullptr);
  return shared_->live->run();
}

boost::asio::awaitable<common::Result<void>> StreamReader::run_follow() {
  assert(shared_->follow != nullptr);
  return shared_->follow->run();
}

boost::asio::awaitable<common::Result<void>> StreamReader::run_settle() {
  assert(shared_->settle != nullptr);
  return shared_->settle->run();
}

}  // namespace connector::source
