#pragma once

// Where metrics and health are served. Plain values.

#include <string>

namespace connector::observability {

struct MetricsOptions {
  std::string listen = "127.0.0.1:9464";  // host:port; `metrics: off` leaves it empty: no listener
};

}  // namespace connector::observability
