#include "tests/simulator/record.h"

#include "tests/simulator/chance.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace tests::simulator {

void JsonText::separate() {
  if (!out_.empty() && out_.back() != '{' && out_.back() != '[' && out_.back() != ':' && out_.back() != '\n') {
    out_ += ',';
  }
}

JsonText& JsonText::open(char bracket) {
  separate();
  out_ += bracket;
  return *this;
}
JsonText& JsonText::close(char bracket) {
  out_ += bracket;
  return *this;
}
JsonText& JsonText::key(std::string_view name) {
  separate();
  out_ += '"';
  out_ += name;
  out_ += "\":";
  return *this;
}
JsonText& JsonText::raw(std::string_view value) {
  separate();
  out_ += value;
  return *this;
}
JsonText& JsonText::plain(std::string_view value) {
  separate();
  out_ += '"';
  out_ += value;
  out_ += '"';
  return *this;
}

JsonText& JsonText::text(std::string_view value) {
  separate();
  out_ += '"';
  for (const char character : value) {
    if (character == '"' || character == '\\') {
      out_ += '\\';
      out_ += character;
    } else if (static_cast<unsigned char>(character) < 0x20) {
      constexpr std::string_view kHex = "0123456789abcdef";
      out_ += "\\u00";
      out_ += kHex[static_cast<unsigned char>(character) >> 4U];
      out_ += kHex[static_cast<unsigned char>(character) & 0xfU];
    } else {
      out_ += character;
    }
  }
  out_ += '"';
  return *this;
}

JsonText& JsonText::number(std::int64_t value) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return raw(std::string_view(digits.data(), end));
}
JsonText& JsonText::number(double value) {
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return raw(std::string_view(digits.data(), end));
}
JsonText& JsonText::instant(Instant value) {
  return plain(common::format_instant(value));
}

namespace {

// Names as JSON text. The index behind the query and the lake behind the job may spell one name differently: same content, other
// bytes.
struct Name {
  std::string_view query;
  std::string_view job;
};
constexpr std::array<Name, 5> kNames{{
    {"Example Caller", "Example Caller"},
    {"Zo\u00eb M\u00fcller", "Zo\\u00eb M\\u00fcller"},
    {"\u5f20\u4f1f", "\u5f20\u4f1f"},
    {"O'Brien \\\"Bo\\\"", "O'Brien \\\"Bo\\\""},
    {"Sales\\/Export", "Sales/Export"},
}};

struct Span {
  Instant start;
  Instant end;
};

class Writer {
 public:
  Writer(std::string& out, const World& world, const Conversation& conversation, Instant now, Form form)
      : json_(out), world_(world), conversation_(conversation), now_(now), form_(form), ended_(conversation.end_at(now)) {}

  void record();

 private:
  [[nodiscard]] std::uint64_t bits(std::uint64_t what, std::uint64_t number = 0) const {
    return chance(conversation_.bits, what, number);
  }
  [[nodiscard]] std::string id(std::uint64_t what, std::uint64_t number = 0) const { return uuid_of(bits(what, number)); }
  // A point of the first life: 0 is its start, 1 its end.
  [[nodiscard]] Instant at(double share) const {
    return conversation_.start + Duration{static_cast<std::int64_t>(
                                     share * static_cast<double>((conversation_.first_end - conversation_.start).count()))};
  }
  [[nodiscard]] std::string_view direction() const { return conversation_.inbound ? "inbound" : "outbound"; }

  void customer();
  void flow();
  void acd();
  void agent(std::uint32_t leg, Span span, bool last);
  void late();
  void attributes(std::uint32_t bytes);
  void session_scalars(std::string_view extra_key, std::string_view extra_value, std::string_view session, bool recording);
  void metric(Instant emitted, std::string_view name, std::int64_t value);
  void segment(Span span, std::string_view type, std::string_view disconnect, bool on_queue);

