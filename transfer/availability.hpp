// How many connected peers hold each index of a share, and the wanted indices in order of rarity.
//
// `order_` holds every member (an index that may be picked now), grouped by rank: first the root
// and the pages, then the content; within each, by the number of holders, 0 first. Where counts
// exceed kCommon they share a rank: how common a common chunk is does not matter. A change of count
// by one moves an index over one boundary, which is one swap.
//
// A pick is random among the rarest that the peer holds: a random place in the bucket, then
// forward. Of the first kChoices that the peer holds there the longest is taken: a long chunk that
// is asked for last is passed on last, and everybody waits for it. Not the longest of all, or all
// peers would ask for the same. After kProbes misses (the peer holds few of the rare ones) it looks
// through the words of "member and held by the peer" from a cursor that the caller keeps per peer,
// and takes the rarest of the first few. So no pick is linear in the share, but for one pass over
// its words when a peer has nothing left to give.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "proto/ids.hpp"
#include "proto/rng.hpp"
#include "transfer/bitfield.hpp"

namespace kith::transfer {

class Availability {
 public:
  /// Indices [0, total), of which [0, first_content) go before all others. No holders, no members.
  Availability(ChunkIndex total, ChunkIndex first_content);

  // --- holders ---
  /// One more, one fewer connected peer holds `index` < total.
  void add(ChunkIndex index);
  void remove(ChunkIndex index);
  /// The same for every bit of `held`; bits at or past total are ignored.
  void add_all(const Bitfield& held);
  void remove_all(const Bitfield& held);
  [[nodiscard]] std::uint32_t count(ChunkIndex index) const { return counts_[index]; }

  // --- members ---
  void insert(ChunkIndex index);
  void erase(ChunkIndex index);
  /// Whether it is a member.
  [[nodiscard]] bool contains(ChunkIndex index) const { return members_.test(index); }
  /// Members.
  [[nodiscard]] std::size_t size() const { return order_.size(); }
  /// A member that `held` has, rarest first, of random equals the longest; nothing if there is
  /// none. `lengths`: of all indices.
  [[nodiscard]] std::optional<ChunkIndex> pick(const Bitfield& held,
                                               std::span<const std::uint32_t> lengths,
                                               ChunkIndex& cursor, Rng& rng) const;
  /// The least member that `held` has.
  [[nodiscard]] std::optional<ChunkIndex> first(const Bitfield& held) const;

  /// Asserts the invariants; linear.
  void check_invariants() const;

 private:
  static constexpr std::uint32_t kCommon = 31;  // this many holders or more: one rank
  static constexpr std::uint32_t kRanks = 2 * (kCommon + 1);
  static constexpr std::size_t kProbes = 64;
  static constexpr std::size_t kChoices = 4;
  static constexpr std::size_t kCandidates = 8;

  [[nodiscard]] std::uint32_t rank(ChunkIndex index) const;
  void move(ChunkIndex index, std::uint32_t from, std::uint32_t to);
  void swap_to(ChunkIndex index, std::uint32_t position);
  [[nodiscard]] std::optional<ChunkIndex> choose(std::uint32_t rank, const Bitfield& held,
                                                 std::span<const std::uint32_t> lengths,
                                                 std::size_t& probes, Rng& rng) const;
  [[nodiscard]] std::optional<ChunkIndex> scan(const Bitfield& held, std::size_t from,
                                               std::size_t to) const;

  ChunkIndex first_content_;
  std::vector<std::uint16_t> counts_;
  std::vector<ChunkIndex> order_;
  std::vector<std::uint32_t> position_;            // in order_, of members
  std::array<std::uint32_t, kRanks + 1> begin_{};  // of each rank in order_
  Bitfield members_;
};

}  // namespace kith::transfer
