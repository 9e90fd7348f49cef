// The consumers of docs/examples, started as their readers start them and killed while they work: in the end what they have made
// is what the topic holds, each record once.

#include "common/instant.h"
#include "common/json.h"
#include "tests/support/connector_scene.h"
#include "tests/support/topic_writer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <compare>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tests::examples {
namespace {

using support::ConnectorScene;
using support::TopicRecord;
using testing::IsEmpty;
using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kGlance{50};
constexpr std::chrono::seconds kBound{90};  // a member of a group that was killed is missed for six seconds
constexpr std::size_t kLogTail = 4'000;

std::string source_file(const std::string& path) {
  return (std::filesystem::path(GK_SOURCE_DIR) / path).string();
}

std::string python() {
  const auto found = source_file(".deps/examples-python/bin/python");
  if (!std::filesystem::exists(found)) throw std::runtime_error("there is no " + found + ": run scripts/setup");
  return found;
}

// A consumer in all its lives.
class Example final {
 public:
  Example(std::vector<std::string> arguments, std::filesystem::path log)
      : arguments_(std::move(arguments)), log_(std::move(log)) {}

  void start() { process_.emplace(support::ProcessOptions{.arguments = arguments_, .output = log_}); }
  void until(std::string_view what, const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + kBound;
    while (!condition()) {
      if (process_->wait(kGlance)) throw std::runtime_error(fmt::format("it ended before {}: {}", what, tail()));
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error(fmt::format("not in time: {}: {}", what, tail()));
    }
  }
  void kill() { EXPECT_EQ(process_->kill().signal, SIGKILL) << "it had ended by itself: " << tail(); }
  [[nodiscard]] std::string log() const { return support::read_file(log_); }

 private:
  [[nodiscard]] std::string tail() const {
    const auto text = log();
    return text.size() > kLogTail ? "…" + text.substr(text.size() - kLogTail) : text;
  }

  std::vector<std::string> arguments_;
  std::filesystem::path log_;
  std::optional<support::Process> process_;
};

struct Row {
  int partition = 0;
  std::int64_t offset = 0;
  std::string key;
  std::optional<std::string> value;
  friend auto operator<=>(const Row&, const Row&) = default;
};

std::vector<common::json::Value> parse_lines(const std::string& text) {
  std::vector<common::json::Value> parsed;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) parsed.push_back(common::json::parse(line).value());
  return parsed;
}

// In order of partition and offset, whatever the order of the lines.
std::vector<Row> rows_of(const std::string& lines) {
  std::vector<Row> rows;
  for (const auto& line : parse_lines(lines)) {
    rows.push_back({.partition = static_cast<int>(common::json::find_int(line, "partition").value()),
                    .offset = common::json::find_int(line, "offset").value(),
                    .key = common::json::find_string(line, "key").value(),
                    .value = common::json::find_string(line, "value")});
  }
  std::ranges::sort(rows);
  return rows;
}

std::vector<Row> rows_of(const std::vector<TopicRecord>& records) {
  std::vector<Row> rows;
  for (const TopicRecord& record : records) {
    rows.push_back({.partition = record.partition, .offset = record.offset, .key = record.key.value(), .value = record.value});
  }
  std::ranges::sort(rows);
  return rows;
}

// The last of each key, in the order of `rows`; without those that were deleted.
std::vector<Row> last_of_each(const std::vector<Row>& rows) {
  std::map<std::string, Row> last;
  for (const Row& row : rows) last[row.key] = row;
  std::vector<Row> kept;
  for (const auto& [key, row] : last) {
    if (row.value) kept.push_back(row);
  }
  std::ranges::sort(kept);
  return kept;
}

// Says where they part, not all that they hold.
void expect_same(const std::vector<Row>& arrived, const std::vector<Row>& published) {
  EXPECT_EQ(arrived.size(), published.size());
  const auto [have, want] = std::ranges::mismatch(arrived, published);
  const auto name = [](auto row, auto end) {
    return row == end ? std::string("nothing") : fmt::format("{}/{} {}", row->partition, row->offset, row->key);
  };
  if (have != arrived.end() || want != published.end()) {
    ADD_FAILURE() << "arrived: " << name(have, arrived.end()) << ", published: " << name(want, published.end());
  }
}

