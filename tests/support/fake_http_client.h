#pragma once

// A Client that answers from a script and remembers what it was asked. An unexpected request is answered with kInternal and
// kept in `unexpected()`, so that a test fails where it looks and not by a crash.

#include "common/http/client.h"

#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace tests::support {

// A response as the real client hands it out, its padding included.
common::http::Response http_response(int status, std::string body = {}, common::http::Headers headers = {});

class FakeHttpClient final : public common::http::Client {
 public:
  // Answers to requests of one method whose URL contains one text, in the order given; the last one stays if `repeat` was said.
  class Expectation {
   public:
    Expectation(common::http::Method method, std::string url_part) : method_(method), url_part_(std::move(url_part)) {}
    Expectation& returns(common::http::Response response);
    Expectation& returns(int status, std::string body = {}, common::http::Headers headers = {});
    Expectation& fails(common::ErrorCode code, std::string message = "scripted failure");
    // The answer before this call comes only after release(); without one the request can only be cancelled.
    Expectation& held();
    Expectation& repeat();

   private:
    friend class FakeHttpClient;
    struct Answer {
      common::Result<common::http::Response> result;
      bool held = false;
    };
    common::http::Method method_;
    std::string url_part_;
    std::deque<Answer> answers_;
    bool repeat_ = false;
  };

  // The reference stays valid. Expectations are tried in the order they were made; one without answers left is passed over.
  Expectation& expect(common::http::Method method, std::string url_part);
  // Lets every request that is held now go on.
  void release();

  boost::asio::awaitable<common::Result<common::http::Response>> send(common::http::Request request) override;

  [[nodiscard]] const std::vector<common::http::Request>& requests() const { return requests_; }
  [[nodiscard]] const std::vector<std::string>& unexpected() const { return unexpected_; }
  // Answers nobody asked for (repeated ones do not count).
  [[nodiscard]] std::size_t unused() const;
  [[nodiscard]] std::size_t waiting() const { return held_.size(); }

 private:
  struct Held;
  boost::asio::awaitable<bool> wait_for_release();

  std::list<Expectation> expectations_;
  std::vector<common::http::Request> requests_;
  std::vector<std::string> unexpected_;
  std::list<std::shared_ptr<Held>> held_;
};

}  // namespace tests::support
