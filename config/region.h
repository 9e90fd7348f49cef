#pragma once

// The service's regions: AWS name → domain (docs/genesys-api.md, "Hosts"). Values only.

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace config {

struct Region {
  std::string_view name;    // as AWS names it
  std::string_view place;   // for people
  std::string_view domain;  // https://api.<domain>, https://login.<domain>

  [[nodiscard]] std::string api_url() const { return "https://api." + std::string(domain); }
  [[nodiscard]] std::string login_url() const { return "https://login." + std::string(domain); }
};

std::span<const Region> regions();
// By AWS name or by domain.
std::optional<Region> find_region(std::string_view name_or_domain);

}  // namespace config
