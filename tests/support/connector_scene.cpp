#include "tests/support/connector_scene.h"

#include "common/json.h"
#include "connector/core/digest/entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <exception>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace tests::support {
namespace {

using connector::core::Lane;
using connector::core::Ledger;
using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kGlance{25};
constexpr std::size_t kLogTail = 8'000;
constexpr std::size_t kBrokerLogTail = 30'000;

void write(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file) << text;
}

std::string instant(std::chrono::system_clock::time_point point) {
  return common::format_instant(std::chrono::time_point_cast<common::Duration>(point));
}

// The lines of a broker's log that speak of trouble or of transactions, the last of them.
std::string troubles_in(const std::string& log) {
  std::string found;
  std::istringstream text(log);
  for (std::string line; std::getline(text, line);) {
    const auto speaks_of = [&line](std::string_view word) { return line.find(word) != std::string::npos; };
    if (speaks_of(" WARN ") || speaks_of(" ERROR ") || speaks_of("ransaction") || speaks_of("encing")) found += line + '\n';
  }
  return found.size() > kBrokerLogTail ? "…" + found.substr(found.size() - kBrokerLogTail) : found;
}

std::uint64_t number(const common::json::Value& object, const std::string& member) {
  const auto* value = common::json::find(object, member);
  if (value == nullptr || !value->is_number()) throw std::runtime_error("the simulator does not tell " + member);
  return value->to_number<std::uint64_t>();
}

std::string lines(const std::vector<std::string>& all, std::string_view indent) {
  std::string text;
  for (const auto& line : all) text += fmt::format("{}{}\n", indent, line);
  return text;
}

SimulatorProcess::Options fast_defaults() {
  return {{"--spacing", "25ms"},           {"--duration", "1s"},          {"--wrap-up", "200ms"},
          {"--record-bytes", "2000"},      {"--lake-lag", "1s"},          {"--lake-step", "500ms"},
          {"--job-queued", "50ms"},        {"--job-time", "100ms"},       {"--rate", "0"},
          {"--total-hits", "approximate"}, {"--max-job-page-size", "100"}};
}

}  // namespace

SimulatorProcess::SimulatorProcess(const Options& changes, std::chrono::seconds history, const std::string& faults,
                                   HttpTrust trust)
    : options_(fast_defaults()),
      trust_(std::move(trust)),
      begin_(std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()) - history) {
  options_["--start"] = instant(begin_);
  for (const auto& [option, value] : changes) options_[option] = value;
  if (!faults.empty()) {
    write(folder_.path() / "faults.json", R"({"rules": [)" + faults + "]}");
    options_["--faults"] = (folder_.path() / "faults.json").string();
  }
  start();
}

void SimulatorProcess::start() {
  const auto out = folder_.path() / "out";
  std::filesystem::remove(out);  // what a life before announced is not this one's
  std::vector<std::string> arguments{GK_SIMULATOR};
  for (const auto& [option, value] : options_) {
    arguments.push_back(option);
    if (!value.empty()) arguments.push_back(value);
  }
  process_.emplace(ProcessOptions{.arguments = std::move(arguments), .output = out, .error_output = folder_.path() / "err"});
  if (!process_->wait_for_output("\n", kPatience)) {
    throw std::runtime_error("the simulator does not start: " + read_file(folder_.path() / "err"));
  }
  const auto ready = common::json::parse(process_->output().substr(0, process_->output().find('\n')));
  url_ = std::string(common::json::find_string(ready.value(), "listening").value());
  options_["--port"] = std::to_string(number(*ready, "port"));
}

void SimulatorProcess::stop() {
  process_->kill();
}

void SimulatorProcess::add_faults(const std::string& rules) const {
  const auto answer = http_post(url_ + "/_sim/faults", R"({"rules": [)" + rules + "]}", trust_);
  if (answer.status != 200) throw std::runtime_error("the simulator refuses the faults: " + answer.body);
}

void SimulatorProcess::reset_faults() const {
  http_post(url_ + "/_sim/reset-faults", "{}", trust_);
}

void SimulatorProcess::delete_conversations(const std::vector<std::string>& ids) const {
  change("delete", ids);
}

void SimulatorProcess::restore_conversations(const std::vector<std::string>& ids) const {
  change("restore", ids);
}

void SimulatorProcess::change(const std::string& hook, const std::vector<std::string>& ids) const {
  common::json::Array array(ids.begin(), ids.end());
  const std::string body = common::json::serialize(common::json::Object{{"ids", std::move(array)}});
  const auto answer = http_post(url_ + "/_sim/" + hook, body, trust_);
  if (answer.status != 200) throw std::runtime_error("the simulator refuses to " + hook + ": " + answer.body);
}

