#include "tests/support/kafka_broker.h"

#include <cassert>
#include <csignal>
#include <random>
#include <stdexcept>

namespace tests::support {
namespace {

constexpr std::chrono::milliseconds kGlance{20};
constexpr std::chrono::milliseconds kStopGrace{20'000};
constexpr std::size_t kLogTail = 4000;

std::string to_argument(BrokerSecurity security) {
  switch (security) {
    case BrokerSecurity::kSaslSsl:
      return "sasl_ssl";
    case BrokerSecurity::kMutualTls:
      return "mtls";
    case BrokerSecurity::kPlaintext:
      break;
  }
  return "plaintext";
}

std::string tail(const std::string& text) {
  return text.size() <= kLogTail ? text : "…" + text.substr(text.size() - kLogTail);
}

}  // namespace

KafkaBroker::KafkaBroker(KafkaBrokerOptions options) : options_(std::move(options)) {
  restart();
}

std::string KafkaBroker::log() const {
  return read_file(folder() / "launcher.log") + read_file(folder() / "broker.log");
}

void KafkaBroker::kill() {
  assert(process_);
  process_->kill();
  process_.reset();
}

void KafkaBroker::stop() {
  assert(process_);
  process_->terminate(kStopGrace);
  process_.reset();
}

void KafkaBroker::restart() {
  start();
  wait_until_ready();
}

void KafkaBroker::start() {
  assert(!process_);
  // Here and not only in the launcher: the last life's announcement must not be taken for this one's.
  std::filesystem::remove(folder() / "bootstrap");
  std::vector<std::string> arguments = {GK_BROKER_LAUNCHER, "--directory", folder().string(), "--security",
                                        to_argument(options_.security)};
  for (const auto& [name, password] : options_.users) {
    arguments.insert(arguments.end(), {"--user", name + ":" + password});
  }
  for (const std::string& property : options_.properties) {
    arguments.insert(arguments.end(), {"--set", property});
  }
  process_.emplace(ProcessOptions{.arguments = std::move(arguments), .output = folder() / "launcher.log"});
}

void KafkaBroker::wait_until_ready() {
  assert(process_);
  const auto deadline = std::chrono::steady_clock::now() + options_.start_timeout;
  const std::filesystem::path announcement = folder() / "bootstrap";
  while (!std::filesystem::exists(announcement)) {
    const bool ended = process_->wait(kGlance).has_value();
    if (ended || std::chrono::steady_clock::now() >= deadline) {
      process_.reset();
      throw std::runtime_error(std::string("the broker ") + (ended ? "ended" : "was not ready in time") + ":\n" + tail(log()));
    }
  }
  std::string address = read_file(announcement);
  address.erase(address.find_last_not_of('\n') + 1);
  assert(bootstrap_.empty() || bootstrap_ == address);
  bootstrap_ = std::move(address);
}

void KafkaBroker::pause() {
  assert(process_);
  process_->signal(SIGSTOP);
}

void KafkaBroker::resume() {
  assert(process_);
  process_->signal(SIGCONT);
}

KafkaBroker& shared_broker() {
  static KafkaBroker broker;
  return broker;
}

std::string unique_name(std::string_view prefix) {
  constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuv";
  std::random_device source;
  std::string name(prefix);
  name += '-';
  for (int digit = 0; digit < 10; ++digit) name += kDigits[source() % kDigits.size()];
  return name;
}

}  // namespace tests::support
