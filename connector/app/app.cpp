#include "connector/app/app.h"

#include "common/clock.h"
#include "common/http/client.h"
#include "common/http/server.h"
#include "connector/app/admission.h"
#include "connector/app/lanes.h"
#include "connector/app/stream_topics.h"
#include "connector/genesys/genesys_api.h"
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
  Impl(AppOptions options, Definitions definitions, common::Logger logger, kafka::ProducerFactory factory)
      : options_(std::move(options)),
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
  void stays_stopped(const core::StreamName& stream, const common::Error& error);
  asio::awaitable<void> shut_down();
  asio::awaitable<void> end_without_patience();
  asio::awaitable<void> tear_down();
  asio::awaitable<void> listen_for_signals();
  asio::awaitable<void> look_at_stopped_streams();
  asio::awaitable<void> summarise();
  void spawn(asio::awaitable<void> background);
  void ended(Result<void> result);

  AppOptions options_;
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

  asio::signal_set signals_{io_};
  asio::cancellation_signal cancel_life_;
  std::list<asio::cancellation_signal> background_;  // a list: a signal must not move while its slot is in use
  bool publisher_begun_ = false;
  bool stopping_ = false;                         // shut_down was begun
  bool shutting_down_ = false;                    // … and has not ended
  std::map<core::StreamName, std::string> told_;  // why a stream has not been started
  std::optional<common::Error> lane_failure_;
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
  auto& executor = io_;
  metrics_.emplace(configured_sources(options_, definitions_));

  if (!options_.metrics.listen.empty()) {
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
  lanes_.emplace(executor.get_executor(), [this](const core::SourcePartition& source, const common::Error& error) {
    logger_.error("a lane ended by itself; this is a bug: please report it", {{"stream", source.stream.str()},
                                                                              {"lane", core::to_string(source.lane)},
                                                                              {"error_code", common::to_string(error.code)},
                                                                              {"error", error.message}});
    if (!lane_failure_) lane_failure_ = error;
    if (!stopping_) spawn(shut_down());
  });
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
  if (auto started = start_streams(); !started) co_return common::fail(started.error());

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
  for (const auto& stream : options_.streams) {
    if (auto started = start_stream(stream); !started) {
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
                                       .content = source::content_fingerprint(definition)},
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
    if (source.stream == stream.name) findings.ledgers.emplace(source.lane, ledger);
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
                                                  *metrics_, root_logger_.named("source"), lane_memory, entropy());
  if (reader->has_live()) lanes_->start({stream.name, core::Lane::kLive}, reader->run_live());
  if (reader->has_follow()) lanes_->start({stream.name, core::Lane::kFollow}, reader->run_follow());
  if (reader->has_settle()) lanes_->start({stream.name, core::Lane::kSettle}, reader->run_settle());
  logger_.info("stream started", {{"stream", stream.name.str()},
                                  {"topic", findings.topic},
                                  {"start", common::format_instant(start)},
                                  {"new_ledgers", admitted->begun.size()}});
  return {};
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

App::App(AppOptions options, Definitions definitions, common::Logger logger, kafka::ProducerFactory producer_factory)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(definitions), std::move(logger), std::move(producer_factory))) {}
App::~App() = default;
Result<void> App::run() {
  return impl_->run();
}

}  // namespace connector::app
