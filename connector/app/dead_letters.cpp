#include "connector/app/dead_letters.h"

#include "common/clock.h"
#include "connector/app/one_shot.h"
#include "connector/app/repair_admission.h"
#include "connector/app/stream_topics.h"
#include "connector/core/ledger/interval_set.h"
#include "connector/core/ports/earlier_now.h"
#include "connector/kafka/conf.h"
#include "connector/kafka/partition_reader.h"
#include "connector/kafka/publisher.h"
#include "connector/kafka/state_store.h"
#include "connector/kafka/state_topics.h"
#include "connector/kafka/topic_admin.h"
#include "connector/kafka/transaction.h"
#include "connector/source/range_reader.h"

#include <fmt/format.h>
#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <random>
#include <unordered_map>

namespace connector::app {

namespace asio = boost::asio;
using common::ErrorCode;
using common::fail;
using common::Result;
using core::RetryFinding;
using core::RetryWay;
using namespace std::chrono_literals;

namespace {

constexpr common::Duration kPatience = 30 * 24h;  // many records take as long as the budget makes it; every step is bounded
constexpr common::Duration kSilence = 30s;
constexpr common::Duration kFarewell = 30s;
constexpr std::int32_t kTask = 0;
const std::atomic<bool> kNeverStopped = false;

Result<void> read_letters(const AppOptions& options, const std::string& topic, const core::DeadLetterSelection& selection,
                          kafka::LetterBytes bytes, const common::Logger& logger, const kafka::TakeDeadLetter& take) {
  auto read = kafka::read_dead_letters(options.kafka, options.name, topic, selection.from, bytes, logger.named("kafka"), kSilence,
                                       kNeverStopped, [&](core::StoredDeadLetter letter) {
                                         if (selection.takes(letter)) take(std::move(letter));
                                       });
  if (!read && read.error().code == ErrorCode::kTopicUnusable) {
    return fail(ErrorCode::kConfigInvalid,
                fmt::format("topic {} cannot be read: no connector of this `name` has run in this cluster? ({})", topic,
                            read.error().message));
  }
  return read;
}

// One stream and what is to be retried of it.
struct Work {
  const source::Definition* definition = nullptr;
  const source::StreamOptions* options = nullptr;
  std::string topic;
  std::vector<RetriedRecord*> records;

  core::RetryMeans means;
  std::vector<core::Lane> lanes;  // that are on, and have run
  std::size_t limit = 0;          // of a message in its topic

  [[nodiscard]] bool has(core::Lane lane) const { return std::ranges::find(lanes, lane) != lanes.end(); }
};

// The lane whose form it has; its ledger is there, and does not move.
core::SourcePartition source_for(const Work& work, RetryWay way) {
  core::Lane lane = core::Lane::kLive;
  if (way == RetryWay::kByJob) lane = core::Lane::kSettle;
  if (way == RetryWay::kById && work.has(core::Lane::kFollow)) lane = core::Lane::kFollow;
  return {.stream = work.options->name, .lane = lane};
}

class Retry final {
 public:
  Retry(const AppOptions& options, const Definitions& definitions, const RetryRequest& request, std::unique_ptr<OneShot> one_shot,
        common::Logger logger, const RetryTalk& talk)
      : options_(options),
        definitions_(definitions),
        request_(request),
        topics_(kafka::state_topics(options.name, options.kafka.topics)),
        one_shot_(std::move(one_shot)),
        logger_(std::move(logger)),
        talk_(talk) {
    report_.topic = topics_.dead_letters;
  }

  Result<RetryReport> run();

 private:
  struct HandedOver {
    std::unordered_map<std::string, std::optional<core::RetryRow>> rows;  // of each key that is wanted
    core::SourcePartition source;
    std::size_t limit = 0;
  };

