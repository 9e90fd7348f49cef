#include "connector/source/stream_reader.h"

#include "connector/source/follow_lane.h"
#include "connector/source/live_lane.h"
#include "connector/source/settle_lane.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace connector::source {

namespace {

// Of what cannot be asked for in parts (a state, or a bucket that is a window of its own) too little would be too little for
// ever.
std::size_t most_composed(const Definition& definition, const StreamOptions& options, std::size_t page_bytes) {
  return is_snapshot(definition) || options.live.buckets.is_local() ? std::max(page_bytes, PageSlicer::kMostComposed)
                                                                    : page_bytes;
}

}  // namespace

struct StreamReader::Shared {
  StreamContext context;
  std::unique_ptr<LiveLane> live;
  std::unique_ptr<FollowLane> follow;
  std::unique_ptr<SettleLane> settle;
  std::unique_ptr<SettleLane> backfill;  // the last one
};

StreamReader::StreamReader(Definition definition, StreamOptions options, ResolvedStart start, core::Api& api,
                           core::Publisher& publisher, common::Clock& clock, core::Metrics& metrics, common::Logger logger,
                           std::size_t memory_bytes, std::uint64_t seed, std::size_t page_bytes)
    : shared_(new Shared{.context = {.definition = definition,
                                     .options = options,
                                     .start = start,
                                     .api = api,
                                     .publisher = publisher,
                                     .clock = clock,
                                     .metrics = metrics,
                                     .logger = logger.named("source"),
                                     .memory_bytes = memory_bytes,
                                     .random = std::mt19937_64(seed),
                                     .pages = PageReader(definition, options, most_composed(definition, options, page_bytes)),
                                     .job_days = {},
                                     .reads = {}}}) {
  if (has_follow()) shared_->follow = std::make_unique<FollowLane>(shared_->context);
  if (has_live()) shared_->live = std::make_unique<LiveLane>(shared_->context);
  if (has_settle()) shared_->settle = std::make_unique<SettleLane>(shared_->context);
  if (has_settle()) hold_jobs(core::Lane::kBackfill);
}

StreamReader::~StreamReader() = default;

// Jobs that a former life's lane left at the service are taken up before others of their days are begun, whichever lane is there
// first.
void StreamReader::hold_jobs(core::Lane lane) {
  StreamContext& context = shared_->context;
  core::JobsElsewhere jobs;
  for (const auto& open : context.publisher.committed({context.options.name, lane}).open()) {
    if (std::holds_alternative<core::AtJob>(open.position)) jobs.open.push_back(open.window);
  }
  context.job_days.hold(lane, std::move(jobs));
}

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
  hold_jobs(core::Lane::kSettle);
  return shared_->settle->run();
}

boost::asio::awaitable<common::Result<void>> StreamReader::run_backfill(core::BackfillOrder order) {
  assert(has_settle());
  shared_->backfill = std::make_unique<SettleLane>(shared_->context, std::move(order));
  return shared_->backfill->run();
}

boost::asio::awaitable<common::Result<void>> StreamReader::cancel_backfill(core::BackfillOrder order) {
  assert(has_settle());
  shared_->backfill = std::make_unique<SettleLane>(shared_->context, std::move(order));
  return shared_->backfill->cancel();
}

bool StreamReader::is_caught_up(common::Instant due) const {
  return (!shared_->live || shared_->live->is_caught_up(due)) && (!shared_->settle || shared_->settle->is_caught_up(due)) &&
         (!shared_->follow || shared_->follow->is_caught_up(due));
}

}  // namespace connector::source
