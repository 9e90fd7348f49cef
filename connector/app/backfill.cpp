#include "connector/app/backfill.h"

#include "common/clock.h"
#include "connector/app/app.h"
#include "connector/app/offsets.h"
#include "connector/app/retention.h"
#include "connector/app/stream_topics.h"
#include "connector/kafka/control_store.h"
#include "connector/kafka/incarnation.h"
#include "connector/kafka/partition_follower.h"
#include "connector/kafka/partition_reader.h"
#include "connector/kafka/state_store.h"
#include "connector/kafka/state_topics.h"
#include "connector/kafka/topic_admin.h"

#include <fmt/format.h>
#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <random>
#include <utility>

namespace connector::app {

namespace asio = boost::asio;
using common::ErrorCode;
using common::fail;
using common::Result;
using core::BackfillOrder;
using core::StreamName;

namespace {

std::string control_topic(const AppOptions& options) {
  return kafka::state_topics(options.name, options.kafka.topics).control;
}

std::unexpected<common::Error> wrong(const std::string& what) {
  return fail(ErrorCode::kConfigInvalid, what);
}

// What is in the control topic, if there is one.
Result<void> read_requests(const AppOptions& options, const common::Logger& logger, common::Duration patience,
                           BackfillsNow& now) {
  const std::string topic = control_topic(options);
  if (topic.empty()) return {};
  auto admin = kafka::TopicAdmin::create(options.kafka, options.name, logger.named("kafka"));
  if (!admin) return fail(admin.error());
  const auto described = (*admin)->describe({topic}, patience);
  if (!described) return fail(described.error());
  if (!described->front().exists) return {};  // not made yet, or not to be seen: then it cannot be written either
  const std::atomic<bool> never = false;
  const auto take = [&](std::string_view key, const std::string_view* value) -> Result<void> {
    const auto stream = kafka::backfill_stream(options.name, key);
    if (!stream) return {};
    now.asked.erase(*stream);
    if (value == nullptr) return {};
    auto request = core::BackfillRequest::parse(*value);
    if (request) now.asked.emplace(*stream, std::move(*request));  // what cannot be read is nobody's request
    return {};
  };
  return kafka::read_partition(options.kafka, {.name = options.name, .topic = topic, .partition = kafka::kControlPartition},
                               logger.named("kafka"), patience, never, take);
}

}  // namespace

Result<BackfillsNow> read_backfills(const AppOptions& options, const common::Logger& logger, common::Duration patience) {
  auto stored = read_offsets(options, logger, patience);
  if (!stored) return fail(stored.error());
  BackfillsNow now;
  now.owner = std::move(stored->owner);
  for (const auto& [source, value] : stored->offsets) {
    if (source.lane == core::Lane::kSettle) now.has_run[source.stream] = true;
    if (source.lane != core::Lane::kBackfill) continue;
    auto ledger = core::Ledger::parse(value);
    if (!ledger) return fail(common::with_context(ledger.error(), "the backfill of stream " + source.stream.str()));
    if (ledger->backfill()) now.ledgers.emplace(source.stream, std::move(*ledger));
  }
  if (auto read = read_requests(options, logger, patience, now); !read) return fail(read.error());
  return now;
}

Result<BackfillOrder> order_backfill(const AppOptions& options, const Definitions& definitions, const BackfillsNow& now,
                                     const StreamName& stream, BackfillOrder wanted, common::Instant utc_now) {
  const auto configured = std::ranges::find(options.streams, stream, &source::StreamOptions::name);
  if (configured == options.streams.end()) return wrong("there is no stream " + stream.str() + " in the configuration");
  const auto lanes = lanes_of(*configured, definitions.at(configured->definition));
  if (std::ranges::find(lanes, core::Lane::kSettle) == lanes.end()) {
    return wrong(
        fmt::format("stream {} has no settle lane, and a backfill reads by its jobs: the query alone shows too little of "
                    "the past to be complete. A stream's `start` in the past reads its history",
                    stream.str()));
  }
  if (definitions.at(configured->definition).spans_days) {
    return wrong(
        fmt::format("records of stream {} last for days, and jobs of a backfill beside those of its settle lane could publish an "
                    "older state of one after a newer one. A stream's `start` in the past reads its history",
                    stream.str()));
  }
  if (auto problem = core::problem_of(wanted, utc_now)) return wrong(*problem);
  if (!now.has_run.contains(stream)) {
    return wrong(
        fmt::format("stream {} has never run: run the connector first; what is to be read from the beginning is its "
                    "`start`",
                    stream.str()));
  }
  const auto known = now.ledgers.find(stream);
  const core::BackfillMark* last = known == now.ledgers.end() ? nullptr : &*known->second.backfill();
  const auto asked = now.asked.find(stream);
  const bool is_cancelled = asked != now.asked.end() && asked->second.wanted == core::BackfillRequest::Wanted::kCancel;
  if (last != nullptr && last->is_running()) {
    const BackfillOrder& other = last->order;
    if (is_cancelled && asked->second.order.id == other.id) {
      return wrong(
          fmt::format("the backfill of {} of stream {} is being cancelled, which a connector has still to do: start it and ask "
                      "again then",
                      common::format_interval(other.range), stream.str()));
    }
    if (other.range == wanted.range) return other;  // to be watched, though it has begun to expire
    return wrong(
        fmt::format("a backfill of {} is under way for stream {}, and there is one at a time: wait for it, or cancel it "
                    "(genesys-kafka backfill cancel {})",
                    common::format_interval(other.range), stream.str(), stream.str()));
  }
  // A second request would take its place in the topic, without a word to whoever waits for it.
  const bool is_taken = asked != now.asked.end() && last != nullptr && last->order.id == asked->second.order.id;
  if (asked != now.asked.end() && !is_cancelled && !is_taken) {
    return wrong(
        fmt::format("{} asked at {} for a backfill of {} of stream {}, and nobody has taken that request yet: wait, or withdraw "
                    "it (genesys-kafka backfill cancel {})",
                    asked->second.asked_by, common::format_instant(asked->second.asked_at),
                    common::format_interval(asked->second.order.range), stream.str(), stream.str()));
  }
  if (auto readable = check_readable(*configured, wanted.range, utc_now, core::RecordForm::kJob); !readable)
    return fail(readable.error());
  std::random_device entropy;
  std::mt19937_64 random((std::uint64_t{entropy()} << 32U) | entropy());
  wanted.id = kafka::make_incarnation(random);
  return wanted;
}

Result<void> send_request(const AppOptions& options, const StreamName& stream, const core::BackfillRequest& request,
                          const common::Logger& logger, common::Duration patience) {
  const std::string topic = control_topic(options);
  if (topic.empty()) {
    return wrong("kafka.topics.control.enabled is false, so that a connector that runs cannot be asked: stop it and use --here");
  }
  auto admin = kafka::TopicAdmin::create(options.kafka, options.name, logger.named("kafka"));
  if (!admin) return fail(admin.error());
  const auto described = (*admin)->describe({topic}, patience);
  if (!described) return fail(described.error());
  const kafka::TopicDescription& found = described->front();
  if (!found.describable || (found.exists && !found.writable)) {
    return fail(ErrorCode::kPermissionDenied, fmt::format("topic {} may not be written: allow Write on it", topic));
  }
  if (!found.exists) {
    return wrong(
        fmt::format("topic {} does not exist: no connector of this `name` that takes requests has run in this cluster", topic));
  }
  return kafka::write_control(options.kafka, options.name, topic, kafka::backfill_key(options.name, stream), request.serialize(),
                              logger.named("kafka"), patience);
}

namespace {

constexpr common::Duration kQuiet = std::chrono::minutes(1);

// Looks at the ledger as it is committed, on its own loop.
class Following final {
 public:
  Following(const AppOptions& options, const StreamName& stream, std::string id, BackfillWait wait, const BackfillTalk& talk,
            const common::Logger& logger, common::Duration patience, bool until_end = false)
      : until_end_(until_end),
        key_(kafka::ledger_key(options.name, {.stream = stream, .lane = core::Lane::kBackfill})),
        id_(std::move(id)),
        wait_(wait),
        talk_(talk),
        patience_(patience),
        follower_(io_.get_executor(), options.kafka,
                  {.name = options.name, .topic = kafka::state_topics(options.name, options.kafka.topics).offsets},
                  logger.named("kafka"),
                  {.caught_up =
                       [this](const std::map<std::string, std::string>& values) {
                         if (const auto found = values.find(key_); found != values.end()) look_at(found->second);
                       },
                   .changed =
                       [this](const std::string& key, const std::optional<std::string>& value) {
                         if (key == key_ && value) look_at(*value);
                       },
                   .failed =
                       [this](const common::Error& error) {
                         // The connector goes on meanwhile, and so does the watch.
                         if (error.code == ErrorCode::kRetryable || error.code == ErrorCode::kOutcomeUnknown) return;
                         end(fail(error));
                       }}) {}

