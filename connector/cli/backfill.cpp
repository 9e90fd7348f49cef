#include "connector/app/backfill.h"

#include "common/clock.h"
#include "common/json.h"
#include "connector/cli/backfill_report.h"
#include "connector/cli/configuration.h"
#include "connector/cli/exit_code.h"
#include "connector/cli/takeover.h"
#include "connector/cli/verbs.h"
#include "connector/kafka/incarnation.h"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <ostream>
#include <string>
#include <utility>

namespace connector::cli {

using common::ErrorCode;
using common::Result;

namespace {

constexpr common::Duration kPatience = std::chrono::minutes(1);

common::Logger logger_of(const Configuration& configuration) {
  return common::Logger::to_stderr({.level = common::LogLevel::kWarn, .format = configuration.loaded.config.log.format});
}

int refused(const Surroundings& surroundings, const common::Error& error) {
  surroundings.err << error.message << "\n";
  return error.code == ErrorCode::kRetryable ? kKafkaRefused : exit_code_of(error);
}

Result<common::Duration> wait_of(const std::string& text) {
  auto wait = common::parse_duration(text);
  if (!wait) return common::fail(common::with_context(wait.error(), "--wait"));
  return wait;
}

Result<core::BackfillOrder> wanted_of(const BackfillCommand& command) {
  const auto from = common::parse_instant(command.from);
  if (!from) return common::fail(common::with_context(from.error(), "--from"));
  const auto to = common::parse_instant(command.to);
  if (!to) return common::fail(common::with_context(to.error(), "--to"));
  return core::BackfillOrder{
      .id = {}, .range = {.start = *from, .end = *to}, .parallel = command.parallel, .weight = command.weight};
}

int tell_end(const BackfillCommand& command, const core::Ledger& ledger, const Surroundings& surroundings) {
  if (command.output == Output::kJson) {
    surroundings.out << common::json::serialize(to_json(command.stream, ledger)) << "\n";
  } else {
    surroundings.out << end_of(command.stream, ledger) << "\n";
  }
  return exit_code_of(ledger);
}

std::string cancel_hint(const BackfillCommand& command) {
  return fmt::format("genesys-kafka backfill cancel {} --config {}", command.stream, command.config.string());
}

core::BackfillRequest request_of(core::BackfillRequest::Wanted wanted, core::BackfillOrder order) {
  return {
      .wanted = wanted, .order = std::move(order), .asked_at = common::SystemClock().utc_now(), .asked_by = kafka::host_name()};
}

// Nobody took it: it must not be begun by surprise one day. Whoever takes it just now finds it cancelled.
Result<void> withdraw(const BackfillCommand& command, const Configuration& configuration, const core::BackfillOrder& order) {
  return app::send_request(configuration.loaded.config, core::StreamName(command.stream),
                           request_of(core::BackfillRequest::Wanted::kCancel, order), logger_of(configuration), kPatience);
}

int ask_connector(const BackfillCommand& command, const Configuration& configuration, const core::BackfillOrder& order,
                  bool is_under_way, common::Duration wait, const Surroundings& surroundings) {
  const auto& options = configuration.loaded.config;
  const auto logger = logger_of(configuration);
  const core::StreamName stream(command.stream);
  if (is_under_way) {
    surroundings.err << "this backfill is under way already";
    if (order.parallel != command.parallel || order.weight != command.weight) {
      surroundings.err << ", with the --parallel and --weight it was asked for with";
    }
    surroundings.err << "\n";
  } else {
    const auto sent =
        app::send_request(options, stream, request_of(core::BackfillRequest::Wanted::kRun, order), logger, kPatience);
    if (!sent) return refused(surroundings, sent.error());
  }
  BackfillReport report(command.stream, surroundings);
  const auto until = command.detach ? app::BackfillWait::kUntilTaken : app::BackfillWait::kUntilEnd;
  const app::BackfillTalk talk{
      .tell = [&](const core::Ledger& ledger) { report.tell(ledger); },
      .quiet =
          [&](common::Duration since) {
            report.close();
            surroundings.err << "no news of it for " << common::format_duration(since)
                             << ": its jobs may take long; if the connector was stopped, it goes on with it when it runs\n"
                             << std::flush;
          }};
  const auto followed = app::follow_backfill(options, stream, order.id, until, talk, logger, wait);
  report.close();
  if (!followed) return refused(surroundings, followed.error());
  switch (followed->end) {
    case app::BackfillEnd::kEnded:
      return tell_end(command, *followed->ledger, surroundings);
    case app::BackfillEnd::kTaken:
      surroundings.err << "the connector has taken it; to cancel it: " << cancel_hint(command) << "\n";
      return kDone;
    case app::BackfillEnd::kInterrupted:
      if (!followed->ledger && !is_under_way) {
        if (auto withdrawn = withdraw(command, configuration, order); !withdrawn) return refused(surroundings, withdrawn.error());
        surroundings.err << "interrupted before anybody took the request, and it was withdrawn\n";
        return kInterrupted;
      }
      surroundings.err << "left alone: the connector goes on with it. To watch it again, ask for the same range; to cancel it: "
                       << cancel_hint(command) << "\n";
      return kInterrupted;
    case app::BackfillEnd::kNotTaken:
      if (is_under_way) {
        surroundings.err << fmt::format(
            "nothing was heard of it within {}: Kafka does not answer. It goes on; to watch it, ask again\n", command.wait);
        return kInterrupted;
      }
      if (auto withdrawn = withdraw(command, configuration, order); !withdrawn) return refused(surroundings, withdrawn.error());
      surroundings.err << fmt::format(
          "nobody took the request within {}, and it was withdrawn: no connector named {} runs, it is still starting, or it does "
          "not run this stream (its log tells). Start it and ask again, or do it here: --here\n",
          command.wait, options.name.str());
      return kConfigurationError;
  }
  return kInternalError;
}

int do_here(const BackfillCommand& command, Configuration& configuration, const app::BackfillsNow& now,
            const core::BackfillOrder& order, const Surroundings& surroundings) {
  const std::string owner = now.owner ? fmt::format(", which was last claimed on host {} at {}", now.owner->host,
                                                    common::format_instant(now.owner->claimed_at))
                                      : std::string();
  const std::string question = fmt::format("The backfill takes the task over{}. {} Do it here?", owner,
                                           of_a_connector_that_runs(configuration.loaded.config.kafka.delivery));
  if (const auto declined = ask(command.yes ? Confirmed::kBeforehand : Confirmed::kAskFirst, question, surroundings)) {
    return *declined;
  }
  BackfillReport report(command.stream, surroundings);
  const auto done = app::run_backfill_here(
      configuration.loaded.config, configuration.definitions, core::StreamName(command.stream), order,
      [&](const core::Ledger& ledger) { report.tell(ledger); }, logger_of(configuration));
  report.close();
  if (done) return tell_end(command, *done, surroundings);
  if (done.error().code == ErrorCode::kCancelled) {
    surroundings.err << "interrupted: ask for the same range with --here to go on, or run the connector, which takes it up\n";
    return kInterrupted;
  }
  return refused(surroundings, done.error());
}

}  // namespace

int backfill(const BackfillCommand& command, const Surroundings& surroundings) {
  auto configuration = read_configuration(command.config, surroundings);
  if (!configuration) return kConfigurationError;
  auto wanted = wanted_of(command);
  if (!wanted) return refused(surroundings, wanted.error());
  const auto wait = wait_of(command.wait);
  if (!wait) return refused(surroundings, wait.error());
  const auto& options = configuration->loaded.config;
  const auto now = app::read_backfills(options, logger_of(*configuration), kPatience);
  if (!now) return refused(surroundings, now.error());
  const core::StreamName stream(command.stream);
  const auto order =
      app::order_backfill(options, configuration->definitions, *now, stream, std::move(*wanted), common::SystemClock().utc_now());
  if (!order) return refused(surroundings, order.error());
  if (command.here) return do_here(command, *configuration, *now, *order, surroundings);
  const auto known = now->ledgers.find(stream);
  const bool is_under_way = known != now->ledgers.end() && known->second.backfill()->order.id == order->id;
  return ask_connector(command, *configuration, *order, is_under_way, *wait, surroundings);
}

int backfill_cancel(const BackfillCancelCommand& command, const Surroundings& surroundings) {
  const auto configuration = read_configuration(command.config, surroundings);
  if (!configuration) return kConfigurationError;
  const auto wait = wait_of(command.wait);
  if (!wait) return refused(surroundings, wait.error());
  const auto& options = configuration->loaded.config;
  const auto logger = logger_of(*configuration);
  const core::StreamName stream(command.stream);
  const auto now = app::read_backfills(options, logger, kPatience);
  if (!now) return refused(surroundings, now.error());

  std::optional<core::BackfillOrder> order;
  const auto known = now->ledgers.find(stream);
  if (known != now->ledgers.end() && known->second.backfill()->is_running()) order = known->second.backfill()->order;
  const auto asked = now->asked.find(stream);
  const bool is_asked = asked != now->asked.end() && asked->second.wanted == core::BackfillRequest::Wanted::kRun &&
                        (known == now->ledgers.end() || known->second.backfill()->order.id != asked->second.order.id);
  if (!order && is_asked) order = asked->second.order;
  if (!order) {
    surroundings.out << "no backfill of stream " << command.stream << " is under way\n";
    return kDone;
  }
  const auto sent =
      app::send_request(options, stream, request_of(core::BackfillRequest::Wanted::kCancel, *order), logger, kPatience);
  if (!sent) return refused(surroundings, sent.error());
  const bool was_taken = known != now->ledgers.end() && known->second.backfill()->order.id == order->id;
  if (!was_taken) {
    surroundings.out << "the request, which nobody had taken, is withdrawn\n";
    return kDone;
  }
  const auto followed = app::wait_for_end(options, stream, order->id, logger, *wait);
  if (!followed) return refused(surroundings, followed.error());
  if (followed->end == app::BackfillEnd::kEnded) {
    surroundings.out << end_of(command.stream, *followed->ledger) << "\n";
    return kDone;
  }
  surroundings.err << fmt::format(
      "asked for, but not done within {}: no connector named {} runs, or it waits for Genesys or Kafka. It is cancelled before "
      "anything more of it is read\n",
      command.wait, options.name.str());
  return kInterrupted;
}

int backfill_list(const BackfillListCommand& command, const Surroundings& surroundings) {
  const auto configuration = read_configuration(command.config, surroundings);
  if (!configuration) return kConfigurationError;
  const auto now = app::read_backfills(configuration->loaded.config, logger_of(*configuration), kPatience);
  if (!now) return refused(surroundings, now.error());
  common::json::Array all;
  for (const auto& [stream, ledger] : now->ledgers) {
    if (command.output == Output::kJson) {
      all.emplace_back(to_json(stream.str(), ledger));
    } else if (ledger.backfill()->is_running()) {
      surroundings.out << progress_of(stream.str(), ledger) << "\n";
    } else {
      surroundings.out << end_of(stream.str(), ledger) << "\n";
    }
  }
  for (const auto& [stream, request] : now->asked) {
    const auto known = now->ledgers.find(stream);
    const bool is_taken = known != now->ledgers.end() && known->second.backfill()->order.id == request.order.id;
    if (is_taken || request.wanted != core::BackfillRequest::Wanted::kRun) continue;
    if (command.output == Output::kJson) {
      all.emplace_back(common::json::Object{{"stream", stream.str()},
                                            {"state", "asked"},
                                            {"range", common::format_interval(request.order.range)},
                                            {"asked_at", common::format_instant(request.asked_at)},
                                            {"asked_by", request.asked_by}});
    } else {
      surroundings.out << fmt::format("{}: {} was asked for at {} by {}; not taken yet\n", stream.str(),
                                      common::format_interval(request.order.range), common::format_instant(request.asked_at),
                                      request.asked_by);
    }
  }
  if (command.output == Output::kJson) {
    surroundings.out << common::json::serialize(common::json::Object{{"backfills", std::move(all)}}) << "\n";
  } else if (now->ledgers.empty() && now->asked.empty()) {
    surroundings.out << "no backfill was ever asked for\n";
  }
  return kDone;
}

}  // namespace connector::cli
