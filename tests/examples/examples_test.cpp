// The consumers of docs/examples, started as their readers start them and killed while they work: in the end what they have made
// is what the topic holds, each record once.

#include "common/instant.h"
#include "common/json.h"
#include "tests/support/connector_scene.h"
#include "tests/support/topic_writer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
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
#include <set>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace tests::examples {
namespace {

using support::ConnectorScene;
using support::TopicRecord;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kGlance{50};
constexpr std::chrono::seconds kBound{90};
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
  void freeze() { process_->signal(SIGSTOP); }
  void thaw() { process_->signal(SIGCONT); }
  [[nodiscard]] support::ExitStatus terminate() { return process_->terminate(kBound); }
  // As it ends by itself.
  [[nodiscard]] support::ExitStatus end() {
    const auto ended = process_->wait(kBound);
    if (!ended) throw std::runtime_error("it does not end: " + tail());
    return *ended;
  }
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

// A program of the test's own, to its end.
support::ExitStatus run(std::vector<std::string> arguments, const std::filesystem::path& log) {
  support::Process process({.arguments = std::move(arguments), .output = log});
  const auto ended = process.wait(support::kPatience);
  if (!ended) throw std::runtime_error("it does not end: " + support::read_file(log));
  return *ended;
}

// The connector and a topic of three partitions that grows, with transactions in it that were aborted.
class Examples : public testing::Test {
 protected:
  explicit Examples(support::SceneOptions options = {}) : scene(in_partitions(std::move(options))) {
    scene.start_connector();
    scene.wait_until_committed();
    abort_a_transaction();
  }

  [[nodiscard]] std::filesystem::path folder() const { return scene.folder(); }
  [[nodiscard]] std::vector<std::string> with_topic(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--bootstrap", scene.reader().bootstrap, "--topic", scene.topic()});
    return arguments;
  }
  // What nobody may take for published: records of keys that are nowhere else.
  void abort_a_transaction() const {
    std::map<int, TopicRecord> one_a_partition;
    for (TopicRecord& record : scene.records(scene.topic())) one_a_partition[record.partition] = std::move(record);
    std::vector<TopicRecord> records;
    for (auto& [partition, record] : one_a_partition) {
      record.key = "aborted-" + record.key.value();
      records.push_back(std::move(record));
    }
    support::write_aborted_records(scene.reader(), scene.topic(), records);
  }
  // As the service deletes a conversation: what the connector would publish of it.
  void publish_tombstone_of(const TopicRecord& record) const {
    support::write_record(scene.reader(), scene.topic(),
                          {.partition = record.partition,
                           .key = record.key,
                           .value = {},
                           .headers = {{"gk.form", "job"}, {"gk.lane", "settle"}, {"gk.deleted", "true"}}});
  }
  // The topic grows on without its reader, and then no more; its last records are an aborted one and a tombstone.
  void end_the_topic() {
    const auto before = scene.records(scene.topic()).size();
    scene.connector().until("the topic has grown", [&] { return scene.records(scene.topic()).size() >= before + 100; });
    EXPECT_EQ(scene.stop_connector().code, 0) << scene.log();
    abort_a_transaction();
    publish_tombstone_of(scene.records(scene.topic()).front());
  }
  // Of every partition, what comes next is deleted before anybody has read it.
  void delete_what_comes_next() const {
    std::map<int, TopicRecord> last;
    for (TopicRecord& record : scene.records(scene.topic())) last[record.partition] = std::move(record);
    for (const auto& [partition, record] : last) publish_tombstone_of(record);
    delete_all();
  }
  void delete_all() const {
    const auto log = folder() / "delete.log";
    const auto ended =
        run({python(), source_file("tests/examples/delete_records.py"), scene.reader().bootstrap, scene.topic()}, log);
    if (ended.code != 0) throw std::runtime_error(support::read_file(log));
  }

  ConnectorScene scene;

 private:
  static support::SceneOptions in_partitions(support::SceneOptions options) {
    options.configuration.stream.emplace_back("topic: {partitions: 3}");
    return options;
  }
};

class WarehouseExample : public Examples {
 protected:
  static constexpr int kBatch = 20;
  static constexpr const char* kUnwell = "5";

  WarehouseExample() {
    open_the_warehouse("0", kUnwell);
    const std::string ready = warehouse->output();
    url = common::json::find_string(common::json::parse(ready.substr(0, ready.find('\n'))).value(), "listening").value();
  }

