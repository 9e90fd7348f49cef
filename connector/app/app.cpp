#include "connector/app/app.h"

#include "common/clock.h"
#include "common/http/client.h"
#include "common/http/server.h"
#include "connector/app/admission.h"
#include "connector/app/backfills.h"
#include "connector/app/lanes.h"
#include "connector/app/stream_topics.h"
#include "connector/core/ports/earlier_now.h"
#include "connector/genesys/genesys_api.h"
#include "connector/kafka/control_store.h"
#include "connector/kafka/partition_follower.h"
#include "connector/kafka/state_topics.h"
#include "connector/observability/build_info.h"
#include "connector/observability/health.h"
#include "connector/observability/metrics.h"
#include "connector/source/content_fingerprint.h"
#include "connector/source/membership.h"
#include "connector/source/stream_reader.h"

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <list>
#include <optional>
#include <random>
#include <utility>
#include <vector>

namespace connector::app {

namespace asio = boost::asio;
using common::ErrorCode;
using common::Result;
using namespace std::chrono_literals;

namespace {

// Waits between attempts of the start when the service answers, but not as we need it: an operator has to act, so once a minute
// is soon enough.
constexpr common::Duration kOperatorMustAct = 60s;
constexpr common::Duration kServiceAway = 5s;
constexpr common::Duration kLookForNewSecret = 2s;
constexpr common::Duration kLookAtStoppedStreams = 30s;
constexpr common::Duration kSummaryEvery = 60s;
constexpr common::Duration kLookForCompletion = 250ms;
constexpr common::Duration kTellBackfill = 1s;
constexpr common::Duration kFarewell = 2s;  // for the producer of a task that ended by itself
constexpr common::Duration kBeyondGrace = 3s;
constexpr int kInterruptedExitCode = 7;  // cli/exit_code.h, kInterrupted

bool needs_operator(ErrorCode code) {
  return code == ErrorCode::kCredentialsInvalid || code == ErrorCode::kPermissionDenied || code == ErrorCode::kUnauthorized ||
         code == ErrorCode::kRequestRejected || code == ErrorCode::kConfigInvalid;
}

asio::awaitable<bool> cancelled() {
  co_return (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none;
}

}  // namespace

class App::Impl final {
 public:
  Impl(AppOptions options, Definitions definitions, common::Logger logger, kafka::ProducerFactory factory, RunMode mode)
      : options_(std::move(options)),
        mode_(std::move(mode)),
        definitions_(std::move(definitions)),
        logger_(logger.named("app")),
        root_logger_(std::move(logger)),
        factory_(std::move(factory)) {}

  Result<void> run();

 private:
  Result<void> wire();
  asio::awaitable<Result<void>> life();
  asio::awaitable<Result<genesys::Organization>> learn_organization();
  Result<void> start_streams();
  Result<void> start_stream(const source::StreamOptions& stream);
  void start_lanes(source::StreamReader& reader, const core::StreamName& stream);
  Result<core::Ledger> backfill_ledger(const core::StreamName& stream, const core::LedgerIdentity& identity,
                                       common::Instant start);
  void stays_stopped(const core::StreamName& stream, const common::Error& error);
  void follow_requests();
  asio::awaitable<void> watch_completion(common::Instant due);
  asio::awaitable<bool> is_complete(common::Instant due);
  asio::awaitable<void> watch_backfill();
  asio::awaitable<void> shut_down();
  asio::awaitable<void> end_without_patience();
  asio::awaitable<void> tear_down();
  asio::awaitable<void> listen_for_signals();
  asio::awaitable<void> look_at_stopped_streams();
  asio::awaitable<void> summarise();
  void spawn(asio::awaitable<void> background);
  void ended(Result<void> result);

  AppOptions options_;
  RunMode mode_;
  Definitions definitions_;
  common::Logger logger_;
  common::Logger root_logger_;
  kafka::ProducerFactory factory_;

