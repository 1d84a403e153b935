// One share on this node: what is held of it, what each connected peer holds of it, and, while it
// is fetched, the picker. Knows nothing of connections but their ids.
//
// Invariants: every bit of every holder below total() is counted once in the picker; a holder's set
// is no longer than what the peer named (and, once the shape is known, than the share).
#pragma once

#include <map>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "transfer/bitfield.hpp"
#include "transfer/chunk_picker.hpp"
#include "transfer/manager.hpp"

namespace kith::transfer {

/// What one connected peer holds, as far as it told.
struct Holder {
  Handle handle = 0;
  Bitfield bits;
  ChunkIndex total = 0;                // as the peer named it; 0: nothing held, or not known to it
  ChunkIndex cursor = 0;               // where the picker looks on
  bool exhausted = false;              // nothing to ask for until something changes
  std::vector<ChunkIndex> distrusted;  // came wrong: asked for again only after an explicit `have`
};

class ShareSwarm {
 public:
  explicit ShareSwarm(const ShareId& share_id) : id(share_id), have_(1) {}

  const ShareId id;

  // --- swarms in which it is served, and asked for ---
  [[nodiscard]] bool is_in(const SwarmId& swarm) const { return swarms_.contains(swarm); }
  /// Returns whether it was not in it before.
  bool join(const SwarmId& swarm) { return swarms_.insert(swarm).second; }

  // --- held here ---
  /// 0 until the root is known.
  [[nodiscard]] ChunkIndex total() const { return total_; }
  [[nodiscard]] const Bitfield& have() const { return have_; }
  /// True if a peer may be served this index.
  [[nodiscard]] bool serves(ChunkIndex index) const { return total_ > 0 && have_.test(index); }
  /// As Manager::set_shape.
  void set_shape(ChunkIndex total, std::span<const std::uint32_t> page_lengths, Bytes have);
  /// Returns whether it was not held before. What is past the end is ignored.
  bool hold(ChunkIndex index);
  bool drop(ChunkIndex index);

  // --- fetching ---
  [[nodiscard]] bool fetching() const { return picker_ != nullptr; }
  /// Only while fetching().
  [[nodiscard]] ChunkPicker& picker() { return *picker_; }
  [[nodiscard]] const ChunkPicker& picker() const { return *picker_; }
  void start_fetching();
  void stop_fetching();

  // --- holders: connections that this side watches ---
  [[nodiscard]] std::map<ConnId, Holder>& holders() { return holders_; }
  [[nodiscard]] const std::map<ConnId, Holder>& holders() const { return holders_; }
  /// Nullptr: the share is not watched there.
  [[nodiscard]] Holder* holder(ConnId conn);
  /// A share is watched at a connection under this handle; it holds nothing yet.
  Holder& add_holder(ConnId conn, Handle handle, ChunkIndex cursor);
  void remove_holder(ConnId conn);
  /// A have_set. Error: it contradicts the shape (blame peer).
  [[nodiscard]] Result<void> replace_bits(Holder& holder, const HaveSetFrame& set);
  /// A `have`. Error: past the end (blame peer).
  [[nodiscard]] Result<void> set_bits(Holder& holder, std::span<const ChunkIndex> indices);
  /// Without effect past what the peer named as the end.
  void set_bit(Holder& holder, ChunkIndex index);
  void clear_bit(Holder& holder, ChunkIndex index);

  // --- sole source: every chunk once before any twice ---
  /// Root and pages never count as sent: whoever lacks them can ask for nothing else, and has
  /// nothing that would help the others.
  [[nodiscard]] bool sent(ChunkIndex index) const { return sent_.test(index); }
  /// Marks a chunk; when every chunk was sent, all count as not sent again. True then.
  bool mark_sent(ChunkIndex index);

  // --- progress ---
  ShareProgress progress;  // what is worked out is filled in by report()
  std::map<DeviceId, std::uint64_t> by_device;
  /// `progress`, with what is worked out filled in.
  [[nodiscard]] ShareProgress report() const;

  // --- to be told to watchers ---
  std::vector<ChunkIndex> unannounced;
  bool completion_told = false;

  void check_invariants() const;

 private:
  std::set<SwarmId> swarms_;
  ChunkIndex total_ = 0;
  Bitfield have_;  // one bit, the root's, until the shape is known
  Bitfield sent_;
  std::vector<std::uint32_t> page_lengths_;
  std::unique_ptr<ChunkPicker> picker_;
  std::map<ConnId, Holder> holders_;
};

}  // namespace kith::transfer