  Result<void> take_letters();
  void sort_by_stream();
  Result<void> look_at_state();
  Result<void> foretell();
  std::size_t plan(Work& work, const std::function<std::optional<core::DigestEntry>(const std::string& key)>& entry_of);
  asio::awaitable<Result<void>> retry();
  asio::awaitable<Result<void>> retry_as_owner();
  asio::awaitable<Result<void>> retry_stream(Work& work);
  asio::awaitable<Result<void>> bound(Work& work, source::RangeReader& reader);
  asio::awaitable<Result<void>> read(Work& work, RetryWay way, source::RangeReader& reader);
  asio::awaitable<Result<void>> take_page(core::Page page, HandedOver& handed);

  const AppOptions& options_;
  const Definitions& definitions_;
  const RetryRequest& request_;
  kafka::StateTopics topics_;
  std::unique_ptr<OneShot> one_shot_;
  common::Logger logger_;
  const RetryTalk& talk_;
  std::optional<core::Claim> previous_;
  std::map<core::StreamName, Work> work_;
  std::map<const RetriedRecord*, core::RetryStep> steps_;
  std::optional<kafka::KafkaPublisher> publisher_;
  std::exception_ptr publisher_thrown_;
  RetryReport report_;
};

Result<RetryReport> Retry::run() {
  if (auto taken = take_letters(); !taken) return fail(taken.error());
  sort_by_stream();
  if (work_.empty()) return std::move(report_);
  if (auto looked = look_at_state(); !looked) return fail(looked.error());
  if (report_.count(RetryFinding::kRetryable) == 0) return std::move(report_);
  if (request_.dry_run == DryRun::kYes) {
    if (auto told = foretell(); !told) return fail(told.error());
    return std::move(report_);
  }
  if (!talk_.confirm(report_.count(RetryFinding::kRetryable), previous_)) {
    return fail(ErrorCode::kConfigInvalid, "not confirmed: nothing was done");
  }
  publisher_.emplace(one_shot_->executor(), options_.name, options_.kafka, stream_topics(options_, definitions_),
                     one_shot_->clock(), one_shot_->metrics(), logger_.named("kafka"), std::random_device()());
  publisher_->tell_time_by([this] { return core::earlier_now(one_shot_->clock(), one_shot_->api()); });
  if (auto retried = one_shot_->ask(retry()); !retried) return fail(retried.error());
  return std::move(report_);
}

Result<void> Retry::take_letters() {
  std::map<std::pair<std::string, std::string>, core::StoredDeadLetter> last;
  auto read = read_letters(options_, topics_.dead_letters, request_.selection, kafka::LetterBytes::kLeaveOut, logger_,
                           [&](core::StoredDeadLetter letter) {
                             if (letter.key.empty()) {
                               ++report_.without_key[{letter.stream, letter.reason}];
                               return;
                             }
                             auto& known = last[{letter.stream, letter.key}];
                             if (known.key.empty() || letter.read_at >= known.read_at) known = std::move(letter);
                           });
  if (!read) return read;
  report_.records.reserve(last.size());  // pointers into it are kept
  for (auto& [key, letter] : last) report_.records.push_back({.letter = std::move(letter), .way = std::nullopt, .detail = {}});
  return {};
}

void Retry::sort_by_stream() {
  const auto topics = stream_topics(options_, definitions_);
  for (RetriedRecord& record : report_.records) {
    const core::StreamName name{record.letter.stream};
    const auto stream = std::ranges::find(options_.streams, name, &source::StreamOptions::name);
    if (stream == options_.streams.end()) {
      record.finding = RetryFinding::kNotConfigured;
      continue;
    }
    Work& work = work_[name];
    if (work.definition == nullptr) {
      const auto topic = std::ranges::find(topics, name, &kafka::StreamTopic::stream);
      work = {.definition = &definitions_.at(stream->definition),
              .options = &*stream,
              .topic = topic->topic,
              .records = {},
              .means = {},
              .lanes = {}};
    }
    work.records.push_back(&record);
  }
}

// As it is now; somebody may be moving it, so it is only what a person is asked about.
Result<void> Retry::look_at_state() {
  const auto stored = kafka::read_state(options_.kafka, {.name = options_.name, .topic = topics_.offsets, .partition = kTask},
                                        logger_.named("kafka"), kSilence, kNeverStopped);
  if (!stored) return fail(common::with_context(stored.error(), "reading the state"));
  previous_ = stored->claim;

  std::map<std::pair<std::string, std::string>, std::optional<core::DigestEntry>> entries;
  for (const auto& [name, work] : work_) {
    for (const RetriedRecord* record : work.records) entries[{name.str(), record->letter.key}];
  }
  auto read = kafka::read_partition(
      options_.kafka, {.name = options_.name, .topic = topics_.digests, .partition = kTask}, logger_.named("kafka"), kSilence,
      kNeverStopped, [&](std::string_view key, const std::string_view* value) -> Result<void> {
        const auto parsed = core::parse_digest_key(key);
        if (!parsed) return {};  // the mark
        const auto wanted = entries.find({std::string(parsed->stream), std::string(parsed->record_key)});
        if (wanted == entries.end()) return {};
        wanted->second.reset();
        if (value == nullptr) return {};
        const auto entry = core::DigestEntry::parse(*value);
        if (!entry) return fail(common::with_context(entry.error(), key));
        wanted->second = *entry;
        return {};
      });
  if (!read) return read;

  for (auto& [name, work] : work_) {
    for (const core::Lane lane : lanes_of(*work.options, *work.definition)) {
      if (stored->ledgers.contains({name, lane})) work.lanes.push_back(lane);
    }
    work.means = {.by_id = work.has(core::Lane::kLive) && work.definition->by_id.has_value(),
                  .by_job = work.has(core::Lane::kSettle),
                  .by_query = work.has(core::Lane::kLive),
                  .knows_start = work.definition->start_pointer.has_value()};
    plan(work, [&](const std::string& key) { return entries.at({name.str(), key}); });
  }
  return {};
}

// How many records are to be read again.
std::size_t Retry::plan(Work& work, const std::function<std::optional<core::DigestEntry>(const std::string& key)>& entry_of) {
  std::size_t retryable = 0;
  for (RetriedRecord* record : work.records) {
    const core::RetryStep step =
        core::plan_retry({.key = record->letter.key, .window = record->letter.window}, entry_of(record->letter.key), work.means);
    record->finding = step.finding;
    record->way.reset();
    if (step.finding == RetryFinding::kRetryable) {
      record->way = step.way;
      ++retryable;
    }
    steps_[record] = step;
  }
  return retryable;
}

// Without asking the service: by the size the record had then.
Result<void> Retry::foretell() {
  auto admin = kafka::TopicAdmin::create(options_.kafka, options_.name, logger_.named("kafka"));
  if (!admin) return fail(admin.error());
  std::vector<std::string> names;
  for (const auto& [name, work] : work_) names.push_back(work.topic);
  const auto described = (*admin)->describe(names, kSilence);
  if (!described) return fail(described.error());
  auto topic = described->begin();
  for (auto& [name, work] : work_) {
    const std::size_t limit = (topic++)->max_message_bytes();
    for (RetriedRecord* record : work.records) {
      core::Page page;  // what its headers would be
      page.source.stream = name;
      page.correlation_id = record->letter.correlation_id;
      const std::size_t bytes = kafka::message_bytes(page, record->letter.key, record->letter.size.value_or(0));
      if (record->finding != RetryFinding::kRetryable || bytes <= limit) continue;
      record->detail = fmt::format("{} bytes with key and headers then; its topic takes {}{}", bytes, limit,
                                   kafka::compresses(options_.kafka) ? " (compressed)" : "");
      if (!kafka::compresses(options_.kafka)) record->finding = RetryFinding::kTooLarge;
    }
  }
  return {};
}

asio::awaitable<Result<void>> Retry::retry() {
  auto retried = co_await retry_as_owner();
  co_await publisher_->stop(kFarewell);
  if (publisher_thrown_) std::rethrow_exception(publisher_thrown_);
  co_return retried;
}

asio::awaitable<Result<void>> Retry::retry_as_owner() {
  auto organization = co_await one_shot_->api().organization();
  if (!organization) co_return fail(common::with_context(organization.error(), "asking for the organisation"));
  auto restored = co_await publisher_->start();
  if (!restored) co_return fail(restored.error());
  std::vector<Work*> due;
  for (auto& [name, work] : work_) {
    // Nobody else writes any more: now it counts. (Before run(), which ends what is remembered of a key when its time has come.)
    const core::StreamDigests* digests = publisher_->digests(name);
    if (plan(work, [&](const std::string& key) { return digests->find(key); }) == 0) continue;
    const RepairedStream repaired{.definition = *work.definition, .options = *work.options, .lanes = work.lanes};
    if (auto admitted = admit_repair(repaired, *publisher_, *restored, *organization, one_shot_->clock().utc_now()); !admitted) {
      co_return admitted;
    }
    work.limit = publisher_->topic(name)->max_message_bytes;
    due.push_back(&work);
  }
  talk_.tell("the task is owned by this verb now");
  // It ends with stop(); why it ended by itself is what submit and flush answer then.
  asio::co_spawn(one_shot_->executor(), publisher_->run(),
                 [this](const std::exception_ptr& thrown, const Result<void>& /*ended*/) { publisher_thrown_ = thrown; });
  for (Work* work : due) {
    if (auto done = co_await retry_stream(*work); !done) {
      co_return fail(common::with_context(done.error(), "stream " + work->options->name.str()));
    }
  }
  co_return Result<void>{};
}

asio::awaitable<Result<void>> Retry::retry_stream(Work& work) {
  source::RangeReader reader(*work.definition, *work.options, one_shot_->api(), one_shot_->clock(), logger_,
                             std::random_device()());
  // The day remembered of what lasts is the last one that showed it.
  if (source::is_seen_on_many_days(*work.definition)) reader.keep_what_began_before();
  if (auto bounded = co_await bound(work, reader); !bounded) co_return bounded;
  for (const RetryWay way : {RetryWay::kById, RetryWay::kByQuery, RetryWay::kByJob}) {
    if (auto done = co_await read(work, way, reader); !done) co_return done;
  }
  co_return Result<void>{};
}

// By the job only what the service guarantees, by the query what has come to rest.
asio::awaitable<Result<void>> Retry::bound(Work& work, source::RangeReader& reader) {
  std::optional<common::Instant> available;
  const common::Instant rested = core::earlier_now(one_shot_->clock(), one_shot_->api()) - work.options->live.delay;
  for (RetriedRecord* record : work.records) {
    core::RetryStep& step = steps_.at(record);
    if (step.finding != RetryFinding::kRetryable || step.way == RetryWay::kById) continue;
    if (step.way == RetryWay::kByJob && !available) {
      auto date = co_await reader.availability();
      if (!date) co_return fail(common::with_context(date.error(), "asking for the availability date"));
      available = *date;
    }
    step = core::bounded(step, step.way == RetryWay::kByJob ? *available : rested);
    record->finding = step.finding;
  }
  co_return Result<void>{};
}

asio::awaitable<Result<void>> Retry::read(Work& work, RetryWay way, source::RangeReader& reader) {
  HandedOver handed{.rows = {}, .source = source_for(work, way), .limit = work.limit};
  std::vector<core::RecordKey> keys;
  core::IntervalSet ranges;
  for (const RetriedRecord* record : work.records) {
    const core::RetryStep& step = steps_.at(record);
    if (step.finding != RetryFinding::kRetryable || step.way != way) continue;
    handed.rows.emplace(record->letter.key, std::nullopt);
    keys.emplace_back(record->letter.key);
    if (way != RetryWay::kById) ranges.add(step.range);
  }
  if (keys.empty()) co_return Result<void>{};
  talk_.tell(fmt::format("stream {}: reading {} record(s) {}", work.options->name.str(), keys.size(), core::to_string(way)));

  const auto take = [this, &handed](core::Page page) { return take_page(std::move(page), handed); };
  Result<void> done;
  if (way == RetryWay::kById) {
    auto reading = reader.read_by_id(std::move(keys), take);
    done = co_await std::move(reading);
  }
  for (const common::Interval& range : ranges.intervals()) {
    if (!done) break;
    auto reading = way == RetryWay::kByJob ? reader.read_by_job(range, take) : reader.read_by_query(range, take);
    done = co_await std::move(reading);
  }
  if (auto flushed = co_await publisher_->flush(handed.source); done) done = flushed;
  if (!done) co_return done;

  const core::StreamDigests* digests = publisher_->digests(work.options->name);
  for (RetriedRecord* record : work.records) {
    const auto row = handed.rows.find(record->letter.key);
    if (record->finding != RetryFinding::kRetryable || record->way != way || row == handed.rows.end()) continue;
    record->finding = core::judge_retry(digests->find(record->letter.key), row->second);
    if (record->finding == RetryFinding::kTooLarge) {
      record->detail = fmt::format("{} bytes with key and headers; its topic takes {}", row->second->bytes, work.limit);
    }
  }
  co_return Result<void>{};
}

// A row of a key is handed over once: a window that is read again, or shifting pages, may bring it twice.
asio::awaitable<Result<void>> Retry::take_page(core::Page page, HandedOver& handed) {
  page.source = handed.source;
  page.repair = true;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < page.records.size(); ++i) {
    const auto row = handed.rows.find(std::string(page.records[i].key));
    if (row == handed.rows.end() || row->second) continue;
    row->second = core::RetryRow{.form = page.form,
                                 .open = page.contents[i].open,
                                 .availability = page.availability,
                                 .bytes = kafka::message_bytes(page, page.records[i].key, page.records[i].value.size()),
                                 .fits = kafka::fits(page, page.records[i], handed.limit)};
    page.records[kept] = page.records[i];
    page.contents[kept] = page.contents[i];
    ++kept;
  }
  if (kept == 0) co_return Result<void>{};
  page.records.resize(kept);
  page.contents.resize(kept);
  core::PageGroup group;
  group.push_back(std::move(page));
  co_return co_await publisher_->submit(std::move(group));
}

}  // namespace