common::json::Value SimulatorProcess::ask(const std::string& question) const {
  const auto answer = http_get(url_ + "/_sim/" + question, trust_);
  auto parsed = common::json::parse(answer.body);
  if (answer.status != 200 || !parsed) throw std::runtime_error("the simulator does not answer: " + answer.body.substr(0, 200));
  return std::move(*parsed);
}

std::uint64_t SimulatorProcess::strikes(const std::string& rule) const {
  const auto stats = ask("stats");
  const auto* faults = common::json::find(stats, "faults");
  return number(*faults, rule);
}

std::uint64_t SimulatorProcess::requests() const {
  return number(ask("stats"), "requests");
}

std::uint64_t SimulatorProcess::rate_limited() const {
  return number(ask("stats"), "rateLimited");
}

std::vector<crash::Truth> SimulatorProcess::truth() const {
  std::vector<crash::Truth> conversations;
  const auto answer = ask(fmt::format("truth?from={}&to={}", instant(begin_), instant(std::chrono::system_clock::now())));
  for (const auto& entry : answer.as_array()) {
    conversations.push_back({.key = std::string(common::json::find_string(entry, "id").value()),
                             .start = common::parse_instant(common::json::find_string(entry, "start").value()).value()});
  }
  return conversations;
}

std::vector<crash::Final> SimulatorProcess::records_before(common::Instant until) const {
  const auto answer =
      http_get(fmt::format("{}/_sim/truth?form=job&from={}&to={}", url_, instant(begin_), common::format_instant(until)), trust_);
  if (answer.status != 200) throw std::runtime_error("the simulator does not answer: " + answer.body.substr(0, 200));
  std::vector<crash::Final> conversations;
  std::istringstream text(answer.body);
  for (std::string line; std::getline(text, line);) {
    const auto record = common::json::parse(line);
    conversations.push_back(
        {.key = std::string(common::json::find_string(record.value(), "conversationId").value()), .value = std::move(line)});
  }
  return conversations;
}

std::string SimulatorProcess::truth_in_dialect(const std::string& dialect, common::Instant until) const {
  const auto answer = http_get(
      fmt::format("{}/_sim/truth?dialect={}&from={}&to={}", url_, dialect, instant(begin_), common::format_instant(until)),
      trust_);
  if (answer.status != 200) throw std::runtime_error("the simulator does not answer: " + answer.body.substr(0, 200));
  return answer.body;
}

ConnectorProcess::ConnectorProcess(const std::string& binary, const std::filesystem::path& configuration,
                                   std::filesystem::path log)
    : process({.arguments = {binary, "run", "--config", configuration.string()}, .output = log}), log_(std::move(log)) {}

std::string ConnectorProcess::tail() const {
  const auto text = log();
  return text.size() > kLogTail ? "…" + text.substr(text.size() - kLogTail) : text;
}

void ConnectorProcess::wait_for_log(std::string_view text, std::chrono::milliseconds bound) {
  if (!process.wait_for_output(text, bound)) {
    throw std::runtime_error(fmt::format("the connector does not say \"{}\": {}", text, tail()));
  }
}

void ConnectorProcess::until(std::string_view what, const std::function<bool()>& condition, std::chrono::milliseconds bound) {
  const auto deadline = std::chrono::steady_clock::now() + bound;
  while (!condition()) {
    if (process.wait(kGlance)) throw std::runtime_error(fmt::format("the connector ended before {}: {}", what, tail()));
    if (std::chrono::steady_clock::now() > deadline) {
      throw std::runtime_error(fmt::format("not in time: {}: {}", what, tail()));
    }
  }
}

ExitStatus ConnectorProcess::ended(std::chrono::milliseconds bound) {
  const auto status = process.wait(bound);
  if (!status) throw std::runtime_error("the connector does not end: " + tail());
  return *status;
}

HttpAnswer ConnectorProcess::get(const std::string& path) {
  if (url_.empty()) {
    wait_for_log("\"metrics_port\":");
    const std::string text = log();
    constexpr std::string_view kField = "\"metrics_port\":";
    const auto at = text.find(kField) + kField.size();
    url_ = "http://127.0.0.1:" + text.substr(at, text.find_first_not_of("0123456789", at) - at);
  }
  return http_get(url_ + path);
}

double ConnectorProcess::metric(const std::string& name, const std::vector<std::string>& labels) {
  std::istringstream text(get("/metrics").body);
  double sum = 0;
  for (std::string line; std::getline(text, line);) {
    const bool of_this_name = line.starts_with(name) && (line[name.size()] == '{' || line[name.size()] == ' ');
    if (!of_this_name) continue;
    const auto has = [&line](const std::string& label) { return line.find(label) != std::string::npos; };
    if (std::ranges::all_of(labels, has)) sum += std::stod(line.substr(line.rfind(' ') + 1));
  }
  return sum;
}

