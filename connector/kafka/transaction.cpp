#include "connector/kafka/transaction.h"

#include "connector/kafka/control_store.h"
#include "connector/kafka/record_headers.h"
#include "connector/kafka/state_store.h"

#include <cassert>
#include <variant>

namespace connector::kafka {

using common::Result;
using core::SourcePartition;

namespace {

constexpr std::size_t kRecordFraming = 100;        // lengths, offsets and the batch header around one record
constexpr std::size_t kDeadLetterFraming = 4'096;  // headers and key of a dead letter

}  // namespace

Transaction claim_transaction(const core::ConnectorName& name, std::int32_t task, const core::Claim& claim) {
  Transaction transaction;
  transaction.batch.state.push_back({.key = claim_key(name, task), .value = claim.serialize()});
  return transaction;
}

Transaction mark_transaction(const core::ConnectorName& name, std::int32_t task, const core::Claim& claim) {
  assert(claim.digests && "it is what is written");
  Transaction transaction = claim_transaction(name, task, claim);
  transaction.batch.digests.push_back({.key = digests_mark_key(name, task), .value = claim.digests->serialize()});
  return transaction;
}

Result<void> move_ledgers(Transaction& transaction, const core::ConnectorName& name, const core::Ledgers& committed,
                          const std::string& incarnation) {
  for (const core::Page& page : transaction.batch.pages) {
    auto [ledger, fresh] = transaction.ledgers.try_emplace(page.source);
    if (fresh) {
      const auto known = committed.find(page.source);
      assert(known != committed.end() && "restored or adopted before its first page");
      if (known != committed.end()) ledger->second = known->second;
    }
    for (const core::LedgerChange& change : page.changes) {
      if (auto applied = ledger->second.apply(change); !applied) {
        return common::fail(common::with_context(applied.error(), "ledger of stream " + transaction.batch.stream.str()));
      }
      // Its request goes with it: visible together, or not at all.
      if (std::holds_alternative<core::BackfillEnded>(change)) {
        transaction.batch.control.push_back({.key = backfill_key(name, page.source.stream), .value = std::nullopt});
      }
    }
  }
  stamp_ledgers(transaction, name, incarnation);
  return {};
}

void stamp_ledgers(Transaction& transaction, const core::ConnectorName& name, const std::string& incarnation) {
  for (auto& [source, ledger] : transaction.ledgers) {
    ledger.set_stamp({.incarnation = incarnation, .number = transaction.number});
    transaction.batch.state.push_back({.key = ledger_key(name, source), .value = ledger.serialize()});
  }
}

std::size_t message_bytes(const core::Page& page, std::string_view key, std::size_t value_bytes) {
  return key.size() + value_bytes + header_bytes(page) + kRecordFraming;
}

bool fits(const core::Page& page, const core::RecordSlice& record, std::size_t limit) {
  return message_bytes(page, record.key, record.value.size()) <= limit;
}

void measure(Transaction& transaction, const MessageLimits& limits) {
  core::TransactionBatch& batch = transaction.batch;
  transaction.limits = limits;
  std::size_t records = 0;
  for (const core::Page& page : batch.pages) records += page.records.size();
  batch.fates.reserve(records);
  for (const core::Page& page : batch.pages) {
    for (const core::RecordSlice& record : page.records) {
      batch.fates.push_back(fits(page, record, limits.record) ? core::RecordFate::kPublish : batch.too_large);
    }
  }
  batch.dead_letter_limit = limits.dead_letter > 2 * kDeadLetterFraming ? limits.dead_letter - kDeadLetterFraming : 0;
}

std::map<SourcePartition, PublishedSum> sum_up(const core::TransactionBatch& batch) {
  std::map<SourcePartition, PublishedSum> sums;
  std::size_t place = 0;
  for (const core::Page& page : batch.pages) {
    PublishedSum& sum = sums[page.source];
    for (const core::RecordSlice& record : page.records) {
      const core::RecordFate fate = batch.fates[place++];
      if (const auto reason = core::dead_letter_reason(fate); !reason.empty()) {
        ++sum.dead_letters[std::string{reason}];
      } else if (fate == core::RecordFate::kDropped) {
        ++sum.dropped;
      } else if (fate == core::RecordFate::kKept) {
        ++sum.kept;
      } else if (page.gone) {
        if (fate != core::RecordFate::kWithheld && fate != core::RecordFate::kDead) ++sum.tombstones;
      } else if (fate == core::RecordFate::kWithheld || fate == core::RecordFate::kDead) {
        ++sum.withheld;
      } else {
        ++sum.records;
        sum.bytes += record.value.size();
      }
    }
    for (const core::DeadLetter& letter : page.dead_letters) ++sum.dead_letters[letter.reason];
  }
  return sums;
}

void add_repaired(const core::TransactionBatch& batch, std::set<std::string>& keys) {
  std::size_t place = 0;
  for (const core::Page& page : batch.pages) {
    for (const core::RecordSlice& record : page.records) {
      const core::RecordFate fate = batch.fates[place++];
      const bool published = fate == core::RecordFate::kPublish || fate == core::RecordFate::kSuspect;
      if (page.repair && published) keys.emplace(record.key);
    }
  }
}

}  // namespace connector::kafka
