#include "connector/genesys/token_store.h"

#include "common/json.h"

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace connector::genesys {
namespace {

using common::ErrorCode;
using common::fail;

constexpr std::int64_t kVersion = 1;
constexpr std::size_t kMostBytes = 64UL << 10U;

class FileDescriptor {
 public:
  explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
  ~FileDescriptor() { close(); }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  [[nodiscard]] int get() const { return descriptor_; }
  [[nodiscard]] bool ok() const { return descriptor_ >= 0; }
  int close() { return descriptor_ < 0 ? 0 : ::close(std::exchange(descriptor_, -1)); }

 private:
  int descriptor_;
};

std::unexpected<common::Error> failed(const std::filesystem::path& path, std::string_view what, int error = errno) {
  return fail(ErrorCode::kStateRefused, "token store " + path.string() + ": " + std::string(what) + ": " +
                                            std::error_code(error, std::generic_category()).message());
}

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

common::Result<std::optional<common::Secret>> TokenStore::load() const {
  const FileDescriptor file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.ok()) {
    if (errno == ENOENT) {
      return std::nullopt;
    }
    return failed(path_, "cannot be opened");
  }
  std::string text(kMostBytes, '\0');
  std::size_t length = 0;
  for (ssize_t got = 1; got > 0 && length < text.size();) {
    got = ::read(file.get(), text.data() + length, text.size() - length);
    if (got < 0 && errno == EINTR) {
      got = 1;
    } else if (got < 0) {
      return failed(path_, "cannot be read");
    } else {
      length += static_cast<std::size_t>(got);
    }
  }
  text.resize(length);
  const auto json = common::json::parse(text);
  const auto version = json ? common::json::find_int(*json, "v") : std::nullopt;
  auto token = json ? common::json::find_string(*json, "refresh_token") : std::nullopt;
  if (version && *version > kVersion) {
    return fail(ErrorCode::kStateRefused, "token store " + path_.string() + " was written by a newer version (format " +
                                              std::to_string(*version) + ", known is " + std::to_string(kVersion) +
                                              "): run that version, or remove the file and configure a fresh refresh token");
  }
  if (!version || !token || token->empty()) {
    return fail(ErrorCode::kStateRefused,
                "token store " + path_.string() + " is damaged: remove the file and configure a fresh refresh token");
  }
  return common::Secret(*std::move(token));
}

common::Result<void> TokenStore::save(const common::Secret& refresh_token) const {
  const std::string text =
      common::json::serialize(common::json::Object{{"v", kVersion}, {"refresh_token", refresh_token.reveal()}}) + "\n";
  const std::filesystem::path directory = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
  std::string name = (directory / ("." + path_.filename().string() + ".XXXXXX")).string();
  FileDescriptor file(::mkostemp(name.data(), O_CLOEXEC));  // mode 0600
  if (!file.ok()) {
    return failed(path_, "no file can be made beside it");
  }
  const auto give_up = [&](std::string_view what) {
    const int error = errno;
    ::unlink(name.c_str());
    return failed(path_, what, error);
  };
  if (!write_all(file.get(), text) || ::fsync(file.get()) != 0 || file.close() != 0) {
    return give_up("cannot be written");
  }
  if (::rename(name.c_str(), path_.c_str()) != 0) {
    return give_up("cannot be replaced");
  }
  // The rename itself is durable only once the directory is.
  const FileDescriptor folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.ok() || ::fsync(folder.get()) != 0) {
    return failed(path_, "its directory cannot be synced");
  }
  return {};
}

}  // namespace connector::genesys
