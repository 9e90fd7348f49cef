// The values the loader hands to the modules, where they come from, and what is said about them.

#include "tests/unit/config/support.h"

#include "config/region.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace config::test {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

Loaded load_good(const std::string& name) {
  Loaded loaded = load_text(read_text(source_directory() / "tests/data/config/good" / (name + ".yaml")), name + ".yaml");
  EXPECT_EQ(problems_text(loaded.problems), "");
  return loaded;
}

std::string minimal(const std::string& genesys = "", const std::string& kafka = "", const std::string& stream = "") {
  return "name: acme\ngenesys:\n  region: eu-central-1\n  client_id: c\n  client_secret: ${env:GENESYS_SECRET}\n" + genesys +
         "kafka:\n  bootstrap_servers: k:9092\n" + kafka +
         "streams:\n  conversations:\n    definition: conversation-details\n    start: now\n" + stream;
}

std::string origin(const Loaded& loaded, std::string_view path) {
  const auto found = std::ranges::find(loaded.settings, path, &Setting::path);
  return found == loaded.settings.end() ? "" : found->origin;
}

TEST(Config, LeavesTheDefaultsOfTheModulesAlone) {
  const Config config = load_good("minimal").config;
  const Config fresh;

  EXPECT_EQ(config.genesys.oauth.renew_at, fresh.genesys.oauth.renew_at);
  EXPECT_EQ(config.genesys.budget.weights, fresh.genesys.budget.weights);
  EXPECT_EQ(config.genesys.http.timeouts.total, fresh.genesys.http.timeouts.total);
  EXPECT_TRUE(config.genesys.proxy_from_environment);
  EXPECT_EQ(config.kafka.memory_bytes, fresh.kafka.memory_bytes);
  EXPECT_EQ(config.kafka.topics.offsets.partitions, 0);
  EXPECT_EQ(config.kafka.topics.replication_factor, -1);
  ASSERT_THAT(config.streams, SizeIs(1));
  EXPECT_EQ(config.streams[0].page_size, 0);
  EXPECT_EQ(config.streams[0].live.every, connector::source::LiveOptions{}.every);
  EXPECT_TRUE(config.streams[0].settle.enabled);
  EXPECT_EQ(config.metrics.listen, fresh.metrics.listen);
  EXPECT_EQ(config.shutdown_grace, fresh.shutdown_grace);
}

TEST(Config, ReadsEveryKeyOfTheService) {
  const auto genesys = load_good("every-key-client-credentials").config.genesys;

  EXPECT_EQ(genesys.region, "eu-central-1");
  EXPECT_EQ(genesys.api_url, "https://api.mypurecloud.de");
  EXPECT_EQ(genesys.login_url, "https://login.mypurecloud.de");
  EXPECT_EQ(genesys.client_id, "3f2c1d40");
  EXPECT_EQ(genesys.client_secret.value().reveal(), "s3cr3t-genesys");
  EXPECT_EQ(genesys.client_secret.file(), "/run/secrets/genesys");
  EXPECT_EQ(genesys.oauth.token_url, "https://login.example.com/oauth/token");
  EXPECT_EQ(genesys.oauth.client_auth, connector::genesys::ClientAuth::kBody);
  EXPECT_TRUE(std::holds_alternative<connector::genesys::ClientCredentialsGrant>(genesys.oauth.grant));
  EXPECT_EQ(genesys.oauth.renew_at, 0.5);
  EXPECT_EQ(genesys.budget.share, 0.5);
  EXPECT_EQ(genesys.budget.max_requests_per_minute, 200);
  EXPECT_EQ(genesys.budget.max_requests_per_month, 2'000'000U);
  EXPECT_EQ(genesys.budget.assumed_per_minute, 120.5);
  EXPECT_THAT(genesys.budget.weights, ElementsAre(10, 5, 2.5, 1));
  EXPECT_EQ(genesys.budget.floor, 0.1);
  EXPECT_EQ(genesys.retry.initial, 250ms);
  EXPECT_EQ(genesys.retry.max, 30s);
  EXPECT_EQ(genesys.retry.deadline, 5min);
  EXPECT_EQ(genesys.breaker.failures, 3U);
  EXPECT_EQ(genesys.breaker.open, 10s);
  EXPECT_EQ(genesys.breaker.max_open, 2min);
  const auto& timeouts = genesys.http.timeouts;
  EXPECT_THAT((std::vector{timeouts.total, timeouts.resolve, timeouts.connect, timeouts.handshake, timeouts.send,
                           timeouts.first_byte, timeouts.idle_read}),
              ElementsAre(60s, 1s, 2s, 3s, 4s, 50s, 6s));
  EXPECT_EQ(genesys.http.tls.ca_file, "/etc/ssl/corp.pem");
  EXPECT_EQ(genesys.http.tls.client_certificate, "/etc/ssl/client.pem");
  EXPECT_EQ(genesys.http.tls.client_key, "/etc/ssl/client.key");
  EXPECT_EQ(genesys.http.max_connections_per_host, 4U);
  EXPECT_EQ(genesys.http.max_idle, 20s);
  EXPECT_EQ(genesys.http.max_header_bytes, 32U << 10U);
  EXPECT_FALSE(genesys.http.accept_gzip);
}