// The connector and a topic that grows.
class Examples : public testing::Test {
 protected:
  explicit Examples(support::SceneOptions options = {}) : scene(std::move(options)) {
    scene.start_connector();
    scene.wait_until_committed();
  }

  [[nodiscard]] std::filesystem::path folder() const { return scene.folder(); }
  [[nodiscard]] std::vector<std::string> with_topic(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--bootstrap", scene.reader().bootstrap, "--topic", scene.topic()});
    return arguments;
  }
  // As the service deletes a conversation: what the connector would publish of it.
  void publish_tombstone_of(const TopicRecord& record) const {
    support::write_record(scene.reader(), scene.topic(),
                          {.partition = record.partition,
                           .key = record.key,
                           .value = {},
                           .headers = {{"gk.form", "job"}, {"gk.lane", "settle"}, {"gk.deleted", "true"}}});
  }
  // The topic grows on without its reader, and then no more; its last record is a tombstone.
  void end_the_topic() {
    const auto before = scene.records(scene.topic()).size();
    scene.connector().until("the topic has grown", [&] { return scene.records(scene.topic()).size() >= before + 100; });
    EXPECT_EQ(scene.stop_connector().code, 0) << scene.log();
    publish_tombstone_of(scene.records(scene.topic()).front());
  }

  ConnectorScene scene;
};

class WarehouseExample : public Examples {
 protected:
  WarehouseExample()
      : warehouse(
            {.arguments = {python(), source_file("docs/examples/warehouse-http/warehouse.py"), "--port", "0", "--unwell", "5"},
             .output = folder() / "warehouse.log"}) {
    if (!warehouse.wait_for_output("\n", support::kPatience)) throw std::runtime_error("no warehouse: " + warehouse.output());
    const std::string ready = warehouse.output();
    url = common::json::find_string(common::json::parse(ready.substr(0, ready.find('\n'))).value(), "listening").value();
  }

  [[nodiscard]] std::int64_t count(const std::string& what) const {
    return common::json::find_int(common::json::parse(support::http_get(url + "/counts").body).value(), what).value();
  }
  [[nodiscard]] std::int64_t kept() const {
    const auto counts = common::json::parse(support::http_get(url + "/counts").body).value();
    return common::json::find_int(counts, "rows").value() - common::json::find_int(counts, "repeated").value();
  }

  support::Process warehouse;
  std::string url;
};

TEST_F(WarehouseExample, KeepsEachRecordOnceThoughItsLoaderIsKilledAndAnswersAreLost) {
  Example loader(with_topic({python(), source_file("docs/examples/warehouse-http/load.py"), "--url", url + "/rows", "--batch",
                             "20", "--linger", "0.5", "--set", "session.timeout.ms=6000", "--set", "heartbeat.interval.ms=1000"}),
                 folder() / "load.log");
  for (int life = 0; life < 2; ++life) {
    const auto before = kept();
    loader.start();
    loader.until("more has arrived", [&] { return kept() >= before + 100; });
    loader.kill();
  }
  end_the_topic();
  const auto published = rows_of(scene.records(scene.topic()));

  loader.start();
  loader.until("all has arrived", [&] { return kept() >= std::ssize(published); });

  expect_same(rows_of(support::http_get(url + "/rows").body), published);
  expect_same(rows_of(support::http_get(url + "/current").body), last_of_each(published));
  EXPECT_LT(last_of_each(published).size(), published.size()) << "nothing was replaced";
  EXPECT_GT(count("repeated"), 0) << "no answer was lost, so that nothing was tried";
}

