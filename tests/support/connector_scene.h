#pragma once

// The whole product as processes: a simulated service, a real broker, and connectors that can be signalled, killed and started
// again, all on loopback. What the connector promised is judged by what a read_committed consumer finds. Time runs fast: windows
// of a second or so, a lake that is seconds behind. One thread; every wait has a bound and throws with the end of the log.

#include "common/instant.h"
#include "connector/core/ledger/ledger.h"
#include "tests/crash/delivery_checker.h"
#include "tests/support/http_get.h"
#include "tests/support/kafka_broker.h"
#include "tests/support/process.h"
#include "tests/support/topic_reader.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tests::support {

inline constexpr std::chrono::seconds kPatience{60};

// The service. Restarted on the same port it holds the same data.
class SimulatorProcess final {
 public:
  // Option → value; a flag has an empty value. Those given replace the fast defaults.
  using Options = std::map<std::string, std::string>;
  SimulatorProcess(const Options& changes, std::chrono::seconds history, const std::string& faults, HttpTrust trust = {});

  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] std::chrono::system_clock::time_point begin() const { return begin_; }  // of the history
  void start();
  void stop();

  void add_faults(const std::string& rules) const;  // the members of "rules", as JSON
  void reset_faults() const;
  void delete_conversations(const std::vector<std::string>& ids) const;
  void restore_conversations(const std::vector<std::string>& ids) const;
  [[nodiscard]] std::uint64_t strikes(const std::string& rule) const;
  [[nodiscard]] std::uint64_t requests() const;
  [[nodiscard]] std::uint64_t rate_limited() const;
  [[nodiscard]] std::vector<crash::Truth> truth() const;  // everything that has begun by now
  // What began before `instant`, as it is now.
  [[nodiscard]] std::vector<crash::Final> records_before(common::Instant instant) const;
  // The same, one JSON text a line, as a dialect shows them (docs/seed-systems.md).
  [[nodiscard]] std::string truth_in_dialect(const std::string& dialect, common::Instant instant) const;

 private:
  [[nodiscard]] common::json::Value ask(const std::string& question) const;
  void change(const std::string& hook, const std::vector<std::string>& ids) const;

  TemporaryFolder folder_;
  Options options_;
  HttpTrust trust_;
  std::chrono::system_clock::time_point begin_;
  std::string url_;
  std::optional<Process> process_;
};

// One life of one instance.
class ConnectorProcess final {
 public:
  ConnectorProcess(const std::string& binary, const std::filesystem::path& configuration, std::filesystem::path log);

  Process process;
  [[nodiscard]] std::string log() const { return read_file(log_); }
  void wait_for_log(std::string_view text, std::chrono::milliseconds bound = kPatience);
  // Throws if the instance ends before `condition` holds.
  void until(std::string_view what, const std::function<bool()>& condition, std::chrono::milliseconds bound = kPatience);
  // How it ended; throws if it has not within `bound`.
  ExitStatus ended(std::chrono::milliseconds bound = kPatience);

  HttpAnswer get(const std::string& path);  // of the metrics listener
  // The sum over the series of `name` that have all of these labels, such as `lane="live"`; 0 if there is none.
  double metric(const std::string& name, const std::vector<std::string>& labels = {});
  void wait_until_ready(std::chrono::milliseconds bound = kPatience);

 private:
  [[nodiscard]] std::string tail() const;

  std::filesystem::path log_;
  std::string url_;
};

// The product.
std::string connector_binary();

struct VerbResult {
  int code = -1;
  std::string out;
  std::string err;
};

// What a configuration is made of; changes take effect at the next start.
struct SceneConfiguration {
  std::string service;                              // base URL of API and login; the simulator's if empty
  std::string definition = "conversation-details";  // one of your own needs `definitions: […]` in `top`
  std::string client_id = "simulator-client";
  std::string start;  // of the stream; the begin of the history if empty
  std::string retry = "{initial: 20ms, max: 500ms, deadline: 10s}";
  std::string breaker = "{failures: 20, open: 200ms, max_open: 1s}";
  std::string budget = "{share: 1.0, assumed_requests_per_minute: 60000}";
  // Lanes that are empty are left out, and so is a page size of 0: for definitions that have none.
  std::string live = "{every: 500ms, delay: 300ms, min_window: 100ms, ages: [2s]}";
  std::string follow = "{every: 500ms, max: 5s, quiet: 2s}";
  std::string settle = "{window: 2s, ages: [0s, 4s], poll_initial: 50ms, poll_max: 500ms, availability_every: 500ms}";
  int job_page_size = 100;
  std::string log_level = "info";
  std::string metrics_listen = "127.0.0.1:0";
  std::string bootstrap;             // of the scene's broker if empty
  std::vector<std::string> genesys;  // further lines of this section
  std::vector<std::string> kafka;
  std::vector<std::string> stream;
  std::vector<std::string> top;
};