  [[nodiscard]] std::string port() const { return url.substr(url.rfind(':') + 1); }
  // With what it held when it was open before.
  void open_the_warehouse(const std::string& port, const std::string& unwell) {
    warehouse.reset();
    const auto log = folder() / fmt::format("warehouse-{}.log", ++openings);
    warehouse.emplace(
        support::ProcessOptions{.arguments = {python(), source_file("docs/examples/warehouse-http/warehouse.py"), "--port", port,
                                              "--database", (folder() / "warehouse.db").string(), "--unwell", unwell},
                                .output = log});
    if (!warehouse->wait_for_output("\n", support::kPatience)) throw std::runtime_error("no warehouse: " + warehouse->output());
  }
  [[nodiscard]] std::int64_t count(const std::string& what) const {
    return common::json::find_int(common::json::parse(support::http_get(url + "/counts").body).value(), what).value();
  }
  [[nodiscard]] std::vector<std::string> loader() const {
    return with_topic({python(), source_file("docs/examples/warehouse-http/load.py"), "--url", url + "/rows", "--batch",
                       std::to_string(kBatch), "--linger", "0.5", "--set", "group.instance.id=one"});
  }

  std::optional<support::Process> warehouse;
  std::string url;
  int openings = 0;
};

// As the loader sends them.
std::string as_batch(std::span<const Row> rows) {
  std::string lines;
  for (const Row& row : rows) {
    const common::json::Value line{{"partition", row.partition},
                                   {"offset", row.offset},
                                   {"key", row.key},
                                   {"sealed", false},
                                   {"value", row.value ? common::json::Value(*row.value) : common::json::Value()}};
    lines += common::json::serialize(line) + '\n';
  }
  return lines;
}

// By the loader's own account.
int largest_batch(const std::string& log) {
  int largest = 0;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with(" rows")) largest = std::max(largest, std::stoi(line.substr(line.rfind(", ") + 2)));
  }
  return largest;
}

TEST_F(WarehouseExample, KeepsEachRecordOnceThoughItsLoaderIsKilledAndAnswersAreLost) {
  Example example(loader(), folder() / "load.log");
  for (int life = 0; life < 2; ++life) {
    const auto before = count("rows");
    example.start();
    example.until("more has arrived", [&] { return count("rows") >= before + 100; });
    example.kill();
  }
  // Killed with a batch that nobody has: the warehouse is gone, and was not there to take it.
  example.start();
  warehouse->kill();
  example.until("it knocks in vain", [&] { return example.log().find("Connection refused") != std::string::npos; });
  example.kill();
  open_the_warehouse(port(), kUnwell);
  end_the_topic();
  const auto published = rows_of(scene.records(scene.topic()));

  example.start();
  example.until("all has arrived", [&] { return count("rows") >= std::ssize(published); });

  expect_same(rows_of(support::http_get(url + "/rows").body), published);
  expect_same(rows_of(support::http_get(url + "/current").body), last_of_each(published));
  EXPECT_LT(last_of_each(published).size(), published.size()) << "nothing was replaced";
  EXPECT_GT(count("repeated"), 0) << "no answer was lost, so that nothing was tried";
  EXPECT_EQ(largest_batch(example.log()), kBatch);

  EXPECT_EQ(example.terminate().code, 0);
  // What is repeated when all has gone on takes nothing back.
  open_the_warehouse(port(), "0");
  EXPECT_EQ(support::http_post(url + "/rows", as_batch(std::span(published).first(published.size() / 2))).status, 204);
  expect_same(rows_of(support::http_get(url + "/current").body), last_of_each(published));

  delete_what_comes_next();
  EXPECT_EQ(run(loader(), folder() / "late.log").code, 1) << support::read_file(folder() / "late.log");
}

TEST(Loader, WaitsForAsLongAsTheWarehouseAsks) {
  const support::TemporaryFolder folder;
  const auto log = folder.path() / "retry_after.log";
  EXPECT_EQ(run({python(), source_file("tests/examples/retry_after.py"), source_file("docs/examples/warehouse-http")}, log).code,
            0)
      << support::read_file(log);
}

