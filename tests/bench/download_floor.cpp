// The floor of reading: the connector's own HTTP client downloads the pages that the connector would, over one connection, and
// drops them. Nothing is parsed but the end of each page. Prints one line of JSON; with --save-page keeps the last full page for
// producer_floor.

#include "common/http/client.h"
#include "common/instant.h"
#include "common/json.h"
#include "common/log.h"
#include "tests/bench/resources.h"

#include <CLI/CLI.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <exception>
#include <fstream>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace tests::bench {
namespace {

namespace http = common::http;
using boost::asio::awaitable;

struct Options {
  std::string url;
  std::string form = "job";
  std::string start;
  std::string end;
  std::int64_t window_seconds = 86'400;
  std::int64_t page_size = 1'000;
  std::string save_page;
};

struct Sums {
  std::uint64_t pages = 0;
  std::uint64_t bytes = 0;
};

template <class T>
T value_of(common::Result<T> result, const std::string& doing) {
  if (!result) throw std::runtime_error(doing + ": " + result.error().message);
  return std::move(*result);
}

class Download {
 public:
  Download(http::Client& client, Options options) : client_(client), options_(std::move(options)) {}

  awaitable<Sums> run() {
    const std::string token = co_await fetch_token();
    authorization_ = "Bearer " + token;
    const auto end = value_of(common::parse_instant(options_.end), "--end");
    const common::Duration length{options_.window_seconds * 1'000};
    for (auto at = value_of(common::parse_instant(options_.start), "--start"); at < end; at += length) {
      const common::Interval window{.start = at, .end = std::min(at + length, end)};
      if (options_.form == "job") {
        co_await read_job(window);
      } else {
        co_await read_query(window);
      }
    }
    save();
    co_return sums_;
  }

 private:
  // The answer's body stays in page_, whose storage every request uses again.
  awaitable<void> send(http::Request request) {
    request.url = options_.url + request.url;
    if (!authorization_.empty()) request.headers.add("Authorization", authorization_);
    const std::string url = request.url;
    request.response_storage = std::move(page_);
    http::Response response = value_of(co_await client_.send(std::move(request)), url);
    if (response.status / 100 != 2) {
      throw std::runtime_error(url + ": status " + std::to_string(response.status) + " " + response.body.substr(0, 300));
    }
    page_ = std::move(response.body);
  }

  awaitable<std::string> fetch_token() {
    co_await send({.method = http::Method::kPost,
                   .url = "/oauth/token",
                   .headers = {{"Authorization", "Basic c2ltdWxhdG9yLWNsaWVudDpzaW11bGF0b3Itc2VjcmV0"},  // the simulator's
                               {"Content-Type", "application/x-www-form-urlencoded"}},
                   .body = "grant_type=client_credentials"});
    co_return text_at("access_token");
  }

  awaitable<void> read_job(common::Interval window) {
    static const std::string kJobs = "/api/v2/analytics/conversations/details/jobs";
    co_await send({.method = http::Method::kPost,
                   .url = kJobs,
                   .headers = {{"Content-Type", "application/json"}},
                   .body = R"({"startOfDayIntervalMatching":true,"interval":")" + common::format_interval(window) + "\"}"});
    const std::string job = kJobs + "/" + text_at("jobId");
    do co_await send({.url = job});
    while (text_at("state") != "FULFILLED");
    for (std::optional<std::string> cursor = ""; cursor; cursor = next_cursor()) {
      const std::string query = "/results?pageSize=" + std::to_string(options_.page_size);
      co_await send({.url = job + query + (cursor->empty() ? "" : "&cursor=" + http::percent_encode(*cursor))});
      count_page();
    }
  }

  awaitable<void> read_query(common::Interval window) {
    std::int64_t total = 1;
    for (std::int64_t page = 1; (page - 1) * options_.page_size < total; ++page) {
      co_await send({.method = http::Method::kPost,
                     .url = "/api/v2/analytics/conversations/details/query",
                     .headers = {{"Content-Type", "application/json"}},
                     .body = R"({"order":"asc","orderBy":"conversationStart","interval":")" + common::format_interval(window) +
                             R"(","paging":{"pageNumber":)" + std::to_string(page) + R"(,"pageSize":)" +
                             std::to_string(options_.page_size) + "}}"});
      count_page();
      static const std::string kTotal = R"("totalHits":)";
      const auto at = page_.rfind(kTotal);
      if (at == std::string::npos) throw std::runtime_error("a page of the query has no total");
      total = std::stoll(page_.substr(at + kTotal.size(), 20));
    }
  }

  void count_page() {
    ++sums_.pages;
    sums_.bytes += page_.size();
    if (!options_.save_page.empty() && page_.size() > largest_.size()) largest_ = page_;
  }

  [[nodiscard]] std::optional<std::string> next_cursor() const {
    static const std::string kCursor = R"("cursor":")";
    const auto at = page_.rfind(kCursor);
    if (at == std::string::npos) return std::nullopt;
    const auto begin = at + kCursor.size();
    return page_.substr(begin, page_.find('"', begin) - begin);
  }

  [[nodiscard]] std::string text_at(const std::string& member) const {
    const auto document = value_of(common::json::parse(page_), "answer");
    const auto text = common::json::find_string(document, member);
    if (!text) throw std::runtime_error("an answer has no " + member);
    return std::string(*text);
  }

  void save() const {
    if (!options_.save_page.empty()) std::ofstream(options_.save_page, std::ios::binary) << largest_;
  }

  http::Client& client_;
  Options options_;
  std::string authorization_;
  std::string page_;
  std::string largest_;
  Sums sums_;
};

int run(const Options& options) {
  boost::asio::io_context io;
  auto client =
      value_of(http::make_client(io.get_executor(), {.user_agent = "download-floor", .accept_gzip = false}, {}), "HTTP client");
  Download download(*client, options);
  const Stopwatch watch;
  std::optional<Sums> sums;
  boost::asio::co_spawn(io, download.run(), [&sums](const std::exception_ptr& thrown, Sums result) {
    if (thrown) std::rethrow_exception(thrown);
    sums = result;
  });
  io.run();
  if (!sums) throw std::runtime_error("the download did not end");
  std::cout << common::json::serialize(common::json::Object{{"seconds", watch.seconds()},
                                                            {"cpu_seconds", cpu_seconds()},
                                                            {"peak_kib", peak_kib()},
                                                            {"pages", sums->pages},
                                                            {"bytes", sums->bytes}})
            << '\n';
  return 0;
}

}  // namespace
}  // namespace tests::bench

int main(int argc, char** argv) {
  tests::bench::Options options;
  CLI::App app{"Downloads the simulator's pages and drops them."};
  app.add_option("--url", options.url, "of the simulator")->required();
  app.add_option("--form", options.form)->check(CLI::IsMember({"job", "query"}));
  app.add_option("--start", options.start, "instant")->required();
  app.add_option("--end", options.end, "instant")->required();
  app.add_option("--window-seconds", options.window_seconds)->check(CLI::PositiveNumber);
  app.add_option("--page-size", options.page_size)->check(CLI::PositiveNumber);
  app.add_option("--save-page", options.save_page, "file for the largest page");
  CLI11_PARSE(app, argc, argv);
  try {
    return tests::bench::run(options);
  } catch (const std::exception& error) {
    std::cerr << "download_floor: " << error.what() << '\n';
    return 1;
  }
}
