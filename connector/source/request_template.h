#pragma once

// Makes a call out of a definition's template: fixed members, over them the user's filters, over them window and page. In a
// request without a body the filters are parameters of the URL. Pure.

#include "connector/core/names.h"
#include "connector/core/ports/api.h"
#include "connector/source/definition.h"

#include <cstdint>
#include <optional>
#include <string>

namespace connector::source {

class RequestBuilder {
 public:
  // `user_query`: its members go to the places of the path that have their names; the others into the body, or where the request
  // has none, into the URL: a list as one parameter for each item.
  RequestBuilder(const RequestTemplate& request, const common::json::Object& user_query);
  // A call that the user's filters do not belong to (status, results, availability).
  explicit RequestBuilder(const RequestTemplate& request);

  // Of a snapshot: nothing.
  RequestBuilder& window(const WindowPlaces& places, const common::Interval& window);
  RequestBuilder& put(const Place& place, std::string value);
  RequestBuilder& put(const Place& place, std::int64_t value);
  RequestBuilder& job(const core::JobId& job);  // {job} in the path
  // An absolute URL instead of the template's path and query: the next page as the service names it.
  RequestBuilder& follow(std::string url);
  // Rows newest first, where the body says in which order they come (`order: asc`).
  RequestBuilder& newest_first();

  [[nodiscard]] core::ApiRequest build(core::SourcePartition source) &&;

 private:
  core::ApiRequest request_;
  bool has_body_;
  common::json::Object body_;
};

}  // namespace connector::source
