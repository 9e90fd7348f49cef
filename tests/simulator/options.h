#pragma once

// Everything that can be chosen about the simulated service. Plain values with defaults that resemble the real one; durations may
// be as short as a millisecond so that days of its behaviour fit into a test. docs/simulator.md explains each.

#include "common/instant.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tests::simulator {

using common::Duration;
using common::Instant;

struct WorldOptions {
  std::uint64_t seed = 1;
  Instant start{};                  // of the history: the first conversation begins at or just after it
  Duration spacing{2'000};          // mean time between two conversations
  std::uint64_t conversations = 0;  // how many there will ever be; 0: no end
  Duration duration{300'000};       // median life of a conversation
  double long_share = 0.01;         // of them stay open `long_duration`
  Duration long_duration{3 * 86'400'000LL};
  Duration wrap_up{30'000};    // from the end to the end of the wrap-up segment
  double reopen_share = 0.02;  // end, and are open again after `reopen_after` for another life
  Duration reopen_after{3'600'000};
  double late_share = 0.1;  // get an evaluation `late_after` their end, and half of them a survey at half that time
  Duration late_after{2 * 86'400'000LL};
  double deleted_share = 0;  // vanish `deleted_after` their end
  Duration deleted_after{7 * 86'400'000LL};
  Duration index_lag{0};                // from a conversation's start until queries may show it, at most
  std::uint32_t record_bytes = 13'000;  // median of the job form
  std::uint32_t users = 20;
  std::uint32_t queues = 6;
  std::uint32_t divisions = 3;
};

struct LakeOptions {
  Duration lag{6 * 3'600'000LL};  // the availability date is at least this far behind …
  Duration step{3'600'000};       // … and moves in steps of this
};

struct RateOptions {
  std::uint32_t per_window = 300;  // 0: never a 429
  Duration window{60'000};
  bool per_client = false;  // count per client instead of per token
  bool headers = true;      // inin-ratelimit-* on every answer
};

struct Credentials {
  std::string client_id;
  std::string client_secret;
};

struct TokenOptions {
  std::vector<Credentials> clients{{.client_id = "simulator-client", .client_secret = "simulator-secret"}};
  Duration life{86'400'000};
  int invalid_client_status = 400;  // unknown for the real service: 400 or 401
  bool accept_basic = true;
  bool accept_body_credentials = false;  // client_id and client_secret in the form instead of Basic
  bool accept_client_credentials = true;
  std::string refresh_token;         // valid at the start for the first client; empty: no refresh grant
  bool rotate_refresh_token = true;  // the old one dies with its use
};

enum class SyncMatch : std::uint8_t { kOverlap, kStartDay };
enum class TotalHits : std::uint8_t { kExact, kApproximate };

struct ApiOptions {
  SyncMatch sync_match = SyncMatch::kOverlap;
  TotalHits total_hits = TotalHits::kExact;
  std::uint32_t max_page_size = 100;
  std::uint32_t default_page_size = 25;
  std::uint64_t max_depth = 100'000;
  Duration max_interval_unfiltered{7 * 86'400'000LL};
  Duration max_interval_filtered{31 * 86'400'000LL};
  std::uint32_t max_job_page_size = 1'000;
  std::uint32_t default_job_page_size = 1'000;
  std::uint32_t max_ids = 100;         // of one read by id
  Duration job_queued{500};            // QUEUED this long …
  Duration job_time{3'000};            // … and FULFILLED after this
  Duration job_life{86'400'000};       // from completion until the results expire
  std::uint32_t max_jobs = 0;          // not yet finished at once, else 429; 0: no bound
  int unknown_cursor_status = 400;     // unknown for the real service
  int results_too_early_status = 400;  // likewise
  std::uint64_t max_request_bytes = 512'000;
  bool strict_bodies = true;  // unknown members of a request body are refused
  bool gzip = true;           // when the client accepts it
};

struct SimulatorOptions {
  WorldOptions world;
  LakeOptions lake;
  RateOptions rate;
  TokenOptions tokens;
  ApiOptions api;
  Duration clock_skew{0};    // the service's clock minus the host's
  bool fixed_pages = false;  // benches: pages from a template, only ids and start times differ
};

}  // namespace tests::simulator
