#include "connector/app/verify.h"

#include "common/clock.h"
#include "connector/app/find_cluster.h"
#include "connector/app/one_shot.h"
#include "connector/app/repair_admission.h"
#include "connector/app/retention.h"
#include "connector/app/stream_topics.h"
#include "connector/core/digest/entry.h"
#include "connector/core/ports/earlier_now.h"
#include "connector/kafka/blocking.h"
#include "connector/kafka/partition_reader.h"
#include "connector/kafka/publisher.h"
#include "connector/kafka/state_store.h"
#include "connector/kafka/state_topics.h"
#include "connector/kafka/topic_admin.h"
#include "connector/source/record_reader.h"

#include <fmt/format.h>
#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <random>
#include <utility>
#include <vector>

namespace connector::app {

namespace asio = boost::asio;
using common::ErrorCode;
using common::fail;
using common::Result;
using namespace std::chrono_literals;

namespace {

constexpr common::Duration kPatience = 30 * 24h;  // a large range takes as long as the budget makes it; every step is bounded
constexpr common::Duration kSilence = 30s;
constexpr common::Duration kFarewell = 30s;
constexpr common::Duration kTellEvery = 2s;
// A record is never read before it begins; the clock of the host that read it may be behind the service's by less than this.
constexpr common::Duration kClockSlack = 1h;
// By which the clocks of this host and of a connector that runs meanwhile may differ.
constexpr common::Duration kHostSkew = 10s;
constexpr std::int32_t kTask = 0;

// Brokers that are away, or somebody's transaction that stays open: it is Kafka that refuses, after it was waited for.
common::Error of_kafka(common::Error error) {
  if (error.code == ErrorCode::kRetryable) error.code = ErrorCode::kTopicUnusable;
  return error;
}

// Whether the stream's topic can be read at all: before the service is asked for everything, which takes its time and its quota.
Result<void> reach_topic(const AppOptions& options, const std::string& topic, const common::Logger& logger) {
  const auto admin = kafka::TopicAdmin::create(options.kafka, options.name, logger.named("kafka"));
  if (!admin) return fail(admin.error());
  if (auto cluster = find_cluster(**admin, kSilence); !cluster) return fail(cluster.error());
  const auto described = (*admin)->describe({topic}, kSilence);
  if (!described) return fail(of_kafka(described.error()));
  const kafka::TopicDescription& found = described->front();
  if (!found.describable || (found.exists && !found.readable)) {
    return fail(ErrorCode::kPermissionDenied, fmt::format("topic {} may not be read: allow Read on it", topic));
  }
  if (!found.exists) return fail(ErrorCode::kTopicUnusable, fmt::format("topic {} does not exist: nothing was published", topic));
  return {};
}

class Verify final {
 public:
  Verify(const AppOptions& options, const source::Definition& definition, const source::StreamOptions& stream,
         kafka::StreamTopic topic, std::vector<kafka::StreamTopic> topics, const VerifyRequest& request, core::RecordForm form,
         std::unique_ptr<OneShot> one_shot, common::Logger logger, const VerifyTalk& talk)
      : options_(options),
        definition_(definition),
        stream_(stream),
        topic_(std::move(topic)),
        topics_(std::move(topics)),
        request_(request),
        source_{.stream = stream.name, .lane = form == core::RecordForm::kJob ? core::Lane::kSettle : core::Lane::kLive},
        one_shot_(std::move(one_shot)),
        logger_(std::move(logger)),
        talk_(talk),
        record_reader_(definition, stream),
        range_reader_(definition, stream, one_shot_->api(), one_shot_->clock(), logger_, std::random_device()()) {
    outcome_.topic = topic_.topic;
    outcome_.form = form;
    range_reader_.on_progress([this](const auto& window, const auto& figures) { tell_service(window, figures); });
  }

  Result<VerifyOutcome> run();

 private:
  Result<void> bound_range();
  Result<void> compare();
  Result<void> take_over();
  asio::awaitable<Result<void>> repair();
  asio::awaitable<Result<void>> repair_as_owner();
  asio::awaitable<Result<void>> read_service();
  asio::awaitable<Result<void>> take_page(core::Page page);
  Result<void> read_topic();
  Result<void> read_digests();
  void tell_service(const common::Interval& window, const source::RangeFigures& figures);

