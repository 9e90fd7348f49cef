#pragma once

// A stream reader with scripted ends: the service (FakeApi), Kafka (FakePublisher), time (ManualClock). Tests speak of windows,
// pages and jobs.

#include "connector/source/stream_reader.h"
#include "tests/support/fake_api.h"
#include "tests/support/fake_publisher.h"
#include "tests/support/manual_clock.h"
#include "tests/support/recording_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace connector::source {

inline common::Instant at(const std::string& text) {
  return common::parse_instant(text + "Z").value();
}

// A conversation as the query or the job returns it; open without an end.
inline std::string conversation(const std::string& id, const std::string& start = "2026-05-04T10:00:10",
                                const std::string& end = "2026-05-04T10:00:50") {
  std::string record = R"({"conversationId":")" + id + R"(","conversationStart":")" + start + "Z\"";
  if (!end.empty()) record += R"(,"conversationEnd":")" + end + "Z\"";
  return record + "}";
}

inline std::string page_of(const std::vector<std::string>& records, const std::string& rest) {
  std::string body = R"({"conversations":[)";
  for (std::size_t i = 0; i < records.size(); ++i) body += (i == 0 ? "" : ",") + records[i];
  return body + "]" + rest + "}";
}
inline std::string query_page(const std::vector<std::string>& records, std::int64_t total) {
  return page_of(records, R"(,"totalHits":)" + std::to_string(total));
}

inline Definition conversation_details() {
  Definition definition;
  definition.name = "conversation-details";
  definition.key = "/conversationId";
  definition.open_while_absent = "/conversationEnd";
  definition.start_pointer = "/conversationStart";
  definition.end_pointer = "/conversationEnd";
  definition.max_window = std::chrono::days{7};
  QuerySource query;
  query.request = {.path = "/details/query", .body = common::json::Object{{"order", "asc"}, {"orderBy", "conversationStart"}}};
  query.records = "/conversations";
  query.total = Total{.pointer = "/totalHits", .trust = TotalTrust::kApproximate};
  query.pages = PageNumberPages{.number = InBody{"/paging/pageNumber"},
                                .size = InBody{"/paging/pageSize"},
                                .max_size = 100,
                                .max_depth = 100'000,
                                .page_count = std::nullopt};
  definition.query = query;
  JobSource job;
  job.submit = {.path = "/details/jobs", .body = common::json::Object{{"startOfDayIntervalMatching", true}}};
  job.status = {.method = common::http::Method::kGet, .path = "/details/jobs/{job}", .body = {}};
  job.results = {.method = common::http::Method::kGet, .path = "/details/jobs/{job}/results", .body = {}};
  job.cancel = {.method = common::http::Method::kDelete, .path = "/details/jobs/{job}", .body = {}};
  job.availability = {.method = common::http::Method::kGet, .path = "/details/jobs/availability", .body = {}};
  job.records = "/conversations";
  job.pages = CursorPages{.next_from = {InBody{"/cursor"}}, .next_to = InQuery{"cursor"}, .size = InQuery{"pageSize"}};
  definition.job = job;
  return definition;
}

inline StreamOptions conversations(bool settle) {
  StreamOptions options;
  options.name = core::StreamName("conversations");
  options.definition = "conversation-details";
  options.settle.enabled = settle;
  options.live.ages = {};
  options.settle.ages = {common::Duration{0}};
  return options;
}

class ReaderTest : public testing::Test {
 protected:
  using Handler = tests::support::FakeApi::Handler;

  const core::SourcePartition live{.stream = core::StreamName("conversations"), .lane = core::Lane::kLive};
  const core::SourcePartition settle{.stream = core::StreamName("conversations"), .lane = core::Lane::kSettle};
  const core::SourcePartition backfill{.stream = core::StreamName("conversations"), .lane = core::Lane::kBackfill};

  boost::asio::io_context io;
  tests::support::ManualClock clock{at("2026-05-04T10:00:00")};
  tests::support::RecordingMetrics metrics;
  tests::support::FakePublisher publisher;
  // Replaced while the reader runs: what the service answers now.
  Handler service = [](const core::ApiRequest&) { return tests::support::answer("{}"); };
  tests::support::FakeApi api{[this](const core::ApiRequest& request) { return service(request); }};
  Definition definition = conversation_details();
  StreamOptions options = conversations(false);
  common::Instant start = at("2026-05-04T10:00:00");
  std::size_t memory_bytes = 1U << 20U;
  std::size_t page_bytes = PageSlicer::kMostComposed;
  std::vector<std::string> log;

  std::unique_ptr<StreamReader> reader;
  boost::asio::cancellation_signal cancel;
  std::optional<common::Result<void>> ended;

  // Of a lane whose start is stored and that has read nothing yet.
  [[nodiscard]] core::Ledger begun_ledger() const {
    core::Ledger ledger({}, start);
    ledger.set_stamp({.incarnation = "before", .number = 1});
    return ledger;
  }
  void make_reader() {
    if (!publisher.ledgers.contains(live)) publisher.adopt(live, begun_ledger());
    if (!publisher.ledgers.contains(settle)) publisher.adopt(settle, begun_ledger());
    common::Logger logger({.level = common::LogLevel::kDebug},
                          [this](common::LogLevel, std::string_view line) { log.emplace_back(line); });
    reader = std::make_unique<StreamReader>(definition, options, ResolvedStart{start}, api, publisher, clock, metrics, logger,
                                            memory_bytes, 1, page_bytes);
  }
  void run_live() {
    make_reader();
    spawn(reader->run_live());
  }
  void run_settle() {
    options.settle.enabled = true;
    make_reader();
    spawn(reader->run_settle());
  }
  void pass(common::Duration duration) { clock.run_for(io, duration); }
  // Cancels the lane and waits for its end. A lane that does not end is told apart by `ended`.
  void stop() {
    cancel.emit(boost::asio::cancellation_type::terminal);
    pass(common::Duration{0});
  }
  // The life of a new process over the same Kafka.
  void restart_process() {
    stop();
    ended.reset();
    reader.reset();
  }
  void TearDown() override {
    if (reader && !ended) stop();
    EXPECT_THAT(publisher.contradictions, testing::IsEmpty());
    if (reader) {
      ASSERT_TRUE(ended) << "the lane did not end when it was cancelled";
      EXPECT_EQ(ended->error().code, common::ErrorCode::kCancelled) << ended->error().message;
    }
  }

  [[nodiscard]] std::size_t lines_with(const std::string& text) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(log, [&](const std::string& line) { return line.find(text) != std::string::npos; }));
  }

 private:
  void spawn(boost::asio::awaitable<common::Result<void>> lane) {
    boost::asio::co_spawn(
        io, std::move(lane),
        boost::asio::bind_cancellation_slot(cancel.slot(), [this](std::exception_ptr thrown, common::Result<void> result) {
          ASSERT_FALSE(thrown) << "a lane must not throw";
          ended = std::move(result);
        }));
    pass(common::Duration{0});
  }
};

}  // namespace connector::source
