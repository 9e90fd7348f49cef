#include "common/secret.h"

#include <cerrno>
#include <fstream>
#include <system_error>

namespace common {
namespace {

// Far above any key or password, far below what would hurt: a wrong path (a device, a log) must not fill the memory.
constexpr std::size_t kMaxSecretBytes = 64UL << 10U;

Result<std::string> read_secret(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const std::error_code reason(errno, std::generic_category());
    return fail(ErrorCode::kConfigInvalid, "secret file " + path.string() + " cannot be opened: " + reason.message());
  }
  std::string text(kMaxSecretBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (file.fail() && !file.eof())) {
    return fail(ErrorCode::kConfigInvalid, "secret file " + path.string() + " cannot be read");
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMaxSecretBytes) {
    return fail(ErrorCode::kConfigInvalid, "secret file " + path.string() + " is larger than 64 KiB: is this the right file?");
  }
  if (text.ends_with('\n')) {
    text.pop_back();
    if (text.ends_with('\r')) {
      text.pop_back();
    }
  }
  if (text.empty()) {
    return fail(ErrorCode::kConfigInvalid, "secret file " + path.string() + " is empty");
  }
  return text;
}

}  // namespace

SecretSource SecretSource::of_value(Secret value) {
  SecretSource source;
  source.value_ = std::move(value);
  return source;
}

SecretSource SecretSource::of_file(std::filesystem::path path, Secret first_value) {
  SecretSource source;
  source.file_ = std::move(path);
  source.value_ = std::move(first_value);
  return source;
}

Result<bool> SecretSource::refresh() {
  if (!file_) {
    return false;
  }
  auto text = read_secret(*file_);
  if (!text) {
    return fail(std::move(text.error()));
  }
  Secret value(std::move(*text));
  if (value == value_) {
    return false;
  }
  value_ = std::move(value);
  return true;
}

}  // namespace common
