#pragma once

// What operators are told of the records of a transaction that is committed: counted, and logged where they should know.

#include "common/log.h"
#include "connector/core/ports/metrics.h"
#include "connector/core/ports/transactional_producer.h"

namespace connector::kafka {

void report_published(const core::TransactionBatch& batch, core::Metrics& metrics, common::Logger& logger);

}  // namespace connector::kafka
