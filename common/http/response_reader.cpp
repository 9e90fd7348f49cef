#include "common/http/response_reader.h"

#include "common/http/gzip.h"

#include <algorithm>
#include <boost/beast/core/string_type.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/none.hpp>
#include <boost/system/errc.hpp>
#include <cstring>
#include <optional>

namespace common::http {
namespace {

namespace beast = boost::beast;
using beast::http::field;
using boost::system::error_code;

constexpr std::size_t kHeaderBlock = 16UL << 10U;
constexpr std::size_t kBodyBlock = 256UL << 10U;
constexpr int kMaxInterim = 16;  // 1xx answers before the final one

std::string_view to_view(beast::string_view text) {
  return {text.data(), text.size()};
}

// Receives the decoded body, piece by piece.
class BodySink {
 public:
  virtual ~BodySink() = default;
  virtual Result<void> deliver(std::string_view piece) = 0;
};

// Beast's parser with our callbacks: status and fields into a Response, body bytes to the sink.
class Parser final : public beast::http::basic_parser<false> {
 public:
  Parser(Response& response, BodySink& sink) : response_(response), sink_(sink) {
    body_limit(boost::none);  // ours counts what the sink has after decompression
  }
  [[nodiscard]] const std::optional<Error>& sink_error() const { return sink_error_; }

 private:
  void on_request_impl(beast::http::verb, beast::string_view, beast::string_view, int, error_code&) override {}
  void on_response_impl(int code, beast::string_view, int, error_code& error) override {
    error = {};
    response_.status = code;
    response_.headers = Headers();
  }
  void on_field_impl(field, beast::string_view name, beast::string_view value, error_code& error) override {
    error = {};
    if (!trailers_) {
      response_.headers.add(std::string(to_view(name)), std::string(to_view(value)));
    }
  }
  void on_header_impl(error_code& error) override {
    error = {};
    trailers_ = true;  // fields that come later are a chunked body's trailers: nobody asked for them
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code& error) override { error = {}; }
  std::size_t on_body_impl(beast::string_view body, error_code& error) override { return deliver(body, error); }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, error_code& error) override { error = {}; }
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, error_code& error) override {
    return deliver(body, error);
  }
  void on_finish_impl(error_code& error) override { error = {}; }

  std::size_t deliver(beast::string_view body, error_code& error) {
    error = {};
    if (auto delivered = sink_.deliver(to_view(body)); !delivered) {
      sink_error_ = std::move(delivered.error());
      error = make_error_code(boost::system::errc::operation_canceled);
    }
    return body.size();
  }

  Response& response_;
  BodySink& sink_;
  std::optional<Error> sink_error_;
  bool trailers_ = false;
};

bool is_token(std::string_view list, std::string_view token) {
  return std::ranges::equal(list, token, [](char left, char right) { return (left | 0x20) == right; });
}

std::string shown(std::string_view text) {
  return std::string(text.substr(0, 64));
}

}  // namespace

class ResponseReader::Impl final : private BodySink {
 public:
  Impl(Method method, Bounds bounds, std::string storage) : method_(method), bounds_(bounds) {
    response_.body = std::move(storage);
    response_.body.clear();
    new_parser();
  }