  JsonText json_;
  const World& world_;
  const Conversation& conversation_;
  Instant now_;
  Form form_;
  std::optional<Instant> ended_;
};

void Writer::metric(Instant emitted, std::string_view name, std::int64_t value) {
  if (emitted > now_) {
    return;
  }
  json_.open('{').key("emitDate").instant(emitted).key("name").plain(name).key("value").number(value).close('}');
}

void Writer::segment(Span span, std::string_view type, std::string_view disconnect, bool on_queue) {
  if (span.start > now_) {
    return;
  }
  const bool over = span.end <= now_;
  json_.open('{').key("conference").boolean(false);
  if (over && !disconnect.empty()) {
    json_.key("disconnectType").plain(disconnect);
  }
  if (on_queue) {
    json_.key("queueId").plain(world_.queue(conversation_.queue));
  }
  if (over) {
    json_.key("segmentEnd").instant(span.end);
  }
  json_.key("segmentStart").instant(span.start).key("segmentType").plain(type);
  if (type == "wrapup" && over) {
    json_.key("wrapUpCode").plain(world_.wrap_up_code(conversation_.bits)).key("wrapUpNote").plain("");
  }
  json_.close('}');
}

// The scalar members every session has, in alphabetical order; `extra` is one more that sorts behind them.
void Writer::session_scalars(std::string_view extra_key, std::string_view extra_value, std::string_view session, bool recording) {
  const bool voice = conversation_.media == Media::kVoice;
  if (voice) {
    json_.key("ani").plain("tel:+15550100001");
  }
  json_.key("direction").plain(direction());
  if (voice) {
    json_.key("dnis").plain("tel:+15550100099").key("edgeId").plain(id('e'));
  }
  json_.key("mediaType").plain(to_string(conversation_.media));
  if (conversation_.media == Media::kMessage) {
    json_.key("messageType").plain("webmessaging");
  }
  json_.key("provider").plain(voice ? "Edge" : "PureCloud Messaging");
  if (recording) {
    json_.key("recording").boolean(true);
  }
  json_.key("requestedRoutings").open('[').plain("Standard").close(']');
  if (voice) {
    json_.key("sessionDnis").plain("tel:+15550100099");
  }
  json_.key("sessionId").plain(session);
  if (!extra_key.empty()) {
    json_.key(extra_key).plain(extra_value);
  }
}

void Writer::customer() {
  const Name& name = kNames[bits('n') % kNames.size()];
  json_.open('{').key("externalContactId").plain(id('c')).key("participantId").plain(id('p'));
  json_.key("participantName").plain(form_ == Form::kQuery ? name.query : name.job).key("purpose").plain("customer");
  json_.key("sessions").open('[').open('{');
  session_scalars("usedRouting", "Standard", id('s'), conversation_.media == Media::kVoice);
  if (conversation_.stats > 0 && ended_) {
    json_.key("mediaEndpointStats").open('[');
    for (std::uint32_t number = 0; number < conversation_.stats; ++number) {
      const std::uint64_t drawn = bits('m', number);
      json_.open('{').key("codecs").open('[').plain("audio/PCMU").close(']');
      json_.key("discardedPackets").number(static_cast<std::int64_t>(drawn % 50));
      json_.key("eventTime").instant(conversation_.first_end);
      json_.key("maxLatencyMs").number(static_cast<std::int64_t>(drawn % 90));
      json_.key("minMos").number(4.0 + 0.9 * to_unit(drawn)).key("minRFactor").number(80.0 + 15.0 * to_unit(mix(drawn)));
      json_.key("overrunPackets")
          .number(std::int64_t{0})
          .key("receivedPackets")
          .number(static_cast<std::int64_t>(drawn % 100'000));
      json_.close('}');
    }
    json_.close(']');
  }
  json_.key("metrics").open('[');
  metric(conversation_.start, "nConnected", 1);
  metric(conversation_.first_end, "tConnected", (conversation_.first_end - conversation_.start).count());
  if (conversation_.bits % 31 == 0) {
    metric(conversation_.first_end, "tMonitoring", 5'097'600'909);  // beyond 32 bits, as seen on the real service
  }
  json_.close(']').key("segments").open('[');
  segment({conversation_.start, at(0.01)}, "system", "", false);
  segment({at(0.01), conversation_.first_end}, "interact", "endpoint", true);
  if (conversation_.reopened) {
    segment({*conversation_.reopened, conversation_.end}, "interact", "endpoint", true);
  }
  json_.close(']').close('}').close(']');
  if (form_ == Form::kJob) {
    attributes(conversation_.attribute_bytes);
  }
  json_.close('}');
}

void Writer::attributes(std::uint32_t bytes) {
  static constexpr std::array<std::string_view, 4> kTiers{"gold", "silver", "bronze", "none"};
  json_.key("attributes").open('{').key("customerTier").plain(kTiers[bits('a') % kTiers.size()]);
  for (std::uint32_t number = 0, written = 30; written + 20 < bytes; ++number) {
    // The service cuts attribute values at 1,024 characters.
    const std::uint32_t length =
        std::min<std::uint32_t>({bytes - written - 16, 40 + static_cast<std::uint32_t>(bits('b', number) % 120), 1'024});
    std::string value;
    while (value.size() < length) {
      value += uuid_of(bits('v', number * 64ULL + value.size()));
    }
    value.resize(length);
    json_.key("context." + std::to_string(number)).plain(value);
    written += length + 17;
  }
  json_.close('}');
}

void Writer::flow() {
  const bool voice = conversation_.media == Media::kVoice;
  const Span span{at(0.02), at(0.10)};
  if (span.start > now_) {
    return;
  }
  json_.open('{').key("participantId").plain(id('p', 1)).key("participantName").plain("Main Flow");
  json_.key("purpose").plain(voice ? "ivr" : "workflow").key("sessions").open('[').open('{');
  session_scalars("", "", id('s', 1), false);
  json_.key("flow").open('{').key("endingLanguage").plain("en-us").key("entryReason").plain("tel:+15550100099");
  json_.key("entryType").plain("dnis");
  if (span.end <= now_) {
    json_.key("exitReason").plain("TRANSFER");
  }
  json_.key("flowId").plain(id('f')).key("flowName").plain("Main Flow").key("flowType");
  json_.plain(voice ? "INBOUNDCALL" : conversation_.media == Media::kEmail ? "INBOUNDEMAIL" : "INBOUNDSHORTMESSAGE");
  json_.key("flowVersion").plain("28.0").key("startingLanguage").plain("en-us");
  if (span.end <= now_) {
    json_.key("transferTargetAddress").plain(world_.queue(conversation_.queue)).key("transferTargetName").plain("Billing");
    json_.key("transferType").plain("ACD").key("outcomes").open('[').open('{');
    json_.key("flowOutcome").plain(id('o') + ":SUCCESS").key("flowOutcomeEndTimestamp").instant(span.end);
    json_.key("flowOutcomeId").plain(id('o')).key("flowOutcomeStartTimestamp").instant(span.start);
    json_.key("flowOutcomeValue").plain("SUCCESS").close('}').close(']');
  }
  json_.close('}').key("metrics").open('[');
  metric(span.start, "nFlow", 1);
  metric(span.end, "tIvr", (span.end - span.start).count());
  metric(span.end, "tFlow", (span.end - span.start).count());
  json_.close(']').key("segments").open('[');
  segment(span, voice ? "ivr" : "interact", "transfer", false);
  json_.close(']').close('}').close(']').close('}');
}

void Writer::acd() {
  const Span span{at(0.10), at(0.15)};
  if (span.start > now_) {
    return;
  }
  json_.open('{').key("participantId").plain(id('p', 2)).key("participantName").plain("Billing").key("purpose").plain("acd");
  json_.key("sessions").open('[').open('{');
  session_scalars("usedRouting", "Standard", id('s', 2), false);
  json_.key("metrics").open('[');
  metric(span.start, "nOffered", 1);
  metric(span.end, "tAcd", (span.end - span.start).count());
  json_.close(']').key("segments").open('[');
  segment(span, "interact", "transfer", true);
  json_.close(']').close('}').close(']').close('}');
}

void Writer::agent(std::uint32_t leg, Span span, bool last) {
  if (span.start > now_) {
    return;
  }
  const auto part = [&](double share) {
    return span.start + Duration{static_cast<std::int64_t>(share * static_cast<double>((span.end - span.start).count()))};
  };
  const Instant wrapped = span.end + world_.options().wrap_up;
  json_.open('{').key("participantId").plain(id('q', leg)).key("purpose").plain("agent").key("userId");
  json_.plain(world_.user(conversation_.agent_user(leg, world_.options().users)));
  json_.key("sessions").open('[').open('{');
  session_scalars("usedRouting", "Standard", id('t', leg), true);
  json_.key("metrics").open('[');
  metric(part(0.05), "tAlert", (part(0.05) - span.start).count());
  metric(part(0.05), "tAnswered", (part(0.05) - at(0.10)).count());
  metric(part(0.70), "tHeld", (part(0.70) - part(0.60)).count());
  metric(span.end, "tTalk", (span.end - part(0.05)).count());
  metric(span.end, "tTalkComplete", (span.end - part(0.05)).count());
  metric(wrapped, "tAcw", world_.options().wrap_up.count());
  metric(wrapped, "tHandle", (wrapped - part(0.05)).count());
  json_.close(']').key("segments").open('[');
  segment({span.start, part(0.05)}, "alert", "", true);
  segment({part(0.05), part(0.60)}, "interact", "", true);
  segment({part(0.60), part(0.70)}, "hold", "", true);
  segment({part(0.70), span.end}, "interact", last ? "peer" : "transfer", true);
  segment({span.end, wrapped}, "wrapup", "", true);
  json_.close(']').close('}').close(']').close('}');
}

void Writer::late() {
  const std::string user = world_.user(conversation_.agent_user(0, world_.options().users));
  if (conversation_.evaluated && *conversation_.evaluated <= now_) {
    json_.key("evaluations").open('[').open('{').key("contextId").plain(id('x')).key("deleted").boolean(false);
    json_.key("evaluationId").plain(id('y')).key("evaluationStatus").plain("Finished").key("evaluatorId").plain(id('z'));
    json_.key("eventTime").instant(*conversation_.evaluated).key("formId").plain(id('w')).key("formName").plain("QA form");
    json_.key("queueId").plain(world_.queue(conversation_.queue)).key("released").boolean(true).key("rescored").boolean(false);
    json_.key("userId").plain(user).key("oTotalCriticalScore").number(std::int64_t{100});
    json_.key("oTotalScore").number(static_cast<std::int64_t>(50 + bits('S') % 51)).close('}').close(']');
  }
  if (conversation_.surveyed && *conversation_.surveyed <= now_) {
    json_.key("surveys").open('[').open('{').key("eventTime").instant(*conversation_.surveyed);
    json_.key("queueId").plain(world_.queue(conversation_.queue)).key("surveyCompletedDate").instant(*conversation_.surveyed);
    json_.key("surveyFormId").plain(id('F')).key("surveyFormName").plain("Satisfaction").key("surveyId").plain(id('I'));
    json_.key("surveyPromoterScore").number(static_cast<std::int64_t>(bits('P') % 11)).key("surveyStatus").plain("Finished");
    json_.key("surveyType").plain("Web").key("userId").plain(user);
    json_.key("oSurveyTotalScore").number(static_cast<std::int64_t>(bits('T') % 101)).close('}').close(']');
  }
}

void Writer::record() {
  json_.open('{');
  if (ended_) {
    json_.key("conversationEnd").instant(*ended_);
  }
  json_.key("conversationId").plain(world_.id_of(conversation_.index)).key("conversationStart").instant(conversation_.start);
  json_.key("divisionIds").open('[').plain(world_.division(conversation_.division)).close(']');
  if (conversation_.media == Media::kVoice && ended_) {
    json_.key("mediaStatsMinConversationMos").number(4.0 + 0.9 * to_unit(bits('M')));
    json_.key("mediaStatsMinConversationRFactor").number(80.0 + 15.0 * to_unit(bits('R')));
  }
  json_.key("originatingDirection").plain(direction()).key("selfServed").boolean(false);
  json_.key("participants").open('[');
  customer();
  if (conversation_.with_flow) {
    flow();
    acd();
  }
  for (std::uint32_t leg = 0; leg < conversation_.agents; ++leg) {
    const double share = 0.85 / conversation_.agents;
    agent(leg, {at(0.15 + share * leg), leg + 1 == conversation_.agents ? conversation_.first_end : at(0.15 + share * (leg + 1))},
          leg + 1 == conversation_.agents);
  }
  json_.close(']');
  late();
  json_.close('}');
}

}  // namespace

void append_record(std::string& out, const World& world, const Conversation& conversation, Instant now, Form form) {
  Writer(out, world, conversation, now, form).record();
}

}  // namespace tests::simulator
