#pragma once

// The one thing kept on local disk: a refresh token that the service replaced. Written to a new file (mode 0600), synced and
// renamed over the old one, so that a crash leaves one of the two whole. Blocking, a few hundred bytes, once per renewal.

#include "common/result.h"
#include "common/secret.h"

#include <filesystem>
#include <optional>

namespace connector::genesys {

class TokenStore {
 public:
  explicit TokenStore(std::filesystem::path path) : path_(std::move(path)) {}

  // Nothing if there is no file yet. kStateRefused if it cannot be read or understood, or is newer than known.
  [[nodiscard]] common::Result<std::optional<common::Secret>> load() const;
  // kStateRefused says what could not be done; the old file is then still there.
  [[nodiscard]] common::Result<void> save(const common::Secret& refresh_token) const;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace connector::genesys
