// What the engine wants remembered: plain values, executed in order by the catalog thread, which
// commits them in batches. A write with `ack` is answered by CatalogDone after its commit; one with
// `full` is committed with synchronous=FULL, so that it survives a power cut.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "node/engine/command.hpp"
#include "proto/crypto/hash.hpp"

namespace kith::node {

enum class CopyState : std::uint8_t {
  kFetching = 0,
  kFinishing = 1,  // everything is written and synced; the rename follows
  kComplete = 2,   // fetched
  kShared = 3,     // published from here
};

struct PutSwarm {
  SwarmId swarm;
  Secret group;  // G
};
struct PutOps {
  SwarmId swarm;
  std::vector<Buffer> ops;  // encoded, parents first
};
struct DeleteSwarm {
  SwarmId swarm;
};
struct PutShare {
  ShareId share;
  SwarmId swarm;
  ChunkKey key;
  std::string name;
  Buffer root;  // ciphertext
};
struct PutPage {
  ShareId share;
  std::uint32_t page = 0;
  Buffer ciphertext;
  std::uint32_t first_chunk = 0;  // number of the first content chunk that the page describes
  std::vector<ChunkId> chunks{};  // from that one on, for later fetches to find
};
struct PutCopy {
  CopyId copy{};
  ShareId share;
  CopyState state{};
  std::string directory;  // of a fetch
  std::string name;
  std::string path;  // final
  bool detached = false;
  bool replace = false;
  bool safe_links = false;
  std::uint64_t device = 0;  // of the staged root
  std::uint64_t inode = 0;
  std::vector<std::string> part;  // globs; empty: everything
  SwarmId swarm;                  // in which it is served
};
struct SetCopyState {
  CopyId copy{};
  CopyState state{};
  std::string path;
};
struct PutFileStats {
  CopyId copy{};
  std::vector<Buffer> pages;
};
/// Of one page: its files were repaired.
struct PutPageStats {
  CopyId copy{};
  std::uint32_t page = 0;
  Buffer stats;
};
/// How far the scrub is with a copy, and what it met there.
struct ScrubLedger {
  ChunkIndex next = 0;         // index to be read next; 0: no pass is under way
  UnixMillis ended{};          // when all of it was last known to be read; 0: never
  std::uint64_t damaged = 0;   // chunks that were found rotten, ever
  std::uint64_t repaired = 0;  // of these
  bool operator==(const ScrubLedger&) const = default;
};
struct PutScrub {
  CopyId copy{};
  ScrubLedger ledger;
};
/// Indices [first, first + 8·bits.size()) of the have-set; `durable`: the second mark.
struct PutHave {
  CopyId copy{};
  ChunkIndex first = 0;
  Buffer bits;
  bool durable = false;
};
struct DeleteCopy {
  CopyId copy{};
  ShareId share;
  bool last = false;  // no other copy: the share's rows go too
};
struct PutPeer {
  SwarmId swarm;
  DeviceId device;
  std::vector<Endpoint> endpoints;
  UnixMillis seen{};
};
/// Where the engine keeps what ChangeLimit made (encode_limits).
inline constexpr const char* kLimitsSetting = "limits";
/// Where it keeps the quota, in decimal, and the stagings to be removed (encode_leftovers).
inline constexpr const char* kQuotaSetting = "quota";
inline constexpr const char* kLeftoversSetting = "leftovers";
struct PutSetting {
  std::string key;
  std::string value;
};

using CatalogBody =
    std::variant<PutSwarm, PutOps, DeleteSwarm, PutShare, PutPage, PutCopy, SetCopyState,
                 PutFileStats, PutPageStats, PutScrub, PutHave, DeleteCopy, PutPeer, PutSetting>;
struct CatalogWrite {
  CatalogBody body;
  std::optional<std::uint64_t> ack;
  bool full = false;
};
struct CatalogDone {
  std::uint64_t ack = 0;
  std::optional<Error> error;
};

// --- what the engine is given at start ---

struct SavedSwarm {
  SwarmId swarm;
  Secret group;
  std::vector<Buffer> ops;
};
struct SavedCopy {
  PutCopy copy;
  ChunkKey key;
  struct Row {
    PutHave row;
    bool same_boot = false;  // written since this kernel booted: its page cache still has the bytes
  };
  ScrubLedger scrub;
  std::vector<Row> rows;  // of both sets, without overlap within each
};
struct SavedPeer {
  SwarmId swarm;
  DeviceId device;
  std::vector<Endpoint> endpoints;
};
struct SavedState {
  std::vector<SavedSwarm> swarms;
  std::vector<SavedCopy> copies;
  std::vector<SavedPeer> peers;
  // Settings; empty if there is none.
  std::string limits;     // kLimitsSetting
  std::string quota;      // kQuotaSetting
  std::string leftovers;  // kLeftoversSetting
};

}  // namespace kith::node
