#include "config/region.h"

#include <algorithm>
#include <array>

namespace config {

namespace {

constexpr std::array kRegions = std::to_array<Region>({
    {"us-east-1", "US East (Virginia)", "mypurecloud.com"},
    {"us-east-2", "US East 2 (Ohio) FedRAMP", "use2.us-gov-pure.cloud"},
    {"us-west-2", "US West (Oregon)", "usw2.pure.cloud"},
    {"ca-central-1", "Canada (Central)", "cac1.pure.cloud"},
    {"sa-east-1", "South America (Sao Paulo)", "sae1.pure.cloud"},
    {"mx-central-1", "Mexico (Central)", "mxc1.pure.cloud"},
    {"eu-west-1", "EMEA (Ireland)", "mypurecloud.ie"},
    {"eu-west-2", "EMEA (London)", "euw2.pure.cloud"},
    {"eu-central-1", "EMEA (Frankfurt)", "mypurecloud.de"},
    {"eu-central-2", "EMEA (Zurich)", "euc2.pure.cloud"},
    {"me-central-1", "Middle East (UAE)", "mec1.pure.cloud"},
    {"ap-south-1", "Asia Pacific (Mumbai)", "aps1.pure.cloud"},
    {"ap-southeast-1", "Asia Pacific (Singapore)", "apse1.pure.cloud"},
    {"ap-southeast-2", "Asia Pacific (Sydney)", "mypurecloud.com.au"},
    {"ap-northeast-1", "Asia Pacific (Tokyo)", "mypurecloud.jp"},
    {"ap-northeast-2", "Asia Pacific (Seoul)", "apne2.pure.cloud"},
    {"ap-northeast-3", "Asia Pacific (Osaka)", "apne3.pure.cloud"},
});

}  // namespace

std::span<const Region> regions() {
  return kRegions;
}

std::optional<Region> find_region(std::string_view name_or_domain) {
  const auto found = std::ranges::find_if(
      kRegions, [&](const Region& region) { return region.name == name_or_domain || region.domain == name_or_domain; });
  return found == kRegions.end() ? std::nullopt : std::optional<Region>(*found);
}

}  // namespace config