std::uint64_t RetryReport::count(RetryFinding finding) const {
  return static_cast<std::uint64_t>(std::ranges::count(records, finding, &RetriedRecord::finding));
}

std::uint64_t RetryReport::left() const {
  std::uint64_t left = static_cast<std::uint64_t>(
      std::ranges::count_if(records, [](const auto& record) { return core::is_left(record.finding); }));
  for (const auto& [place, letters] : without_key) left += letters;
  return left;
}

Result<DeadLetterList> list_dead_letters(const AppOptions& options, const ListRequest& request, const common::Logger& logger) {
  DeadLetterList list{.topic = kafka::state_topics(options.name, options.kafka.topics).dead_letters,
                      .letters = core::DeadLetterListing(request.max_records)};
  auto read = read_letters(options, list.topic, request.selection, request.bytes, logger,
                           [&](core::StoredDeadLetter letter) { list.letters.take(std::move(letter)); });
  if (!read) return fail(read.error());
  return list;
}

Result<RetryReport> retry_dead_letters(const AppOptions& options, const Definitions& definitions, const RetryRequest& request,
                                       const common::Logger& logger, const RetryTalk& talk) {
  auto one_shot = OneShot::make(options, logger, kPatience);
  if (!one_shot) return fail(one_shot.error());
  Retry one(options, definitions, request, std::move(*one_shot), logger, talk);
  return one.run();
}

}  // namespace connector::app