// How names come into a folder, from now on.
class FolderWatch final {
 public:
  explicit FolderWatch(const std::filesystem::path& folder) : descriptor_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    if (descriptor_ < 0 || ::inotify_add_watch(descriptor_, folder.c_str(), IN_CREATE | IN_MODIFY | IN_MOVED_TO) < 0) {
      throw std::system_error(errno, std::generic_category(), "watching " + folder.string());
    }
  }
  ~FolderWatch() { ::close(descriptor_); }
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;

  struct Seen {
    std::set<std::string> whole;     // renamed to it
    std::set<std::string> in_parts;  // created or written under it
  };
  [[nodiscard]] Seen seen() const {
    Seen seen;
    alignas(inotify_event) std::array<char, 1 << 16> buffer{};
    for (ssize_t size = 0; (size = ::read(descriptor_, buffer.data(), buffer.size())) > 0;) {
      for (const char* at = buffer.data(); at < buffer.data() + size;) {
        const auto* event = reinterpret_cast<const inotify_event*>(at);
        auto& names = (event->mask & IN_MOVED_TO) != 0 ? seen.whole : seen.in_parts;
        if (event->len > 0) names.emplace(event->name);
        at += sizeof(inotify_event) + event->len;
      }
    }
    return seen;
  }

 private:
  int descriptor_;
};

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
  const auto partition = files(".parquet").front().parent_path();
  std::ofstream(partition / "00000000000000000000-00000000000000000001.tmp") << "half a file";
  const FolderWatch watch(partition);

  example.start();
  example.until("all is written", [&] { return written() == ends; });

  EXPECT_THAT(files(".tmp"), IsEmpty());
  const auto [whole, in_parts] = watch.seen();
  EXPECT_THAT(whole, Not(IsEmpty()));
  for (const auto& name : in_parts) EXPECT_FALSE(name.ends_with(".parquet")) << name << " could be read before it was whole";
  const auto dump = folder() / "rows";
  ASSERT_EQ(run({python(), source_file("tests/examples/parquet_rows.py"), lake.string()}, dump).code, 0)
      << support::read_file(dump);
  expect_same(rows_of(support::read_file(dump)), rows_of(records));

  const auto second = folder() / "second.log";
  EXPECT_EQ(run(writer(), second).code, 1) << "two write into one folder";
  EXPECT_THAT(support::read_file(second), HasSubstr("another process writes here"));

  example.kill();
  delete_what_comes_next();
  const auto late = folder() / "late.log";
  EXPECT_EQ(run(writer(), late).code, 1) << support::read_file(late);
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
    start_anew_as(application);
  }

  // Another application's state, topics and group.
  void start_anew_as(const std::string& id) {
    application = id;
    const auto properties = (folder() / (id + ".properties")).string();
    std::ofstream(properties) << "application.id=" << id << "\nbootstrap.servers=" << scene.reader().bootstrap
                              << "\nstate.dir=" << (folder() / "state").string() << "\nconnector.name=" << scene.name()
                              << "\nconnector.stream=conversations\nwindow=PT2S\nremember=PT10M\ngroup.instance.id=one"
                              << "\nrepartition.purge.interval.ms=600000\n";  // so that it can be looked at
    const auto classes = source_file("build/examples/kafka-streams");
    arguments = {"java",
                 "-Xmx256m",
                 "-XX:+UseSerialGC",
                 "-XX:TieredStopAtLevel=1",
                 "-cp",
                 fmt::format("{}/*:{}/lib/*", classes, classes),
                 "CurrentConversations",
                 properties};
  }

  static void until_it_runs(Example& job) {
    job.until("it runs", [&] { return job.log().find("state RUNNING") != std::string::npos; });
  }
  // What was published of each window, by its start, in order.
  using Windows = std::map<common::Instant, std::vector<std::int64_t>>;
  [[nodiscard]] Windows windows() const {
    Windows found;
    for (const auto& record : scene.records(application + "-windows")) {
      const auto row = common::json::parse(record.value.value()).value();
      const auto start = common::parse_instant(record.key.value()).value();
      EXPECT_EQ(common::parse_instant(common::json::find_string(row, "end").value()).value(), start + kWindow);
      found[start].push_back(common::json::find_int(row, "conversations").value());
    }
    return found;
  }
  [[nodiscard]] bool has_committed_all() const {
    return run({python(), source_file("tests/examples/committed_all.py"), scene.reader().bootstrap, scene.topic(), application},
               folder() / "committed.log")
               .code == 0;
  }
  // The partitions that have reported their part of a window.
  [[nodiscard]] std::set<std::int64_t> parts_of(common::Instant window) const {
    std::set<std::int64_t> partitions;
    for (const auto& record : scene.records(application + "-parts-repartition")) {
      if (common::parse_instant(record.key.value()).value() != window) continue;
      partitions.insert(common::json::find_int(common::json::parse(record.value.value()).value(), "partition").value());
    }
    return partitions;
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
  // What the job is to make of the topic.
  [[nodiscard]] std::map<std::string, common::json::Value> current() const {
    std::map<std::string, common::json::Value> rows;
    for (const auto& [key, value] : support::read_compacted(scene.reader(), scene.topic())) {
      const auto conversation = common::json::parse(value).value();
      const auto* end = common::json::find(conversation, "conversationEnd");
      const auto& sessions = conversation.at("participants").at(0).at("sessions");
      rows[key] = {{"conversationStart", conversation.at("conversationStart")},
                   {"conversationEnd", end != nullptr ? *end : nullptr},
                   {"open", end == nullptr},
                   {"mediaType", sessions.at(0).at("mediaType")}};
    }
    return rows;
  }
  [[nodiscard]] std::map<std::string, common::json::Value> table() const {
    std::map<std::string, common::json::Value> rows;
    for (const auto& [key, value] : support::read_compacted(scene.reader(), application + "-current")) {
      rows[key] = common::json::parse(value).value();
    }
    return rows;
  }

  // In the place of a connector that has ended. Returns the record's offset.
  std::int64_t publish(int partition, const std::string& key, common::Instant start) const {
    const std::string value = fmt::format(
        R"({{"conversationId":"{}","conversationStart":"{}","participants":[{{"sessions":[{{"mediaType":"voice"}}]}}]}})", key,
        common::format_instant(start));
    support::write_record(scene.reader(), scene.topic(), {.partition = partition, .key = key, .value = value, .headers = {}});
    std::int64_t last = 0;
    for (const auto& record : scene.records(scene.topic())) {
      if (record.partition == partition) last = std::max(last, record.offset);
    }
    return last;
  }
  // As the connector told last, but of everything until then, and that one partition is longer.
  void tell_of(common::Instant complete_until, common::Instant settled_until, int partition, std::int64_t offset) const {
    auto said = common::json::parse(scene.records(scene.name() + "-progress").back().value.value()).value();
    said.at("complete_until") = common::format_instant(complete_until);
    said.at("settled_until") = common::format_instant(settled_until);
    said.at("offsets").at(static_cast<std::size_t>(partition)) = offset;
    support::write_record(scene.reader(), scene.name() + "-progress",
                          {.partition = 0, .key = "conversations", .value = common::json::serialize(said), .headers = {}});
  }

  std::string application = support::unique_name("job");
  std::vector<std::string> arguments;
};