TEST(Config, SplitsTheProxysCredentialsOff) {
  const Loaded loaded = load_good("every-key-client-credentials");
  const auto& genesys = loaded.config.genesys;

  ASSERT_TRUE(genesys.http.proxy);
  EXPECT_FALSE(genesys.proxy_from_environment);
  EXPECT_EQ(genesys.http.proxy->url, "http://proxy.example.com:3128");
  EXPECT_EQ(genesys.http.proxy->username, "user");
  EXPECT_EQ(genesys.http.proxy->password.value().reveal(), "s3cr3t proxy");
  EXPECT_EQ(genesys.http.proxy->origin, "configuration");
  EXPECT_THAT(genesys.http.proxy->no_proxy, ElementsAre("localhost", ".example.com", "10.0.0.0/8"));
  EXPECT_EQ(shown(loaded, "genesys.http.proxy"), "http://***@proxy.example.com:3128");
}

TEST(Config, NoneMeansNoProxyWhateverTheEnvironmentSays) {
  const auto genesys = load_good("every-key-refresh-token").config.genesys;

  EXPECT_FALSE(genesys.http.proxy);
  EXPECT_FALSE(genesys.proxy_from_environment);
}

TEST(Config, ReadsTheRefreshTokenGrant) {
  const auto genesys = load_good("every-key-refresh-token").config.genesys;

  const auto* grant = std::get_if<connector::genesys::RefreshTokenGrant>(&genesys.oauth.grant);
  ASSERT_NE(grant, nullptr);
  EXPECT_EQ(grant->refresh_token.value().reveal(), "s3cr3t-refresh");
  EXPECT_EQ(grant->refresh_token.file(), "/run/secrets/refresh");
  EXPECT_EQ(grant->token_store, "state/token");
  EXPECT_EQ(genesys.api_url, "https://api.example.com/gateway");
  EXPECT_EQ(genesys.region, "");
}

TEST(Config, ReadsEveryKeyOfKafka) {
  const auto kafka = load_good("every-key-client-credentials").config.kafka;

  EXPECT_EQ(kafka.bootstrap_servers, "kafka-1:9093,kafka-2:9093");
  EXPECT_EQ(kafka.delivery, connector::kafka::Delivery::kAtLeastOnce);
  EXPECT_EQ(kafka.transactional_id_prefix, "acme-eu");
  EXPECT_EQ(kafka.transaction_timeout, 30s);
  EXPECT_EQ(kafka.commit_interval, 1s);
  EXPECT_EQ(kafka.commit_bytes, 4U << 20U);
  EXPECT_EQ(kafka.memory_bytes, 64U << 20U);
  EXPECT_EQ(kafka.digests_memory_bytes, 512U << 20U);
  EXPECT_EQ(std::get<std::string>(kafka.librdkafka.at("linger.ms")), "5");
  EXPECT_EQ(std::get<std::string>(kafka.librdkafka.at("socket.keepalive.enable")), "true");
  const auto& password = std::get<common::SecretSource>(kafka.librdkafka.at("sasl.password"));
  EXPECT_EQ(password.value().reveal(), "s3cr3t-kafka");
  EXPECT_EQ(password.file(), "/run/secrets/kafka");
  EXPECT_FALSE(kafka.topics.create);
  EXPECT_EQ(kafka.topics.replication_factor, 3);
  EXPECT_EQ(kafka.topics.stream_pattern, "genesys.{name}.{stream}");
  EXPECT_EQ(kafka.topics.offsets.name, "acme-state");
  EXPECT_EQ(kafka.topics.offsets.config.at("segment.bytes"), "33554432");
  EXPECT_EQ(kafka.topics.dead_letters.partitions, 2);
  EXPECT_EQ(kafka.topics.dead_letters.replication_factor, 2);
  EXPECT_TRUE(kafka.topics.progress.enabled);
  EXPECT_EQ(kafka.topics.progress.every, 5s);
  EXPECT_EQ(kafka.topics.progress.topic.name, "acme-watermarks");
  EXPECT_EQ(kafka.topics.progress.topic.config.at("cleanup.policy"), "delete");
  EXPECT_TRUE(kafka.topics.control.enabled);
  EXPECT_EQ(kafka.topics.control.topic.name, "acme-requests");
  EXPECT_EQ(kafka.topics.control.topic.config.at("segment.bytes"), "1048576");
}

