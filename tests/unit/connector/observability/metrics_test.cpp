#include "connector/observability/metrics.h"

#include "connector/core/ports/transactional_producer.h"
#include "connector/observability/build_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace connector::observability {
namespace {

using core::Lane;
using core::SourcePartition;
using core::StreamName;
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

const SourcePartition kLive{StreamName("conversations"), Lane::kLive};
const SourcePartition kSettle{StreamName("conversations"), Lane::kSettle};

common::Instant at(std::int64_t seconds) {
  return common::Instant(std::chrono::seconds{seconds});
}

class MetricsTest : public testing::Test {
 protected:
  // The value of the series written exactly so, or a failure.
  [[nodiscard]] double value(const std::string& series) const {
    std::istringstream lines(metrics_.serialize());
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with(series + " ")) {
        return std::stod(line.substr(series.size() + 1));
      }
    }
    ADD_FAILURE() << "no series " << series << " in\n" << metrics_.serialize();
    return -1;
  }

  // One call of everything that can be reported.
  void report_everything() {
    metrics_.request_done(kLive, "ok", 200, 120ms, 4321);
    metrics_.request_retried(kLive, "rate_limited");
    metrics_.throttled(Lane::kSettle, 1500ms);
    metrics_.budget(240, 17);
    metrics_.breaker(core::BreakerState::kOpen);
    metrics_.token(at(1'800'000'000));
    metrics_.token_renewed(true);
    metrics_.clock_skew(-1500ms);
    metrics_.page_read(kLive, 100, 1'300'000);
    metrics_.records_dropped(kLive, "duplicate_in_window", 3);
    metrics_.window_completed(kLive, true);
    metrics_.window_restarted(kSettle, "job_failed");
    metrics_.windows_open(kSettle, 2);
    metrics_.complete_until(kLive, at(1'700'000'000));
    metrics_.short_windows(kLive, 3);
    metrics_.lost(kLive, 90min, at(1'500'000'000));
    metrics_.watermark(kLive.stream, "settled_until", at(1'650'000'000));
    metrics_.data_available_until(kLive.stream, at(1'600'000'000));
    metrics_.lane_failing(kLive, true);
    metrics_.records_published(kLive, 97, 1'200'000);
    metrics_.records_gone(kLive.stream, "tombstoned", 4);
    metrics_.delete_braked(kLive.stream);
    metrics_.unknown_fields(kLive.stream, 5);
    metrics_.dead_letters(kLive, "no_key", 1);
    metrics_.transaction_done(core::TransactionOutcome::kUnknownApplied, 40ms);
    metrics_.producer_started("start");
    metrics_.bytes_in_flight(123456);
    metrics_.task_state("running");
    metrics_.stream_stopped(kLive.stream, true);
    metrics_.digests_limit(2'000'000'000);
    metrics_.digests(kLive.stream, {.keys = 1'000'000, .bytes = 64'000'000, .followed = 12, .owed = 3});
  }

  PrometheusMetrics metrics_{{kLive, kSettle}};
};

TEST_F(MetricsTest, ReportsEveryCall) {
  report_everything();

  EXPECT_EQ(value(R"(genesys_kafka_requests_total{lane="live",outcome="ok",status="200",stream="conversations"})"), 1);
  EXPECT_EQ(value(R"(genesys_kafka_request_duration_seconds_bucket{lane="live",le="0.25"})"), 1);
  EXPECT_EQ(value(R"(genesys_kafka_request_duration_seconds_bucket{lane="live",le="0.1"})"), 0);
  EXPECT_EQ(value(R"(genesys_kafka_response_bytes_total{lane="live",stream="conversations"})"), 4321);
  EXPECT_EQ(value(R"(genesys_kafka_request_retries_total{lane="live",reason="rate_limited",stream="conversations"})"), 1);
  EXPECT_EQ(value(R"(genesys_kafka_budget_waits_total{lane="settle"})"), 1);
  EXPECT_EQ(value(R"(genesys_kafka_budget_wait_seconds_total{lane="settle"})"), 1.5);
  EXPECT_EQ(value("genesys_kafka_budget_allowed_requests_per_minute"), 240);
  EXPECT_EQ(value("genesys_kafka_budget_remaining_requests"), 17);
  EXPECT_EQ(value(R"(genesys_kafka_breaker_state{state="open"})"), 1);
  EXPECT_EQ(value(R"(genesys_kafka_breaker_state{state="closed"})"), 0);
  EXPECT_EQ(value("genesys_kafka_token_expiry_timestamp_seconds"), 1'800'000'000);
  EXPECT_EQ(value(R"(genesys_kafka_token_renewals_total{result="ok"})"), 1);
  EXPECT_EQ(value(R"(genesys_kafka_token_renewals_total{result="failed"})"), 0);
  EXPECT_EQ(value("genesys_kafka_clock_skew_seconds"), -1.5);
  EXPECT_EQ(value(R"(genesys_kafka_pages_read_total{lane="live",stream="conversations"})"), 1);
  EXPECT_EQ(value(R"(genesys_kafka_records_read_total{lane="live",stream="conversations"})"), 100);
  EXPECT_EQ(value(R"(genesys_kafka_read_bytes_total{lane="live",stream="conversations"})"), 1'300'000);
  EXPECT_EQ(value(R"(genesys_kafka_records_dropped_total{lane="live",reason="duplicate_in_window",stream="conversations"})"), 3);
  EXPECT_EQ(value(R"(genesys_kafka_windows_completed_total{lane="live",result="short",stream="conversations"})"), 1);
  EXPECT_EQ(value(R"(genesys_kafka_windows_completed_total{lane="live",result="full",stream="conversations"})"), 0);
  EXPECT_EQ(value(R"(genesys_kafka_windows_restarted_total{lane="settle",reason="job_failed",stream="conversations"})"), 1);
  EXPECT_EQ(value(R"(genesys_kafka_open_windows{lane="settle",stream="conversations"})"), 2);
  EXPECT_EQ(value(R"(genesys_kafka_complete_until_timestamp_seconds{lane="live",stream="conversations"})"), 1'700'000'000);
  EXPECT_EQ(value(R"(genesys_kafka_records_gone_total{outcome="tombstoned",stream="conversations"})"), 4);
  EXPECT_EQ(value(R"(genesys_kafka_records_gone_total{outcome="withheld",stream="conversations"})"), 0);
  EXPECT_EQ(value(R"(genesys_kafka_delete_brakes_total{stream="conversations"})"), 1);
  EXPECT_EQ(value(R"(genesys_kafka_unknown_fields_total{stream="conversations"})"), 5);
  EXPECT_EQ(value(R"(genesys_kafka_short_windows{lane="live",stream="conversations"})"), 3);
  EXPECT_EQ(value(R"(genesys_kafka_lost_seconds{lane="live",stream="conversations"})"), 5'400);
  EXPECT_EQ(value(R"(genesys_kafka_lost_timestamp_seconds{lane="live",stream="conversations"})"), 1'500'000'000);
  EXPECT_EQ(value(R"(genesys_kafka_watermark_timestamp_seconds{stream="conversations",watermark="settled_until"})"),
            1'650'000'000);
  EXPECT_EQ(value(R"(genesys_kafka_data_available_until_timestamp_seconds{stream="conversations"})"), 1'600'000'000);
  EXPECT_EQ(value(R"(genesys_kafka_lane_failing{lane="live",stream="conversations"})"), 1);
  EXPECT_EQ(value(R"(genesys_kafka_records_published_total{lane="live",stream="conversations"})"), 97);
  EXPECT_EQ(value(R"(genesys_kafka_published_bytes_total{lane="live",stream="conversations"})"), 1'200'000);
  EXPECT_EQ(value(R"(genesys_kafka_dead_letters_total{lane="live",reason="no_key",stream="conversations"})"), 1);
  EXPECT_EQ(value(R"(genesys_kafka_transactions_total{outcome="unknown_applied"})"), 1);
  EXPECT_EQ(value(R"(genesys_kafka_transactions_total{outcome="committed"})"), 0);
  EXPECT_EQ(value("genesys_kafka_transaction_duration_seconds_count"), 1);
  EXPECT_EQ(value(R"(genesys_kafka_producer_starts_total{reason="start"})"), 1);
  EXPECT_EQ(value("genesys_kafka_in_flight_bytes"), 123456);
  EXPECT_EQ(value(R"(genesys_kafka_task_state{state="running"})"), 1);
  EXPECT_EQ(value(R"(genesys_kafka_task_state{state="starting"})"), 0);
  EXPECT_EQ(value(R"(genesys_kafka_stream_stopped{stream="conversations"})"), 1);
  EXPECT_EQ(value(R"(genesys_kafka_digest_keys{stream="conversations"})"), 1'000'000);
  EXPECT_EQ(value(R"(genesys_kafka_digest_bytes{stream="conversations"})"), 64'000'000);
  EXPECT_EQ(value("genesys_kafka_digest_limit_bytes"), 2'000'000'000);
  EXPECT_EQ(value(R"(genesys_kafka_followed_keys{stream="conversations"})"), 12);
  EXPECT_EQ(value(R"(genesys_kafka_owed_keys{stream="conversations"})"), 3);
}

TEST_F(MetricsTest, WhenSomethingWasLostIsTakenBackWhenNothingIsAnyMore) {
  const std::string series = R"(genesys_kafka_lost_timestamp_seconds{lane="live",stream="conversations"})";
  EXPECT_EQ(metrics_.serialize().find(series), std::string::npos);
  metrics_.lost(kLive, 90min, at(1'500'000'000));
  ASSERT_NE(metrics_.serialize().find(series), std::string::npos);

  metrics_.lost(kLive, 0s, std::nullopt);

  EXPECT_EQ(metrics_.serialize().find(series), std::string::npos) << "it was read after all";
  EXPECT_EQ(value(R"(genesys_kafka_lost_seconds{lane="live",stream="conversations"})"), 0);
  metrics_.lost(kLive, 1h, at(1'600'000'000));
  EXPECT_EQ(value(series), 1'600'000'000);
}

TEST_F(MetricsTest, CountersExistBeforeTheFirstEventAndTimestampsDoNot) {
  EXPECT_EQ(value(R"(genesys_kafka_records_published_total{lane="settle",stream="conversations"})"), 0);
  EXPECT_EQ(value(R"(genesys_kafka_dead_letters_total{lane="live",reason="oversize",stream="conversations"})"), 0);
  EXPECT_EQ(value(R"(genesys_kafka_breaker_state{state="closed"})"), 1);
  EXPECT_THAT(metrics_.serialize(), Not(HasSubstr("genesys_kafka_complete_until_timestamp_seconds{")));
  EXPECT_THAT(metrics_.serialize(), Not(HasSubstr("genesys_kafka_token_expiry_timestamp_seconds ")));
}

TEST_F(MetricsTest, BuildInfoNamesTheVersion) {
  EXPECT_THAT(metrics_.serialize(), HasSubstr("genesys_kafka_build_info{"));
  EXPECT_THAT(metrics_.serialize(), HasSubstr("version=\"" + std::string(kVersion) + "\""));
}

TEST_F(MetricsTest, UnlistedLabelValuesBecomeOther) {
  const SourcePartition unknown{StreamName("made-up"), Lane::kLive};
  for (int i = 0; i < 100; ++i) {
    metrics_.request_done({StreamName("made-up-" + std::to_string(i)), Lane::kLive}, "new outcome " + std::to_string(i), 600 + i,
                          1ms, 1);
    metrics_.dead_letters(unknown, "reason " + std::to_string(i), 1);
    metrics_.window_restarted(unknown, "reason " + std::to_string(i));
    metrics_.records_dropped(unknown, "reason " + std::to_string(i), 1);
    metrics_.producer_started("reason " + std::to_string(i));
    metrics_.task_state("state " + std::to_string(i));
    metrics_.request_retried(unknown, "reason " + std::to_string(i));
  }

  EXPECT_EQ(value(R"(genesys_kafka_requests_total{lane="live",outcome="other",status="other",stream="other"})"), 100);
  EXPECT_EQ(value(R"(genesys_kafka_dead_letters_total{lane="live",reason="other",stream="other"})"), 100);
  EXPECT_THAT(metrics_.serialize(), Not(HasSubstr("made-up")));
  EXPECT_THAT(metrics_.serialize(), Not(HasSubstr("reason 1")));
}

// Every reason that the code gives when it drops records, as it is written there.
std::set<std::string> drop_reasons_in_the_code() {
  std::set<std::string> reasons;
  const std::regex call(R"re(records_dropped\([^;{"]*"(\w+)")re");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(GK_CONNECTOR_SOURCES)) {
    if (entry.path().extension() != ".cpp") continue;
    std::ifstream file(entry.path());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    for (std::sregex_iterator found(text.begin(), text.end(), call), end; found != end; ++found) reasons.insert((*found)[1]);
  }
  return reasons;
}

TEST_F(MetricsTest, EveryReasonThatTheCodeGivesIsListedAndDocumented) {
  std::ifstream file(GK_METRICS_DOC);
  std::string documented;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("| reason of a dropped record |")) documented = line;
  }
  const std::set<std::string> reasons = drop_reasons_in_the_code();
  ASSERT_THAT(reasons, testing::IsSupersetOf({"duplicate_in_window", "outside_window", "known", "oversize"}));

  for (const std::string& reason : reasons) {
    metrics_.records_dropped(kLive, reason, 2);
    EXPECT_EQ(value(R"(genesys_kafka_records_dropped_total{lane="live",reason=")" + reason + R"(",stream="conversations"})"), 2);
    EXPECT_THAT(documented, HasSubstr(reason));
  }
}

TEST_F(MetricsTest, EveryReasonOfADeadLetterIsListed) {
  for (const core::RecordFate fate : {core::RecordFate::kOversize, core::RecordFate::kRefused}) {
    const std::string reason(core::dead_letter_reason(fate));
    metrics_.dead_letters(kLive, reason, 2);
    EXPECT_EQ(value(R"(genesys_kafka_dead_letters_total{lane="live",reason=")" + reason + R"(",stream="conversations"})"), 2);
  }
}

TEST_F(MetricsTest, TheConnectorsOwnCallsHaveALabelOfTheirOwn) {
  metrics_.request_done({StreamName("_connector"), Lane::kLive}, "ok", 200, 5ms, 10);

  EXPECT_EQ(value(R"(genesys_kafka_requests_total{lane="live",outcome="ok",status="200",stream="_connector"})"), 1);
}

// Name → (type, labels) of the table in docs/metrics.md.
std::map<std::string, std::pair<std::string, std::set<std::string>>> documented() {
  std::ifstream file(GK_METRICS_DOC);
  EXPECT_TRUE(file) << GK_METRICS_DOC;
  std::map<std::string, std::pair<std::string, std::set<std::string>>> metrics;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| `genesys_kafka_")) {
      continue;
    }
    std::vector<std::string> cells;
    std::istringstream row(line.substr(1));
    for (std::string cell; std::getline(row, cell, '|');) {
      cells.push_back(cell);
    }
    const auto quoted = [](const std::string& cell) {
      std::vector<std::string> words;
      for (std::size_t open = cell.find('`'); open != std::string::npos; open = cell.find('`', open + 1)) {
        const std::size_t close = cell.find('`', open + 1);
        words.push_back(cell.substr(open + 1, close - open - 1));
        open = close;
      }
      return words;
    };
    EXPECT_GE(cells.size(), 4U) << line;
    std::string type = cells.at(1);
    std::erase(type, ' ');
    const auto labels = quoted(cells.at(2));
    metrics[quoted(cells.at(0)).at(0)] = {type, {labels.begin(), labels.end()}};
  }
  return metrics;
}

TEST(MetricsDocument, DescribesExactlyTheMetricsThereAre) {
  std::map<std::string, std::pair<std::string, std::set<std::string>>> coded;
  for (const MetricDescription& metric : metric_descriptions()) {
    coded[std::string(metric.name)] = {std::string(to_string(metric.kind)), {metric.labels.begin(), metric.labels.end()}};
  }

  EXPECT_EQ(documented(), coded);
}

TEST_F(MetricsTest, SeriesHaveExactlyTheLabelsDescribed) {
  report_everything();

  std::map<std::string, std::set<std::string>> seen;
  std::istringstream lines(metrics_.serialize());
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) {
      continue;
    }
    const std::string series = line.substr(0, line.rfind(' '));
    std::string name = series.substr(0, series.find('{'));
    for (const std::string suffix : {"_bucket", "_sum", "_count"}) {
      if (name.ends_with(suffix)) {
        name.resize(name.size() - suffix.size());
      }
    }
    std::set<std::string>& labels = seen[name];
    for (std::size_t equals = series.find("=\""); equals != std::string::npos; equals = series.find("=\"", equals + 2)) {
      const std::size_t begin = series.find_last_of("{,", equals) + 1;
      if (const std::string label = series.substr(begin, equals - begin); label != "le") {
        labels.insert(label);
      }
    }
  }

  for (const MetricDescription& metric : metric_descriptions()) {
    const std::set<std::string> described(metric.labels.begin(), metric.labels.end());
    EXPECT_EQ(seen[std::string(metric.name)], described) << metric.name;
  }
  EXPECT_EQ(seen.size(), metric_descriptions().size());
}

TEST(MetricNames, FollowTheRules) {
  std::set<std::string_view> names;
  for (const MetricDescription& metric : metric_descriptions()) {
    EXPECT_TRUE(metric.name.starts_with("genesys_kafka_")) << metric.name;
    EXPECT_TRUE(std::ranges::all_of(metric.name, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; })) << metric.name;
    EXPECT_EQ(metric.name.ends_with("_total"), metric.kind == MetricKind::kCounter) << metric.name;
    EXPECT_TRUE(metric.kind != MetricKind::kHistogram || metric.name.ends_with("_seconds")) << metric.name;
    for (const std::string_view reserved : {"_count", "_sum", "_bucket", "_milliseconds", "_ms", "_kilobytes"}) {
      EXPECT_FALSE(metric.name.ends_with(reserved)) << metric.name;
    }
    EXPECT_TRUE(metric.help.ends_with('.')) << metric.name << " needs a sentence of help";
    EXPECT_GT(metric.help.size(), 15U) << metric.name;
    for (const std::string_view label : metric.labels) {
      EXPECT_THAT(label, testing::AnyOf("stream", "lane", "outcome", "status", "reason", "result", "state", "version", "revision",
                                        "compiler", "watermark"))
          << metric.name;
    }
    EXPECT_TRUE(names.insert(metric.name).second) << metric.name << " twice";
  }
}

// The linter of Prometheus itself, where it is installed.
TEST_F(MetricsTest, PassesPromtool) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "promtool is not installed";
  }
  report_everything();
  const std::filesystem::path file =
      std::filesystem::path(testing::TempDir()) / ("metrics-" + std::to_string(::getpid()) + ".txt");
  std::ofstream(file) << metrics_.serialize();

  const int result = std::system(("promtool check metrics < '" + file.string() + "'").c_str());

  std::filesystem::remove(file);
  EXPECT_EQ(result, 0);
}

}  // namespace
}  // namespace connector::observability