  std::span<char> prepare() {
    if (direct_) {
      return {response_.body.data() + received_, response_.body.size() - received_};
    }
    if (begin_ > 0) {
      std::memmove(block_.data(), block_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    const std::size_t room = header_done_ ? kBodyBlock : kHeaderBlock;
    if (block_.size() < end_ + room) {
      block_.resize_and_overwrite(end_ + room, [](char*, std::size_t length) { return length; });
    }
    return {block_.data() + end_, block_.size() - end_};
  }

  Result<void> commit(std::size_t size) {
    started_ = started_ || size > 0;
    if (direct_) {
      received_ += size;
      response_.wire_bytes += size;
      return received_ == response_.body.size() ? complete() : Result<void>{};
    }
    end_ += size;
    while (begin_ < end_ && !done_ && !direct_) {
      const auto progress = header_done_ ? parse_body() : parse_header();
      if (!progress) {
        return fail(progress.error());
      }
      if (!*progress) {
        break;
      }
    }
    return {};
  }

  Result<void> finish_at_end() {
    if (done_) {
      return {};
    }
    if (!started_) {
      return fail(ErrorCode::kRetryable, "connection closed without an answer");
    }
    if (!header_done_) {
      return fail(ErrorCode::kRetryable, "connection closed in the middle of the header");
    }
    if (direct_) {
      return fail(ErrorCode::kRetryable, "body cut short: " + std::to_string(received_) + " of " +
                                             std::to_string(response_.body.size()) + " bytes arrived");
    }
    error_code error;
    parser_->put_eof(error);
    if (error) {
      return fail(ErrorCode::kRetryable, "body cut short after " + std::to_string(response_.wire_bytes) + " bytes");
    }
    return complete();
  }

  [[nodiscard]] bool started() const { return started_; }
  [[nodiscard]] bool header_done() const { return header_done_; }
  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] bool surplus() const { return begin_ != end_; }
  [[nodiscard]] bool reusable() const { return done_ && keep_alive_ && !surplus(); }
  Response take() { return std::move(response_); }

 private:
  void new_parser() {
    at_start_ = true;
    parser_.emplace(response_, static_cast<BodySink&>(*this));
    // Beast's limit is 32 bits wide and counts what it has not consumed; ours below counts everything.
    parser_->header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(bounds_.max_header_bytes, UINT32_MAX)));
    parser_->skip(method_ == Method::kHead);
  }

  // Both return whether another step may follow at once.
  Result<bool> parse_header() {
    // Beast waits for a whole line; whoever speaks another protocol may never send one.
    static constexpr std::string_view kStart = "HTTP/1.";
    const auto start = std::string_view(block_.data() + begin_, end_ - begin_).substr(0, kStart.size());
    if (at_start_ && !kStart.starts_with(start)) {
      return fail(ErrorCode::kMalformedResponse, "answer is not HTTP/1.1");
    }
    at_start_ = at_start_ && start.size() < kStart.size();
    if (at_start_) {
      return false;
    }
    const std::size_t used = put();
    header_bytes_ += used;
    if (header_bytes_ + (parser_->is_header_done() ? 0 : end_ - begin_) > bounds_.max_header_bytes) {
      return fail(ErrorCode::kMalformedResponse, "header is larger than " + std::to_string(bounds_.max_header_bytes) + " bytes");
    }
    if (error_ == beast::http::error::need_more) {
      return used > 0;
    }
    if (error_) {
      return fail(ErrorCode::kMalformedResponse, "answer is not HTTP: " + error_.message());
    }
    if (!parser_->is_header_done()) {
      return true;
    }
    if (response_.status < 100) {
      return fail(ErrorCode::kMalformedResponse, "answer is not HTTP: status " + std::to_string(response_.status));
    }
    if (response_.status / 100 == 1) {
      if (response_.status == 101 || ++interim_ > kMaxInterim) {
        return fail(ErrorCode::kMalformedResponse,
                    "answer with status " + std::to_string(response_.status) + " was not asked for");
      }
      new_parser();
      return true;
    }
    return begin_body();
  }

  Result<bool> begin_body() {
    header_done_ = true;
    keep_alive_ = parser_->keep_alive();
    if (parser_->is_done()) {
      return finished();
    }
    if (!parser_->chunked() && response_.headers.find("Transfer-Encoding")) {
      return fail(ErrorCode::kMalformedResponse,
                  "Transfer-Encoding " + shown(*response_.headers.find("Transfer-Encoding")) + " is not understood");
    }
    const auto encoding = response_.headers.find("Content-Encoding").value_or("identity");
    const bool gzip = is_token(encoding, "gzip") || is_token(encoding, "x-gzip");
    if (!gzip && !encoding.empty() && !is_token(encoding, "identity")) {
      return fail(ErrorCode::kMalformedResponse, "Content-Encoding " + shown(encoding) + " was not asked for");
    }
    const auto length = parser_->content_length();
    if (length && *length > bounds_.max_body_bytes) {
      return fail(ErrorCode::kOversize, "body of " + std::to_string(*length) + " bytes is larger than the bound of " +
                                            std::to_string(bounds_.max_body_bytes));
    }
    if (gzip) {
      decoder_.emplace(response_.body, bounds_.max_body_bytes);
    } else if (length) {
      return begin_direct(static_cast<std::size_t>(*length));
    }
    parser_->eager(true);
    return true;
  }

  // From here the socket writes into the body itself; what came with the header is moved there.
  Result<bool> begin_direct(std::size_t length) {
    if (response_.body.capacity() < length + kBodyPadding) {
      // Anew and with a little room: growing it would copy nothing of use, and may double what a page takes.
      response_.body = std::string();
      response_.body.reserve(length + length / 16 + kBodyPadding);
    }
    response_.body.resize_and_overwrite(length, [](char*, std::size_t size) { return size; });
    received_ = std::min(length, end_ - begin_);
    response_.wire_bytes = received_;
    std::memcpy(response_.body.data(), block_.data() + begin_, received_);
    begin_ += received_;
    if (received_ == length) {
      return finished();
    }
    direct_ = true;
    return false;
  }

  Result<bool> parse_body() {
    // Before its end a chunked body always has five bytes to come ("0", two line ends); with fewer of an empty one in hand Beast
    // asserts.
    constexpr std::size_t kShortestEnd = 5;
    if (parser_->chunked() && end_ - begin_ < kShortestEnd) {
      return false;
    }
    const std::size_t used = put();
    if (parser_->sink_error()) {
      return fail(*parser_->sink_error());
    }
    if (error_ == beast::http::error::need_more) {
      error_ = {};
      // Chunk extensions and trailers without an end.
      if (end_ - begin_ > bounds_.max_header_bytes) {
        return fail(ErrorCode::kRetryable, "chunked body is damaged: a chunk header without an end");
      }
      return used > 0;
    }
    if (error_) {
      return fail(ErrorCode::kRetryable, "chunked body is damaged: " + error_.message());
    }
    return parser_->is_done() ? finished() : Result<bool>(true);
  }

  std::size_t put() {
    error_ = {};
    const std::size_t used = parser_->put(boost::asio::const_buffer(block_.data() + begin_, end_ - begin_), error_);
    begin_ += used;
    return used;
  }

  Result<void> deliver(std::string_view piece) override {
    response_.wire_bytes += piece.size();
    if (decoder_) {
      return decoder_->write(piece);
    }
    auto& body = response_.body;
    const std::size_t size = body.size() + piece.size();
    if (size > bounds_.max_body_bytes) {
      return fail(ErrorCode::kOversize, "body is larger than the bound of " + std::to_string(bounds_.max_body_bytes) + " bytes");
    }
    if (body.capacity() < size + kBodyPadding) {
      body.reserve(std::max(body.capacity() * 2, size + kBodyPadding));
    }
    body.append(piece);
    return {};
  }

  Result<bool> finished() {
    auto outcome = complete();
    if (!outcome) {
      return fail(std::move(outcome.error()));
    }
    return false;
  }

  Result<void> complete() {
    done_ = true;
    if (decoder_) {
      if (auto finished = decoder_->finish(); !finished) {
        return finished;
      }
    }
    if (response_.body.capacity() - response_.body.size() < kBodyPadding) {
      response_.body.reserve(response_.body.size() + kBodyPadding);
    }
    return {};
  }

  Method method_;
  Bounds bounds_;
  Response response_;
  std::optional<Parser> parser_;  // refers to response_
  std::optional<GzipDecoder> decoder_;
  std::string block_;  // header, and bodies that are decoded: [begin_, end_) is not consumed yet
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t header_bytes_ = 0;
  std::size_t received_ = 0;  // of the body, when direct_
  error_code error_;
  int interim_ = 0;
  bool started_ = false;
  bool at_start_ = true;  // of a status line
  bool header_done_ = false;
  bool keep_alive_ = false;
  bool direct_ = false;
  bool done_ = false;
};

ResponseReader::ResponseReader(Method method, Bounds bounds, std::string storage)
    : impl_(std::make_unique<Impl>(method, bounds, std::move(storage))) {}

ResponseReader::~ResponseReader() = default;

std::span<char> ResponseReader::prepare() {
  return impl_->prepare();
}

Result<void> ResponseReader::commit(std::size_t size) {
  return impl_->commit(size);
}

Result<void> ResponseReader::finish_at_end() {
  return impl_->finish_at_end();
}

bool ResponseReader::started() const {
  return impl_->started();
}

bool ResponseReader::header_done() const {
  return impl_->header_done();
}

bool ResponseReader::done() const {
  return impl_->done();
}

bool ResponseReader::surplus() const {
  return impl_->surplus();
}

bool ResponseReader::reusable() const {
  return impl_->reusable();
}

Response ResponseReader::take() {
  return impl_->take();
}

}  // namespace common::http