  Result<BackfillFollowed> run() {
    signals_.async_wait([this](const boost::system::error_code& ended, int) {
      if (!ended) end(BackfillFollowed{.end = BackfillEnd::kInterrupted, .ledger = newest_});
    });
    untaken_.expires_after(patience_);
    untaken_.async_wait([this](const boost::system::error_code& ended) {
      if (!ended && (until_end_ || !newest_)) end(BackfillFollowed{.end = BackfillEnd::kNotTaken, .ledger = std::nullopt});
    });
    io_.run();
    return std::move(*result_);
  }

 private:
  void look_at(const std::string& stored) {
    auto ledger = core::Ledger::parse(stored);
    if (!ledger) return end(fail(ledger.error()));
    if (result_ || !ledger->backfill() || ledger->backfill()->order.id != id_) return;
    newest_ = std::move(*ledger);
    talk_.tell(*newest_);
    quiet_ = common::Duration{0};
    count_quiet();
    if (!newest_->backfill()->is_running()) {
      end(BackfillFollowed{.end = BackfillEnd::kEnded, .ledger = newest_});
    } else if (wait_ == BackfillWait::kUntilTaken) {
      end(BackfillFollowed{.end = BackfillEnd::kTaken, .ledger = newest_});
    }
  }

  // From the last news on, whatever was waited for before.
  void count_quiet() {
    silence_.expires_after(kQuiet);
    silence_.async_wait([this](const boost::system::error_code& ended) {
      if (ended || result_) return;
      quiet_ += kQuiet;
      talk_.quiet(quiet_);
      count_quiet();
    });
  }