TEST_F(StreamsExample, ClosesEachWindowWithWhatIsInItThoughTheJobIsKilled) {
  Example job(arguments, folder() / "job.log");
  job.start();
  until_it_runs(job);
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
  job.until("what was deleted is taken off", [&] { return windows().at(corrected).back() == wanted.at(corrected) - 1; });
  publish(0, "late", corrected);
  job.until("what comes late is added", [&] { return windows().at(corrected).back() == wanted.at(corrected); });
  const auto published = windows();
  for (const auto& [start, count] : wanted) {
    ASSERT_TRUE(published.contains(start)) << "not closed: " << common::format_instant(start);
    EXPECT_EQ(published.at(start).back(), count) << common::format_instant(start);
  }
  job.until("the table is the topic's", [&] { return table() == current(); });
}

// The connector has ended, so that the test may say what is complete: windows that the clock has not reached are closed, if only
// their records have come.
TEST_F(StreamsExample, ClosesWindowsByWhatItIsToldAndForgetsThoseThatAreSettled) {
  Example job(arguments, folder() / "job.log");
  job.start();
  until_it_runs(job);
  job.until("windows are closed", [&] { return !windows().empty(); });
  EXPECT_EQ(scene.stop_connector().code, 0) << scene.log();
  const common::Instant window = window_of(ConnectorScene::now() + 20min);
  const auto long_ago = windows().begin()->first;
  constexpr int kPartition = 1;
  const auto offset = publish(kPartition, "before", window - kWindow);

  tell_of(window + kWindow, long_ago, kPartition, offset + 2);
  job.until("the others have come as far", [&] { return parts_of(window).size() >= 2; });
  EXPECT_THAT(parts_of(window), ElementsAre(0, 2)) << "its record had not come yet";
  EXPECT_FALSE(windows().contains(window));
  publish(kPartition, "in time", window);
  job.until("it is closed", [&] { return windows().contains(window); });

  auto published = windows();
  EXPECT_EQ(published.at(window).front(), 1);
  EXPECT_EQ(published.at(window - kWindow).front(), 1);
  EXPECT_EQ(published.rbegin()->first, window) << "nobody has said that it is complete";

  // It remembers for ten minutes: of long ago nothing, of this window everything.
  tell_of(window + 2 * kWindow, window, kPartition, offset + 2);
  job.until("the next is closed", [&] { return windows().contains(window + kWindow); });
  publish(kPartition, "too late", long_ago);
  publish(kPartition, "late", window);
  job.until("what it remembers is corrected", [&] { return windows().at(window).back() == 2; });

  EXPECT_EQ(windows().at(long_ago), published.at(long_ago));
  const auto begun = support::read_compacted(scene.reader(), application + "-begun-changelog");
  std::vector<std::string> remembered;
  for (const auto& [key, value] : begun) remembered.push_back(key);
  EXPECT_THAT(remembered, ElementsAre("before", "in time", "late"));
}

