#include "connector/source/membership.h"

#include "connector/source/fingerprint.h"
#include "connector/source/json_pointer.h"
#include "connector/source/keyed_hash.h"
#include "connector/source/published_shape.h"

#include <string>
#include <vector>

namespace connector::source {

using common::json::Array;
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
  // (State that is stored names the hash: nothing is added to what was asked before these could be said.)
  if (!has_body(request) && !user_query.empty()) object["query_in"] = "url";
  if (request.send_body) object["send_body"] = true;
  if (!request.parameters.empty()) {  // not before there were any: state that is stored names the hash
    Object parameters;
    for (const auto& [name, value] : request.parameters) parameters[name] = value;
    object["parameters"] = std::move(parameters);
  }
  return object;
}

Array texts(const std::vector<std::string>& list) {
  Array array;
  for (const std::string& text : list) array.emplace_back(std::string_view(text));
  return array;
}

// A pointer alone as it always was: state that is stored names its hash.
Value to_json(const KeyRule& key) {
  if (const auto* pointer = std::get_if<std::string>(&key)) return Value(std::string_view(*pointer));
  Array array;
  for (const KeyPart& part : std::get<std::vector<KeyPart>>(key)) {
    Object object;
    object[part.optional ? "optional" : "required"] = part.pointer;
    array.push_back(std::move(object));
  }
  return array;
}

// Where the key is hashed, other hashes of it are other keys; those of anything else leave it as it is.
Object hashed(const std::vector<std::string>& pointers, const RedactionOptions& redaction) {
  Object object;
  object["pointers"] = texts(pointers);
  object["by"] = KeyedHash(redaction.key.value()).key_mark();
  return object;
}

Value to_json(const RecordsRule& records) {
  if (const auto* pointer = std::get_if<std::string>(&records)) return Value(std::string_view(*pointer));
  const auto& composite = std::get<CompositeRecords>(records);
  Object object;
  object["each"] = texts(composite.each);
  object["with"] = texts(composite.with);
  object["as"] = composite.as;
  object["list"] = composite.list;
  return object;
}

}  // namespace

std::string membership_fingerprint(const Definition& definition, const StreamOptions& options) {
  Object object;
  object["key"] = to_json(definition.key);
  if (const auto hashes = hashes_of_key(definition, options.redaction); !hashes.empty()) {
    object["hashed"] = hashed(hashes, options.redaction);
  }
  if (definition.query) {
    Object own = options.query;
    // It is never sent, and where buckets begin like UTC's it decides nothing.
    if (definition.time_zone && !options.live.buckets.is_local()) erase_at(own, *definition.time_zone);
    object["query"] = call(definition.query->request, own);
    object["query_records"] = to_json(definition.query->records);
  }
  if (definition.job) {
    object["job"] = call(definition.job->submit, options.query);
    object["job_records"] = to_json(definition.job->records);
  }
  return fingerprint(object);
}

}  // namespace connector::source
