#include "config/checks.h"
#include "config/sections.h"

#include <algorithm>
#include <charconv>

namespace config {

namespace {

using connector::kafka::Delivery;
using connector::kafka::KafkaOptions;
using namespace std::chrono_literals;

struct RefusedProperty {
  std::string_view name;
  std::string_view reason;
  std::string_view instead;
};

constexpr std::string_view kGuarantee = "the delivery guarantee depends on it";
constexpr std::string_view kState = "reading our own state depends on it";
constexpr std::string_view kOurs = "it needs code of ours behind it";
constexpr std::string_view kLeaveOut = "leave it out";

// What the publisher, the state store or the guarantees rest on (docs/configuration.md, "kafka.librdkafka").
constexpr std::array kRefused = std::to_array<RefusedProperty>({
    {"bootstrap.servers", "it has its own key", "kafka.bootstrap_servers"},
    {"metadata.broker.list", "it has its own key", "kafka.bootstrap_servers"},
    {"transactional.id", kGuarantee, "kafka.transactional_id_prefix"},
    {"transaction.timeout.ms", "it has its own key", "kafka.transaction_timeout"},
    {"enable.idempotence", kGuarantee, "kafka.delivery"},
    {"enable.gapless.guarantee", kGuarantee, kLeaveOut},
    {"acks", kGuarantee, "leave it out: every in-sync replica is always asked"},
    {"request.required.acks", kGuarantee, "leave it out: every in-sync replica is always asked"},
    {"max.in.flight", kGuarantee, kLeaveOut},
    {"max.in.flight.requests.per.connection", kGuarantee, kLeaveOut},
    {"retries", kGuarantee, "leave it out: kafka.transaction_timeout is the bound"},
    {"message.send.max.retries", kGuarantee, "leave it out: kafka.transaction_timeout is the bound"},
    {"queuing.strategy", kGuarantee, kLeaveOut},
    {"delivery.report.only.error", kGuarantee, kLeaveOut},
    {"queue.buffering.max.kbytes", "it follows from the memory bound", "kafka.memory"},
    {"queue.buffering.max.messages", "it follows from the memory bound", "kafka.memory"},
    {"allow.auto.create.topics", "topics are created with their settings", "kafka.topics.create"},
    {"group.id", kState, kLeaveOut},
    {"group.instance.id", kState, kLeaveOut},
    {"group.protocol", kState, kLeaveOut},
    {"partition.assignment.strategy", kState, kLeaveOut},
    {"isolation.level", kState, kLeaveOut},
    {"enable.auto.commit", kState, kLeaveOut},
    {"auto.commit.enable", kState, kLeaveOut},
    {"enable.auto.offset.store", kState, kLeaveOut},
    {"auto.offset.reset", kState, kLeaveOut},
    {"enable.partition.eof", kState, kLeaveOut},
    {"dr_cb", kOurs, kLeaveOut},
    {"dr_msg_cb", kOurs, kLeaveOut},
    {"error_cb", kOurs, kLeaveOut},
    {"throttle_cb", kOurs, kLeaveOut},
    {"stats_cb", kOurs, kLeaveOut},
    {"log_cb", kOurs, kLeaveOut},
    {"consume_cb", kOurs, kLeaveOut},
    {"rebalance_cb", kOurs, kLeaveOut},
    {"offset_commit_cb", kOurs, kLeaveOut},
    {"background_event_cb", kOurs, kLeaveOut},
    {"socket_cb", kOurs, kLeaveOut},
    {"connect_cb", kOurs, kLeaveOut},
    {"closesocket_cb", kOurs, kLeaveOut},
    {"open_cb", kOurs, kLeaveOut},
    {"resolve_cb", kOurs, kLeaveOut},
    {"oauthbearer_token_refresh_cb", kOurs, "sasl.oauthbearer.method: oidc"},
    {"ssl.certificate.verify_cb", kOurs, kLeaveOut},
    {"partitioner_cb", kOurs, kLeaveOut},
    {"msg_order_cmp", kOurs, kLeaveOut},
    {"opaque", kOurs, kLeaveOut},
    {"interceptors", kOurs, kLeaveOut},
    {"enabled_events", kOurs, kLeaveOut},
    {"default_topic_conf", kOurs, "the topic property itself as a key"},
    {"ssl_certificate", kOurs, "ssl.certificate.location"},
    {"ssl_key", kOurs, "ssl.key.location"},
    {"ssl_ca", kOurs, "ssl.ca.location"},
    {"ssl_engine_callback_data", kOurs, kLeaveOut},
    {"log.queue", kOurs, kLeaveOut},
    {"plugin.library.paths", "it loads foreign code into the process that holds the secrets", kLeaveOut},
    {"test.mock.num.brokers", "records would go to a broker that forgets them", "kafka.bootstrap_servers"},
});

bool is_secret_property(std::string_view name) {
  return name.contains("password") || name.contains("secret") || name == "ssl.key.pem" || name == "sasl.oauthbearer.config";
}

void read_property(Section& kafka, const std::string& name, const Scalar& value, KafkaOptions& options) {
  Scope& scope = kafka.scope();
  const std::string path = kafka.path("librdkafka") + "." + name;
  const bool secret = is_secret_property(name);
  const std::string shown = secret || value.from_file ? "***" : value.text;
  const auto refused = std::ranges::find(kRefused, std::string_view(name), &RefusedProperty::name);
  if (refused != kRefused.end()) {
    scope.problem(value.mark, path, shown,
                  "cannot be set here: " + std::string(refused->reason) + " (allowed: " + std::string(refused->instead) + ")");
    return;
  }
  if (value.text.empty()) {
    scope.problem(value.mark, path, "", "has no value (allowed: a text, a number, true or false)");
    return;
  }
  if (secret && value.literal) {
    scope.warnings.push_back(scope.origin(value.mark) + ": " + path +
                             ": a secret stands in plain text in the configuration; ${file:/path} or ${env:NAME} keeps it out");
  }
  if (name == "enable.ssl.certificate.verification" && value.text == "false") {
    scope.warnings.push_back(scope.origin(value.mark) + ": " + path +
                             ": the broker's certificate is not checked: anyone in between can read and change everything");
  }
  if (name == "message.timeout.ms" || name == "delivery.timeout.ms") {
    std::int64_t milliseconds = 0;
    const auto [end, error] = std::from_chars(value.text.data(), value.text.data() + value.text.size(), milliseconds);
    const bool number = error == std::errc{} && end == value.text.data() + value.text.size();
    if (!number || milliseconds <= 0 || common::Duration(milliseconds) > options.transaction_timeout) {
      scope.problem(
          value.mark, path, shown,
          "a record must be given up before its transaction is (allowed: milliseconds from 1 to kafka.transaction_timeout, " +
              std::to_string(options.transaction_timeout.count()) + ")");
      return;
    }
  }
  scope.setting(path, shown, value.origin);
  if (value.whole_file) {
    options.librdkafka[name] = common::SecretSource::of_file(*value.whole_file, common::Secret(value.text));
  } else if (secret || value.from_file) {
    options.librdkafka[name] = common::SecretSource::of_value(common::Secret(value.text));
  } else {
    options.librdkafka[name] = value.text;
  }
}

void check_state_topic(const Section& offsets, const connector::core::TopicSettings& settings) {
  if (settings.partitions > 1) {
    offsets.problem("partitions", "more than one task is not in this version (allowed: 1)");
  }
  const auto policy = settings.config.find("cleanup.policy");
  if (policy != settings.config.end() && policy->second != "compact") {
    offsets.scope().problem(offsets.mark("config"), offsets.path("config") + ".cleanup.policy", policy->second,
                            "positions would be deleted while they are needed (allowed: compact)");
  }
}

void read_topics(Section topics, const connector::core::ConnectorName& name, connector::kafka::TopicsOptions& options) {
  topics.boolean("create", options.create);
  topics.integer("replication_factor", options.replication_factor, {.min = 1, .max = 100, .unset = "(the broker's)"});

  const TextCheck pattern = [&](const std::string& text) -> std::optional<std::string> {
    std::string filled = text;
    if (!text.contains("{stream}")) {
      return "has no {stream}, so every stream would have the same topic (allowed: a topic name with {stream} and, if wanted, "
             "{name})";
    }
    for (const auto& [placeholder, value] : {std::pair{std::string_view("{stream}"), std::string("s")},
                                             std::pair{std::string_view("{name}"), name.empty() ? "n" : name.str()}}) {
      for (std::size_t at = filled.find(placeholder); at != std::string::npos; at = filled.find(placeholder)) {
        filled.replace(at, placeholder.size(), value);
      }
    }
    return check_topic(filled) ? std::optional<std::string>(
                                     "makes no topic name (allowed: a-z A-Z 0-9 . _ - with {stream} and, if wanted, {name})")
                               : std::nullopt;
  };
  topics.text("stream_pattern", options.stream_pattern, {.check = pattern});

  Section offsets = topics.section("offsets");
  read_topic_settings(offsets, "<name>-offsets", options.offsets);
  check_state_topic(offsets, options.offsets);
  Section digests = topics.section("digests");
  read_topic_settings(digests, "<name>-digests", options.digests);
  check_state_topic(digests, options.digests);
  read_topic_settings(topics.section("dead_letters"), "<name>-dead-letters", options.dead_letters);
  Section progress = topics.section("progress");
  progress.boolean("enabled", options.progress.enabled);
  progress.duration("every", options.progress.every, {.min = 10ms, .max = 1h});
  read_topic_settings(progress, "<name>-progress", options.progress.topic);
  Section control = topics.section("control");
  control.boolean("enabled", options.control.enabled);
  read_topic_settings(control, "<name>-control", options.control.topic);
  check_state_topic(control, options.control.topic);
  topics.finish();
}

}  // namespace

std::vector<std::string_view> refused_librdkafka_properties() {
  std::vector<std::string_view> names;
  for (const auto& property : kRefused) {
    names.push_back(property.name);
  }
  return names;
}

void read_topic_settings(Section topic, std::string_view default_name, connector::core::TopicSettings& settings) {
  topic.text("name", settings.name, {.check = check_topic, .unset = default_name});
  topic.integer("partitions", settings.partitions, {.min = 1, .max = 10'000, .unset = "(the default)"});
  topic.integer("replication_factor", settings.replication_factor,
                {.min = 1, .max = 100, .unset = "(kafka.topics.replication_factor)"});
  std::vector<std::pair<std::string, Scalar>> properties;
  topic.node("config");
  topic.properties("config", properties);
  for (auto& [name, value] : properties) {
    topic.scope().setting(topic.path("config") + "." + name, value.shown(), value.origin);
    settings.config[name] = std::move(value.text);
  }
  topic.finish();
}

void read_kafka(Section kafka, const connector::core::ConnectorName& name, KafkaOptions& options) {
  kafka.text("bootstrap_servers", options.bootstrap_servers, {.need = Need::kRequired, .check = check_bootstrap_servers});
  kafka.choice<Delivery>("delivery", options.delivery,
                         {{"exactly_once", Delivery::kExactlyOnce}, {"at_least_once", Delivery::kAtLeastOnce}});
  constexpr std::size_t kLongestPrefix = 200;
  kafka.text("transactional_id_prefix", options.transactional_id_prefix,
             {.check = [](const std::string& text) { return check_name(text, kLongestPrefix); }, .unset = "<name>"});
  // 1 s is librdkafka's minimum, 15 min the broker's default maximum (transaction.max.timeout.ms).
  kafka.duration("transaction_timeout", options.transaction_timeout, {.min = 1s, .max = 1h});
  kafka.duration("commit_interval", options.commit_interval, {.min = 0ms, .max = 10min});
  kafka.bytes("commit_bytes", options.commit_bytes, {.min = 64UL << 10U, .max = 1UL << 30U});
  kafka.bytes("memory", options.memory_bytes, {.min = 1UL << 20U, .max = 64UL << 30U});
  kafka.bytes("digests_memory", options.digests_memory_bytes, {.min = 16UL << 20U, .max = 1024UL << 30U});
  if (options.memory_bytes / 2 < options.commit_bytes) {
    // What waits for the next transaction is held beside what the current one may have to redo.
    kafka.problem(kafka.given("memory") ? "memory" : "commit_bytes",
                  "kafka.memory (" + format_bytes(options.memory_bytes) + ") is less than twice kafka.commit_bytes (" +
                      format_bytes(options.commit_bytes) +
                      "): one transaction could not be filled while another is undecided (allowed: memory ≥ 2 × commit_bytes)");
  }
  if (options.delivery == Delivery::kExactlyOnce && options.commit_interval >= options.transaction_timeout) {
    kafka.problem(kafka.given("commit_interval") ? "commit_interval" : "transaction_timeout",
                  "kafka.commit_interval (" + common::format_duration(options.commit_interval) +
                      ") must be below kafka.transaction_timeout (" + common::format_duration(options.transaction_timeout) + ")");
  }

  std::vector<std::pair<std::string, Scalar>> properties;
  kafka.node("librdkafka");
  kafka.properties("librdkafka", properties);
  for (const auto& [property, value] : properties) {
    read_property(kafka, property, value, options);
  }
  read_topics(kafka.section("topics"), name, options.topics);
  kafka.finish();
}

}  // namespace config
