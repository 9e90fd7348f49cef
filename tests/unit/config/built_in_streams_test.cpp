// Every built-in definition against the vendor's models (tests/data/swagger): its requests are what the service takes, what the
// service answers is cut into records with keys of their own, and no endpoint of records is forgotten.

#include "common/json.h"
#include "config/config.h"
#include "connector/source/json_pointer.h"
#include "connector/source/page_slicer.h"
#include "connector/source/pagination.h"
#include "connector/source/record_reader.h"
#include "connector/source/request_template.h"
#include "connector/source/unknown_fields.h"
#include "connector/source/url_members.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>
#include <vector>

namespace config::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::SizeIs;
namespace core = connector::core;
namespace json = common::json;
namespace source = connector::source;

// --- the models --------------------------------------------------------------------------------------------------------------

const json::Object& swagger() {
  static const json::Value document = [] {
    std::ifstream in(GK_SWAGGER, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    auto parsed = json::parse(text);
    EXPECT_TRUE(parsed) << GK_SWAGGER;
    return parsed.value();
  }();
  return document.as_object();
}

std::string model_of(const json::Object& schema) {
  const auto* reference = schema.if_contains("$ref");
  if (reference == nullptr) {
    const auto* all = schema.if_contains("allOf");
    return all == nullptr ? std::string() : model_of(all->as_array().at(0).as_object());
  }
  return std::string(std::string_view(reference->as_string()).substr(std::string_view("#/definitions/").size()));
}

const json::Object& model(const std::string& name) {
  return swagger().at("definitions").as_object().at(name).as_object();
}

const json::Object* operation(const std::string& path, const std::string& method) {
  const auto* found = swagger().at("paths").as_object().if_contains(path);
  const auto* inner = found == nullptr ? nullptr : found->as_object().if_contains(method);
  return inner == nullptr ? nullptr : &inner->as_object();
}

const json::Object* operation(const source::RequestTemplate& request) {
  return operation(request.path, request.method == common::http::Method::kGet ? "get" : "post");
}

// Empty: it takes none.
std::string body_model(const json::Object& operation) {
  for (const auto& parameter : operation.at("parameters").as_array()) {
    if (parameter.as_object().at("in") == "body") {
      return model_of(parameter.as_object().at("schema").as_object());
    }
  }
  return {};
}

std::string answer_model(const json::Object& operation) {
  const auto& responses = operation.at("responses").as_object();
  const auto* good = responses.if_contains("200");
  return model_of((good != nullptr ? *good : responses.at("202")).as_object().at("schema").as_object());
}

std::set<std::string> parameters_of(const json::Object& operation) {
  std::set<std::string> names;
  for (const auto& parameter : operation.at("parameters").as_array()) {
    if (parameter.as_object().at("in") == "query") {
      names.insert(std::string(parameter.as_object().at("name").as_string()));
    }
  }
  return names;
}

// A model as a schema that takes no member it does not name.
json::Object strict_schema(const std::string& name) {
  json::Object definitions;
  std::vector<std::string> left{name};
  const std::function<void(const json::Value&)> note = [&](const json::Value& value) {
    if (value.is_array()) {
      std::ranges::for_each(value.get_array(), note);
    } else if (value.is_object()) {
      for (const auto& member : value.get_object()) {
        if (member.key() == "$ref" && member.value().is_string()) {
          left.push_back(model_of(value.get_object()));
        }
        note(member.value());
      }
    }
  };
  while (!left.empty()) {
    const std::string next = left.back();
    left.pop_back();
    if (definitions.contains(next)) {
      continue;
    }
    json::Object schema = model(next);
    note(schema);
    if (schema.contains("properties") && !schema.contains("additionalProperties")) {
      schema["additionalProperties"] = false;
    }
    definitions[next] = std::move(schema);
  }
  return {{"$ref", "#/definitions/" + name}, {"definitions", std::move(definitions)}};
}

std::string wrong_by_model(const std::string& name, const json::Value& body) {
  const json::Value schema_text = strict_schema(name);
  valijson::Schema schema;
  valijson::SchemaParser parser(valijson::SchemaParser::kDraft4);
  const valijson::adapters::BoostJsonAdapter schema_adapter(schema_text);
  parser.populateSchema(schema_adapter, schema);
  valijson::Validator validator;
  valijson::ValidationResults results;
  const valijson::adapters::BoostJsonAdapter target(body);
  if (validator.validate(schema, target, &results)) {
    return {};
  }
  std::string said;
  for (valijson::ValidationResults::Error error; results.popError(error);) {
    for (const auto& part : error.context) {
      said += part;
    }
    said += ": " + error.description + "\n";
  }
  return said;
}

// Something that the model allows, with every member there is, and every text and number another.
class Inventor {
 public:
  json::Value of_model(const std::string& name, int depth = 0) { return of_schema(model(name), "", depth); }

  json::Value of_schema(const json::Object& schema, const std::string& name, int depth) {
    if (const std::string inner = model_of(schema); !inner.empty()) {
      return of_model(inner, depth);
    }
    if (const auto* choices = schema.if_contains("enum")) {
      return choices->as_array().at(next_++ % choices->as_array().size());
    }
    const auto* type = schema.if_contains("type");
    const std::string kind = type == nullptr ? "object" : std::string(type->as_string());
    if (kind == "string") {
      const auto* format = schema.if_contains("format");
      return format != nullptr && *format == "date-time" ? json::Value(instant()) : json::Value(text(name));
    }
    if (kind == "integer") {
      return static_cast<std::int64_t>(++next_);
    }
    if (kind == "number") {
      return static_cast<double>(++next_) + 0.5;
    }
    if (kind == "boolean") {
      return flag_ = !flag_;
    }
    if (kind == "array") {
      json::Array list;
      for (int i = 0; i < 2 && depth < kDeepest; ++i) {
        list.push_back(of_schema(schema.at("items").as_object(), name, depth + 1));
      }
      return list;
    }
    json::Object object;
    if (const auto* properties = schema.if_contains("properties"); properties != nullptr && depth < kDeepest) {
      for (const auto& property : properties->as_object()) {
        object[property.key()] = of_schema(property.value().as_object(), std::string(property.key()), depth + 1);
      }
    } else if (schema.contains("additionalProperties")) {
      object["queueId"] = text("queueId");
    }
    return object;
  }

 private:
  static constexpr int kDeepest = 9;

  std::string instant() {
    return common::format_instant(common::parse_instant("2026-05-04T00:00:00Z").value() + std::chrono::seconds{++next_});
  }
  std::string text(const std::string& name) {
    const std::string begin = instant();
    return name == "interval" ? begin + "/" + instant() : name + "-" + std::to_string(++next_);
  }

  std::uint64_t next_ = 0;
  bool flag_ = false;
};

// --- the definitions ---------------------------------------------------------------------------------------------------------

// The models are of the analytics endpoints; the others are in reference_streams_test.cpp.
std::vector<std::string> names() {
  std::vector<std::string> found;
  for (const auto& [name, definition] : built_in_definitions()) {
    if (definition.query->request.path.starts_with("/api/v2/analytics/")) {
      found.push_back(name);
    }
  }
  return found;
}

class BuiltInStream : public ::testing::TestWithParam<std::string> {
 protected:
  const source::Definition definition = built_in_definitions().at(GetParam());
  const common::Interval window = common::parse_interval("2026-05-04T00:00:00Z/2026-05-05T00:00:00Z").value();

  // What a user must say, and no more.
  [[nodiscard]] json::Object least_query(const std::string& body_model) const {
    json::Object query;
    for (const auto& place : source::places_in(definition.query ? definition.query->request.path : std::string())) {
      query[place] = "7e2a/4f";
    }
    if (definition.required_members.empty()) {
      return query;
    }
    Inventor inventor;
    const json::Value whole = inventor.of_model(body_model);
    for (const auto& [pointer, reason] : definition.required_members) {
      const auto* value = source::find_at(whole, pointer);
      EXPECT_NE(value, nullptr) << pointer << " is no member of " << body_model;
      if (value != nullptr) {
        source::set_at(query, pointer, *value);
      }
    }
    return query;
  }
  [[nodiscard]] source::SliceSpec spec_of(const source::RecordsRule& records) const {
    return {.records = records,
            .key = definition.key,
            .start = definition.start_pointer.value_or(""),
            .end = definition.end_pointer.value_or(""),
            .open_while_absent = definition.open_while_absent.value_or(""),
            .wanted = {}};
  }

  // An answer by the model, cut; each record has a key of its own, and is read from a topic as from the answer.
  void expect_records(const std::string& model_name, const source::RecordsRule& records, source::SliceSpec& spec) {
    Inventor inventor;
    std::string body = json::serialize(inventor.of_model(model_name));
    source::PageSlicer slicer;
    source::SlicedPage page;
    const auto sliced = slicer.slice(spec, body, page);
    ASSERT_TRUE(sliced) << model_name << ": " << sliced.error().message;
    EXPECT_THAT(page.dead_letters, IsEmpty()) << (page.dead_letters.empty() ? "" : page.dead_letters.front().detail);
    ASSERT_GE(page.records.size(), 2U) << body;
    std::set<std::string_view> keys;
    source::RecordReader reader(definition, source::StreamOptions{});
    for (std::size_t i = 0; i < page.records.size(); ++i) {
      EXPECT_TRUE(keys.insert(page.records[i].key).second) << page.records[i].key;
      const auto read = reader.read(page.records[i].value);
      ASSERT_TRUE(read) << page.records[i].value;
      if (definition.start_pointer) {
        EXPECT_TRUE(read->start) << page.records[i].value;
        EXPECT_TRUE(page.facts[i].start && page.facts[i].end);
      }
    }
    source::UnknownFields unknown(definition.model);
    for (const auto& record : page.records) {
      unknown.look_at(record.value);
    }
    EXPECT_THAT(unknown.take_found(), IsEmpty()) << "the vendor's own members are no news";
    EXPECT_THAT(definition.model, Not(IsEmpty()));
    if (const auto* composite = std::get_if<source::CompositeRecords>(&records)) {
      EXPECT_EQ(page.records.size(), count_elements(body_of(model_name), *composite));
    }
    for (std::size_t i = 0; i < spec.wanted.size(); ++i) {
      EXPECT_TRUE(page.wanted[i]) << spec.wanted[i] << " is in no answer";
    }
  }

 private:
  static json::Value body_of(const std::string& model_name) {
    Inventor inventor;
    return inventor.of_model(model_name);
  }
  static std::size_t count_elements(const json::Value& value, const source::CompositeRecords& composite) {
    std::size_t count = 0;
    for (const std::string& pointer : composite.each) {
      count += count_at(value, source::pointer_tokens(pointer));
    }
    return count;
  }
  static std::size_t count_at(const json::Value& value, std::span<const std::string> tokens) {
    if (tokens.empty()) {
      return 1;
    }
    std::size_t count = 0;
    if (tokens.front() == "*") {
      for (const auto& element : value.as_array()) {
        count += count_at(element, tokens.subspan(1));
      }
    } else if (const auto* member = value.as_object().if_contains(tokens.front())) {
      count += count_at(*member, tokens.subspan(1));
    }
    return count;
  }
};

std::vector<std::string> permissions_of(const json::Object& operation) {
  std::vector<std::string> permissions;
  for (const auto& permission : operation.at("x-inin-requires-permissions").as_object().at("permissions").as_array()) {
    permissions.emplace_back(permission.as_string());
  }
  return permissions;
}

TEST_P(BuiltInStream, AsksTheQueryAsTheServiceWantsItAndCutsItsAnswer) {
  ASSERT_TRUE(definition.query);
  const source::QuerySource& query = *definition.query;
  const auto* served = operation(query.request);
  ASSERT_NE(served, nullptr) << query.request.path;
  EXPECT_THAT(definition.permissions, ElementsAreArray(permissions_of(*served)));

  source::RequestBuilder builder(query.request, least_query(body_model(*served)));
  builder.window(definition.window, window);
  source::put_position(builder, query.pages, core::AtPage{7}, source::page_size_of(query.pages, 0));
  const core::ApiRequest request = std::move(builder).build({});
  if (const std::string takes = body_model(*served); takes.empty()) {
    EXPECT_EQ(request.body, "");
  } else {
    EXPECT_EQ(wrong_by_model(takes, json::parse(request.body).value()), "") << request.body;
  }
  EXPECT_THAT(request.path, Not(HasSubstr("{")));
  for (const auto& [name, value] : request.query) {
    EXPECT_THAT(parameters_of(*served), Contains(name));
  }

  source::SliceSpec spec = spec_of(query.records);
  const source::PageScalars scalars(query.pages, query.total, "", spec);
  expect_records(answer_model(*served), query.records, spec);
}

using BuiltInStreamWithJobs = BuiltInStream;

TEST_P(BuiltInStreamWithJobs, AsksTheJobAsTheServiceWantsItAndCutsItsAnswer) {
  const source::JobSource& job = *definition.job;
  const auto* submit = operation(job.submit.path, "post");
  ASSERT_NE(submit, nullptr);
  EXPECT_THAT(definition.permissions, ElementsAreArray(permissions_of(*submit)));
  source::RequestBuilder builder(job.submit, least_query(body_model(*submit)));
  builder.window(definition.window, window);
  const core::ApiRequest request = std::move(builder).build({});
  EXPECT_EQ(wrong_by_model(body_model(*submit), json::parse(request.body).value()), "") << request.body;

  const auto path_of = [](std::string path) {
    path.replace(path.find("{job}"), std::string("{job}").size(), "{jobId}");
    return path;
  };
  Inventor inventor;
  const auto* results = operation(path_of(job.results.path), "get");
  const auto* status = operation(path_of(job.status.path), "get");
  const auto* availability = operation(job.availability.path, "get");
  ASSERT_TRUE(results != nullptr && status != nullptr && availability != nullptr);
  EXPECT_NE(operation(path_of(job.cancel.path), "delete"), nullptr);
  EXPECT_NE(source::find_at(inventor.of_model(answer_model(*submit)), job.id), nullptr);
  EXPECT_NE(source::find_at(inventor.of_model(answer_model(*status)), job.state), nullptr);
  EXPECT_NE(source::find_at(inventor.of_model(answer_model(*availability)), job.availability_date), nullptr);
  source::RequestBuilder page(job.results);
  source::put_position(page, job.pages, core::AtJob{.job = core::JobId("j"), .cursor = "c", .submitted = {}}, 100);
  const core::ApiRequest page_request = std::move(page).build({});
  for (const auto& [name, value] : page_request.query) {
    EXPECT_THAT(parameters_of(*results), Contains(name));
  }

  source::SliceSpec spec = spec_of(job.records);
  const source::PageScalars scalars(job.pages, std::nullopt, job.availability_date, spec);
  expect_records(answer_model(*results), job.records, spec);
}

TEST_P(BuiltInStream, SaysOfMembersOnlyWhatTheModelKnows) {
  ASSERT_TRUE(definition.query);
  const std::string takes = body_model(*operation(definition.query->request));
  if (takes.empty()) {
    EXPECT_TRUE(definition.refused_members.empty() && definition.list_rules.empty());
    return;
  }
  const auto& properties = model(takes).at("properties").as_object();
  for (const auto& [member, reason] : definition.refused_members) {
    const bool of_the_job =
        definition.job &&
        model(body_model(*operation(definition.job->submit.path, "post"))).at("properties").as_object().contains(member);
    EXPECT_TRUE(properties.contains(member) || of_the_job) << member;
  }
  for (const auto& [pointer, rule] : definition.list_rules) {
    const std::string member = source::pointer_tokens(pointer).front();
    ASSERT_TRUE(properties.contains(member)) << pointer;
    const auto* items = properties.at(member).as_object().if_contains("items");
    const auto* choices = items == nullptr ? nullptr : items->as_object().if_contains("enum");
    if (choices == nullptr) {
      EXPECT_TRUE(rule.known.empty() && rule.allowed.empty()) << pointer << ": the model names none";
      continue;
    }
    std::vector<std::string> named;
    for (const auto& choice : choices->as_array()) {
      named.emplace_back(choice.as_string());
    }
    EXPECT_THAT(rule.allowed.empty() ? rule.known : rule.allowed, ::testing::UnorderedElementsAreArray(named)) << pointer;
  }
}

TEST_P(BuiltInStream, ShortensItsWindowsToWhatTheServiceAnswers) {
  const std::string& path = definition.query->request.path;
  if (path.ends_with("/details/query")) {
    EXPECT_EQ(definition.max_window, std::chrono::days{7}) << "without a filter; 31 days with one";
    EXPECT_EQ(source::page_size_of(definition.query->pages, 0), 100);
  }
  if (path.ends_with("/aggregates/query")) {
    EXPECT_EQ(definition.bucket, "/granularity") << "without it a bucket is the whole interval, whatever that is";
    EXPECT_EQ(definition.list_rules.at("/views").max_items, 10U);
    EXPECT_EQ(definition.time_zone, "/timeZone") << "without it nobody would look whether windows are of its buckets";
    const auto& properties = model(body_model(*operation(path, "post"))).at("properties").as_object();
    EXPECT_TRUE(properties.contains("timeZone"));
    for (const char* member : {"queryType", "sortMetric", "limit"}) {
      EXPECT_EQ(definition.refused_members.contains(member), properties.contains(member)) << member;
    }
  }
  if (path == "/api/v2/analytics/users/aggregates/query") {
    EXPECT_EQ(definition.list_rules.at("/filter/predicates").max_items, 100U);
  }
  if (is_snapshot(definition)) {
    EXPECT_TRUE(path.ends_with("/observations/query") || path.contains("/agents/status/") || path.ends_with("/metrics/query") ||
                path.ends_with("/activity/query"));
  }
  if (path.ends_with("/activity/query")) {
    EXPECT_EQ(std::get<source::PageNumberPages>(definition.query->pages).end, source::PagesEnd::kNothingNew)
        << "the answer has neither a total nor a count of pages";
  }
  if (path.contains("/botflows/")) {
    EXPECT_EQ(source::page_size_of(definition.query->pages, 0), 250);
  }
}

TEST_P(BuiltInStream, SaysIfTheVendorMayChangeItAtAnyTime) {
  const auto* served = operation(definition.query->request);
  const auto* preview = served->if_contains("x-preview");
  EXPECT_EQ(definition.preview, preview != nullptr && *preview == true);
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::ranges::replace(name, '-', '_');
  return name;
}

std::vector<std::string> names_with_jobs() {
  std::vector<std::string> with = names();
  std::erase_if(with, [](const std::string& name) { return !built_in_definitions().at(name).job; });
  return with;
}

INSTANTIATE_TEST_SUITE_P(All, BuiltInStream, ::testing::ValuesIn(names()), test_name);
INSTANTIATE_TEST_SUITE_P(All, BuiltInStreamWithJobs, ::testing::ValuesIn(names_with_jobs()), test_name);

// Whoever asks for records by POST is streamed by a definition, or stands here.
TEST(BuiltInStreams, LeaveNoEndpointOfRecordsOut) {
  std::set<std::string> streamed;
  for (const auto& [name, definition] : built_in_definitions()) {
    if (!definition.query || !definition.query->request.path.starts_with("/api/v2/analytics/")) {
      continue;  // the models are of these
    }
    if (definition.query->request.method == common::http::Method::kPost) {
      streamed.insert(definition.query->request.path);
    }
    if (definition.job) {
      streamed.insert(definition.job->submit.path);
    }
  }
  std::set<std::string> there;
  std::size_t other_forms = 0;
  for (const auto& path : swagger().at("paths").as_object()) {
    const std::string name(path.key());
    const bool asks = name.ends_with("/query") || name.ends_with("/jobs") || name.ends_with("/status/counts");
    if (!asks || !path.value().as_object().contains("post") || name.contains("/reporting/")) {
      continue;
    }
    if (name.ends_with("/aggregates/jobs")) {
      ++other_forms;  // of what the query of the same figures returns; preview
      EXPECT_THAT(streamed, Contains(name.substr(0, name.size() - std::string("jobs").size()) + "query"));
      continue;
    }
    there.insert(name);
  }

  EXPECT_EQ(streamed, there);
  EXPECT_EQ(there.size() + other_forms, 52U) << "as many as the reference lists";
}

}  // namespace
}  // namespace config::test
