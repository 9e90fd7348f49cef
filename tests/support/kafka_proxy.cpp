#include "tests/support/kafka_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace tests::support {

namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kLargestFrame = 128UL << 20U;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

class Socket {
 public:
  explicit Socket(int handle) : handle_(handle) {}
  ~Socket() {
    if (handle_ >= 0) close(handle_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  [[nodiscard]] int get() const { return handle_; }
  void shut() const { shutdown(handle_, SHUT_RDWR); }

 private:
  int handle_;
};

bool read_all(int socket, char* into, std::size_t size) {
  while (size > 0) {
    const ssize_t got = recv(socket, into, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    into += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

bool write_all(int socket, const char* from, std::size_t size) {
  while (size > 0) {
    const ssize_t put = send(socket, from, size, MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    from += put;
    size -= static_cast<std::size_t>(put);
  }
  return true;
}

template <class Integer>
Integer big_endian(const char* bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) value = value << 8U | static_cast<unsigned char>(bytes[i]);
  return static_cast<Integer>(value);
}

// One frame with its length in front.
bool read_frame(int socket, std::vector<char>& frame) {
  frame.resize(kLengthBytes);
  if (!read_all(socket, frame.data(), kLengthBytes)) return false;
  const auto length = big_endian<std::uint32_t>(frame.data());
  if (length > kLargestFrame) return false;
  frame.resize(kLengthBytes + length);
  return read_all(socket, frame.data() + kLengthBytes, length);
}

// A client's connection and the one to the broker behind it.
struct Link {
  explicit Link(int client_handle) : client(client_handle), broker(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  void cut() const {
    client.shut();
    broker.shut();
  }

  Socket client;
  Socket broker;
  std::mutex mutex;
  std::set<std::int32_t> doomed;  // correlation ids whose answer is to be lost
  std::jthread up;
  std::jthread down;
};

}  // namespace

struct KafkaProxy::Impl {
  Impl() : listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (listener.get() < 0 || bind(listener.get(), generic, size) != 0 || listen(listener.get(), 64) != 0 ||
        getsockname(listener.get(), generic, &size) != 0) {
      throw std::system_error(errno, std::generic_category(), "the proxy cannot listen");
    }
    port = ntohs(address.sin_port);
    acceptor = std::jthread{[this] { accept_clients(); }};
  }
  ~Impl() {
    stopping = true;
    listener.shut();
    acceptor.join();
    for (const Link& link : links) link.cut();
    links.clear();  // joins the pumps
  }

  void accept_clients() {
    while (!stopping) {
      const int client = accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) {
        if (errno == EINTR) continue;
        return;
      }
      Link& link = links.emplace_back(client);
      const int on = 1;
      for (const int handle : {link.client.get(), link.broker.get()}) {
        setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      }
      const sockaddr_in address = loopback(target.load());
      if (connect(link.broker.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        link.client.shut();  // the broker is away: so are we
        continue;
      }
      link.up = std::jthread{[this, &link] { pump_requests(link); }};
      link.down = std::jthread{[&link] { pump_answers(link); }};
    }
  }

  // True if one more of that kind is to be lost.
  bool take(std::map<std::int16_t, std::uint64_t>& wanted, std::int16_t api_key) {
    const std::scoped_lock lock{mutex};
    const auto found = wanted.find(api_key);
    if (found == wanted.end() || found->second == 0) return false;
    --found->second;
    ++lost;
    return true;
  }

  void pump_requests(Link& link) {
    std::vector<char> frame;
    constexpr std::size_t kHeaderBytes = 8;  // api key, version, correlation id
    while (read_frame(link.client.get(), frame) && frame.size() >= kLengthBytes + kHeaderBytes) {
      const auto api_key = big_endian<std::int16_t>(frame.data() + kLengthBytes);
      if (take(requests, api_key)) break;
      if (take(answers, api_key)) {
        const std::scoped_lock lock{link.mutex};
        link.doomed.insert(big_endian<std::int32_t>(frame.data() + kLengthBytes + 4));
      }
      if (!write_all(link.broker.get(), frame.data(), frame.size())) break;
    }
    link.cut();
  }

  static void pump_answers(Link& link) {
    std::vector<char> frame;
    while (read_frame(link.broker.get(), frame) && frame.size() >= kLengthBytes + 4) {
      {
        const std::scoped_lock lock{link.mutex};
        if (link.doomed.contains(big_endian<std::int32_t>(frame.data() + kLengthBytes))) break;
      }
      if (!write_all(link.client.get(), frame.data(), frame.size())) break;
    }
    link.cut();
  }

  Socket listener;
  std::uint16_t port = 0;
  std::atomic<std::uint16_t> target = 0;
  std::atomic<bool> stopping = false;
  mutable std::mutex mutex;
  std::map<std::int16_t, std::uint64_t> requests;
  std::map<std::int16_t, std::uint64_t> answers;
  std::uint64_t lost = 0;
  std::list<Link> links;  // touched by the acceptor only, and at the end
  std::jthread acceptor;
};

KafkaProxy::KafkaProxy() : impl_(std::make_unique<Impl>()) {}
KafkaProxy::~KafkaProxy() = default;

std::uint16_t KafkaProxy::port() const {
  return impl_->port;
}

void KafkaProxy::forward_to(const std::string& host_and_port) {
  impl_->target = static_cast<std::uint16_t>(std::stoi(host_and_port.substr(host_and_port.rfind(':') + 1)));
}

void KafkaProxy::lose_requests(std::int16_t api_key, std::uint64_t times) {
  const std::scoped_lock lock{impl_->mutex};
  impl_->requests[api_key] = times;
}

void KafkaProxy::lose_answers(std::int16_t api_key, std::uint64_t times) {
  const std::scoped_lock lock{impl_->mutex};
  impl_->answers[api_key] = times;
}

std::uint64_t KafkaProxy::lost() const {
  const std::scoped_lock lock{impl_->mutex};
  return impl_->lost;
}

}  // namespace tests::support
