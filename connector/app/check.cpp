#include "connector/app/check.h"

#include "common/clock.h"
#include "connector/app/admission.h"
#include "connector/app/find_cluster.h"
#include "connector/app/offsets.h"
#include "connector/app/one_shot.h"
#include "connector/app/retention.h"
#include "connector/app/stream_topics.h"
#include "connector/genesys/access_check.h"
#include "connector/kafka/conf.h"
#include "connector/kafka/state_topics.h"
#include "connector/kafka/topic_admin.h"
#include "connector/source/pagination.h"
#include "connector/source/request_template.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

namespace connector::app {
namespace {

using common::ErrorCode;
using namespace std::chrono_literals;

// The smallest question that still needs the stream's permission: an old second, one record.
constexpr common::Duration kProbeAge = 24h;
constexpr common::Duration kProbeLength = 1s;

std::vector<genesys::StreamProbe> make_probes(const AppOptions& options, const Definitions& definitions, common::Instant now) {
  std::vector<genesys::StreamProbe> probes;
  for (const auto& stream : options.streams) {
    const auto& definition = definitions.at(stream.definition);
    if (!definition.query) continue;
    // Of a service that answers in buckets: one of them.
    const common::Instant then = now - kProbeAge;
    const common::Interval window =
        stream.live.buckets ? stream.live.buckets.at(then) : common::Interval{.start = then, .end = then + kProbeLength};
    source::RequestBuilder builder = source::query_request(definition, stream, window);
    source::put_position(builder, definition.query->pages, core::AtStart{}, 1);
    probes.push_back({.stream = stream.name,
                      .request = std::move(builder).build({.stream = stream.name, .lane = core::Lane::kLive}),
                      .permissions = definition.permissions});
  }
  return probes;
}

Finding to_finding(const genesys::CheckItem& item) {
  switch (item.status) {
    case genesys::CheckStatus::kProven:
      return {.verdict = Verdict::kOk, .subject = item.subject, .detail = item.detail, .remedy = {}};
    case genesys::CheckStatus::kNotProvable:
      return {.verdict = Verdict::kUnproven, .subject = item.subject, .detail = item.detail, .remedy = {}};
    case genesys::CheckStatus::kFailed:
      break;
  }
  return {.verdict = Verdict::kFailed, .subject = item.subject, .detail = item.detail, .remedy = {}, .code = item.code};
}

Finding failed(std::string subject, const common::Error& error, std::string remedy) {
  return {.verdict = Verdict::kFailed,
          .subject = std::move(subject),
          .detail = error.message,
          .remedy = std::move(remedy),
          .code = error.code};
}

void check_service(const AppOptions& options, const Definitions& definitions, const common::Logger& logger,
                   common::Duration patience, std::vector<Finding>& findings) {
  auto one_shot = OneShot::make(options, logger, patience);
  if (!one_shot) {
    findings.push_back(failed("HTTP client", one_shot.error(), "correct genesys.http"));
    return;
  }
  auto probes = make_probes(options, definitions, common::SystemClock().utc_now());
  for (const auto& item : (*one_shot)->ask(genesys::check_access((*one_shot)->api(), std::move(probes))))
    findings.push_back(to_finding(item));
}

void check_kafka(const AppOptions& options, const Definitions& definitions, const common::Logger& logger,
                 common::Duration patience, std::vector<Finding>& findings) {
  auto admin = kafka::TopicAdmin::create(options.kafka, options.name, logger.named("kafka"));
  if (!admin) {
    findings.push_back(failed("Kafka settings", admin.error(), "correct kafka.librdkafka"));
    return;
  }
  const auto cluster = find_cluster(**admin, patience);
  if (!cluster) {
    findings.push_back(
        failed("Kafka", cluster.error(), "check kafka.bootstrap_servers and the security settings in kafka.librdkafka"));
    return;
  }
  findings.push_back({.verdict = Verdict::kOk, .subject = "Kafka", .detail = "cluster " + *cluster, .remedy = {}});

  const auto names = kafka::state_topics(options.name, options.kafka.topics);
  std::vector<std::string> topics = names.names();
  for (const auto& topic : stream_topics(options, definitions)) topics.push_back(topic.topic);
  auto described = (*admin)->describe(topics, patience);
  if (!described) {
    findings.push_back(failed("topics", described.error(), "grant Describe on the topics"));
    return;
  }
  // Only written, as the streams': the progress topic, too. The control topic stands behind it and is read as well.
  std::vector<kafka::TopicDescription> data(described->begin() + 3, described->end());
  std::optional<kafka::TopicDescription> control;
  if (!names.control.empty()) {
    const auto place = std::ranges::find(data, names.control, &kafka::TopicDescription::name);
    control = std::move(*place);
    data.erase(place);
  }
  const std::vector<kafka::TopicDescription> state(described->begin(), described->begin() + 2);
  for (const auto& topic : state) {
    if (!topic.exists) continue;
    if (auto usable = kafka::check_state_topic(topic, 1); !usable) {
      findings.push_back(
          failed("topic " + topic.name, usable.error(), "recreate it compacted, or name another one in kafka.topics"));
    }
    for (const auto& difference : kafka::differences(topic, kafka::state_topic_config())) {
      findings.push_back({.verdict = Verdict::kWarning,
                          .subject = "topic " + topic.name,
                          .detail = difference,
                          .remedy = "alter the topic's configuration; a start reads more than it need until then"});
    }
  }
  const auto id = kafka::transactional_id(options.kafka, options.name, 0);
  for (const auto& finding : kafka::assess_access(state, (*described)[2], data, options.kafka.topics.create, id, control)) {
    using From = kafka::AccessFinding::Verdict;
    const auto verdict = finding.verdict == From::kFine    ? Verdict::kOk
                         : finding.verdict == From::kWrong ? Verdict::kFailed
                                                           : Verdict::kUnproven;
    findings.push_back({.verdict = verdict,
                        .subject = finding.subject,
                        .detail = finding.detail,
                        .remedy = finding.remedy,
                        .code = ErrorCode::kTopicUnusable});
  }
}

void check_first_starts(const AppOptions& options, const Definitions& definitions, const common::Logger& logger,
                        common::Duration patience, std::vector<Finding>& findings) {
  const common::Instant now = common::SystemClock().utc_now();
  if (check_starts(options, definitions, now).empty()) return;
  const auto stored = read_offsets(options, logger, patience);
  std::ranges::move(check_starts(options, definitions, now, stored ? &stored->offsets : nullptr), std::back_inserter(findings));
}

}  // namespace

std::vector<Finding> check_starts(const AppOptions& options, const Definitions& definitions, common::Instant now,
                                  const SourceOffsets* stored) {
  std::vector<Finding> findings;
  for (const source::StreamOptions& stream : options.streams) {
    const auto problem = problem_of_start(stream, now);
    if (!problem) continue;
    const std::vector<core::Lane> lanes = lanes_of(stream, definitions.at(stream.definition));
    const auto begins = [&](core::Lane lane) {
      return reads_from_its_start(lane, lanes) && (stored == nullptr || !stored->contains({stream.name, lane}));
    };
    const auto lane = std::ranges::find_if(lanes, begins);  // there is but one that may
    if (lane == lanes.end()) continue;
    Finding finding{.verdict = Verdict::kWarning,
                    .subject = "start of stream " + stream.name.str(),
                    .detail = *problem,
                    .remedy = "set a later start: a stream that has not run yet is refused with this one",
                    .code = ErrorCode::kConfigInvalid};
    if (stored != nullptr) {
      finding.verdict = Verdict::kFailed;
      finding.subject += fmt::format(", lane {}", core::to_string(*lane));
      finding.remedy = "set a later start: the lane has not run yet, and is refused with this one";
    }
    findings.push_back(std::move(finding));
  }
  return findings;
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return "ok";
    case Verdict::kWarning:
      return "warning";
    case Verdict::kUnproven:
      return "unproven";
    case Verdict::kFailed:
      return "failed";
  }
  return "failed";
}

std::vector<Finding> check(const AppOptions& options, const Definitions& definitions, const common::Logger& logger,
                           common::Duration patience) {
  std::vector<Finding> findings;
  check_service(options, definitions, logger, patience, findings);
  check_kafka(options, definitions, logger, patience, findings);
  check_first_starts(options, definitions, logger, patience, findings);
  return findings;
}

}  // namespace connector::app