TEST(Config, ReadsEveryKeyOfAStream) {
  const auto streams = load_good("every-key-client-credentials").config.streams;

  ASSERT_THAT(streams, SizeIs(2));
  const auto& stream = streams[0];
  EXPECT_EQ(stream.name.str(), "conversations");
  EXPECT_EQ(stream.definition, "conversation-details");
  EXPECT_EQ(std::get<common::Instant>(stream.start), common::Instant(std::chrono::sys_days{2026y / 1 / 1}));
  EXPECT_EQ(stream.topic, "conversations");
  EXPECT_EQ(stream.topic_settings.partitions, 12);
  EXPECT_EQ(stream.topic_settings.config.at("cleanup.policy"), "compact");
  EXPECT_EQ(stream.existing_topic, connector::source::ExistingTopic::kAppend);
  EXPECT_EQ(stream.on_changed_membership, connector::source::OnChangedMembership::kReRead);
  EXPECT_EQ(stream.dead_letters.on_oversize, connector::core::OnOversize::kFail);
  EXPECT_EQ(stream.dead_letters.stop.stop_after, 5U);
  EXPECT_EQ(stream.dead_letters.stop.of_last, 500U);
  EXPECT_EQ(common::json::serialize(stream.query),
            R"({"conversationFilters":[{"type":"and","predicates":[{"dimension":"conversationEnd","operator":"exists"},)"
            R"({"dimension":"divisionId","value":"d1"}]}]})");
  EXPECT_EQ(stream.sync_match, connector::source::SyncMatch::kStartDay);
  EXPECT_EQ(stream.page_size, 50);
  EXPECT_EQ(stream.job_page_size, 500);
  EXPECT_EQ(stream.live.every, 30s);
  EXPECT_EQ(stream.live.delay, 1min);
  EXPECT_EQ(stream.live.overlap, 10s);
  EXPECT_EQ(stream.live.min_window, 500ms);
  EXPECT_EQ(stream.settle.window, 6h);
  EXPECT_TRUE(stream.settle.newest_first);
  EXPECT_EQ(stream.settle.max_jobs, 1U);
  EXPECT_EQ(stream.settle.poll_initial, 2s);
  EXPECT_EQ(stream.settle.poll_max, 20s);
  EXPECT_EQ(stream.settle.job_deadline, 2h);
  EXPECT_EQ(stream.settle.availability_every, 1min);
  EXPECT_FALSE(streams[1].settle.enabled);
  EXPECT_TRUE(std::holds_alternative<connector::source::FromNow>(streams[1].start));
  EXPECT_EQ(streams[1].topic, "sync-only");
}

TEST(Config, ReadsTheRest) {
  const Config config = load_good("every-key-client-credentials").config;

  EXPECT_EQ(config.name.str(), "acme");
  EXPECT_EQ(config.metrics.listen, "0.0.0.0:9464");
  EXPECT_EQ(config.log.level, common::LogLevel::kDebug);
  EXPECT_EQ(config.log.format, common::LogFormat::kText);
  EXPECT_EQ(config.shutdown_grace, 10s);
  EXPECT_TRUE(config.core_dumps);
  EXPECT_EQ(load_good("every-key-refresh-token").config.metrics.listen, "");
}

