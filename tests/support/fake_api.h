#pragma once

// A core::Api whose answers a test scripts: one handler sees every call and answers, refuses, or lets it hang until the caller is
// cancelled. Every call is kept. One executor; the handler must outlive nothing.

#include "connector/core/ports/api.h"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tests::support {

// The call never ends by itself.
struct Hang {};
using FakeAnswer = std::variant<connector::core::ApiResponse, common::Error, Hang>;

class FakeApi final : public connector::core::Api {
 public:
  using Handler = std::function<FakeAnswer(const connector::core::ApiRequest&)>;
  explicit FakeApi(Handler handler) : handler_(std::move(handler)) {}

  boost::asio::awaitable<common::Result<connector::core::ApiResponse>> send(connector::core::ApiRequest request) override;
  [[nodiscard]] common::Duration clock_skew() const override { return skew; }
  // Every call counts as one attempt.
  [[nodiscard]] connector::core::ApiUsage usage(const connector::core::SourcePartition& source) const override;

  [[nodiscard]] bool knows_time() const override { return has_answered; }
  bool has_answered = true;
  common::Duration skew{0};
  std::vector<connector::core::ApiRequest> requests;
  std::size_t cancelled = 0;  // calls that ended by cancellation

  [[nodiscard]] std::size_t count(std::string_view path_part) const;

 private:
  Handler handler_;
};

// 200 with this body, padded as the port promises.
FakeAnswer answer(std::string body, int status = 200);
FakeAnswer refuse(common::ErrorCode code, std::string message = "refused by the test");

}  // namespace tests::support