  const AppOptions& options_;
  const source::Definition& definition_;
  const source::StreamOptions& stream_;
  kafka::StreamTopic topic_;
  std::vector<kafka::StreamTopic> topics_;
  const VerifyRequest& request_;
  core::SourcePartition source_;
  std::unique_ptr<OneShot> one_shot_;
  common::Logger logger_;
  const VerifyTalk& talk_;
  source::RecordReader record_reader_;
  source::RangeReader range_reader_;
  std::optional<core::Verification> verification_;
  std::atomic<bool> never_stopped_ = false;
  std::optional<kafka::KafkaPublisher> publisher_;  // to repair
  std::exception_ptr publisher_thrown_;
  common::SteadyTime told_;
  VerifyOutcome outcome_;
};

Result<VerifyOutcome> Verify::run() {
  if (auto bounded = bound_range(); !bounded) return fail(bounded.error());
  const auto compared = request_.repair ? take_over() : compare();
  if (!compared) return fail(compared.error());
  outcome_.service = range_reader_.figures();
  outcome_.report = verification_->report(request_.max_keys_of_each);
  return std::move(outcome_);
}

// What can be verified: by the job only what the service guarantees, by the query what has come to rest.
Result<void> Verify::bound_range() {
  common::Instant end;
  if (outcome_.form == core::RecordForm::kJob) {
    auto availability = one_shot_->ask(range_reader_.availability());
    if (!availability) return fail(common::with_context(availability.error(), "asking for the availability date"));
    outcome_.availability = *availability;
    end = *availability;
  } else {
    end = one_shot_->clock().utc_now() - stream_.live.delay;
  }
  // Figures are of whole buckets: of all that the range touches, as far as they have come to rest.
  outcome_.verified = stream_.live.buckets.whole(request_.range);
  end = stream_.live.buckets.start_of(end);
  const auto from = readable_from(stream_, core::earlier_now(one_shot_->clock(), one_shot_->api()), outcome_.form);
  if (from && *from >= outcome_.verified.end)
    return check_readable(stream_, request_.range, one_shot_->clock().utc_now(), outcome_.form);
  if (from && *from > outcome_.verified.start) {
    outcome_.verified.start = *from;
    talk_.tell(fmt::format("--from lies behind what the service keeps, which is {}: verifying from {} on",
                           common::format_duration(kept(stream_, outcome_.form)), common::format_instant(*from)));
  }
  if (end <= outcome_.verified.start) {
    const std::string_view by_job = definition_.job && definition_.job->lag ? "its jobs' data counts as complete up to"
                                                                            : "the service guarantees its jobs' data up to";
    return fail(ErrorCode::kConfigInvalid,
                fmt::format("nothing of {} can be verified yet: {} {}{}", common::format_interval(request_.range),
                            outcome_.availability ? by_job : "queries have come to rest up to", common::format_instant(end),
                            outcome_.availability && definition_.query ? "; --form query asks the near-real-time query" : ""));
  }
  if (end < outcome_.verified.end) {
    outcome_.verified.end = end;
    talk_.tell(fmt::format("--to lies beyond {}: verifying up to there", common::format_instant(end)));
  }
  return {};
}

// The service first: what the topic holds afterwards is as new, or newer, and then known to be so.
Result<void> Verify::compare() {
  verification_.emplace(topic_.rules, one_shot_->clock().utc_now() - kHostSkew);
  if (auto read = one_shot_->ask(read_service()); !read) return read;
  if (auto read = read_digests(); !read) return read;
  return read_topic();
}

Result<void> Verify::take_over() {
  const auto names = kafka::state_topics(options_.name, options_.kafka.topics);
  const auto stored = kafka::read_state(options_.kafka, {.name = options_.name, .topic = names.offsets, .partition = kTask},
                                        logger_.named("kafka"), kSilence, never_stopped_);
  if (!stored) return fail(common::with_context(of_kafka(stored.error()), "reading the state"));
  if (!stored->ledgers.contains(source_)) {
    return fail(ErrorCode::kStateRefused,
                fmt::format("lane {} of stream {} has never run, so there is nothing to repair: run the connector",
                            core::to_string(source_.lane), stream_.name.str()));
  }
  if (!talk_.confirm(stored->claim)) return fail(ErrorCode::kConfigInvalid, "not confirmed: nothing was done");
  verification_.emplace(topic_.rules, std::nullopt);
  publisher_.emplace(one_shot_->executor(), options_.name, options_.kafka, topics_, one_shot_->clock(), one_shot_->metrics(),
                     logger_.named("kafka"), std::random_device()());
  publisher_->tell_time_by([this] { return core::earlier_now(one_shot_->clock(), one_shot_->api()); });
  return one_shot_->ask(repair());
}

asio::awaitable<Result<void>> Verify::repair() {
  auto repaired = co_await repair_as_owner();
  co_await publisher_->stop(kFarewell);
  if (publisher_thrown_) std::rethrow_exception(publisher_thrown_);
  co_return repaired;
}

asio::awaitable<Result<void>> Verify::repair_as_owner() {
  auto organization = co_await one_shot_->api().organization();
  if (!organization) co_return fail(common::with_context(organization.error(), "asking for the organisation"));
  auto restored = co_await publisher_->start();
  if (!restored) co_return fail(restored.error());
  const RepairedStream repaired{.definition = definition_, .options = stream_, .lanes = {source_.lane}};
  if (auto admitted = admit_repair(repaired, *publisher_, *restored, *organization, one_shot_->clock().utc_now()); !admitted) {
    co_return admitted;
  }
  talk_.tell("the task is owned by this verb now");
  // It ends with stop(); why it ended by itself is what submit and flush answer then.
  asio::co_spawn(one_shot_->executor(), publisher_->run(),
                 [this](const std::exception_ptr& thrown, const Result<void>& /*ended*/) { publisher_thrown_ = thrown; });

  // Nobody else writes any more, so that the topic may be read first: each page is judged and repaired as it comes.
  asio::thread_pool worker{1};
  auto read = co_await kafka::run_blocking(worker, [this] {
    auto digests = read_digests();
    return digests ? read_topic() : digests;
  });
  if (!read) co_return read;
  outcome_.repair.emplace();
  auto done = co_await read_service();
  if (auto flushed = co_await publisher_->flush(source_); done) done = flushed;
  const core::DigestCounters& counters = publisher_->digests(stream_.name)->counters();
  outcome_.repair->published = counters.published;
  outcome_.repair->keys = publisher_->repaired_keys();
  outcome_.repair->dead_letters = counters.dead_letters;
  co_return done;
}

asio::awaitable<Result<void>> Verify::read_service() {
  const auto take = [this](core::Page page) { return take_page(std::move(page)); };
  auto read = outcome_.form == core::RecordForm::kJob ? range_reader_.read_by_job(outcome_.verified, take)
                                                      : range_reader_.read_by_query(outcome_.verified, take);
  auto done = co_await std::move(read);
  if (range_reader_.figures().is_short) verification_->note_short_answer();
  co_return done;
}

asio::awaitable<Result<void>> Verify::take_page(core::Page page) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < page.records.size(); ++i) {
    verification_->take(core::ServiceRow{.key = page.records[i].key,
                                         .content = page.contents[i].digests,
                                         .open = page.contents[i].open,
                                         .form = page.form,
                                         .availability = page.availability});
    if (!publisher_) continue;
    if (const auto entry = publisher_->digests(stream_.name)->find(page.records[i].key)) {
      verification_->note_remembered(page.records[i].key, entry->common, entry->open);
    }
    if (!verification_->is_repairable(page.records[i].key)) continue;
    verification_->note_repaired(page.records[i].key);
    page.records[kept] = page.records[i];
    page.contents[kept] = page.contents[i];
    ++kept;
  }
  if (kept == 0) co_return Result<void>{};
  page.records.resize(kept);
  page.contents.resize(kept);
  page.source = source_;
  page.repair = true;
  outcome_.repair->asked += kept;
  core::PageGroup group;
  group.push_back(std::move(page));
  co_return co_await publisher_->submit(std::move(group));
}

