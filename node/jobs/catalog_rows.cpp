// Engine values to catalog rows and back.
#include "node/jobs/catalog_rows.hpp"

#include <algorithm>

#include "proto/swarm/op.hpp"

namespace kith::node {
namespace {

using storage::Catalog;

constexpr std::size_t kPeersRemembered = 1'000;

storage::CopyState to_row(CopyState state) { return static_cast<storage::CopyState>(state); }

Result<void> put(Catalog& catalog, const PutSwarm& w) {
  return catalog.put_swarm({w.swarm, w.group});
}

Result<void> put(Catalog& catalog, const PutOps& w) {
  for (const Buffer& op : w.ops) KITH_CHECK(catalog.put_op(w.swarm, op_id(op), op));
  return {};
}

Result<void> put(Catalog& catalog, const DeleteSwarm& w) { return catalog.remove_swarm(w.swarm); }

Result<void> put(Catalog& catalog, const PutShare& w) {
  return catalog.put_share({w.share, w.swarm, w.name, w.key, w.root});
}

Result<void> put(Catalog& catalog, const PutPage& w) {
  KITH_CHECK(catalog.put_page(w.share, w.page, w.ciphertext));
  return catalog.index_chunks(w.share, w.first_chunk, w.chunks);
}

Result<void> put(Catalog& catalog, const PutCopy& w) {
  return catalog.put_copy({w.copy, w.share, to_row(w.state), w.detached, w.replace, w.safe_links,
                           w.directory, w.name, w.path, w.device, w.inode, w.part, w.swarm});
}

Result<void> put(Catalog& catalog, const SetCopyState& w) {
  return catalog.set_copy_state(w.copy, to_row(w.state), w.path);
}

Result<void> put(Catalog& catalog, const PutFileStats& w) {
  for (std::size_t page = 0; page < w.pages.size(); ++page) {
    KITH_CHECK(catalog.put_file_stats(w.copy, static_cast<std::uint32_t>(page), w.pages[page]));
  }
  return {};
}

Result<void> put(Catalog& catalog, const PutPageStats& w) {
  return catalog.put_file_stats(w.copy, w.page, w.stats);
}

Result<void> put(Catalog& catalog, const PutScrub& w) {
  const ScrubLedger& ledger = w.ledger;
  return catalog.put_scrub(w.copy, {ledger.next, ledger.ended, ledger.damaged, ledger.repaired});
}

Result<void> put(Catalog& catalog, const PutHave& w, const std::string& boot) {
  return catalog.put_have(w.copy, {w.first, w.bits, w.durable, boot});
}

Result<void> put(Catalog& catalog, const DeleteCopy& w) {
  KITH_CHECK(catalog.remove_copy(w.copy));
  if (!w.last) return {};
  // The engine may not have heard yet of an import that was committed a moment ago.
  KITH_TRY(const auto copies, catalog.copies());
  const bool used = std::any_of(copies.begin(), copies.end(),
                                [&](const auto& copy) { return copy.share == w.share; });
  return used ? Result<void>() : catalog.remove_share(w.share);
}

Result<void> put(Catalog& catalog, const PutPeer& w) {
  return catalog.put_peer({w.swarm, w.device, w.endpoints, w.seen});
}

Result<void> put(Catalog& catalog, const PutSetting& w) {
  return catalog.put_setting(w.key, w.value);
}

Result<SavedSwarm> load_swarm(Catalog& catalog, const storage::SwarmRecord& record) {
  SavedSwarm out{record.id, record.secret, {}};
  KITH_TRY(out.ops, catalog.ops(record.id));
  return out;
}

Result<void> load_copies(Catalog& catalog, const std::string& boot, SavedState& state) {
  KITH_TRY(const auto shares, catalog.shares());
  KITH_TRY(const auto copies, catalog.copies());
  for (const storage::CopyRecord& record : copies) {
    const auto share = std::find_if(shares.begin(), shares.end(),
                                    [&](const auto& s) { return s.id == record.share; });
    if (share == shares.end()) continue;
    SavedCopy copy;
    copy.copy = {record.id,        record.share,   static_cast<CopyState>(record.state),
                 record.directory, record.name,    record.path,
                 record.detached,  record.replace, record.safe_links,
                 record.dev,       record.inode,   record.part,
                 record.swarm};
    copy.key = share->key;
    KITH_TRY(const auto scrub, catalog.scrub(record.id));
    if (scrub) copy.scrub = {scrub->next, scrub->ended, scrub->damaged, scrub->repaired};
    KITH_TRY(const auto rows, catalog.have(record.id));
    for (const storage::HaveRow& row : rows) {
      const bool same_boot = !boot.empty() && row.boot == boot;
      copy.rows.push_back({{record.id, row.first, row.bits, row.durable}, same_boot});
    }
    state.copies.push_back(std::move(copy));
  }
  return {};
}

}  // namespace

Result<void> execute(Catalog& catalog, const CatalogBody& body, const std::string& boot) {
  return std::visit(
      [&](const auto& write) {
        if constexpr (requires { put(catalog, write, boot); }) {
          return put(catalog, write, boot);
        } else {
          return put(catalog, write);
        }
      },
      body);
}

Result<SavedState> load_state(Catalog& catalog, const std::string& boot) {
  SavedState state;
  KITH_TRY(const auto swarms, catalog.swarms());
  for (const storage::SwarmRecord& record : swarms) {
    KITH_TRY(SavedSwarm swarm, load_swarm(catalog, record));
    state.swarms.push_back(std::move(swarm));
    KITH_TRY(const auto peers, catalog.peers(record.id, kPeersRemembered));
    for (const storage::PeerRecord& peer : peers) {
      state.peers.push_back({peer.swarm, peer.device, peer.endpoints});
    }
  }
  KITH_CHECK(load_copies(catalog, boot, state));
  KITH_TRY(const auto limits, catalog.setting(kLimitsSetting));
  state.limits = limits.value_or(std::string());
  KITH_TRY(const auto quota, catalog.setting(kQuotaSetting));
  state.quota = quota.value_or(std::string());
  KITH_TRY(const auto leftovers, catalog.setting(kLeftoversSetting));
  state.leftovers = leftovers.value_or(std::string());
  return state;
}

}  // namespace kith::node