  void end(Result<BackfillFollowed> result) {
    if (result_) return;
    result_ = std::move(result);
    untaken_.cancel();
    signals_.cancel();
    io_.stop();
  }

  asio::io_context io_{1};
  asio::signal_set signals_{io_, SIGINT, SIGTERM};
  asio::steady_timer untaken_{io_};
  asio::steady_timer silence_{io_};
  common::Duration quiet_{0};
  bool until_end_;  // the patience is for the end, not for its being taken
  std::string key_;
  std::string id_;
  BackfillWait wait_;
  const BackfillTalk& talk_;
  common::Duration patience_;
  std::optional<core::Ledger> newest_;  // of the backfill that is followed
  std::optional<Result<BackfillFollowed>> result_;
  kafka::PartitionFollower follower_;
};

}  // namespace

Result<BackfillFollowed> follow_backfill(const AppOptions& options, const StreamName& stream, const std::string& id,
                                         BackfillWait wait, const BackfillTalk& talk, const common::Logger& logger,
                                         common::Duration patience) {
  return Following(options, stream, id, wait, talk, logger, patience).run();
}

Result<BackfillFollowed> wait_for_end(const AppOptions& options, const StreamName& stream, const std::string& id,
                                      const common::Logger& logger, common::Duration patience) {
  const BackfillTalk nobody{.tell = [](const core::Ledger&) {}, .quiet = [](common::Duration) {}};
  return Following(options, stream, id, BackfillWait::kUntilEnd, nobody, logger, patience, true).run();
}

Result<core::Ledger> run_backfill_here(const AppOptions& options, const Definitions& definitions, const StreamName& stream,
                                       const BackfillOrder& order, const TellBackfill& tell, const common::Logger& logger) {
  std::optional<core::Ledger> newest;
  const auto note = [&](const core::Ledger& ledger) {
    if (ledger.backfill()->order.id != order.id) return;
    newest = ledger;
    tell(ledger);
  };
  App app(options, definitions, logger, {}, RunBackfill{.stream = stream, .order = order, .tell = note});
  if (auto ended = app.run(); !ended) return fail(ended.error());
  if (!newest || newest->backfill()->is_running()) {
    return fail(ErrorCode::kStateRefused,
                "another backfill of stream " + stream.str() + " was begun meanwhile; see `backfill list`");
  }
  return std::move(*newest);
}

}  // namespace connector::app