Result<void> Verify::read_topic() {
  std::optional<common::Instant> from;
  if (definition_.start_pointer) from = outcome_.verified.start - kClockSlack;
  talk_.tell(fmt::format("reading topic {}{}", topic_.topic, from ? " from " + common::format_instant(*from) : ""));
  const auto take = [this](const kafka::DataRecord& record) {
    core::TopicRecord seen{.key = record.key,
                           .tombstone = !record.value,
                           .in_range = std::nullopt,
                           .content = std::nullopt,
                           .open = false,
                           .form = record.form,
                           .read_at = record.read_at};
    if (record.value) {
      if (const auto read = record_reader_.read(*record.value)) {
        seen.content = read->digests;
        seen.open = read->open;
        if (read->start) seen.in_range = outcome_.verified.contains(*read->start);
      }
    }
    verification_->take(seen);
  };
  auto read = kafka::read_data_topic(options_.kafka, options_.name, topic_.topic, from, logger_.named("kafka"), kSilence,
                                     never_stopped_, take);
  if (!read) return fail(of_kafka(read.error()));
  outcome_.topic_figures = *read;
  return {};
}

// What became a dead letter is not missing in the topic; and whether a record was open when it was published shows there, though
// a projection may hide it.
Result<void> Verify::read_digests() {
  const auto names = kafka::state_topics(options_.name, options_.kafka.topics);
  auto read = kafka::read_partition(options_.kafka, {.name = options_.name, .topic = names.digests, .partition = kTask},
                                    logger_.named("kafka"), kSilence, never_stopped_,
                                    [this](std::string_view key, const std::string_view* value) -> Result<void> {
                                      const auto parsed = core::parse_digest_key(key);
                                      if (!parsed || parsed->stream != stream_.name.str()) return {};
                                      std::optional<std::uint64_t> dead;
                                      std::optional<std::uint64_t> common;
                                      bool open = false;
                                      if (value != nullptr) {
                                        const auto entry = core::DigestEntry::parse(*value);
                                        if (!entry) return fail(common::with_context(entry.error(), key));
                                        if (entry->state == core::DigestState::kDead)
                                          dead = entry->full ? entry->full : entry->common;
                                        common = entry->common;
                                        open = entry->open;
                                      }
                                      verification_->note_dead_letter(parsed->record_key, dead);
                                      verification_->note_remembered(parsed->record_key, common, open);
                                      return {};
                                    });
  if (!read && read.error().code == ErrorCode::kTopicUnusable) return {};  // the connector has never run
  if (!read) return fail(of_kafka(read.error()));
  return {};
}

