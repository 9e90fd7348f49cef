// genesys-simulator: a Genesys Cloud that runs on loopback, for tests, demos and everybody without an organisation to try on.

#include "common/clock.h"
#include "tests/simulator/simulator.h"
#include "tests/support/scripted_server.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <exception>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace {

using tests::simulator::Duration;
using tests::simulator::SimulatorOptions;
using tests::simulator::SyncMatch;
using tests::simulator::TotalHits;

struct CommandLine {
  SimulatorOptions simulator;
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  std::string tls_certificate;
  std::string tls_key;
  std::string tls_client_ca;
  std::string faults;
  std::string start;
  Duration history{2 * 86'400'000LL};
  std::vector<std::string> clients;
};

template <class Target>
Target checked(const common::Result<Target>& parsed, const std::string& option) {
  if (!parsed) {
    throw CLI::ValidationError(option, parsed.error().message);
  }
  return *parsed;
}

void add_duration(CLI::App& app, const std::string& group, const std::string& name, Duration& place, const std::string& help) {
  app.add_option_function<std::string>(
         name,
         [&place, name](const std::string& text) {
           // A skew may be negative.
           const bool negative = text.starts_with('-');
           place = checked(common::parse_duration(negative ? text.substr(1) : text), name) * (negative ? -1 : 1);
         },
         help)
      ->group(group)
      ->type_name("DURATION")
      ->default_str(common::format_duration(place));
}

struct Choice {
  std::string name;
  std::function<void()> choose;
};

// The first choice is the default.
void add_choice(CLI::App& app, const std::string& name, const std::string& help, const std::vector<Choice>& choices) {
  std::vector<std::string> names;
  for (const Choice& choice : choices) {
    names.push_back(choice.name);
  }
  app.add_option_function<std::string>(
         name,
         [choices](const std::string& chosen) {
           const auto found = std::ranges::find(choices, chosen, &Choice::name);
           found->choose();  // IsMember has let only known names through
         },
         help)
      ->check(CLI::IsMember(names))
      ->default_str(names.front())
      ->group("Interface");
}

