#include "connector/genesys/token_machine.h"

#include "connector/core/retry/retry_policy.h"

#include <algorithm>
#include <utility>

namespace connector::genesys {
namespace {

using common::Duration;
using common::ErrorCode;

// A refused secret does not get better by asking often, and some services lock a client that keeps trying.
constexpr Duration kRefusedRetry{60'000};
constexpr Duration kFirstRetry{1'000};
constexpr Duration kMostRetry{60'000};
// Two callers that see the same outage must not come back within the same moment.
constexpr Duration kLeastRetry{100};

bool is_refusal(ErrorCode code) {
  return code == ErrorCode::kCredentialsInvalid || code == ErrorCode::kConfigInvalid || code == ErrorCode::kStateRefused;
}

}  // namespace

TokenMachine::Action TokenMachine::ask(common::SteadyTime now) {
  if (is_at_hand(now)) {
    return Use{};
  }
  if (fetching_) {
    return WaitForFetch{};
  }
  if (now < next_attempt_ && error_) {
    return is_refusal(error_->code) ? Action(Refused{.again_at = next_attempt_, .error = *error_})
                                    : Action(WaitUntil{.at = next_attempt_, .error = *error_});
  }
  fetching_ = true;
  return Fetch{};
}

void TokenMachine::on_fetched(common::Secret value, Duration life, common::SteadyTime now) {
  fetching_ = false;
  failures_ = 0;
  error_.reset();
  next_attempt_ = common::SteadyTime::min();
  token_ = Token{.value = std::move(value), .generation = ++generation_};
  expires_ = now + life;
  // 24 h at 0.9: renewed after 21.6 h, which leaves 2.4 h to get over an outage of the login host.
  renew_ = now + std::chrono::duration_cast<Duration>(life * renew_at_);
}

void TokenMachine::on_failed(common::Error error, double chance, common::SteadyTime now) {
  fetching_ = false;
  Duration delay = kRefusedRetry;
  if (!is_refusal(error.code)) {
    delay = std::max(kLeastRetry, core::jittered_delay(kFirstRetry, kMostRetry, failures_, chance));
    delay = std::max(delay, error.retry_after.value_or(Duration{0}));
    ++failures_;
  }
  next_attempt_ = now + delay;
  error_ = std::move(error);
}

void TokenMachine::on_abandoned() {
  fetching_ = false;
}

void TokenMachine::on_credentials_changed() {
  next_attempt_ = common::SteadyTime::min();
}

void TokenMachine::on_rejected(std::uint64_t generation, common::SteadyTime now) {
  if (!token_ || token_->generation != generation) {
    return;  // renewed meanwhile: the 401 was for its predecessor
  }
  token_.reset();
  if (++rejected_in_a_row_ >= 2) {
    const auto doublings = std::min(rejected_in_a_row_ - 2, 6U);
    next_attempt_ = now + std::min(kFirstRetry * (1U << doublings), kMostRetry);
    error_ = common::Error{.code = ErrorCode::kUnauthorized,
                           .message = "the service does not accept the tokens that the login host has just issued",
                           .retry_after = std::nullopt};
  }
}

}  // namespace connector::genesys
