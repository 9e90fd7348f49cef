#pragma once

// The record that micro benchmarks read.

#include <string>

namespace bench {

// A conversation-like record: many small members, some nesting, about 13 kB.
inline std::string conversation_record(int number) {
  std::string text = R"({"conversationEnd":"2026-05-04T09:17:42.118Z","conversationId":"9e3779b1-9e37-43d1-814b-)" +
                     std::to_string(100'000'000'000 + number) +
                     R"(","conversationStart":"2026-05-04T09:12:03.386Z","participants":[)";
  for (int participant = 0; participant < 6; ++participant) {
    text += participant == 0 ? "" : ",";
    text +=
        R"({"participantId":"17156075-1713-4315-8677-c4e27eeb7be1","purpose":"customer","sessions":[{"direction":"inbound","metrics":[)";
    for (int metric = 0; metric < 18; ++metric) {
      text += metric == 0 ? "" : ",";
      text += R"({"emitDate":"2026-05-04T09:12:03.612Z","name":"tTalkComplete","value":240018})";
    }
    text += R"(],"segments":[)";
    for (int segment = 0; segment < 4; ++segment) {
      text += segment == 0 ? "" : ",";
      text +=
          R"({"conference":false,"queueId":"8ff34739-8fef-4259-8ba3-9597b1417895","segmentEnd":"2026-05-04T09:13:02.100Z","segmentStart":"2026-05-04T09:12:58.450Z","segmentType":"alert"})";
    }
    text += "]}]}";
  }
  return text + "]}";
}

}  // namespace bench