void add_options(CLI::App& app, CommandLine& line) {
  SimulatorOptions& simulator = line.simulator;
  app.option_defaults()->always_capture_default();

  app.add_option("--address", line.address, "Address to listen on")->group("Transport");
  app.add_option("--port", line.port, "Port to listen on; 0 picks a free one")->group("Transport");
  app.add_option("--tls-cert", line.tls_certificate, "PEM certificate chain: serve https")
      ->check(CLI::ExistingFile)
      ->group("Transport");
  app.add_option("--tls-key", line.tls_key, "PEM private key")->check(CLI::ExistingFile)->group("Transport");
  app.add_option("--tls-client-ca", line.tls_client_ca, "Require a client certificate of this CA")
      ->check(CLI::ExistingFile)
      ->group("Transport");
  app.add_flag("--gzip,!--no-gzip", simulator.api.gzip, "Compress answers for clients that accept it")->group("Transport");
  add_duration(app, "Transport", "--clock-skew", simulator.clock_skew,
               "The service's clock minus the host's (Date header and all it does)");

  auto& world = simulator.world;
  app.add_option("--seed", world.seed, "Of everything that looks random")->group("Data set");
  app.add_option("--start", line.start, "First instant of the history; fixed, so that restarts show the same data")
      ->group("Data set");
  add_duration(app, "Data set", "--history", line.history, "Without --start: length of the history at the start of the program");
  add_duration(app, "Data set", "--spacing", world.spacing, "Mean time between two conversations");
  app.add_option("--conversations", world.conversations, "How many there will ever be; 0: no end")->group("Data set");
  add_duration(app, "Data set", "--duration", world.duration, "Median life of a conversation");
  app.add_option("--long-share", world.long_share, "Share that stays open for --long-duration")
      ->check(CLI::Range(0.0, 1.0))
      ->group("Data set");
  add_duration(app, "Data set", "--long-duration", world.long_duration, "Life of a long conversation");
  add_duration(app, "Data set", "--wrap-up", world.wrap_up, "From the end to the end of the wrap-up");
  app.add_option("--reopen-share", world.reopen_share, "Share that is opened again")
      ->check(CLI::Range(0.0, 1.0))
      ->group("Data set");
  add_duration(app, "Data set", "--reopen-after", world.reopen_after, "From the end until it is opened again");
  app.add_option("--late-share", world.late_share, "Share that gets an evaluation, half of them a survey")
      ->check(CLI::Range(0.0, 1.0))
      ->group("Data set");
  add_duration(app, "Data set", "--late-after", world.late_after,
               "From the end to the evaluation; the survey comes at half of it");
  app.add_option("--deleted-share", world.deleted_share, "Share that vanishes")->check(CLI::Range(0.0, 1.0))->group("Data set");
  add_duration(app, "Data set", "--deleted-after", world.deleted_after, "From the end until it vanishes");
  add_duration(app, "Data set", "--index-lag", world.index_lag, "Longest time from a start until queries show it");
  app.add_option("--record-bytes", world.record_bytes, "Median size of a record in the job form")->group("Data set");
  app.add_option("--users", world.users, "Agents")->check(CLI::PositiveNumber)->group("Data set");
  app.add_option("--queues", world.queues, "Queues")->check(CLI::PositiveNumber)->group("Data set");
  app.add_option("--divisions", world.divisions, "Divisions")->check(CLI::PositiveNumber)->group("Data set");
  app.add_flag(
         "--fixed-pages", simulator.fixed_pages,
         "For benches: pages from a template in which only ids and times differ; no life cycle, filters or page faults; windows "
         "select by start. Set --start, --conversations, --spacing, --rate 0 and --lake-lag 0ms with it")
      ->group("Data set");

  add_duration(app, "Data set", "--lake-lag", simulator.lake.lag, "dataAvailabilityDate is at least this far behind");
  add_duration(app, "Data set", "--lake-step", simulator.lake.step, "… and moves in steps of this");

  app.add_option("--rate", simulator.rate.per_window, "Requests per rate window; 0: never a 429")->group("Limits");
  add_duration(app, "Limits", "--rate-window", simulator.rate.window, "Length of the rate window");
  app.add_flag("--rate-per-client", simulator.rate.per_client, "Count per client instead of per token")->group("Limits");
  app.add_flag("--rate-headers,!--no-rate-headers", simulator.rate.headers, "Send inin-ratelimit-* headers")->group("Limits");

  app.add_option("--client", line.clients, "client id:secret; may be repeated")->expected(1, -1)->group("Tokens");
  add_duration(app, "Tokens", "--token-life", simulator.tokens.life, "Life of an access token");
  app.add_option("--invalid-client-status", simulator.tokens.invalid_client_status, "Status of a wrong client or secret")
      ->check(CLI::IsMember({400, 401}))
      ->group("Tokens");
  app.add_flag("--body-credentials", simulator.tokens.accept_body_credentials, "Accept client_id and client_secret in the form")
      ->group("Tokens");
  app.add_option("--refresh-token", simulator.tokens.refresh_token, "Allow the refresh grant, first with this token")
      ->group("Tokens");
  app.add_flag("--rotate-refresh-token,!--keep-refresh-token", simulator.tokens.rotate_refresh_token,
               "A refresh token is replaced with its use")
      ->group("Tokens");

  auto& api = simulator.api;
  add_choice(app, "--sync-match", "How the query reads an interval inside a day",
             {{"overlap", [&api] { api.sync_match = SyncMatch::kOverlap; }},
              {"start_day", [&api] { api.sync_match = SyncMatch::kStartDay; }}});
  add_choice(app, "--total-hits", "Whether totalHits is right",
             {{"exact", [&api] { api.total_hits = TotalHits::kExact; }},
              {"approximate", [&api] { api.total_hits = TotalHits::kApproximate; }}});
  app.add_option("--max-page-size", api.max_page_size, "Of queries; above it a 400")
      ->check(CLI::PositiveNumber)
      ->group("Interface");
  app.add_option("--max-depth", api.max_depth, "Deepest result a query pages to")->group("Interface");
  app.add_option("--max-job-page-size", api.max_job_page_size, "Of job results; above it a 400")
      ->check(CLI::PositiveNumber)
      ->group("Interface");
  app.add_option("--max-ids", api.max_ids, "Ids of one read by id")->group("Interface");
  add_duration(app, "Interface", "--max-interval", api.max_interval_unfiltered, "Longest interval of a query without a filter");
  add_duration(app, "Interface", "--max-interval-filtered", api.max_interval_filtered, "… and with one");
  add_duration(app, "Interface", "--job-queued", api.job_queued, "A job is QUEUED this long");
  add_duration(app, "Interface", "--job-time", api.job_time, "… and FULFILLED after this");
  add_duration(app, "Interface", "--job-life", api.job_life, "Life of a job's results");
  app.add_option("--max-jobs", api.max_jobs, "Unfinished jobs at once; 0: no bound")->group("Interface");
  app.add_option("--unknown-cursor-status", api.unknown_cursor_status, "Status of a cursor that is not the job's")
      ->check(CLI::IsMember({400, 404, 410}))
      ->group("Interface");
  app.add_option("--results-too-early-status", api.results_too_early_status, "Status of results before FULFILLED")
      ->check(CLI::IsMember({400, 404}))
      ->group("Interface");
  app.add_flag("--strict-bodies,!--lenient-bodies", api.strict_bodies, "Refuse unknown members of request bodies")
      ->group("Interface");

  app.add_option("--faults", line.faults, "A fault script (JSON) in force from the start")
      ->check(CLI::ExistingFile)
      ->group("Faults");
}

