#include "connector/genesys/access_check.h"

#include "connector/genesys/oauth.h"

#include <utility>

namespace connector::genesys {
namespace {

using common::ErrorCode;

CheckItem failed(std::string subject, const common::Error& error, std::string_view remedy = "") {
  std::string detail = error.message;
  if (!remedy.empty()) {
    detail += "; " + std::string(remedy);
  }
  return {.status = CheckStatus::kFailed, .subject = std::move(subject), .detail = std::move(detail), .code = error.code};
}

CheckItem proven(std::string subject, std::string detail) {
  return {.status = CheckStatus::kProven, .subject = std::move(subject), .detail = std::move(detail), .code = {}};
}

CheckItem not_provable(std::string subject, std::string detail) {
  return {.status = CheckStatus::kNotProvable, .subject = std::move(subject), .detail = std::move(detail), .code = {}};
}

std::string join(const std::vector<std::string>& parts) {
  std::string joined;
  for (const std::string& part : parts) {
    joined += (joined.empty() ? "" : " or ") + part;
  }
  return joined;
}

// Whatever is asked next would fail the same way.
bool ends_all(ErrorCode code) {
  return code == ErrorCode::kCredentialsInvalid || code == ErrorCode::kConfigInvalid || code == ErrorCode::kUnauthorized ||
         code == ErrorCode::kRetryable || code == ErrorCode::kStateRefused || code == ErrorCode::kCancelled;
}

void add_token_info(std::vector<CheckItem>& items, const TokenInfo& info) {
  const std::string client = "client " + (info.client_name.empty() ? info.client_id : "'" + info.client_name + "'");
  if (!info.client_state.empty() && info.client_state != "active") {
    items.push_back({.status = CheckStatus::kFailed,
                     .subject = "client",
                     .detail = client + " is " + info.client_state + ": activate it",
                     .code = ErrorCode::kCredentialsInvalid});
    return;
  }
  std::string detail = client + (info.grant_type.empty() ? "" : ", grant " + info.grant_type);
  if (!info.date_to_delete.empty()) {
    detail += ", will be deleted at " + info.date_to_delete + ": make another one before";
  }
  items.push_back(proven("client", std::move(detail)));
}

}  // namespace

boost::asio::awaitable<std::vector<CheckItem>> check_access(GenesysApi& api, std::vector<StreamProbe> probes) {
  std::vector<CheckItem> items;

  const auto organization = co_await api.organization();
  if (!organization && ends_all(organization.error().code)) {
    items.push_back(failed("token", organization.error()));
    co_return items;
  }
  items.push_back(proven("token", "client id " + api.options().client_id + " is accepted by " + token_url(api.options())));
  items.push_back(organization ? proven("organisation", organization->name + " (" + organization->id + ")")
                               : failed("organisation", organization.error()));

  const bool tells_of_itself = api.options().organization_id.empty();
  if (tells_of_itself) {
    const auto info = co_await api.token_info();
    if (info) {
      add_token_info(items, *info);
    } else {
      // Only informative: a service that does not offer it can still be read.
      items.push_back(not_provable("client", "its state and grant cannot be read: " + info.error().message));
    }
  }

  for (StreamProbe& probe : probes) {
    const std::string subject = "stream " + probe.stream.str();
    const std::string needed = join(probe.permissions);
    const auto answer = co_await api.send(std::move(probe.request));
    if (answer) {
      items.push_back(proven(subject, "may be read" + (needed.empty() ? std::string() : " (" + needed + ")")));
      continue;
    }
    const bool permission = answer.error().code == ErrorCode::kPermissionDenied && !needed.empty();
    items.push_back(failed(subject, answer.error(), permission ? "needed is " + needed : std::string()));
    if (ends_all(answer.error().code)) {
      co_return items;
    }
  }

  if (!tells_of_itself) {
    co_return items;
  }
  items.push_back(
      not_provable("divisions",
                   "the service leaves out records of divisions that the client's roles do not cover, without saying so: "
                   "compare the roles' divisions with the organisation's"));
  co_return items;
}

}  // namespace connector::genesys