void ConnectorProcess::wait_until_ready(std::chrono::milliseconds bound) {
  until("it is ready", [this] { return get("/health/ready").status == 200; }, bound);
}

std::string connector_binary() {
  return GK_CONNECTOR;
}

ConnectorScene::ConnectorScene(SceneOptions options)
    : configuration(std::move(options.configuration)),
      binary_(options.connector.empty() ? connector_binary() : std::move(options.connector)),
      name_(options.name.empty() ? unique_name("scene") : std::move(options.name)),
      broker_(options.broker),
      reader_properties_(std::move(options.reader_properties)),
      simulator_(options.simulator, options.history, options.faults, std::move(options.trust)) {
  write_secret("simulator-secret");
}

ConnectorScene::~ConnectorScene() {
  if (std::uncaught_exceptions() > 0 && connector_) std::cerr << "the broker's log:\n" << troubles_in(broker().log());
}

void ConnectorScene::write_secret(const std::string& secret) const {
  // As a secret store does it: never half a file.
  write(folder() / "secret.new", secret);
  std::filesystem::rename(folder() / "secret.new", folder() / "secret");
}

std::filesystem::path ConnectorScene::write_configuration() const {
  std::vector<std::string> lanes{"live: " + configuration.live};
  if (configuration.job_page_size > 0) lanes.push_back(fmt::format("job_page_size: {}", configuration.job_page_size));
  if (!configuration.follow.empty()) lanes.push_back("follow: " + configuration.follow);
  if (!configuration.settle.empty()) lanes.push_back("settle: " + configuration.settle);
  write(configuration_file(),
        fmt::format(R"(name: {name}
genesys:
  api_url: {service}
  login_url: {service}
  client_id: {client_id}
  client_secret: ${{file:{folder}/secret}}
  budget: {budget}
  retry: {retry}
  breaker: {breaker}
{genesys}kafka:
  bootstrap_servers: {bootstrap}
  commit_interval: 20ms
{kafka}streams:
  conversations:
    definition: {definition}
    start: {start}
{lanes}{stream}metrics: {{listen: "{metrics_listen}"}}
log: {{level: {log_level}}}
{top})",
                    fmt::arg("name", name_),
                    fmt::arg("service", configuration.service.empty() ? simulator_.url() : configuration.service),
                    fmt::arg("client_id", configuration.client_id), fmt::arg("folder", folder().string()),
                    fmt::arg("budget", configuration.budget), fmt::arg("retry", configuration.retry),
                    fmt::arg("breaker", configuration.breaker), fmt::arg("genesys", lines(configuration.genesys, "  ")),
                    fmt::arg("bootstrap", configuration.bootstrap.empty() ? broker().bootstrap() : configuration.bootstrap),
                    fmt::arg("kafka", lines(configuration.kafka, "  ")),
                    fmt::arg("start", configuration.start.empty() ? instant(simulator_.begin()) : configuration.start),
                    fmt::arg("definition", configuration.definition), fmt::arg("lanes", lines(lanes, "    ")),
                    fmt::arg("stream", lines(configuration.stream, "    ")),
                    fmt::arg("metrics_listen", configuration.metrics_listen), fmt::arg("log_level", configuration.log_level),
                    fmt::arg("top", lines(configuration.top, ""))));
  return configuration_file();
}

VerbResult ConnectorScene::run_verb(std::vector<std::string> arguments, std::chrono::milliseconds bound) const {
  const auto out = folder() / fmt::format("verb-{}.out", ++lives_);
  const auto err = folder() / fmt::format("verb-{}.err", lives_);
  const auto file = write_configuration();
  arguments.insert(arguments.begin(), binary_);
  arguments.insert(arguments.end(), {"--config", file.string()});
  Process process({.arguments = std::move(arguments), .output = out, .error_output = err});
  const auto status = process.wait(bound);
  if (!status || !status->code) throw std::runtime_error("the verb does not end as it should: " + read_file(err));
  return {.code = *status->code, .out = read_file(out), .err = read_file(err)};
}

std::filesystem::path ConnectorScene::next_log() const {
  return folder() / fmt::format("connector-{}.log", ++lives_);
}

ConnectorProcess& ConnectorScene::start_connector() {
  connector_.reset();
  connector_ = std::make_unique<ConnectorProcess>(binary_, write_configuration(), next_log());
  return *connector_;
}