TEST(Config, AnInstantMayHaveAnOffset) {
  const auto streams = load_good("every-key-refresh-token").config.streams;

  EXPECT_EQ(std::get<common::Instant>(streams.at(0).start), common::Instant(std::chrono::sys_days{2026y / 1 / 1}) + 250ms);
}

TEST(Config, PutsReferencesIntoEveryTypeOfValue) {
  const Loaded loaded = load_good("references");
  const auto& config = loaded.config;

  EXPECT_EQ(config.name.str(), "acme-default");
  EXPECT_EQ(config.genesys.region, "eu-west-1");
  EXPECT_EQ(config.genesys.client_id, "a${b}$c");
  EXPECT_EQ(config.genesys.budget.share, 0.25);
  EXPECT_EQ(config.genesys.budget.max_requests_per_month, 1000U);
  EXPECT_EQ(config.genesys.retry.initial, 2s);
  EXPECT_FALSE(config.genesys.http.accept_gzip);
  EXPECT_EQ(config.kafka.memory_bytes, 32U << 20U);
  EXPECT_EQ(origin(loaded, "name"), "environment NAME_PART, default of environment UNSET (references.yaml:2)");
  EXPECT_EQ(origin(loaded, "genesys.client_secret"), "file /run/secrets/genesys (references.yaml:6)");
}

TEST(Config, HandsTheUsersOwnDefinitionsOn) {
  const auto definitions = load_good("own-definition").definitions;

  EXPECT_EQ(definitions.at("own-queues").key, connector::source::KeyRule("/queueId"));
  EXPECT_EQ(definitions.at("conversation-details").key, connector::source::KeyRule("/conversationId"));
}

TEST(Config, DefinitionsOfOneLaneSwitchTheOtherOff) {
  const auto streams = load_good("own-definition").config.streams;

  EXPECT_TRUE(streams.at(0).live.enabled);
  EXPECT_FALSE(streams.at(0).settle.enabled);
}

TEST(Config, RelativeFilesStartAtTheConfiguration) {
  const Sources sources{.environment = {}, .read_file = [](const std::string& path) -> common::Result<std::string> {
                          return path == "/etc/gk/secret" || path == "/etc/gk/ca.pem"
                                     ? common::Result<std::string>("x")
                                     : common::fail(common::ErrorCode::kConfigInvalid, "asked for " + path);
                        }};
  std::string text = minimal("  http: {ca_file: ca.pem}\n");
  text.replace(text.find("${env:GENESYS_SECRET}"), 21, "${file:secret}");

  const Loaded loaded = load(text, "/etc/gk/acme.yaml", sources, built_in_definitions());

  EXPECT_EQ(problems_text(loaded.problems), "");
  EXPECT_EQ(loaded.config.genesys.client_secret.file(), "/etc/gk/secret");
  EXPECT_EQ(loaded.config.genesys.http.tls.ca_file, "/etc/gk/ca.pem");
}

TEST(Config, ProblemsOfAnOwnDefinitionNameItsFile) {
  const Loaded loaded = load_text(minimal() + "definitions: [wrong-definition.yaml]\n");

  ASSERT_THAT(loaded.problems, Not(IsEmpty()));
  EXPECT_EQ(loaded.problems.front().file, "wrong-definition.yaml");
}

struct Warned {
  std::string name;
  std::string text;
  std::string part;
};
class ConfigWarning : public ::testing::TestWithParam<Warned> {};

TEST_P(ConfigWarning, IsGivenWithThePlaceAndWithoutTheSecret) {
  const Loaded loaded = load_text(GetParam().text);

  EXPECT_EQ(problems_text(loaded.problems), "");
  ASSERT_THAT(loaded.warnings, SizeIs(1));
  EXPECT_THAT(loaded.warnings[0], HasSubstr("test.yaml:"));
  EXPECT_THAT(loaded.warnings[0], HasSubstr(GetParam().part));
  EXPECT_THAT(loaded.warnings[0], Not(HasSubstr("hunter2")));
  for (const auto& setting : loaded.settings) {
    EXPECT_THAT(setting.value, Not(HasSubstr("hunter2"))) << setting.path;
  }
}