class ParquetExample : public Examples {
 protected:
  // By the names of the files: of each partition, the last offset that is written.
  [[nodiscard]] std::map<int, std::int64_t> written() const {
    constexpr std::string_view kPartition = "partition=";
    std::map<int, std::int64_t> last;
    for (const auto& file : files(".parquet")) {
      const std::string partition = file.parent_path().filename().string().substr(kPartition.size());
      const std::string name = file.stem().string();
      auto& known = last[std::stoi(partition)];
      known = std::max<std::int64_t>(known, std::stoll(name.substr(name.find('-') + 1)));
    }
    return last;
  }
  [[nodiscard]] std::vector<std::filesystem::path> files(const std::string& extension) const {
    std::vector<std::filesystem::path> found;
    if (!std::filesystem::exists(lake)) return found;
    // A name may go while it is listed: the writer renames. Then it is listed by its other one, now or at the next look.
    for (const auto& entry : std::filesystem::recursive_directory_iterator(lake)) {
      if (entry.path().extension() == extension) found.push_back(entry.path());
    }
    return found;
  }
  [[nodiscard]] std::vector<std::string> writer() const {
    return with_topic({python(), source_file("docs/examples/parquet/write.py"), "--folder", lake.string(), "--records", "25",
                       "--seconds", "0.5"});
  }

  std::filesystem::path lake = folder() / "lake";
};

TEST_F(ParquetExample, HoldsEachRecordOnceThoughItsWriterIsKilled) {
  Example example(writer(), folder() / "write.log");
  for (int life = 0; life < 3; ++life) {
    const auto before = files(".parquet").size();
    example.start();
    example.until("more files are there", [&] { return files(".parquet").size() >= before + 4; });
    example.kill();
  }
  end_the_topic();
  const auto records = scene.records(scene.topic());
  std::map<int, std::int64_t> ends;
  for (const TopicRecord& record : records) ends[record.partition] = std::max(ends[record.partition], record.offset);
  // What a life leaves that is killed while it writes.
  const auto unfinished = files(".parquet").front().parent_path() / "00000000000000000000-00000000000000000001.tmp";
  std::ofstream(unfinished) << "half a file";

  example.start();
  example.until("all is written", [&] { return written() == ends; });

  EXPECT_THAT(files(".tmp"), IsEmpty());
  const auto dump = folder() / "rows";
  support::Process reader({.arguments = {python(), source_file("tests/examples/parquet_rows.py"), lake.string()},
                           .output = dump,
                           .error_output = folder() / "rows.err"});
  const auto ended = reader.wait(support::kPatience);
  ASSERT_TRUE(ended && ended->code == 0) << support::read_file(folder() / "rows.err");
  expect_same(rows_of(support::read_file(dump)), rows_of(records));

  support::Process second({.arguments = writer(), .output = folder() / "second.log"});
  const auto refused = second.wait(support::kPatience);
  ASSERT_TRUE(refused && refused->code == 1) << "two write into one folder";
  EXPECT_NE(second.output().find("another process writes here"), std::string::npos) << second.output();
}

class StreamsExample : public Examples {
 protected:
  static constexpr common::Duration kWindow = 2s;

  // Everything has ended before it is in the lake, so that a job never shows a record open that is to be read by its id later.
  StreamsExample()
      : Examples({.simulator = {{"--duration", "500ms"}, {"--long-share", "0"}, {"--reopen-share", "0"}, {"--lake-lag", "3s"}},
                  .configuration = {.kafka = {"topics: {progress: {every: 1s}}"}}}) {
    const auto classes = source_file("build/examples/kafka-streams");
    if (!std::filesystem::exists(classes))
      throw std::runtime_error("there is no " + classes + ": scripts/test examples builds it");
    std::ofstream(folder() / "streams.properties")
        << "application.id=" << application << "\nbootstrap.servers=" << scene.reader().bootstrap
        << "\nstate.dir=" << (folder() / "state").string() << "\nconnector.name=" << scene.name()
        << "\nconnector.stream=conversations\nwindow=PT2S\nconsumer.session.timeout.ms=6000\nconsumer.heartbeat.interval.ms="
           "1000\n";
    arguments = {"java",
                 "-Xmx256m",
                 "-XX:+UseSerialGC",
                 "-XX:TieredStopAtLevel=1",
                 "-cp",
                 fmt::format("{}/*:{}/lib/*", classes, classes),
                 "CurrentConversations",
                 (folder() / "streams.properties").string()};
  }

