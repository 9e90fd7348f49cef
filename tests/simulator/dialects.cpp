#include "tests/simulator/dialects.h"

#include "tests/simulator/chance.h"
#include "tests/simulator/filter.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <utility>
#include <vector>

namespace tests::simulator {

namespace {

using common::json::Array;
using common::json::Object;
using common::json::Value;

constexpr std::string_view kQueryPath = "/api/v2/analytics/conversations/details/query";

enum class Range : std::uint8_t { kDateFromTo, kTimeRange, kInterval };
enum class Id : std::uint8_t { kConversationId, kInteractionId, kId };
enum class Paging : std::uint8_t { kToken, kNumber };
enum class Login : std::uint8_t { kBasic, kForm, kRefreshToken };
enum class In : std::uint8_t { kBody, kQuery };

struct Named {
  In in = In::kBody;
  std::string_view name = {};
};

// The shape of one of the members that say what is wanted, and of nothing that says where or when.
enum class Extra : std::uint8_t { kTexts, kText, kSort, kPredicates, kClauses };
struct ExtraMember {
  std::string_view name = {};
  Extra extra = Extra::kTexts;
};

}  // namespace

struct Dialect {
  std::string_view name = {};
  Login login = Login::kBasic;
  bool by_get_too = false;  // one listing asks by GET, with a body
  Range range = Range::kDateFromTo;
  Paging paging = Paging::kToken;
  Named size = {};
  std::uint32_t max_size = 0;
  Named token_in = {};                 // kToken
  std::string_view token_out = {};     // member of the answer
  std::string_view token_header = {};  // goes before the member
  bool null_at_the_end = false;        // else the member is absent there
  std::string_view records = {};
  bool with_total = false;
  Id id = Id::kConversationId;
  bool is_flat = false;  // six fields, of which `select` chooses
  std::array<ExtraMember, 4> extras = {};
};

namespace {

constexpr std::array kDialects{
    Dialect{.name = "000",
            .size = {In::kBody, "size"},
            .max_size = 1'000,
            .token_in = {In::kBody, "nextPageToken"},
            .token_out = "nextPageToken",
            .records = "items",
            .is_flat = true,
            .extras = {{{"filter", Extra::kPredicates}, {"select", Extra::kTexts}}}},
    Dialect{
        .name = "001",
        .login = Login::kRefreshToken,
        .by_get_too = true,
        .size = {In::kQuery, "pageSize"},
        .max_size = 2'000,
        .token_in = {In::kBody, "after"},
        .token_out = "nextPage",
        .null_at_the_end = true,
        .records = "records",
        .with_total = true,
        .id = Id::kInteractionId,
        .extras = {{{"viewId", Extra::kText}, {"filter", Extra::kClauses}, {"sort", Extra::kSort}, {"groupBy", Extra::kTexts}}}},
    Dialect{.name = "002",
            .range = Range::kTimeRange,
            .size = {In::kBody, "size"},
            .max_size = 200,
            .token_in = {In::kBody, "nextPageToken"},
            .token_out = "nextPageToken",
            .records = "entities",
            .with_total = true,
            .id = Id::kId,
            .extras = {{{"view", Extra::kText}}}},
    Dialect{.name = "003",
            .size = {In::kBody, "pageSize"},
            .max_size = 200,
            .token_in = {In::kQuery, "pageToken"},
            .token_out = "nextPage",
            .token_header = "X-Genesys-Next-Page",
            .records = "entities",
            .id = Id::kId,
            .extras = {{{"metrics", Extra::kTexts}, {"groupings", Extra::kTexts}}}},
    Dialect{.name = "004",
            .login = Login::kForm,
            .range = Range::kInterval,
            .paging = Paging::kNumber,
            .max_size = 1'000,
            .records = "data",
            .is_flat = true,
            .extras = {{{"groupBy", Extra::kTexts}, {"filters", Extra::kPredicates}, {"select", Extra::kTexts}}}},
};

constexpr std::array<std::string_view, 6> kFields{"conversationId", "duration",  "endTime",
                                                  "mediaType",      "startTime", "wrapUpCode"};

void append_flat(std::string& out, const World& world, const Conversation& conversation, Instant now,
                 std::span<const std::string_view> fields) {
  const auto wants = [&](std::string_view field) { return std::ranges::find(fields, field) != fields.end(); };
  const auto end = conversation.end_at(now);
  JsonText json(out);
  json.open('{');
  if (wants("conversationId")) {
    json.key("conversationId").plain(world.id_of(conversation.index));
  }
  if (wants("duration") && end) {
    json.key("duration").number(std::int64_t{std::chrono::floor<std::chrono::seconds>(*end - conversation.start).count()});
  }
  if (wants("endTime") && end) {
    json.key("endTime").instant(*end);
  }
  if (wants("mediaType")) {
    json.key("mediaType").plain(to_string(conversation.media));
  }
  if (wants("startTime")) {
    json.key("startTime").instant(conversation.start);
  }
  if (wants("wrapUpCode") && end) {
    json.key("wrapUpCode").plain(world.wrap_up_code(conversation.bits));
  }
  json.close('}');
}

// The real record with its id under the dialect's name: members are in alphabetical order with arrays last, so that the first
// one spelled so is the record's own.
void append_renamed(std::string& out, const World& world, const Conversation& conversation, Instant now, Id id) {
  std::string record;
  append_record(record, world, conversation, now, Form::kQuery);
  const std::string value = "\"" + world.id_of(conversation.index) + "\"";
  const std::string own = "\"conversationId\":" + value;
  const std::string theirs = id == Id::kId ? "\"id\":" + value : "\"interaction\":{\"id\":" + value + "}";
  record.replace(record.find(own), own.size(), theirs);
  JsonText(out).raw(record);
}

// --- the question -------------------------------------------------------------------------------------------------------------

struct Question {
  Interval interval;
  Filter filter;
  std::vector<std::string_view> fields{kFields.begin(), kFields.end()};
  std::uint64_t size = 0;
  std::uint64_t number = 1;  // kNumber
  std::string token;         // kToken; empty: the first page
};

Outcome<Instant> read_instant(const Object& object, std::string_view name) {
  const Value* value = object.if_contains(name);
  if (value != nullptr && value->is_string()) {
    if (const auto instant = common::parse_instant(std::string_view(value->get_string()))) {
      return *instant;
    }
  }
  return bad_request("[" + std::string(name) + "] must be an instant.");
}

Outcome<Interval> read_range(const Object& body, Range range) {
  if (range == Range::kInterval) {
    return read_interval(body);
  }
  const Object* from_to = &body;
  if (range == Range::kTimeRange) {
    const Value* value = body.if_contains("timeRange");
    if (value == nullptr || !value->is_object() || value->get_object().size() != 2) {
      return bad_request("[timeRange] must be {from, to}.");
    }
    from_to = &value->get_object();
  }
  auto from = read_instant(*from_to, range == Range::kTimeRange ? "from" : "dateFrom");
  auto to = read_instant(*from_to, range == Range::kTimeRange ? "to" : "dateTo");
  if (!from || !to) {
    return std::unexpected(from ? to.error() : from.error());
  }
  if (*from >= *to) {
    return bad_request("The time range is empty.");
  }
  return Interval{.start = *from, .end = *to};
}

std::optional<std::uint64_t> to_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [stopped, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && stopped == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

std::optional<std::uint64_t> to_number(const Value* value) {
  const bool good = value != nullptr && value->is_int64() && value->get_int64() >= 0;
  return good ? std::optional(static_cast<std::uint64_t>(value->get_int64())) : std::nullopt;
}

bool are_texts(const Value& value) {
  return value.is_array() && std::ranges::all_of(value.get_array(), [](const Value& item) { return item.is_string(); });
}

Outcome<Filter> read_predicates(const Value& value) {
  if (!value.is_array()) {
    return bad_request("A filter is a list of {dimension, value}.");
  }
  Array predicates;
  for (const Value& predicate : value.get_array()) {
    const bool good =
        predicate.is_object() && predicate.get_object().contains("dimension") && predicate.get_object().contains("value");
    if (!good) {
      return bad_request("A filter is a list of {dimension, value}.");
    }
    predicates.push_back(predicate);
  }
  return predicates.empty() ? Outcome<Filter>(Filter{})
                            : Filter::parse_one(Object{{"type", "and"}, {"predicates", std::move(predicates)}});
}

std::optional<Problem> read_extra(const Dialect& dialect, const ExtraMember& member, const Value& value, Question& question) {
  const auto wrong = [&](std::string_view shape) {
    return bad_request("[" + std::string(member.name) + "] must be " + std::string(shape) + ".").error();
  };
  switch (member.extra) {
    case Extra::kText:
      return value.is_string() ? std::nullopt : std::optional(wrong("a text"));
    case Extra::kTexts:
      if (!are_texts(value)) {
        return wrong("a list of texts");
      }
      if (dialect.is_flat && member.name == "select") {
        question.fields.clear();
        for (const Value& item : value.get_array()) {
          const std::string_view field(item.get_string());
          const auto* const known = std::ranges::find(kFields, field);
          if (known == kFields.end()) {
            return invalid_value("The field [" + std::string(field) + "] is not known.").error();
          }
          question.fields.push_back(*known);  // the body does not live as long
        }
      }
      return std::nullopt;
    case Extra::kSort: {
      const bool good = value.is_array() && std::ranges::all_of(value.get_array(), [](const Value& item) {
                          return item.is_object() && item.get_object().size() == 2 && item.get_object().contains("field") &&
                                 item.get_object().contains("order");
                        });
      return good ? std::nullopt : std::optional(wrong("a list of {field, order}"));
    }
    case Extra::kClauses:
    case Extra::kPredicates: {
      const Value* list = &value;
      if (member.extra == Extra::kClauses) {
        if (!value.is_object() || value.get_object().size() != 1 || !value.get_object().contains("clauses")) {
          return wrong("{clauses}");
        }
        list = &value.get_object().at("clauses");
      }
      auto filter = read_predicates(*list);
      if (!filter) {
        return filter.error();
      }
      question.filter = std::move(*filter);
      return std::nullopt;
    }
  }
  return std::nullopt;
}

bool is_known_member(const Dialect& dialect, std::string_view name) {
  const auto range = [&] {
    switch (dialect.range) {
      case Range::kDateFromTo:
        return name == "dateFrom" || name == "dateTo";
      case Range::kTimeRange:
        return name == "timeRange";
      case Range::kInterval:
        return name == "interval";
    }
    return false;
  };
  const auto in_body = [&](const Named& place) { return place.in == In::kBody && place.name == name; };
  const bool paging = dialect.paging == Paging::kNumber ? name == "paging" : in_body(dialect.size) || in_body(dialect.token_in);
  return range() || paging || std::ranges::find(dialect.extras, name, &ExtraMember::name) != dialect.extras.end();
}

Outcome<Object> read_question_body(const Dialect& dialect, const Call& call) {
  auto parsed = common::json::parse(call.request.body);
  if (!parsed || !parsed->is_object()) {
    return refuse(400, "invalid.json", "The request body is not a JSON object.");
  }
  for (const auto& member : parsed->get_object()) {
    if (!is_known_member(dialect, member.key())) {
      return bad_request("Unrecognized field [" + std::string(member.key()) + "].");
    }
  }
  for (const auto& [name, value] : call.query) {
    const auto here = [&](const Named& place) { return place.in == In::kQuery && place.name == name; };
    if (dialect.paging == Paging::kNumber || (!here(dialect.size) && !here(dialect.token_in))) {
      return bad_request("Unrecognized parameter [" + name + "].");
    }
  }
  return std::move(parsed->get_object());
}

Outcome<std::uint64_t> read_size(const Dialect& dialect, const Call& call, const Object& body, const ApiOptions& options) {
  std::optional<std::uint64_t> size;
  if (dialect.size.in == In::kQuery) {
    const auto found = call.query.find(dialect.size.name);
    if (found == call.query.end()) {
      return options.default_page_size;
    }
    size = to_number(std::string_view(found->second));
  } else {
    const Value* value = body.if_contains(dialect.size.name);
    if (value == nullptr) {
      return options.default_page_size;
    }
    size = to_number(value);
  }
  if (!size || *size == 0 || *size > dialect.max_size) {
    return invalid_value("[" + std::string(dialect.size.name) + "] must be between 1 and " + std::to_string(dialect.max_size) +
                         ".");
  }
  return *size;
}

Outcome<Question> read_question(const Dialect& dialect, const Service& service, const Call& call) {
  auto body = read_question_body(dialect, call);
  if (!body) {
    return std::unexpected(body.error());
  }
  Question question;
  auto interval = read_range(*body, dialect.range);
  if (!interval) {
    return std::unexpected(interval.error());
  }
  question.interval = *interval;
  if (interval->length() > service.options.api.max_interval_unfiltered) {
    return bad_request("You must specify a search interval as part of your query that does not exceed " +
                       common::format_duration(service.options.api.max_interval_unfiltered) + ".");
  }
  for (const ExtraMember& member : dialect.extras) {
    const Value* value = member.name.empty() ? nullptr : body->if_contains(member.name);
    if (value == nullptr) {
      continue;
    }
    if (auto problem = read_extra(dialect, member, *value, question)) {
      return std::unexpected(std::move(*problem));
    }
  }
  if (dialect.paging == Paging::kNumber) {
    ApiOptions limits = service.options.api;
    limits.max_page_size = dialect.max_size;
    auto page = read_paging(*body, limits);
    if (!page) {
      return std::unexpected(page.error());
    }
    question.size = page->size;
    question.number = page->number;
    return question;
  }
  auto size = read_size(dialect, call, *body, service.options.api);
  if (!size) {
    return std::unexpected(size.error());
  }
  question.size = *size;
  if (dialect.token_in.in == In::kQuery) {
    if (const auto found = call.query.find(dialect.token_in.name); found != call.query.end()) {
      question.token = found->second;
    }
  } else if (const Value* value = body->if_contains(dialect.token_in.name)) {
    if (!value->is_string()) {
      return bad_request("[" + std::string(dialect.token_in.name) + "] must be a text.");
    }
    question.token = std::string_view(value->get_string());
  }
  return question;
}

// --- the answer ---------------------------------------------------------------------------------------------------------------

// A token names its dialect and range, and the conversation behind the last one shown: nothing is lost behind it, whatever
// vanishes before it.
std::string token_prefix(const Dialect& dialect, const Interval& interval) {
  return std::string(dialect.name) + ">" + common::format_interval(interval) + ">";
}

Outcome<std::uint64_t> read_token(const Dialect& dialect, const Question& question, const Call& call) {
  const Fault* expired = call.fault_of(FaultKind::kUnknownCursor);
  const std::string prefix = token_prefix(dialect, question.interval);
  const std::string text = from_base64(question.token);
  const auto next = text.starts_with(prefix) ? to_number(std::string_view(text).substr(prefix.size())) : std::nullopt;
  if (!next || expired != nullptr) {
    // Not a word of cursors: services call them as they like.
    const int status = expired != nullptr && expired->status != 0 ? expired->status : 400;
    return refuse(status, status == 410 ? "gone" : "invalid.value", "The page that was asked for is no longer there.");
  }
  return *next;
}

std::vector<std::uint64_t> select(const Service& service, const Question& question, Instant now) {
  const World& world = service.world;
  const std::uint64_t last = world.first_from(std::min(question.interval.end, now + Duration{1}));
  std::vector<std::uint64_t> items;
  for (std::uint64_t index = world.first_from(common::start_of_day(question.interval.start)); index < last; ++index) {
    const Conversation conversation = world.conversation(index);
    if (conversation.overlaps(question.interval, now) && conversation.exists_at(now) &&
        question.filter.matches(world, conversation, now)) {
      items.push_back(index);
    }
  }
  return items;
}

// What a page fault does to the rows of a page.
void spoil_rows(const Call& call, std::vector<std::uint64_t>& rows) {
  if (const Fault* fault = call.fault_of(FaultKind::kShortPage)) {
    const auto count = static_cast<std::size_t>(std::max<std::int64_t>(0, fault->count));
    rows.resize(rows.size() - std::min(rows.size(), count));
  }
  if (const Fault* fault = call.fault_of(FaultKind::kDuplicateRows)) {
    const auto count = std::min(rows.size(), static_cast<std::size_t>(std::max<std::int64_t>(0, fault->count)));
    const std::vector<std::uint64_t> again(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(count));
    rows.insert(rows.end(), again.begin(), again.end());
  }
}

}  // namespace

const Dialect* find_dialect(std::string_view name) {
  const auto* const found = std::ranges::find(kDialects, name, &Dialect::name);
  return found == kDialects.end() ? nullptr : found;
}

const Dialect* take_dialect(std::string_view& path) {
  constexpr std::string_view kFolder = "/dialects/";
  if (!path.starts_with(kFolder)) {
    return nullptr;
  }
  const std::string_view rest = path.substr(kFolder.size());
  const std::string_view name = rest.substr(0, rest.find('/'));
  const Dialect* dialect = find_dialect(name);
  if (dialect != nullptr) {
    path = rest.substr(name.size());
  }
  return dialect;
}

Tokens& tokens_of(Service& service, const Dialect& dialect) {
  const std::string name(dialect.name);
  if (const auto found = service.dialect_tokens.find(name); found != service.dialect_tokens.end()) {
    return found->second;
  }
  TokenOptions options = service.options.tokens;
  options.accept_basic = dialect.login != Login::kForm;
  options.accept_body_credentials = dialect.login == Login::kForm;
  options.accept_client_credentials = dialect.login != Login::kRefreshToken;
  if (dialect.login != Login::kRefreshToken) {
    options.refresh_token.clear();
  } else if (options.refresh_token.empty()) {
    options.refresh_token = "simulator-refresh-token";
  }
  return service.dialect_tokens
      .emplace(name, Tokens(options, chance(service.options.world.seed, static_cast<std::uint64_t>(dialect.name.back()))))
      .first->second;
}

bool is_dialect_query(const Dialect& dialect, std::string_view method, std::string_view path) {
  return path == kQueryPath && (method == "POST" || (method == "GET" && dialect.by_get_too));
}

Outcome<Answer> query_in_dialect(Service& service, Call& call, const Dialect& dialect) {
  auto question = read_question(dialect, service, call);
  if (!question) {
    return std::unexpected(question.error());
  }
  const std::vector<std::uint64_t> all = select(service, *question, call.now);
  const std::uint64_t size = question->size;
  std::size_t first = (question->number - 1) * size;
  if (dialect.paging == Paging::kToken && !question->token.empty()) {
    auto next = read_token(dialect, *question, call);
    if (!next) {
      return std::unexpected(next.error());
    }
    first = static_cast<std::size_t>(std::ranges::lower_bound(all, *next) - all.begin());
  }
  first = std::min(first, all.size());
  const std::size_t last = std::min<std::size_t>(first + size, all.size());
  std::vector<std::uint64_t> rows(all.begin() + static_cast<std::ptrdiff_t>(first),
                                  all.begin() + static_cast<std::ptrdiff_t>(last));
  spoil_rows(call, rows);
  const bool is_last = last == all.size();
  service.statistics.count_page("dialect-" + std::string(dialect.name), common::format_interval(question->interval), "", rows,
                                is_last);

  Answer answer;
  JsonText json(answer.body);
  json.open('{').key(dialect.records).open('[');
  for (const std::uint64_t row : rows) {
    const Conversation conversation = service.world.conversation(row);
    dialect.is_flat ? append_flat(answer.body, service.world, conversation, call.now, question->fields)
                    : append_record(answer.body, service.world, conversation, call.now, dialect);
  }
  if (const Fault* fault = call.fault_of(FaultKind::kBadRecord)) {
    json.raw(bad_record(*fault, chance(service.options.world.seed, 0xbadULL, service.requests), call.now));
  }
  json.close(']');
  if (dialect.with_total) {
    json.key("total").number(static_cast<std::int64_t>(told_total(service, call, all.size())));
  }
  if (dialect.paging == Paging::kNumber) {
    json.key("pageCount").number(static_cast<std::int64_t>((all.size() + size - 1) / size));
  } else if (is_last || call.fault_of(FaultKind::kCutChain) != nullptr) {
    if (dialect.null_at_the_end) {
      json.key(dialect.token_out).raw("null");
    }
  } else {
    const std::string token = to_base64(token_prefix(dialect, question->interval) + std::to_string(all[last]));
    const bool in_header = !dialect.token_header.empty() && call.fault_of(FaultKind::kCursorInBody) == nullptr;
    if (in_header) {
      answer.headers.add(std::string(dialect.token_header), token);
    } else {
      json.key(dialect.token_out).plain(token);
    }
  }
  json.close('}');
  return answer;
}

void append_record(std::string& out, const World& world, const Conversation& conversation, Instant now, const Dialect& dialect) {
  if (dialect.is_flat) {
    append_flat(out, world, conversation, now, kFields);
  } else {
    append_renamed(out, world, conversation, now, dialect.id);
  }
}

}  // namespace tests::simulator
