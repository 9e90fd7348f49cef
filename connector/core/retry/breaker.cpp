#include "connector/core/retry/breaker.h"

#include <algorithm>

namespace connector::core {
namespace {

// While a probe is out the others look again this often.
constexpr common::Duration kProbeWait{1'000};

}  // namespace

std::optional<common::SteadyTime> Breaker::wait_until(common::SteadyTime now) const {
  switch (state(now)) {
    case BreakerState::kClosed:
      return std::nullopt;
    case BreakerState::kOpen:
      return open_until_;
    case BreakerState::kHalfOpen:
      return probing_ ? std::optional(now + kProbeWait) : std::nullopt;
  }
  return std::nullopt;
}

BreakerState Breaker::state(common::SteadyTime now) const {
  if (!open_until_) {
    return BreakerState::kClosed;
  }
  return now < *open_until_ ? BreakerState::kOpen : BreakerState::kHalfOpen;
}

void Breaker::on_sent(common::SteadyTime now) {
  if (state(now) == BreakerState::kHalfOpen) {
    probing_ = true;
  }
}

void Breaker::on_success() {
  failures_ = 0;
  open_until_.reset();
  open_for_ = common::Duration{0};
  probing_ = false;
}

void Breaker::on_failure(common::SteadyTime now) {
  if (state(now) == BreakerState::kOpen) {
    return;  // sent before it opened; known already
  }
  if (state(now) == BreakerState::kHalfOpen) {
    probing_ = false;
    open_for_ = std::min(open_for_ * 2, settings_.max_open);
    open_until_ = now + open_for_;
    return;
  }
  if (++failures_ >= settings_.failures) {
    open_for_ = std::min(settings_.open, settings_.max_open);
    open_until_ = now + open_for_;
  }
}

void Breaker::on_abandoned() {
  probing_ = false;
}

}  // namespace connector::core
