#pragma once

// Reading the dead letters as a consumer with isolation.level=read_committed sees them, of every stream. Blocking; it joins no
// group, commits nothing and writes nothing.

#include "common/instant.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/core/dead_letters/letter.h"
#include "connector/core/names.h"
#include "connector/kafka/options.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace connector::kafka {

enum class LetterBytes : std::uint8_t { kLeaveOut, kTake };
using TakeDeadLetter = std::function<void(core::StoredDeadLetter letter)>;

// `from`: those that were read before need not come; none: from the beginning. Letters of a partition come in their order, which
// is that of their reads. Errors as of read_data_topic.
common::Result<void> read_dead_letters(const KafkaOptions& options, const core::ConnectorName& name, const std::string& topic,
                                       std::optional<common::Instant> from, LetterBytes bytes, common::Logger logger,
                                       common::Duration silence, const std::atomic<bool>& stop, const TakeDeadLetter& take);

}  // namespace connector::kafka
