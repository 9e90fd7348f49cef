#pragma once

// The simulated Genesys Cloud: a request and the time in, a reply (possibly a faulty one) out. No sockets, no clock: the
// transport is tests/support/scripted_server.h. One thread.

#include "tests/simulator/service.h"

#include <memory>

namespace tests::simulator {

class Simulator {
 public:
  // Throws std::invalid_argument for options that make no world.
  explicit Simulator(SimulatorOptions options);

  // `host_now` is the host's clock; the service's own is that plus the skew.
  support::Reply handle(const support::ReceivedRequest& request, Instant host_now);

  // For programs and tests that prepare it.
  [[nodiscard]] Service& service() { return service_; }

 private:
  Outcome<Answer> answer(Call& call, std::string& endpoint, support::Reply& reply);

  Service service_;
};

// `Sun, 06 Nov 1994 08:49:37 GMT`.
std::string format_http_date(Instant instant);

}  // namespace tests::simulator
