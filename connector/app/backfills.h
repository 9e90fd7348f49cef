#pragma once

// The backfills of a task's streams: begins, takes up, cancels them as the control topic asks and the ledgers say, one a stream.
// What is done when is core::judge's decision; the ledger is the truth of what runs. One executor; owned by App.

#include "common/clock.h"
#include "common/log.h"
#include "common/result.h"
#include "connector/app/lanes.h"
#include "connector/core/backfill/backfill_request.h"
#include "connector/core/names.h"
#include "connector/core/ports/publisher.h"
#include "connector/source/stream_reader.h"

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace connector::app {

class Backfills final {
 public:
  struct Surroundings {
    core::ConnectorName name;
    Lanes& lanes;
    core::Publisher& publisher;
    common::Clock& clock;
    common::Logger logger;
    // Null: the stream does not run.
    std::function<source::StreamReader*(const core::StreamName&)> reader;
    // The quota's weight of the lane; none: as configured.
    std::function<void(std::optional<double>)> set_weight;
    // A backfill has ended by itself, as none should.
    std::function<void(const core::SourcePartition&, const common::Error&)> on_unexpected_end;
  };
  explicit Backfills(Surroundings surroundings);

  // What the control topic holds, and then each change of it. Before that nothing is begun or taken up: what is under way may be
  // cancelled already.
  void take(const std::map<std::string, std::string>& values);
  void take(const std::string& key, const std::optional<std::string>& value);
  [[nodiscard]] bool knows_requests() const { return knows_requests_; }
  // A stream has been started, or is taken up again.
  void look_at(const core::StreamName& stream);
  [[nodiscard]] bool is_running(const core::StreamName& stream) const { return running_.contains(stream); }

 private:
  struct Running {
    enum class Doing : std::uint8_t {
      kRead,
      kStop,  // its reading was cancelled; then it is given up
      kEnd,   // it is being given up, or refused
    };
    core::BackfillOrder order;
    Doing doing = Doing::kRead;
  };

  void note(const std::string& key, const std::optional<std::string>& value);
  void begin(const core::StreamName& stream, source::StreamReader& reader, const core::BackfillOrder& order);
  void cancel(const core::StreamName& stream, source::StreamReader& reader, const core::BackfillOrder& order);
  void refuse(const core::StreamName& stream, core::BackfillOrder order, const std::string& reason);
  // Of what is in no lane's hands.
  boost::asio::awaitable<common::Result<void>> tell(core::SourcePartition source, common::Interval range,
                                                    std::vector<core::LedgerChange> changes);
  void end(const core::StreamName& stream, const core::BackfillOrder& order, core::BackfillEnded how);
  void start(const core::StreamName& stream, Running running, boost::asio::awaitable<common::Result<void>> work);
  void ended(const core::StreamName& stream, const common::Result<void>& result);
  void weigh();

  Surroundings surroundings_;
  bool knows_requests_ = false;
  std::map<core::StreamName, core::BackfillRequest> requests_;
  std::map<core::StreamName, Running> running_;
  std::map<core::StreamName, std::string> told_;  // ids of requests that wait for another backfill
};

}  // namespace connector::app
