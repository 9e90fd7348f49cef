#include "connector/source/membership.h"

#include "connector/source/fingerprint.h"
#include "connector/source/json_pointer.h"

namespace connector::source {

using common::json::Object;
using common::json::Value;

namespace {

Value call(const RequestTemplate& request, const Object& user_query) {
  Object body = request.body;
  merge_over(body, user_query);
  // The order of rows decides nothing about which they are.
  body.erase("order");
  body.erase("orderBy");
  Object object;
  object["method"] = common::http::to_string(request.method);
  object["path"] = request.path;
  object["body"] = std::move(body);
  return object;
}

}  // namespace

std::string membership_fingerprint(const Definition& definition, const StreamOptions& options) {
  Object object;
  object["key"] = definition.key;
  if (definition.query) {
    object["query"] = call(definition.query->request, options.query);
    object["query_records"] = definition.query->records;
  }
  if (definition.job) {
    object["job"] = call(definition.job->submit, options.query);
    object["job_records"] = definition.job->records;
  }
  return fingerprint(object);
}

}  // namespace connector::source
