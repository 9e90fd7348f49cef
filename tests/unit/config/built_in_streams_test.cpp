// Every built-in definition against the vendor's models (tests/data/swagger): its requests are what the service takes, what the
// service answers is cut into records with keys of their own, and no endpoint of records is forgotten. What the models do not say
// of names for ids and of audits is in reference_streams_test.cpp.

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
#include <charconv>
#include <fstream>
#include <functional>
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

json::Object read_document(const char* file) {
  std::ifstream in(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  auto parsed = json::parse(text);
  EXPECT_TRUE(parsed) << file;
  return parsed.value().as_object();
}

// The operations that are not of the analytics endpoints: a document of its own, by another release of the vendor's SDK.
const json::Object& other_paths() {
  static const json::Object document = read_document(GK_OTHER_SWAGGER);
  return document.at("paths").as_object();
}

std::vector<std::string> member_names(const json::Object& model) {
  std::vector<std::string> found;
  for (const auto& member : model.at("properties").as_object()) {
    found.emplace_back(member.key());
  }
  return found;
}

const json::Object& swagger() {
  static const json::Object both = [] {
    json::Object document = read_document(GK_SWAGGER);
    const json::Object other = read_document(GK_OTHER_SWAGGER);
    for (const char* part : {"paths", "definitions"}) {
      json::Object& all = document.at(part).as_object();
      for (const auto& entry : other.at(part).as_object()) {
        const auto* there = all.if_contains(entry.key());
        if (there == nullptr) {
          all[entry.key()] = entry.value();
          continue;
        }
        EXPECT_STREQ(part, "definitions") << entry.key() << " is in both";
        EXPECT_EQ(member_names(there->as_object()), member_names(entry.value().as_object()))
            << entry.key() << " is not the same model in both";
      }
    }
    return document;
  }();
  return both;
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

// What stands in braces has one name in a definition and another one in the vendor's models.
std::string without_names(std::string path) {
  for (std::size_t open = path.find('{'); open != std::string::npos; open = path.find('{', open + 1)) {
    path.erase(open + 1, path.find('}', open) - open - 1);
  }
  return path;
}

const json::Object* operation(const std::string& path, const std::string& method) {
  static const std::map<std::string, const json::Object*> by_path = [] {
    std::map<std::string, const json::Object*> found;
    for (const auto& entry : swagger().at("paths").as_object()) {
      EXPECT_TRUE(found.emplace(without_names(entry.key()), &entry.value().as_object()).second) << entry.key();
    }
    return found;
  }();
  const auto found = by_path.find(without_names(path));
  const auto* inner = found == by_path.end() ? nullptr : found->second->if_contains(method);
  return inner == nullptr ? nullptr : &inner->as_object();
}

std::string method_of(const source::RequestTemplate& request) {
  switch (request.method) {
    case common::http::Method::kGet:
      return "get";
    case common::http::Method::kPost:
      return "post";
    case common::http::Method::kDelete:
      return "delete";
    default:
      return "unknown";
  }
}

const json::Object* operation(const source::RequestTemplate& request) {
  return operation(request.path, method_of(request));
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

bool fits(const json::Object& parameter, const std::string& value) {
  const json::Value& type = parameter.at("type");
  if (type == "integer" || parameter.contains("maximum")) {
    std::int64_t number = 0;
    const char* end = value.data() + value.size();
    const auto [stopped, error] = std::from_chars(value.data(), end, number);
    const auto* most = parameter.if_contains("maximum");
    return error == std::errc() && stopped == end && (most == nullptr || number <= most->as_int64());
  }
  return type == "boolean" ? value == "true" || value == "false" : type == "string" || type == "array";
}

// What is wrong with the parameters of a URL: unknown, of another type, or missing.
std::vector<std::string> wrong_parameters(const json::Object& operation, const core::ApiRequest& request) {
  std::vector<std::string> wrong;
  std::map<std::string, const json::Object*> known;
  for (const auto& parameter : operation.at("parameters").as_array()) {
    const json::Object& said = parameter.as_object();
    if (said.at("in") != "query") {
      continue;
    }
    const std::string name(said.at("name").as_string());
    known.emplace(name, &said);
    const auto* required = said.if_contains("required");
    if (required != nullptr && *required == true &&
        std::ranges::count(request.query, name, &std::pair<std::string, std::string>::first) == 0) {
      wrong.push_back(name + " is required");
    }
  }
  for (const auto& [name, value] : request.query) {
    const auto found = known.find(name);
    if (found == known.end()) {
      wrong.push_back(name + " is unknown");
    } else if (!fits(*found->second, value)) {
      wrong.push_back(name + " cannot be " + value);
    }
  }
  return wrong;
}

// The schema of what a pointer leads to, through models and lists (`*`, or any index); null where the models know nothing.
const json::Object* schema_at(const json::Object& schema, std::span<const std::string> tokens) {
  if (const std::string name = model_of(schema); !name.empty()) {
    return schema_at(model(name), tokens);
  }
  if (tokens.empty()) {
    return &schema;
  }
  const json::Value* inner = schema.if_contains("items");
  if (inner == nullptr) {
    const auto* properties = schema.if_contains("properties");
    inner = properties == nullptr ? nullptr : properties->as_object().if_contains(tokens.front());
  }
  return inner == nullptr ? nullptr : schema_at(inner->as_object(), tokens.subspan(1));
}

const json::Object* schema_at(const json::Object& schema, const std::string& pointer) {
  return schema_at(schema, source::pointer_tokens(pointer));
}

std::vector<std::string> choices_of(const json::Object& schema) {
  std::vector<std::string> named;
  if (const auto* choices = schema.if_contains("enum")) {
    for (const auto& choice : choices->as_array()) {
      named.emplace_back(choice.as_string());
    }
  }
  return named;
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

// Read once: each case is a process of its own, and none needs them twice.
const std::map<std::string, source::Definition>& definitions() {
  static const std::map<std::string, source::Definition> all = built_in_definitions();
  return all;
}

std::vector<std::string> names() {
  std::vector<std::string> found;
  for (const auto& [name, definition] : definitions()) {
    found.push_back(name);
  }
  return found;
}

bool is_of_analytics(std::string_view path) {
  return path.starts_with("/api/v2/analytics/");
}

// Names for ids: lists that are read whole.
bool is_list(const source::Definition& definition) {
  return is_snapshot(definition) && !is_of_analytics(definition.query->request.path);
}

class BuiltInStream : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(definition.query);
    served = operation(definition.query->request);
    ASSERT_NE(served, nullptr) << definition.query->request.path << " is not in the models";
  }

  const source::Definition definition = definitions().at(GetParam());
  const json::Object* served = nullptr;
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
        EXPECT_TRUE(page.facts[i].start);
        EXPECT_EQ(page.facts[i].end.has_value(), definition.end_pointer.has_value());
      }
    }
    EXPECT_EQ(definition.model.empty(), is_list(definition)) << "of lists nothing is told to be new";
    if (!definition.model.empty()) {
      source::UnknownFields unknown(definition.model);
      for (const auto& record : page.records) {
        unknown.look_at(record.value);
      }
      EXPECT_THAT(unknown.take_found(), IsEmpty()) << "the vendor's own members are no news";
    }
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

// Nothing is known of the others: the vendor's SDK does not name permissions.
void expect_permissions(const std::vector<std::string>& said, const json::Object& operation) {
  const auto* known = operation.if_contains("x-inin-requires-permissions");
  if (known == nullptr) {
    return;
  }
  std::vector<std::string> permissions;
  for (const auto& permission : known->as_object().at("permissions").as_array()) {
    permissions.emplace_back(permission.as_string());
  }
  EXPECT_THAT(said, ElementsAreArray(permissions));
}

TEST_P(BuiltInStream, AsksTheQueryAsTheServiceWantsItAndCutsItsAnswer) {
  const source::QuerySource& query = *definition.query;
  EXPECT_FALSE(served->contains("deprecated"));
  EXPECT_EQ(served->contains("x-inin-requires-permissions"), is_of_analytics(query.request.path));
  expect_permissions(definition.permissions, *served);

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
  EXPECT_THAT(wrong_parameters(*served, request), IsEmpty());
  if (const auto* pages = std::get_if<source::NextUriPages>(&query.pages); pages != nullptr && !pages->parameter.empty()) {
    core::ApiRequest next = request;
    next.query.emplace_back(pages->parameter, "c");
    EXPECT_THAT(wrong_parameters(*served, next), IsEmpty()) << "no next page would be one";
  }

  source::SliceSpec spec = spec_of(query.records);
  const source::PageScalars scalars(query.pages, query.total, "", spec);
  expect_records(answer_model(*served), query.records, spec);
}

using BuiltInStreamWithJobs = BuiltInStream;

TEST_P(BuiltInStreamWithJobs, AsksTheJobAsTheServiceWantsItAndCutsItsAnswer) {
  const source::JobSource& job = *definition.job;
  const auto* submit = operation(job.submit);
  ASSERT_NE(submit, nullptr);
  expect_permissions(definition.permissions, *submit);
  source::RequestBuilder builder(job.submit, least_query(body_model(*submit)));
  builder.window(definition.window, window);
  const core::ApiRequest request = std::move(builder).build({});
  EXPECT_EQ(wrong_by_model(body_model(*submit), json::parse(request.body).value()), "") << request.body;

  Inventor inventor;
  const auto* results = operation(job.results);
  const auto* status = operation(job.status);
  ASSERT_TRUE(results != nullptr && status != nullptr);
  EXPECT_NE(source::find_at(inventor.of_model(answer_model(*submit)), job.id), nullptr);
  const auto* states = schema_at(model(answer_model(*status)), job.state);
  ASSERT_NE(states, nullptr);
  std::vector<std::string> told = choices_of(*states);
  for (const auto& [word, meant] : job.states) {
    EXPECT_THAT(told, Contains(word));
  }
  std::ranges::transform(told, told.begin(), [&](const std::string& word) { return source::state_of_job(job, word); });
  EXPECT_THAT(told, IsSupersetOf({"FULFILLED", "FAILED", "CANCELLED"})) << "else a job that is over is asked for again and again";
  if (job.cancel.path.empty()) {
    EXPECT_EQ(operation(job.status.path, "delete"), nullptr) << "it can be given up";
  } else {
    EXPECT_NE(operation(job.cancel), nullptr);
  }
  if (job.lag) {
    EXPECT_EQ(operation(job.submit.path + "/availability", "get"), nullptr) << "there is a date";
    EXPECT_NE(source::find_at(inventor.of_model(answer_model(*results)), job.page_mark), nullptr);
  } else {
    const auto* availability = operation(job.availability);
    ASSERT_NE(availability, nullptr);
    EXPECT_NE(source::find_at(inventor.of_model(answer_model(*availability)), job.availability_date), nullptr);
  }
  source::RequestBuilder page(job.results);
  source::put_position(page, job.pages, core::AtJob{.job = core::JobId("j"), .cursor = "c", .submitted = {}},
                       source::page_size_of(job.pages, 0));
  EXPECT_THAT(wrong_parameters(*results, std::move(page).build({})), IsEmpty());

  source::SliceSpec spec = spec_of(job.records);
  const source::PageScalars scalars(job, spec);
  expect_records(answer_model(*results), job.records, spec);
}

using BuiltInStreamById = BuiltInStream;

TEST_P(BuiltInStreamById, AsksForRecordsAsTheServiceWantsItAndCutsItsAnswer) {
  const source::ByIdSource& by_id = *definition.by_id;
  const auto* by_ids = operation(by_id.request);
  ASSERT_NE(by_ids, nullptr);
  expect_permissions(definition.permissions, *by_ids);
  source::RequestBuilder builder(by_id.request);
  builder.put(by_id.ids, "a,b");
  const core::ApiRequest request = std::move(builder).build({});
  EXPECT_THAT(wrong_parameters(*by_ids, request), IsEmpty());
  EXPECT_EQ(request.query.size(), 1U);

  source::SliceSpec spec = spec_of(by_id.records);
  expect_records(answer_model(*by_ids), by_id.records, spec);
}

// A pointer that leads nowhere would do nothing, and nobody would notice.
TEST_P(BuiltInStream, PointsIntoRecordsOnlyWhereTheModelHasSomething) {
  const auto* whole = std::get_if<std::string>(&definition.query->records);
  if (whole == nullptr) {
    EXPECT_TRUE(definition.digest_ignore.empty() && definition.job_only.empty()) << "of records that are put together";
    return;
  }
  const auto* record = schema_at(model(answer_model(*served)), *whole + "/*");
  ASSERT_NE(record, nullptr);
  for (const std::string& pointer : definition.digest_ignore) {
    EXPECT_NE(schema_at(*record, pointer), nullptr) << pointer;
  }
  for (const std::string& pointer : definition.job_only) {
    EXPECT_EQ(schema_at(*record, pointer), nullptr) << pointer << " is in the query's form, too";
    const auto* by_job = schema_at(model(answer_model(*operation(definition.job->results))),
                                   std::get<std::string>(definition.job->records) + "/*");
    ASSERT_NE(by_job, nullptr);
    EXPECT_NE(schema_at(*by_job, pointer), nullptr) << pointer;
  }
}

TEST_P(BuiltInStream, SaysOfMembersOnlyWhatTheModelKnows) {
  const std::string takes = body_model(*served);
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
    EXPECT_THAT(rule.allowed.empty() ? rule.known : rule.allowed,
                ::testing::UnorderedElementsAreArray(choices_of(items->as_object())))
        << pointer;
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
  if (is_snapshot(definition) && !is_list(definition)) {
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
  const auto* preview = served->if_contains("x-preview");
  EXPECT_EQ(definition.preview, preview != nullptr && *preview == true);
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::ranges::replace(name, '-', '_');
  return name;
}

std::vector<std::string> names_with(bool (*has)(const source::Definition&)) {
  std::vector<std::string> with = names();
  std::erase_if(with, [has](const std::string& name) { return !has(definitions().at(name)); });
  return with;
}
bool has_job(const source::Definition& definition) {
  return definition.job.has_value();
}
bool is_asked_by_id(const source::Definition& definition) {
  return definition.by_id.has_value();
}

INSTANTIATE_TEST_SUITE_P(All, BuiltInStream, ::testing::ValuesIn(names()), test_name);
INSTANTIATE_TEST_SUITE_P(All, BuiltInStreamWithJobs, ::testing::ValuesIn(names_with(has_job)), test_name);
INSTANTIATE_TEST_SUITE_P(All, BuiltInStreamById, ::testing::ValuesIn(names_with(is_asked_by_id)), test_name);

// Whoever asks for records by POST is streamed by a definition, or stands here.
TEST(BuiltInStreams, LeaveNoEndpointOfRecordsOut) {
  std::set<std::string> streamed;
  for (const auto& [name, definition] : definitions()) {
    if (!definition.query || !is_of_analytics(definition.query->request.path)) {
      continue;  // all there is of these is in the models; of the others only what is streamed
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
    if (!asks || !is_of_analytics(name) || !path.value().as_object().contains("post") || name.contains("/reporting/")) {
      continue;
    }
    if (name.ends_with("/aggregates/jobs")) {
      ++other_forms;  // of what the query of the same figures returns
      EXPECT_THAT(streamed, Contains(name.substr(0, name.size() - std::string("jobs").size()) + "query"));
      continue;
    }
    there.insert(name);
  }

  EXPECT_EQ(streamed, there);
  EXPECT_EQ(there.size() + other_forms, 52U) << "as many as the reference lists";
}

// tests/data/swagger/extract.py lists these operations: it must not lack one, or keep one that nobody asks any more.
TEST(BuiltInStreams, AreAllThatTheOtherModelsAreKeptFor) {
  std::set<std::string> used;
  const auto use = [&](const source::RequestTemplate& request) {
    if (!request.path.empty() && !is_of_analytics(request.path)) {
      used.insert(method_of(request) + " " + without_names(request.path));
    }
  };
  for (const auto& [name, definition] : definitions()) {
    use(definition.query->request);
    if (definition.by_id) {
      use(definition.by_id->request);
    }
    if (definition.job) {
      for (const source::RequestTemplate* request : {&definition.job->submit, &definition.job->status, &definition.job->results,
                                                     &definition.job->cancel, &definition.job->availability}) {
        use(*request);
      }
    }
  }
  std::set<std::string> kept;
  for (const auto& path : other_paths()) {
    for (const auto& method : path.value().as_object()) {
      kept.insert(std::string(method.key()) + " " + without_names(path.key()));
    }
  }

  EXPECT_EQ(kept, used);
}

}  // namespace
}  // namespace config::test