void Verify::tell_service(const common::Interval& window, const source::RangeFigures& figures) {
  const auto now = one_shot_->clock().steady_now();
  if (now - told_ < kTellEvery) return;
  told_ = now;
  const auto whole = outcome_.verified.length().count();
  const auto done = (window.start - outcome_.verified.start).count();
  talk_.tell(fmt::format("reading the service: {} ({} %), {} rows, {} requests", common::format_interval(window),
                         whole > 0 ? 100 * done / whole : 100, figures.rows, figures.requests));
}

}  // namespace

std::uint64_t VerifyOutcome::left() const {
  const std::uint64_t found = report.differences();
  return repair ? found - std::min(found, repair->keys) : found;
}

Result<VerifyOutcome> verify(const AppOptions& options, const Definitions& definitions, const VerifyRequest& request,
                             const common::Logger& logger, const VerifyTalk& talk) {
  const auto stream =
      std::ranges::find_if(options.streams, [&](const auto& candidate) { return candidate.name.str() == request.stream; });
  if (stream == options.streams.end()) {
    std::string known;
    for (const auto& candidate : options.streams) known += (known.empty() ? "" : ", ") + candidate.name.str();
    return fail(ErrorCode::kConfigInvalid,
                "there is no stream " + request.stream + " in the configuration (streams: " + known + ")");
  }
  const source::Definition& definition = definitions.at(stream->definition);
  if (source::is_snapshot(definition)) {
    return fail(ErrorCode::kConfigInvalid,
                "stream " + request.stream +
                    " is a snapshot: the service tells the state as it is now, and nothing of what was "
                    "published before can be compared with it");
  }
  std::vector<kafka::StreamTopic> topics = stream_topics(options, definitions);
  const auto topic = std::ranges::find(topics, stream->name, &kafka::StreamTopic::stream);
  const core::RecordForm form = request.form.value_or(topic->rules.has_job ? core::RecordForm::kJob : core::RecordForm::kQuery);
  if (form == core::RecordForm::kJob ? !definition.job : !definition.query) {
    return fail(ErrorCode::kConfigInvalid, "definition " + definition.name + " has no " + std::string(core::to_string(form)));
  }
  if (auto reached = reach_topic(options, topic->topic, logger); !reached) return fail(reached.error());
  auto one_shot = OneShot::make(options, logger, kPatience);
  if (!one_shot) return fail(one_shot.error());
  const kafka::StreamTopic copy = *topic;
  Verify one(options, definition, *stream, copy, std::move(topics), request, form, std::move(*one_shot), logger, talk);
  return one.run();
}

}  // namespace connector::app