struct SceneOptions {
  std::string connector;                                 // the program; the product if empty
  std::string name;                                      // of the connector; a new one if empty
  KafkaBroker* broker = nullptr;                         // shared_broker(), when it is first needed, if null; outlives the scene
  std::map<std::string, std::string> reader_properties;  // librdkafka's, for looking at the topics
  SimulatorProcess::Options simulator;
  HttpTrust trust;
  std::chrono::seconds history{10};
  std::string faults;  // in force from the start: the members of "rules"
  SceneConfiguration configuration;
};

class ConnectorScene final {
 public:
  explicit ConnectorScene(SceneOptions options = {});
  // Left by an exception, that is after waiting in vain, it prints what the broker says of transactions and of trouble.
  ~ConnectorScene();
  ConnectorScene(const ConnectorScene&) = delete;
  ConnectorScene& operator=(const ConnectorScene&) = delete;

  SceneConfiguration configuration;
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string topic() const { return name_ + ".conversations"; }
  [[nodiscard]] std::string offsets_topic() const { return name_ + "-offsets"; }
  [[nodiscard]] std::string control_topic() const { return name_ + "-control"; }
  [[nodiscard]] std::string dead_letter_topic() const { return name_ + "-dead-letters"; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
  [[nodiscard]] std::filesystem::path configuration_file() const { return folder() / "connector.yaml"; }
  [[nodiscard]] SimulatorProcess& simulator() { return simulator_; }
  void write_secret(const std::string& secret) const;

  // A verb to its end; `run` too, where it cannot start.
  VerbResult run_verb(std::vector<std::string> arguments, std::chrono::milliseconds bound = kPatience) const;

  ConnectorProcess& start_connector();
  ConnectorProcess& connector() { return *connector_; }
  // Kills the broker while the connector has no transaction in it. Kafka 4.3 may forget the markers of one that was being
  // committed when it was killed (docs/operations.md, "A transaction that hangs"): then nothing can be read behind it, and a
  // scene would wait for ever.
  void kill_broker();
  // The one that runs, no longer the scene's, so that another instance of the same name can be started beside it.
  std::unique_ptr<ConnectorProcess> take_connector() { return std::move(connector_); }
  ExitStatus stop_connector() { return connector_->process.terminate(std::chrono::seconds(30)); }
  [[nodiscard]] std::string log() const;  // of every life, also of others

  [[nodiscard]] TopicReaderOptions reader() const;
  // What is committed; empty while the topic does not exist.
  [[nodiscard]] std::vector<TopicRecord> records(const std::string& topic) const;
  [[nodiscard]] std::map<connector::core::Lane, connector::core::Ledger> ledgers() const;
  // Keys that are known by name only, by the digests topic.
  [[nodiscard]] std::set<std::string> wanted() const;
  // Until both lanes say that they are done with everything before `instant`.
  void wait_until_complete(common::Instant instant, std::chrono::seconds bound = kPatience);
  void wait_until_complete() { wait_until_complete(now()); }
  // Until every pass over what began before `instant` is done: what is to be known of it is published then.
  void wait_until_settled(common::Instant instant, std::chrono::seconds bound = kPatience,
                          connector::core::Lane lane = connector::core::Lane::kSettle);
  // Until the instance has committed records.
  void wait_until_committed(std::chrono::seconds bound = kPatience);
  [[nodiscard]] std::vector<crash::Violation> violations() const;
  // Between what is published and what the service holds of what began before `instant`.
  [[nodiscard]] std::vector<crash::Violation> differences(common::Instant instant) const;
  [[nodiscard]] std::size_t delivered() const { return delivered_; }  // as of the last look at violations()
  [[nodiscard]] static common::Instant now();

 private:
  [[nodiscard]] std::vector<crash::Delivered> published() const;
  [[nodiscard]] KafkaBroker& broker() const { return broker_ == nullptr ? shared_broker() : *broker_; }
  std::filesystem::path write_configuration() const;
  [[nodiscard]] std::filesystem::path next_log() const;

  std::string binary_;
  std::string name_;
  KafkaBroker* broker_;
  std::map<std::string, std::string> reader_properties_;
  TemporaryFolder folder_;
  SimulatorProcess simulator_;
  std::unique_ptr<ConnectorProcess> connector_;
  mutable int lives_ = 0;
  mutable std::size_t delivered_ = 0;
};

}  // namespace tests::support