std::string with_plain_secret() {
  std::string text = minimal();
  return text.replace(text.find("${env:GENESYS_SECRET}"), 21, "hunter2");
}
std::string with_http_url() {
  std::string text = minimal("  login_url: https://l.example.com\n");
  return text.replace(text.find("region: eu-central-1"), 20, "api_url: http://api.example.com");
}

INSTANTIATE_TEST_SUITE_P(
    All, ConfigWarning,
    ::testing::Values(
        Warned{"PlainSecret", with_plain_secret(), "genesys.client_secret: a secret stands in plain text"},
        Warned{"PlainKafkaPassword", minimal("", "  librdkafka: {sasl.password: hunter2}\n"), "sasl.password"},
        Warned{"PlainKeyPassword", minimal("", "  librdkafka: {ssl.key.password: hunter2}\n"), "ssl.key.password"},
        Warned{"PlainOauthConfig", minimal("", "  librdkafka: {sasl.oauthbearer.client.secret: hunter2}\n"), "client.secret"},
        Warned{"PlainProxyPassword", minimal("  http: {proxy: \"http://me:hunter2@proxy:1\"}\n"), "genesys.http.proxy"},
        Warned{"Http", with_http_url(), "readable over http"},
        Warned{"UncheckedBroker", minimal("", "  librdkafka: {enable.ssl.certificate.verification: false}\n"), "not checked"}),
    [](const auto& info) { return info.param.name; });

TEST(ConfigWarning, IsNotGivenForLoopbackOrReferences) {
  EXPECT_THAT(load_good("token-url-without-login-url").warnings, IsEmpty());
  EXPECT_THAT(load_good("every-key-client-credentials").warnings, IsEmpty());
}

TEST(ConfigSettings, ShowEveryValueWithItsOrigin) {
  const Loaded loaded = load_good("minimal");

  EXPECT_EQ(shown(loaded, "name"), "acme");
  EXPECT_EQ(origin(loaded, "name"), "minimal.yaml:1");
  EXPECT_EQ(shown(loaded, "genesys.client_secret"), "***");
  EXPECT_EQ(shown(loaded, "genesys.api_url"), "https://api.mypurecloud.de");
  EXPECT_EQ(origin(loaded, "genesys.api_url"), "region table");
  EXPECT_EQ(shown(loaded, "kafka.memory"), "40MiB");
  EXPECT_EQ(origin(loaded, "kafka.memory"), "default");
  EXPECT_EQ(shown(loaded, "streams.conversations.page_size"), "100");
  EXPECT_EQ(shown(loaded, "streams.conversations.start"), "now");
}

TEST(ConfigSettings, NameEveryLeafTheSchemaKnows) {
  std::set<std::string> shown_paths;
  for (const auto* file : {"minimal", "snapshot"}) {  // a stream has windows or is a snapshot
    std::set<std::string> of_one;
    for (const auto& setting : load_good(file).settings) {
      EXPECT_TRUE(of_one.insert(setting.path).second) << setting.path << " twice";
    }
    shown_paths.merge(of_one);
  }
  for (const auto& key : schema_keys()) {
    std::string path = key.path;
    if (path.starts_with("streams.*.")) {
      path.replace(0, 9, "streams.conversations");
    }
    const bool container =
        std::ranges::any_of(schema_keys(), [&](const SchemaKey& other) { return other.path.starts_with(key.path + "."); });
    // A topic as a map is another way to say what `topic` says.
    const bool inner_topic = path.starts_with("streams.conversations.topic.");
    const bool of_chosen_name = path.ends_with(".*") || path.contains(".*.");
    if (!container && !inner_topic && !of_chosen_name) {
      EXPECT_THAT(shown_paths, Contains(path));
    }
  }
}

