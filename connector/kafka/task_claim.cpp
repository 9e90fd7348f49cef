#include "connector/kafka/task_claim.h"

#include "connector/core/task/digests_mark.h"
#include "connector/kafka/blocking.h"
#include "connector/kafka/incarnation.h"
#include "connector/kafka/state_store.h"

#include <string_view>
#include <utility>

namespace connector::kafka {

using boost::asio::awaitable;
using common::Result;

namespace {

constexpr common::Duration kReadBackPatience{10'000};  // of silence, then it is asked again

}  // namespace

TaskClaim::TaskClaim(const core::ConnectorName& name, const KafkaOptions& options, const TaskTopics& topics,
                     boost::asio::thread_pool& worker, common::Logger logger, std::string incarnation)
    : name_(name), options_(options), topics_(topics), worker_(worker), logger_(std::move(logger)) {
  owner_.incarnation = std::move(incarnation);
}

awaitable<Result<core::ReadBackFinding>> TaskClaim::read_back(std::optional<std::uint64_t> in_doubt) {
  const StateLocation location{.name = name_, .topic = topics_.state().offsets, .partition = kTask};
  auto stored = co_await run_blocking(worker_, [this, options = options_, location] {
    return read_state(options, location, logger_.named("kafka"), kReadBackPatience, stop_);
  });
  if (!stored) co_return common::fail(stored.error());
  const auto finding = core::assess(*stored, owner_, in_doubt);
  // What we take over, as long as another may still write.
  if (!owner_.claimed && !finding.applied) found_ = std::move(*stored);
  co_return finding;
}

Transaction TaskClaim::begin(common::Instant now) {
  // The mark is that of the owner before until the digests have been looked at: should this start be refused, so is the next.
  claim_ = {.incarnation = owner_.incarnation, .host = host_name(), .claimed_at = now};
  if (found_.claim) claim_.digests = found_.claim->digests;
  return claim_transaction(name_, kTask, claim_);
}

void TaskClaim::committed() {
  owner_.claimed = true;
  owner_.inherited = core::incarnations_in(found_);
}

awaitable<Result<std::unique_ptr<TaskDigests>>> TaskClaim::restore_digests() {
  const StateLocation location{.name = name_, .topic = topics_.state().digests, .partition = kTask};
  auto digests = std::make_unique<TaskDigests>(topics_.streams());
  std::optional<std::string> stored_mark;
  const auto take = [&, mark_key = digests_mark_key(name_, kTask)](std::string_view key,
                                                                   const std::string_view* value) -> Result<void> {
    if (key != mark_key) {
      digests->restore(key, value);
      return {};
    }
    stored_mark = value != nullptr ? std::optional<std::string>{*value} : std::nullopt;
    return {};
  };
  auto read = co_await run_blocking(worker_, [this, options = options_, location, &take] {
    return read_partition(options, location, logger_.named("kafka"), kReadBackPatience, stop_, take);
  });
  if (read) read = digests->restored();
  if (!read) co_return common::fail(read.error());
  std::optional<core::DigestsMark> mark;
  if (stored_mark) {
    auto parsed = core::DigestsMark::parse(*stored_mark);
    if (!parsed) co_return common::fail(common::with_context(parsed.error(), "topic " + location.topic));
    mark = std::move(*parsed);
  }
  const auto expected = found_.claim ? found_.claim->digests : std::nullopt;
  if (auto sound = core::check_digests_mark(expected, mark, location.topic); !sound) co_return common::fail(sound.error());
  if (!found_.claim && mark) {
    logger_.warn("A connector of this name has run, by its digests, but the offsets topic holds no claim of it: was it emptied?",
                 {{"topic", topics_.state().offsets}, {"digests_topic", location.topic}});
  }
  claim_.digests = core::next_mark(expected, mark, owner_.incarnation);
  co_return digests;
}

}  // namespace connector::kafka