  asio::io_context io_{1};
  common::SystemClock clock_;
  observability::HealthState health_{clock_.steady_now()};
  std::optional<observability::PrometheusMetrics> metrics_;
  std::unique_ptr<common::http::Server> server_;
  std::unique_ptr<common::http::Client> http_;
  std::optional<genesys::GenesysApi> api_;
  std::optional<kafka::KafkaPublisher> publisher_;
  std::map<core::StreamName, std::unique_ptr<source::StreamReader>> readers_;  // of the streams that run
  std::optional<genesys::Organization> organization_;
  std::optional<kafka::RestoredState> restored_;
  std::optional<Lanes> lanes_;
  std::optional<Backfills> backfills_;
  std::optional<kafka::PartitionFollower> requests_;

  asio::signal_set signals_{io_};
  asio::cancellation_signal cancel_life_;
  std::list<asio::cancellation_signal> background_;  // a list: a signal must not move while its slot is in use
  bool publisher_begun_ = false;
  bool stopping_ = false;                         // shut_down was begun
  bool shutting_down_ = false;                    // … and has not ended
  std::map<core::StreamName, std::string> told_;  // why a stream has not been started
  std::optional<common::Error> lane_failure_;
  std::optional<Result<void>> completion_;  // what was to be done has come to an end
  std::optional<Result<void>> outcome_;
};

Result<void> App::Impl::run() {
  if (auto wired = wire(); !wired) return wired;
  logger_.info("connector starts",
               {{"name", options_.name.str()},
                {"version", observability::kVersion},
                {"api", options_.genesys.api_url},
                {"bootstrap_servers", options_.kafka.bootstrap_servers},
                {"streams", options_.streams.size()},
                {"metrics_port", server_ ? common::json::Value(server_->port()) : common::json::Value(nullptr)}});

  signals_.add(SIGTERM);
  signals_.add(SIGINT);
  spawn(listen_for_signals());
  spawn(observability::keep_beating(health_, clock_));
  spawn(look_at_stopped_streams());
  spawn(summarise());
  asio::co_spawn(io_, life(),
                 asio::bind_cancellation_slot(cancel_life_.slot(), [this](const std::exception_ptr& thrown, Result<void> result) {
                   if (thrown) {
                     try {
                       std::rethrow_exception(thrown);
                     } catch (const std::exception& exception) {
                       result = common::fail(ErrorCode::kInternal, exception.what());
                     }
                   }
                   ended(std::move(result));
                 }));
  io_.run();

  return *outcome_;
}

Result<void> App::Impl::wire() {
  if (std::holds_alternative<RunUntilComplete>(mode_)) {
    for (auto& stream : options_.streams) stream.follow.spread_at_start = false;
  }
  auto& executor = io_;
  metrics_.emplace(configured_sources(options_, definitions_));

  // A backfill alone may run where a connector's port is taken.
  if (!options_.metrics.listen.empty() && !std::holds_alternative<RunBackfill>(mode_)) {
    auto server = common::http::make_server(executor.get_executor(), {.listen = options_.metrics.listen},
                                            observability::make_handler(*metrics_, health_, clock_), root_logger_.named("http"));
    if (!server) return common::fail(common::with_context(server.error(), "metrics.listen"));
    server_ = std::move(*server);
  }

  auto client = common::http::make_client(executor.get_executor(), options_.genesys.http, root_logger_.named("http"));
  if (!client) return common::fail(common::with_context(client.error(), "genesys.http"));
  http_ = std::move(*client);

  std::random_device entropy;
  const auto seed = [&entropy] { return (std::uint64_t{entropy()} << 32U) | entropy(); };
  api_.emplace(options_.genesys, *http_, clock_, *metrics_, root_logger_, seed());
  publisher_.emplace(executor.get_executor(), options_.name, options_.kafka, stream_topics(options_, definitions_), clock_,
                     *metrics_, root_logger_.named("kafka"), seed(), factory_);
  publisher_->tell_time_by([this] { return core::earlier_now(clock_, *api_); });
  const auto unexpected_end = [this](const core::SourcePartition& source, const common::Error& error) {
    logger_.error("a lane ended by itself; this is a bug: please report it", {{"stream", source.stream.str()},
                                                                              {"lane", core::to_string(source.lane)},
                                                                              {"error_code", common::to_string(error.code)},
                                                                              {"error", error.message}});
    if (!lane_failure_) lane_failure_ = error;
    if (!stopping_) spawn(shut_down());
  };
  lanes_.emplace(executor.get_executor(), unexpected_end);
  const double usual_weight = options_.genesys.budget.weights.at(static_cast<std::size_t>(core::Lane::kBackfill));
  backfills_.emplace(Backfills::Surroundings{
      .name = options_.name,
      .lanes = *lanes_,
      .publisher = *publisher_,
      .clock = clock_,
      .logger = root_logger_.named("backfill"),
      .reader = [this](const core::StreamName& stream) -> source::StreamReader* {
        const auto found = readers_.find(stream);
        return found == readers_.end() ? nullptr : found->second.get();
      },
      .set_weight = [this, usual_weight](
                        std::optional<double> weight) { api_->set_weight(core::Lane::kBackfill, weight.value_or(usual_weight)); },
      .on_unexpected_end = unexpected_end});
  return {};
}

asio::awaitable<Result<void>> App::Impl::life() {
  co_await asio::this_coro::throw_if_cancelled(false);
  auto organization = co_await learn_organization();
  if (!organization) co_return common::fail(organization.error());
  if (co_await cancelled()) co_return common::fail(ErrorCode::kCancelled, "stopped before Kafka was asked");

  publisher_begun_ = true;
  auto restored = co_await publisher_->start();
  if (!restored) co_return common::fail(restored.error());
  organization_ = std::move(*organization);
  restored_ = std::move(*restored);
  const common::Instant due = core::earlier_now(clock_, *api_);
  if (auto started = start_streams(); !started) co_return common::fail(started.error());
  follow_requests();
  if (std::holds_alternative<RunUntilComplete>(mode_)) spawn(watch_completion(due));
  if (std::holds_alternative<RunBackfill>(mode_)) spawn(watch_backfill());

  health_.set_ready(true, "running");
  co_return co_await publisher_->run();
}

// Keeps asking until the service says who we are: without the organisation no ledger can be trusted.
asio::awaitable<Result<genesys::Organization>> App::Impl::learn_organization() {
  health_.set_ready(false, "waiting for the service");
  auto say_again = common::SteadyTime::min();
  for (;;) {
    auto organization = co_await api_->organization();
    if (organization) {
      logger_.info("organisation known", {{"organization_id", organization->id}, {"organization", organization->name}});
      co_await api_->load_limits();
      co_return organization;
    }
    if (co_await cancelled()) co_return common::fail(ErrorCode::kCancelled, "stopped while waiting for the service");

    const common::Error& error = organization.error();
    const auto wait = needs_operator(error.code) ? kOperatorMustAct : kServiceAway;
    const bool refused = error.code == ErrorCode::kCredentialsInvalid;
    if (const auto now = clock_.steady_now(); !refused || now >= say_again) {
      say_again = now + wait;
      logger_.error("the service does not tell the organisation; trying again",
                    {{"error_code", common::to_string(error.code)},
                     {"error", error.message},
                     {"client_id", options_.genesys.client_id},
                     {"retry_in_seconds", std::chrono::duration_cast<std::chrono::seconds>(wait).count()}});
    }
    health_.set_ready(false, error.message);
    // With a refused secret, asking sends nothing before that time is over, unless the secret's file has changed: look often.
    if (auto slept = co_await clock_.sleep_for(refused ? kLookForNewSecret : wait); !slept) co_return common::fail(slept.error());
  }
}

Result<void> App::Impl::start_streams() {
  const auto* alone = std::get_if<RunBackfill>(&mode_);
  for (const auto& stream : options_.streams) {
    if (alone != nullptr && stream.name != alone->stream) continue;
    if (auto started = start_stream(stream); !started) {
      if (alone != nullptr) return started;
      if (started.error().code != ErrorCode::kTopicUnusable) return started;
      stays_stopped(stream.name, started.error());
    }
  }
  return {};
}

// That stream alone; the others go on. It is looked at again and again, and told about when the reason is another.
void App::Impl::stays_stopped(const core::StreamName& stream, const common::Error& error) {
  metrics_->stream_stopped(stream, true);
  if (std::exchange(told_[stream], error.message) == error.message) return;
  logger_.error("stream not started",
                {{"stream", stream.str()}, {"error_code", common::to_string(error.code)}, {"error", error.message}});
}

Result<void> App::Impl::start_stream(const source::StreamOptions& stream) {
  if (auto trouble = publisher_->stream_trouble(stream.name)) return common::fail(*trouble);
  const auto& definition = definitions_.at(stream.definition);

  StreamFindings findings{.identity = {.organization_id = organization_->id,
                                       .cluster_id = restored_->cluster_id,
                                       .topic_id = {},
                                       .membership = source::membership_fingerprint(definition, stream),
                                       .content = source::content_fingerprint(definition, stream)},
                          .topic = {},
                          .lanes = {},
                          .ledgers = {},
                          .now = clock_.utc_now() + std::min(api_->clock_skew(), common::Duration::zero())};
  if (const auto facts = publisher_->topic(stream.name)) {
    findings.identity.topic_id = facts->id;
    findings.topic = facts->name;
    findings.topic_empty = facts->empty;
    findings.topic_created = facts->created;
  }
  findings.lanes = lanes_of(stream, definition);
  for (const auto& [source, ledger] : restored_->ledgers) {
    // A backfill's is no evidence of where the stream began.
    if (source.stream == stream.name && source.lane != core::Lane::kBackfill) findings.ledgers.emplace(source.lane, ledger);
  }

  auto admitted = admit(stream, findings);
  if (!admitted) return common::fail(admitted.error());
  for (const std::string& notice : admitted->notices) {
    logger_.warn("the stream's settings differ from those its state was made with",
                 {{"stream", stream.name.str()}, {"notice", notice}});
  }
  common::Instant start = findings.now;
  for (const auto& [lane, ledger] : findings.ledgers) start = ledger.start();
  for (auto& [lane, ledger] : admitted->ledgers) {
    start = ledger.start();
    if (std::ranges::find(admitted->begun, lane) == admitted->begun.end()) {
      publisher_->replace({stream.name, lane}, std::move(ledger));
    } else if (auto adopted = publisher_->adopt({stream.name, lane}, std::move(ledger)); !adopted) {
      return adopted;
    }
  }
  auto backfill = backfill_ledger(stream.name, findings.identity, start);
  if (!backfill) return common::fail(backfill.error());
  publisher_->replace({stream.name, core::Lane::kBackfill}, std::move(*backfill));
  if (const auto* configured = std::get_if<common::Instant>(&stream.start); configured != nullptr && *configured != start) {
    logger_.warn("the stream keeps the start it first ran with; a changed `start` has no effect on an existing ledger",
                 {{"stream", stream.name.str()},
                  {"start", common::format_instant(start)},
                  {"configured", common::format_instant(*configured)}});
  }

  // Half of what the publisher may hold: a live window is gathered while another page is on its way to Kafka.
  // Half of it is for all live lanes together.
  const std::size_t lane_memory = options_.kafka.memory_bytes / 2 / std::max<std::size_t>(live_lanes(options_, definitions_), 1);
  std::random_device entropy;
  auto& reader = readers_[stream.name];
  reader = std::make_unique<source::StreamReader>(definition, stream, source::ResolvedStart{start}, *api_, *publisher_, clock_,
                                                  *metrics_, root_logger_.named("source"), lane_memory, entropy(),
                                                  options_.kafka.memory_bytes);
  start_lanes(*reader, stream.name);
  logger_.info("stream started", {{"stream", stream.name.str()},
                                  {"topic", findings.topic},
                                  {"start", common::format_instant(start)},
                                  {"new_ledgers", admitted->begun.size()}});
  return {};
}

void App::Impl::start_lanes(source::StreamReader& reader, const core::StreamName& stream) {
  if (!std::holds_alternative<RunBackfill>(mode_)) {
    if (reader.has_live()) lanes_->start({stream, core::Lane::kLive}, reader.run_live());
    if (reader.has_follow()) lanes_->start({stream, core::Lane::kFollow}, reader.run_follow());
    if (reader.has_settle()) lanes_->start({stream, core::Lane::kSettle}, reader.run_settle());
  }
  backfills_->look_at(stream);
}

// As it is stored, if it is of here; else one that has never been asked for anything. Of a stream whose filters have changed it
// belongs to the former ones: what it read stays read, or it is asked for anew, as the operator likes.
Result<core::Ledger> App::Impl::backfill_ledger(const core::StreamName& stream, const core::LedgerIdentity& identity,
                                                common::Instant start) {
  const auto found = restored_->ledgers.find({stream, core::Lane::kBackfill});
  if (found == restored_->ledgers.end()) return core::Ledger(identity, start);
  const core::LedgerIdentity& stored = found->second.identity();
  if (stored.organization_id != identity.organization_id || stored.cluster_id != identity.cluster_id ||
      (!identity.topic_id.empty() && stored.topic_id != identity.topic_id)) {
    return common::fail(ErrorCode::kStateRefused,
                        "stream " + stream.str() +
                            ": the ledger of its backfill belongs to another organisation, cluster or topic; remove it: "
                            "genesys-kafka offsets reset " +
                            stream.str() + " --lane backfill");
  }
  core::Ledger ledger = found->second;
  core::LedgerIdentity now = identity;
  if (now.topic_id.empty()) now.topic_id = stored.topic_id;
  ledger.set_identity(std::move(now));
  return ledger;
}

// What is asked of the task's owner from outside, once all is there that was asked while nobody was.
void App::Impl::follow_requests() {
  if (const auto* alone = std::get_if<RunBackfill>(&mode_)) {
    const core::BackfillRequest request{
        .wanted = core::BackfillRequest::Wanted::kRun, .order = alone->order, .asked_at = clock_.utc_now(), .asked_by = {}};
    backfills_->take({{kafka::backfill_key(options_.name, alone->stream), request.serialize()}});
    backfills_->look_at(alone->stream);
    return;
  }
  const auto look_at_all = [this] {
    for (const auto& stream : options_.streams) backfills_->look_at(stream.name);
  };
  const std::string topic = kafka::state_topics(options_.name, options_.kafka.topics).control;
  if (topic.empty()) {
    backfills_->take(std::map<std::string, std::string>{});
    return look_at_all();
  }
  requests_.emplace(io_.get_executor(), options_.kafka,
                    kafka::StateLocation{.name = options_.name, .topic = topic, .partition = kafka::kControlPartition},
                    root_logger_.named("kafka"),
                    kafka::PartitionFollower::Handlers{
                        .caught_up =
                            [this, look_at_all](const std::map<std::string, std::string>& values) {
                              if (stopping_) return;
                              backfills_->take(values);
                              look_at_all();
                            },
                        .changed =
                            [this](const std::string& key, const std::optional<std::string>& value) {
                              if (!stopping_) backfills_->take(key, value);
                            },
                        .failed =
                            [this, topic](const common::Error& error) {
                              logger_.error(
                                  "the control topic cannot be read; nobody's requests are seen until it can",
                                  {{"topic", topic}, {"error_code", common::to_string(error.code)}, {"error", error.message}});
                            }});
}

// Ends the run when what was due at its start is done by every stream that runs.
asio::awaitable<void> App::Impl::watch_completion(common::Instant due) {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (co_await clock_.sleep_for(kLookForCompletion)) {
    if (stopping_) co_return;
    const bool complete = co_await is_complete(due);
    if (!complete || stopping_) continue;
    std::string stopped;
    for (const auto& stream : options_.streams) {
      if (readers_.contains(stream.name) && !publisher_->stream_trouble(stream.name)) continue;
      stopped += (stopped.empty() ? "" : ", ") + stream.name.str();
    }
    completion_ = stopped.empty() ? Result<void>{}
                                  : common::fail(ErrorCode::kTopicUnusable,
                                                 "everything else is complete, but these streams are stopped: " + stopped);
    logger_.info("what was due at the start is done", {{"due", common::format_instant(due)}, {"streams_stopped", stopped}});
    asio::co_spawn(io_, shut_down(), asio::detached);  // detached: ends with tear_down, which io_.run() waits for
    co_return;
  }
}

asio::awaitable<bool> App::Impl::is_complete(common::Instant due) {
  if (!backfills_->knows_requests()) co_return false;
  for (const auto& [stream, reader] : readers_) {
    if (publisher_->stream_trouble(stream)) continue;
    if (!reader->is_caught_up(due)) co_return false;
    // One that was asked for is not in its ledger at once.
    const auto& mark = publisher_->committed({stream, core::Lane::kBackfill}).backfill();
    if (backfills_->is_running(stream) && !(mark && mark->is_running())) co_return false;
  }
  // What follow has read is in no ledger.
  for (const auto& [stream, reader] : readers_) {
    if (!reader->has_follow() || publisher_->stream_trouble(stream)) continue;
    const auto flushed = co_await publisher_->flush({stream, core::Lane::kFollow});
    if (!flushed) co_return false;
  }
  co_return true;
}

// Tells how far the one backfill has come, and ends the run with it.
asio::awaitable<void> App::Impl::watch_backfill() {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto& alone = std::get<RunBackfill>(mode_);
  const core::SourcePartition source{.stream = alone.stream, .lane = core::Lane::kBackfill};
  while (co_await clock_.sleep_for(kTellBackfill)) {
    if (stopping_) co_return;
    const core::Ledger& ledger = publisher_->committed(source);
    if (ledger.backfill()) alone.tell(ledger);
    if (backfills_->is_running(alone.stream)) continue;
    if (const auto trouble = publisher_->stream_trouble(alone.stream)) {
      completion_ = common::fail(*trouble);
    } else {
      completion_ = Result<void>{};
    }
    asio::co_spawn(io_, shut_down(), asio::detached);  // detached: ends with tear_down, which io_.run() waits for
    co_return;
  }
}

void App::Impl::spawn(asio::awaitable<void> background) {
  auto& signal = background_.emplace_back();
  // detached: these loops have no result; `tear_down` cancels them and io_.run() returns only when they have ended.
  asio::co_spawn(io_, std::move(background), asio::bind_cancellation_slot(signal.slot(), asio::detached));
}

void App::Impl::ended(Result<void> result) {
  if (lane_failure_) result = common::fail(*lane_failure_);
  const bool asked_to_stop = stopping_ && !result && result.error().code == ErrorCode::kCancelled;
  outcome_ = asked_to_stop ? Result<void>{} : std::move(result);
  if (*outcome_ && completion_) outcome_ = *completion_;
  if (*outcome_ && !completion_ && !std::holds_alternative<RunForGood>(mode_)) {
    outcome_ = common::fail(ErrorCode::kCancelled, "stopped before it was complete; the next run goes on from there");
  }
  if (!*outcome_) {
    logger_.error("connector cannot go on",
                  {{"error_code", common::to_string(outcome_->error().code)}, {"error", outcome_->error().message}});
  }
  // detached: the last thing that runs; io_.run() waits for it.
  if (!shutting_down_) asio::co_spawn(io_, tear_down(), asio::detached);
}

// Lanes first, so that nothing new is submitted; then what is in hand is committed or aborted.
asio::awaitable<void> App::Impl::shut_down() {
  if (stopping_) co_return;
  stopping_ = true;
  shutting_down_ = true;
  health_.set_ready(false, "stopping");
  const auto deadline = clock_.steady_now() + options_.shutdown_grace;
  spawn(end_without_patience());
  requests_.reset();
  if (publisher_begun_) {
    co_await lanes_->stop();
    // A second is left for the farewell: the grace period of whoever stops us counts to the process's end.
    const auto left = std::chrono::duration_cast<common::Duration>(deadline - clock_.steady_now()) - 1s;
    co_await publisher_->stop(std::max(left, common::Duration::zero()));
  } else {
    cancel_life_.emit(asio::cancellation_type::terminal);
  }
  shutting_down_ = false;
  if (outcome_) co_await tear_down();
}

// Every wait of a stop is bounded by somebody; should one not be, the process ends all the same, as a kill would end it.
asio::awaitable<void> App::Impl::end_without_patience() {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto slept = co_await clock_.sleep_for(options_.shutdown_grace + kBeyondGrace);
  if (!slept) co_return;
  logger_.error(
      "the connector did not stop in time; this is a bug: please report it. Ending at once; the next start continues "
      "from the last commit",
      {});
  std::_Exit(kInterruptedExitCode);
}

asio::awaitable<void> App::Impl::tear_down() {
  health_.set_ready(false, "stopped");
  if (!stopping_) {  // the task ended by itself: fenced, refused
    stopping_ = true;
    spawn(end_without_patience());
    requests_.reset();
    co_await lanes_->stop();
    if (publisher_begun_) co_await publisher_->stop(kFarewell);
  }
  if (server_) server_->stop();
  for (auto& signal : background_) signal.emit(asio::cancellation_type::terminal);
  signals_.cancel();
}

asio::awaitable<void> App::Impl::listen_for_signals() {
  co_await asio::this_coro::throw_if_cancelled(false);
  boost::system::error_code stopped;
  const int first = co_await signals_.async_wait(asio::redirect_error(asio::use_awaitable, stopped));
  if (stopped) co_return;
  logger_.info("stopping: what is in hand is committed or given up, jobs go on at the service",
               {{"signal", first == SIGINT ? "SIGINT" : "SIGTERM"}});
  asio::co_spawn(io_, shut_down(), asio::detached);  // detached: ends with tear_down, which io_.run() waits for
  if (co_await cancelled()) co_return;               // all was over when the signal came; nothing would end the wait for another
  co_await signals_.async_wait(asio::redirect_error(asio::use_awaitable, stopped));
  if (stopped) co_return;
  logger_.warn("second signal: ending at once; the next start continues from the last commit", {});
  std::_Exit(kInterruptedExitCode);
}

// A stream that was stopped alone is looked at again: its topic may be back, its ACL granted.
asio::awaitable<void> App::Impl::look_at_stopped_streams() {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (co_await clock_.sleep_for(kLookAtStoppedStreams)) {
    if (!restored_ || stopping_) continue;
    for (const auto& stream : options_.streams) {
      if (readers_.contains(stream.name) && !publisher_->stream_trouble(stream.name)) continue;
      if (const auto reset = co_await publisher_->reset_stream(stream.name); !reset || stopping_) continue;
      if (!readers_.contains(stream.name)) {
        // Nobody else writes this task's ledgers, so those of the start are still those of a stream that has never run.
        if (const auto started = start_stream(stream); !started) {
          stays_stopped(stream.name, started.error());
          continue;
        }
      }
      metrics_->stream_stopped(stream.name, false);
      backfills_->look_at(stream.name);
      logger_.info("stream taken up again", {{"stream", stream.name.str()}});
    }
  }
}

// What the last minute brought; commits themselves are logged at debug only.
asio::awaitable<void> App::Impl::summarise() {
  co_await asio::this_coro::throw_if_cancelled(false);
  observability::Totals before;
  while (co_await clock_.sleep_for(kSummaryEvery)) {
    const observability::Totals now = metrics_->totals();
    logger_.info("summary of the last minute",
                 {{"requests", now.requests - before.requests},
                  {"requests_failed", now.requests_failed - before.requests_failed},
                  {"pages", now.pages - before.pages},
                  {"records", now.records_published - before.records_published},
                  {"bytes", now.bytes_published - before.bytes_published},
                  {"dead_letters", now.dead_letters - before.dead_letters},
                  {"transactions", now.transactions - before.transactions},
                  {"transactions_aborted", now.transactions_aborted - before.transactions_aborted}});
    before = now;
  }
}

App::App(AppOptions options, Definitions definitions, common::Logger logger, kafka::ProducerFactory producer_factory,
         RunMode mode)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(definitions), std::move(logger), std::move(producer_factory),
                                   std::move(mode))) {}
App::~App() = default;
Result<void> App::run() {
  return impl_->run();
}

}  // namespace connector::app
