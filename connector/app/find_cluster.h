#pragma once

// The first question of every verb that needs Kafka: which cluster is it? Blocking.

#include "common/instant.h"
#include "common/result.h"
#include "connector/kafka/topic_admin.h"

#include <string>

namespace connector::app {

// Its id. kConfigInvalid: no broker can be used, for a reason the client library tells, which need not be waited for to the end;
// kTopicUnusable: none answered within `patience`.
common::Result<std::string> find_cluster(kafka::TopicAdmin& admin, common::Duration patience);

}  // namespace connector::app