  // What was published of each window, by its start, in order.
  [[nodiscard]] std::map<common::Instant, std::vector<std::int64_t>> windows() const {
    std::map<common::Instant, std::vector<std::int64_t>> found;
    for (const auto& record : scene.records(application + "-windows")) {
      const auto row = common::json::parse(record.value.value()).value();
      const auto start = common::parse_instant(record.key.value()).value();
      EXPECT_EQ(common::parse_instant(common::json::find_string(row, "end").value()).value(), start + kWindow);
      found[start].push_back(common::json::find_int(row, "conversations").value());
    }
    return found;
  }
  // By the service itself: what began in each whole window before `until`.
  [[nodiscard]] std::map<common::Instant, std::int64_t> truth(common::Instant until) {
    const common::Instant begin = std::chrono::time_point_cast<common::Duration>(scene.simulator().begin());
    std::map<common::Instant, std::int64_t> counts;
    for (auto start = window_of(begin + kWindow - 1ms); start + kWindow <= until; start += kWindow) counts[start] = 0;
    for (const auto& conversation : scene.simulator().records_before(until)) {
      const auto window = counts.find(window_of(start_of(conversation.value)));
      if (window != counts.end()) ++window->second;
    }
    return counts;
  }
  [[nodiscard]] static common::Instant start_of(const std::string& conversation) {
    const auto parsed = common::json::parse(conversation).value();
    return common::parse_instant(common::json::find_string(parsed, "conversationStart").value()).value();
  }
  [[nodiscard]] static common::Instant window_of(common::Instant instant) {
    return instant - instant.time_since_epoch() % kWindow;
  }
  using Table = std::map<std::string, std::pair<std::optional<std::string>, std::optional<std::string>>>;  // begin, end
  [[nodiscard]] Table table(const std::string& topic) const {
    Table rows;
    for (const auto& [key, value] : support::read_compacted(scene.reader(), topic)) {
      const auto row = common::json::parse(value).value();
      rows[key] = {common::json::find_string(row, "conversationStart"), common::json::find_string(row, "conversationEnd")};
    }
    return rows;
  }

  std::string application = support::unique_name("job");
  std::vector<std::string> arguments;
};

TEST_F(StreamsExample, ClosesEachWindowWithWhatIsInItThoughTheJobIsKilled) {
  Example job(arguments, folder() / "job.log");
  job.start();
  job.until("it runs", [&] { return job.log().find("state RUNNING") != std::string::npos; });
  for (std::size_t lives = 1; lives < 3; ++lives) {
    const auto before = windows().size();
    job.until("windows are closed", [&] { return windows().size() > before; });
    job.kill();
    job.start();
  }
  const common::Instant until = ConnectorScene::now();
  const auto wanted = truth(until);
  ASSERT_GT(wanted.size(), 3U);
  job.until("every window is closed", [&] { return windows().contains(wanted.rbegin()->first); });

  // Not before it was complete: what was published of it first is already all of it.
  for (const auto& [start, reports] : windows()) {
    if (!wanted.contains(start)) continue;
    EXPECT_EQ(reports.front(), wanted.at(start)) << common::format_instant(start);
  }

  EXPECT_EQ(scene.stop_connector().code, 0) << scene.log();
  const auto records = scene.records(scene.topic());
  const auto in_a_closed_window = std::ranges::find_if(
      records, [&](const TopicRecord& record) { return wanted.contains(window_of(start_of(record.value.value()))); });
  ASSERT_NE(in_a_closed_window, records.end());
  const auto corrected = window_of(start_of(in_a_closed_window->value.value()));
  publish_tombstone_of(*in_a_closed_window);
  job.until("the window is corrected", [&] { return windows().at(corrected).back() == wanted.at(corrected) - 1; });
  job.until("the table is the topic's", [&] { return table(application + "-current") == table(scene.topic()); });

  const auto published = windows();
  for (const auto& [start, count] : wanted) {
    ASSERT_TRUE(published.contains(start)) << "not closed: " << common::format_instant(start);
    EXPECT_EQ(published.at(start).back(), start == corrected ? count - 1 : count) << common::format_instant(start);
  }
}

}  // namespace
}  // namespace tests::examples