// What retention has deleted is no loss if it was read, and an end if it was not: a window would be closed without it, and a row
// stay.
TEST_F(StreamsExample, EndsWhenWhatComesNextWasDeletedBeforeItWasRead) {
  Example job(arguments, folder() / "job.log");
  job.start();
  until_it_runs(job);
  job.until("windows are closed", [&] { return !windows().empty(); });
  EXPECT_EQ(scene.stop_connector().code, 0) << scene.log();
  const auto deleted = scene.records(scene.topic()).front();
  job.until("all is read, and committed behind the ends of transactions, too",
            [&] { return table() == current() && has_committed_all(); });
  (void)job.terminate();
  delete_all();

  job.start();
  until_it_runs(job);
  const common::Instant window = window_of(ConnectorScene::now() + 20min);
  constexpr int kPartition = 1;
  const auto offset = publish(kPartition, "after", window);
  tell_of(window + kWindow, window, kPartition, offset + 1);
  job.until("a window is closed, of what was deleted and of what was not", [&] { return windows().contains(window); });
  EXPECT_EQ(windows().at(window).front(), 1);
  (void)job.terminate();
  const auto rows = table();
  ASSERT_TRUE(rows.contains("after"));
  const auto published = windows();

  publish_tombstone_of(deleted);
  delete_what_comes_next();
  tell_of(window + 2 * kWindow, window, kPartition, offset + 3);
  const auto late = folder() / "late.log";
  EXPECT_EQ(run(arguments, late).code, 1) << support::read_file(late);
  EXPECT_THAT(support::read_file(late), HasSubstr("Start again with another application.id"));
  EXPECT_EQ(windows(), published);
  EXPECT_EQ(table(), rows);

  // Of a group that nobody was in for long the broker forgets where it was: that this is no first start is told by the state.
  const auto forgotten = support::unique_name("job");
  const auto create = folder() / "create.log";
  ASSERT_EQ(
      run({python(), source_file("tests/examples/create_topic.py"), scene.reader().bootstrap, forgotten + "-marks-changelog"},
          create)
          .code,
      0)
      << support::read_file(create);
  start_anew_as(forgotten);
  const auto unknown = folder() / "unknown.log";
  EXPECT_EQ(run(arguments, unknown).code, 1) << support::read_file(unknown);
  EXPECT_THAT(support::read_file(unknown), HasSubstr("Start again with another application.id"));

  // As it advises.
  start_anew_as(support::unique_name("job"));
  Example anew(arguments, folder() / "anew.log");
  anew.start();
  until_it_runs(anew);
  publish(kPartition, "anew", window);
  anew.until("it has what the topic holds", [&] { return table() == current(); });
  EXPECT_TRUE(table().contains("anew"));
  anew.until("it has begun to close windows", [&] { return windows().contains(window); });

  // And while it runs. What it had asked for before it was held up may still come, but not the next.
  anew.freeze();
  publish(kPartition, "it may still come", window + 2 * kWindow);
  delete_all();
  const auto last = publish(kPartition, "lost", window + 2 * kWindow);
  tell_of(window + 3 * kWindow, window, kPartition, last + 1);
  delete_all();
  anew.thaw();
  EXPECT_EQ(anew.end().code, 1);
  EXPECT_THAT(anew.log(), HasSubstr("Start again with another application.id"));
  EXPECT_FALSE(windows().contains(window + 2 * kWindow));
}

}  // namespace
}  // namespace tests::examples