TEST(Config, ReadsProjectionAndRedaction) {
  using connector::source::TakeValues;
  const Loaded loaded = load_good("projection");

  ASSERT_THAT(loaded.config.streams, SizeIs(6));
  const auto& flat = loaded.config.streams[0].projection.fields;
  ASSERT_THAT(flat, SizeIs(8));
  EXPECT_EQ(flat[0].name, "conversationId");
  EXPECT_EQ(flat[0].from, "/conversationId");
  EXPECT_EQ(flat[0].take, TakeValues::kAll);
  EXPECT_EQ(flat[1].from, "/participants/*/sessions/*/mediaType");
  EXPECT_EQ(flat[1].take, TakeValues::kFirst);
  EXPECT_EQ(flat[3].until, "");
  EXPECT_EQ(flat[4].from, "/conversationStart");
  EXPECT_EQ(flat[4].until, "/conversationEnd");
  EXPECT_EQ(flat[5].take, TakeValues::kLast);
  EXPECT_EQ(flat[7].name, "with space / and ~");
  EXPECT_TRUE(rewrites_records(loaded.config.streams[0]));
  const auto& redacted = loaded.config.streams[1].redaction;
  EXPECT_THAT(redacted.drop, ElementsAre("/participants/*/attributes", "/participants/*/participantName"));
  EXPECT_THAT(redacted.hash, ElementsAre("/participants/*/sessions/*/ani", "/participants/*/sessions/*/addressFrom"));
  EXPECT_EQ(redacted.key.value().reveal(), "s3cr3t-pseudonyms-0123456789");
  EXPECT_EQ(redacted.key.file(), "/run/secrets/pseudonyms");
  EXPECT_THAT(loaded.warnings, IsEmpty());
  EXPECT_FALSE(rewrites_records(load_good("minimal").config.streams[0]));
}

// It may be new to the definition, or a slip of the keyboard.
TEST(Config, WarnsOfPointersToWhatTheDefinitionDoesNotKnow) {
  const Loaded loaded =
      load_text(minimal("", "",
                        "    redaction:\n"
                        "      drop: [/particpants/*/attributes, /participants/0/attributes/any, /evaluations/*/*]\n"
                        "    projection:\n"
                        "      fields: {a: /participants/*/sessions/*/Ani, b: {from: /surveys/0/newer}, c: /externalTag/x}\n"));

  EXPECT_EQ(problems_text(loaded.problems), "");
  EXPECT_THAT(loaded.warnings,
              ElementsAre(HasSubstr("test.yaml:13: streams.conversations.redaction.drop[0]: /particpants/*/attributes"),
                          HasSubstr("test.yaml:15: streams.conversations.projection.fields.a: /participants/*/sessions/*/Ani"),
                          HasSubstr("test.yaml:15: streams.conversations.projection.fields.b: /surveys/0/newer")));
}

TEST(ConfigSettings, MaskWhatComesFromAFile) {
  const Loaded loaded = load_text(minimal("", "  librdkafka: {client.id: \"x-${file:/run/secrets/kafka}\"}\n",
                                          "    query: {a: \"${file:/run/secrets/kafka}\"}\n"));

  EXPECT_EQ(problems_text(loaded.problems), "");
  EXPECT_EQ(shown(loaded, "kafka.librdkafka.client.id"), "***");
  EXPECT_EQ(shown(loaded, "streams.conversations.query"), "***");
}

TEST(Problem, AreBoundedInNumber) {
  std::string text = minimal();
  for (int i = 0; i < 10'000; ++i) {
    text += "nobody_knows_" + std::to_string(i) + ": 1\n";
  }

  const Loaded loaded = load_text(text);

  EXPECT_THAT(loaded.problems, SizeIs(501));
  EXPECT_EQ(loaded.problems.front().to_string(), "test.yaml: has more problems than the 500 listed");
}

TEST(Region, EveryRegionHasItsHosts) {
  EXPECT_THAT(regions(), SizeIs(17));
  for (const auto& region : regions()) {
    std::string text = minimal();
    text.replace(text.find("eu-central-1"), 12, region.domain);
    const Loaded loaded = load_text(text);
    EXPECT_EQ(problems_text(loaded.problems), "");
    EXPECT_EQ(loaded.config.genesys.api_url, "https://api." + std::string(region.domain));
    EXPECT_EQ(find_region(region.name)->domain, region.domain);
  }
}

TEST(Problem, ReadsLikeACompilersMessage) {
  const Problem whole{.file = "a.yaml", .line = 3, .column = 5, .path = "x.y", .value = "7", .message = "is odd"};
  const Problem bare{.file = "a.yaml", .line = 0, .column = 0, .path = "", .value = "", .message = "is empty"};

  EXPECT_EQ(whole.to_string(), "a.yaml:3:5: x.y: 7: is odd");
  EXPECT_EQ(bare.to_string(), "a.yaml: is empty");
}

}  // namespace
}  // namespace config::test
