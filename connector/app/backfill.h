#pragma once

// The verbs `backfill …` against the brokers: asks a connector that runs through the control topic, and follows in the offsets
// topic what becomes of it; or becomes the task's owner and does the backfill itself. Blocking.

#include "common/log.h"
#include "common/result.h"
#include "connector/app/definitions.h"
#include "connector/app/options.h"
#include "connector/core/backfill/backfill_request.h"
#include "connector/core/ledger/ledger.h"
#include "connector/core/names.h"
#include "connector/core/task/claim.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace connector::app {

// As it stands now, without anybody's help.
struct BackfillsNow {
  std::optional<core::Claim> owner;                         // the last one
  std::map<core::StreamName, core::Ledger> ledgers;         // of what was ever asked for; the last of each stream
  std::map<core::StreamName, core::BackfillRequest> asked;  // in the control topic: taken already, or not yet
  std::map<core::StreamName, bool> has_run;                 // streams whose settle lane has a ledger
};
// Errors as app::read_offsets.
common::Result<BackfillsNow> read_backfills(const AppOptions& options, const common::Logger& logger, common::Duration patience);

// A request nobody has made before. kConfigInvalid: there is no such stream, it has no settle lane, the order cannot be done, the
// stream has never run, or another backfill of it is under way; one of the same range that is under way is answered instead, to
// be followed.
common::Result<core::BackfillOrder> order_backfill(const AppOptions& options, const Definitions& definitions,
                                                   const BackfillsNow& now, const core::StreamName& stream,
                                                   core::BackfillOrder wanted, common::Instant utc_now);

enum class BackfillWait : std::uint8_t {
  kUntilEnd,
  kUntilTaken,
};
enum class BackfillEnd : std::uint8_t {
  kEnded,        // the ledger says how
  kTaken,        // as was asked for
  kInterrupted,  // SIGINT or SIGTERM: it goes on
  kNotTaken,     // nobody took it in time
};
struct BackfillFollowed {
  BackfillEnd end = BackfillEnd::kEnded;
  std::optional<core::Ledger> ledger;  // the newest of the backfill that is followed
};
using TellBackfill = std::function<void(const core::Ledger& ledger)>;
struct BackfillTalk {
  TellBackfill tell;
  std::function<void(common::Duration)> quiet;  // nothing has been heard for so long: once a minute
};

// kConfigInvalid: there is no control topic, or requests are switched off; kPermissionDenied, kRetryable.
common::Result<void> send_request(const AppOptions& options, const core::StreamName& stream, const core::BackfillRequest& request,
                                  const common::Logger& logger, common::Duration patience);
// Until it has ended, or was taken. `patience`: how long nobody may take it.
common::Result<BackfillFollowed> follow_backfill(const AppOptions& options, const core::StreamName& stream, const std::string& id,
                                                 BackfillWait wait, const BackfillTalk& talk, const common::Logger& logger,
                                                 common::Duration patience);

// Of one that was taken: until it has ended; kNotTaken if it has not within `patience`.
common::Result<BackfillFollowed> wait_for_end(const AppOptions& options, const core::StreamName& stream, const std::string& id,
                                              const common::Logger& logger, common::Duration patience);

// As the task's owner, which fences a connector that runs; nothing else is read meanwhile. Ends with the backfill; kCancelled by
// SIGINT or SIGTERM: it goes on when it is run again, or with the connector.
common::Result<core::Ledger> run_backfill_here(const AppOptions& options, const Definitions& definitions,
                                               const core::StreamName& stream, const core::BackfillOrder& order,
                                               const TellBackfill& tell, const common::Logger& logger);

}  // namespace connector::app