void complete(CommandLine& line, common::Instant now) {
  SimulatorOptions& simulator = line.simulator;
  simulator.world.start = line.start.empty() ? now - line.history : checked(common::parse_instant(line.start), "--start");
  if (simulator.world.spacing <= Duration::zero()) {
    throw CLI::ValidationError("--spacing", "must be above zero");
  }
  if (simulator.rate.window <= Duration::zero()) {
    throw CLI::ValidationError("--rate-window", "must be above zero");
  }
  if (!line.clients.empty()) {
    simulator.tokens.clients.clear();
    for (const std::string& pair : line.clients) {
      const std::size_t colon = pair.find(':');
      if (colon == 0 || colon == std::string::npos) {
        throw CLI::ValidationError("--client", "`" + pair + "` is not id:secret");
      }
      simulator.tokens.clients.push_back({.client_id = pair.substr(0, colon), .client_secret = pair.substr(colon + 1)});
    }
  }
  if (line.tls_certificate.empty() != line.tls_key.empty()) {
    throw CLI::ValidationError("--tls-cert", "--tls-cert and --tls-key go together");
  }
}

void load_faults(tests::simulator::Simulator& simulator, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto script = checked(common::json::parse(text), "--faults");
  if (const auto added = simulator.service().faults.add(script); !added) {
    throw CLI::ValidationError("--faults", added.error().message);
  }
}

int serve(const CommandLine& line, tests::simulator::Simulator& simulator) {
  // Blocked before the server's thread exists, so that only sigwait below sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  tests::support::ScriptedServerOptions options{.address = line.address, .port = line.port, .tls = std::nullopt};
  if (!line.tls_certificate.empty()) {
    options.tls = tests::support::TlsFiles{.certificate_chain = line.tls_certificate, .private_key = line.tls_key};
    if (!line.tls_client_ca.empty()) {
      options.tls->client_ca = line.tls_client_ca;
    }
  }
  const common::SystemClock clock;
  const tests::support::ScriptedServer server(std::move(options), [&](const tests::support::ReceivedRequest& request) {
    return simulator.handle(request, clock.utc_now());
  });
  const common::json::Object ready{
      {"listening", server.url()}, {"port", server.port()}, {"start", common::format_instant(line.simulator.world.start)}};
  std::cout << common::json::serialize(ready) << '\n' << std::flush;
  int received = 0;
  sigwait(&signals, &received);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CommandLine line;
  CLI::App app{"A Genesys Cloud analytics service on loopback: deterministic, growing, limited and faulty as told."};
  app.name("genesys-simulator");
  try {
    add_options(app, line);
    app.parse(argc, argv);
    complete(line, common::SystemClock().utc_now());
    tests::simulator::Simulator simulator(line.simulator);
    if (!line.faults.empty()) {
      load_faults(simulator, line.faults);
    }
    return serve(line, simulator);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::cerr << "genesys-simulator: " << error.what() << '\n';
    return 1;
  }
}
