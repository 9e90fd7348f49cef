#include "tests/support/http_get.h"

#include "common/http/client.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>
#include <stdexcept>
#include <utility>

namespace tests::support {

HttpAnswer http_exchange(common::http::Request request, const HttpTrust& trust) {
  boost::asio::io_context io;
  auto client = common::http::make_client(io.get_executor(), {.tls = trust, .user_agent = "tests"}, common::Logger());
  if (!client) throw std::runtime_error(client.error().message);
  std::optional<common::Result<common::http::Response>> response;
  boost::asio::co_spawn(io, (*client)->send(std::move(request)),
                        [&response](const std::exception_ptr& thrown, common::Result<common::http::Response> result) {
                          if (thrown) std::rethrow_exception(thrown);
                          response = std::move(result);
                        });
  while (!response && io.run_one() > 0) {
  }
  if (!response || !*response) throw std::runtime_error(response ? response->error().message : "no answer");
  return {.status = (*response)->status, .body = std::move((*response)->body)};
}

HttpAnswer http_get(const std::string& url, const HttpTrust& trust) {
  return http_exchange({.method = common::http::Method::kGet, .url = url}, trust);
}

HttpAnswer http_post(const std::string& url, const std::string& json, const HttpTrust& trust) {
  return http_exchange(
      {.method = common::http::Method::kPost, .url = url, .headers = {{"Content-Type", "application/json"}}, .body = json},
      trust);
}

}  // namespace tests::support