std::string ConnectorScene::log() const {
  std::string all;
  for (int life = 1; life <= lives_; ++life) all += read_file(folder() / fmt::format("connector-{}.log", life));
  return all;
}

TopicReaderOptions ConnectorScene::reader() const {
  return {.bootstrap = broker().bootstrap(), .properties = reader_properties_};
}

std::vector<TopicRecord> ConnectorScene::records(const std::string& topic) const {
  return read_topic(reader(), topic);
}

std::map<Lane, Ledger> ConnectorScene::ledgers() const {
  std::map<Lane, Ledger> found;
  for (const auto& [key, value] : read_compacted(reader(), offsets_topic())) {
    for (const Lane lane : connector::core::kAllLanes) {
      if (key.find(fmt::format(R"("lane":"{}")", to_string(lane))) == std::string::npos) continue;
      auto ledger = Ledger::parse(value);
      if (!ledger) throw std::runtime_error(ledger.error().message);
      found.emplace(lane, std::move(*ledger));
    }
  }
  return found;
}

void ConnectorScene::wait_until_complete(common::Instant instant, std::chrono::seconds bound) {
  const auto done = [&](const std::map<Lane, Ledger>& now, Lane lane) {
    return now.contains(lane) && now.at(lane).complete_until() >= instant;
  };
  connector_->wait_until_ready(bound);
  connector_->until(
      "everything is complete until " + common::format_instant(instant),
      [&] {
        const auto now = ledgers();
        return done(now, Lane::kLive) && done(now, Lane::kSettle);
      },
      bound);
}

void ConnectorScene::wait_until_settled(common::Instant instant, std::chrono::seconds bound, Lane lane) {
  connector_->wait_until_ready(bound);
  connector_->until(
      "everything is settled until " + common::format_instant(instant),
      [&] {
        const auto now = ledgers();
        return now.contains(lane) && now.at(lane).settled_until() >= instant;
      },
      bound);
}

void ConnectorScene::wait_until_committed(std::chrono::seconds bound) {
  connector_->wait_until_ready(bound);
  connector_->until(
      "records of this life are committed", [this] { return connector_->metric("genesys_kafka_records_published_total") > 0; },
      bound);
}

void ConnectorScene::kill_broker() {
  const std::array topics{offsets_topic(), name_ + "-digests", name_ + "-progress", topic()};
  const auto is_open = [this](const std::string& topic) { return !has_no_open_transaction(reader(), topic); };
  // What was being committed when it was halted ends without it: a few looks, each of some milliseconds, tell.
  constexpr int kLooks = 5;
  connector_->until("it stands still between two transactions", [&] {
    connector_->process.signal(SIGSTOP);
    for (int look = 0; look < kLooks; ++look) {
      if (std::ranges::none_of(topics, is_open)) return true;
    }
    connector_->process.signal(SIGCONT);
    return false;
  });
  broker().kill();
  connector_->process.signal(SIGCONT);
}

std::vector<crash::Delivered> ConnectorScene::published() const {
  std::vector<crash::Delivered> found;
  for_each_record(reader(), topic(), [&found](TopicRecord record) {
    found.push_back({.lane = connector::core::parse_lane(record.headers.at("gk.lane")).value(),
                     .key = record.key.value(),
                     .form = record.headers.at("gk.form"),
                     .window = record.headers.at("gk.window"),
                     .value = record.value.value_or(""),
                     .is_tombstone = !record.value});
  });
  return found;
}

std::vector<crash::Violation> ConnectorScene::violations() const {
  const auto found = published();
  std::vector<crash::Claimed> claimed;
  for (const auto& [lane, ledger] : ledgers()) claimed.push_back({.lane = lane, .complete = ledger.complete()});
  delivered_ = found.size();
  return find_violations(simulator_.truth(), claimed, found, wanted());
}

std::vector<crash::Violation> ConnectorScene::differences(common::Instant instant) const {
  return find_differences(simulator_.records_before(instant), published());
}

std::set<std::string> ConnectorScene::wanted() const {
  std::set<std::string> keys;
  for (const auto& [key, value] : read_compacted(reader(), name_ + "-digests")) {
    if (key.starts_with('[')) continue;  // the mark
    const auto entry = connector::core::DigestEntry::parse(value);
    if (!entry) throw std::runtime_error(entry.error().message);
    if (entry->state == connector::core::DigestState::kWanted) {
      keys.emplace(connector::core::parse_digest_key(key).value().record_key);
    }
  }
  return keys;
}

common::Instant ConnectorScene::now() {
  return std::chrono::time_point_cast<common::Duration>(std::chrono::system_clock::now());
}

}  // namespace tests::support
