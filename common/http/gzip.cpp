#include "common/http/gzip.h"

#include "common/http/message.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>

namespace common::http {

struct GzipDecoder::Stream : z_stream {};

namespace {

constexpr int kGzipOnly = 15 + 16;  // largest window; gzip framing, not zlib's
constexpr std::size_t kFirstGrowth = 256UL << 10U;

}  // namespace

GzipDecoder::GzipDecoder(std::string& output, std::size_t max_bytes)
    : stream_(std::make_unique<Stream>()), output_(output), max_bytes_(max_bytes), written_(output.size()) {
  if (inflateInit2(stream_.get(), kGzipOnly) != Z_OK) {
    throw std::bad_alloc();  // the only way it fails with these arguments
  }
}

GzipDecoder::~GzipDecoder() {
  inflateEnd(stream_.get());
}

// Opens room behind what was written, without filling it first: inflate does.
void GzipDecoder::grow() {
  // What the caller's storage already holds is used before anything is allocated.
  const std::size_t spare = output_.capacity() > kBodyPadding ? output_.capacity() - kBodyPadding : 0;
  const std::size_t wanted = spare > written_ ? spare : std::max(kFirstGrowth, written_ * 2);
  // One byte above the bound is enough to see that it is passed.
  const std::size_t size = std::min(wanted, max_bytes_ + 1);
  output_.reserve(size + kBodyPadding);
  output_.resize_and_overwrite(size, [](char*, std::size_t length) { return length; });
}

Result<void> GzipDecoder::write(std::string_view compressed) {
  stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));  // zlib does not write through it
  std::size_t unread = compressed.size();
  stream_->avail_in = 0;
  for (;;) {
    if (stream_->avail_in == 0) {
      const auto step = static_cast<uInt>(std::min<std::size_t>(unread, std::numeric_limits<uInt>::max()));
      stream_->avail_in = step;
      unread -= step;
    }
    const bool input_left = stream_->avail_in > 0;
    if (!member_open_) {
      if (!input_left) {
        return {};
      }
      if (stream_->total_in > 0 && inflateReset(stream_.get()) != Z_OK) {
        return fail(ErrorCode::kInternal, "inflateReset failed");
      }
      member_open_ = true;  // a gzip body may have several members, one behind the other
    }
    if (written_ == output_.size()) {
      grow();
    }
    const auto room = static_cast<uInt>(std::min<std::size_t>(output_.size() - written_, std::numeric_limits<uInt>::max()));
    stream_->next_out = reinterpret_cast<Bytef*>(output_.data() + written_);
    stream_->avail_out = room;
    const int outcome = inflate(stream_.get(), Z_NO_FLUSH);
    written_ += room - stream_->avail_out;
    if (written_ > max_bytes_) {
      return fail(ErrorCode::kOversize, "decompressed body is larger than " + std::to_string(max_bytes_) + " bytes");
    }
    if (outcome == Z_STREAM_END) {
      member_open_ = false;
    } else if (outcome == Z_BUF_ERROR) {
      return {};  // everything that could be written was: more input is needed
    } else if (outcome != Z_OK) {
      const std::string why = stream_->msg != nullptr ? stream_->msg : "error " + std::to_string(outcome);
      return fail(ErrorCode::kMalformedResponse, "body is not the gzip it claims to be: " + why);
    }
  }
}

Result<void> GzipDecoder::finish() {
  output_.resize(written_);
  if (member_open_) {
    return fail(ErrorCode::kMalformedResponse, "gzip body ends in the middle");
  }
  return {};
}

}  // namespace common::http
