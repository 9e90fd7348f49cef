#pragma once

// Values that must never be printed (G10). A Secret formats as `***` everywhere; `reveal()` is called only where the value goes
// on the wire. A SecretSource knows where the value comes from, so that a rotated file is read again. Not for hashing or
// comparing in logs.

#include "common/result.h"

#include <chrono>
#include <filesystem>
#include <optional>
#include <ostream>
#include <string>

namespace common {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  [[nodiscard]] const std::string& reveal() const { return value_; }
  [[nodiscard]] bool empty() const { return value_.empty(); }
  friend bool operator==(const Secret&, const Secret&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Secret&) { return out << "***"; }

 private:
  std::string value_;
};

// Where a secret came from: given in place (or by environment), or a file that may be replaced while we run.
class SecretSource {
 public:
  SecretSource() = default;
  static SecretSource of_value(Secret value);
  static SecretSource of_file(std::filesystem::path path, Secret first_value);

  [[nodiscard]] const Secret& value() const { return value_; }
  [[nodiscard]] const std::optional<std::filesystem::path>& file() const { return file_; }
  // Reads the file again (one trailing newline is not part of the value); returns true if the value changed. A value in place
  // never changes. A file that cannot be read or is empty keeps the old value and says so (kConfigInvalid).
  Result<bool> refresh();

 private:
  Secret value_;
  std::optional<std::filesystem::path> file_;
};

}  // namespace common
