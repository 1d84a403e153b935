// The catalog of a device: what it shares and has, its swarms, what it knows of peers. SQLite, one
// file in the home. One Catalog belongs to one thread; the node's catalog thread has the only one
// that writes, others may read through open_read_only.
//
// Writes are grouped: begin(), any number of writes, then commit() or commit_full(). A process
// crash loses nothing that was committed; a system crash may lose the last commits made with
// commit(), never one made with commit_full(), and never leaves half of a group.
//
// Big deletions are not done at once: remove_share takes away the share, its pages and index rows
// follow in sweep(), some at a time, and after them the room that they took in the file.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/crypto/hash.hpp"
#include "proto/endpoint.hpp"
#include "proto/ids.hpp"
#include "proto/result.hpp"
#include "proto/time.hpp"
#include "storage/file_io.hpp"
#include "storage/have_rows.hpp"
#include "storage/sqlite.hpp"

namespace kith::storage {

enum class CopyState : std::uint8_t {
  kFetching = 0,
  kFinishing = 1,  // everything is written and synced; the rename follows
  kComplete = 2,   // fetched
  kShared = 3,     // published from here
};

struct ShareRecord {
  ShareId id;
  SwarmId swarm;  // in which it came here first
  std::string name;
  ChunkKey key;  // of the root
  Buffer root;   // ciphertext
  bool operator==(const ShareRecord&) const = default;
};

struct CopyRecord {
  CopyId id{};
  ShareId share;
  CopyState state = CopyState::kFetching;
  bool detached = false;
  bool replace = false;
  bool safe_links = false;
  std::string directory;  // where a fetch goes
  std::string name;
  std::string path;       // final
  std::uint64_t dev = 0;  // of the staged root
  std::uint64_t inode = 0;
  std::vector<std::string> part = {};  // globs of what it takes; empty: everything
  SwarmId swarm = {};                  // in which it is served
  bool operator==(const CopyRecord&) const = default;
};

/// How far the scrub is with a copy (ScrubLedger of node/engine/catalog_write.hpp).
struct ScrubRecord {
  ChunkIndex next = 0;
  UnixMillis ended{};
  std::uint64_t damaged = 0;
  std::uint64_t repaired = 0;
  bool operator==(const ScrubRecord&) const = default;
};

struct SwarmRecord {
  SwarmId id;
  Secret secret;  // G
};

struct PeerRecord {
  SwarmId swarm;
  DeviceId device;
  std::vector<Endpoint> endpoints;
  UnixMillis seen{};
  bool operator==(const PeerRecord&) const = default;
};

/// Where a chunk is known to be described: `chunk` counts the content chunks of the share from 0.
struct ChunkPlace {
  ShareId share;
  std::uint32_t chunk = 0;
  bool operator==(const ChunkPlace&) const = default;
};

class Catalog {
 public:
  /// Opens, checks and migrates; makes the file if it is missing. Errors: kUnsupported where a
  /// newer kith made it, kIo where it is damaged or not ours. Nothing is overwritten then.
  [[nodiscard]] static Result<Catalog> open(const std::string& path);
  [[nodiscard]] static Result<Catalog> open_read_only(const std::string& path);
  /// For tests and simulations.
  [[nodiscard]] static Result<Catalog> open_in_memory();

  [[nodiscard]] Result<void> begin();
  [[nodiscard]] Result<void> commit();
  /// Returns when the group, and every one before it, would survive a power cut.
  [[nodiscard]] Result<void> commit_full();
  void roll_back();

  // --- settings ---
  [[nodiscard]] Result<void> put_setting(std::string_view name, std::string_view value);
  [[nodiscard]] Result<std::optional<std::string>> setting(std::string_view name);

  // --- swarms ---
  [[nodiscard]] Result<void> put_swarm(const SwarmRecord& swarm);
  [[nodiscard]] Result<std::vector<SwarmRecord>> swarms();
  /// With its operations, wraps and peers. Shares are removed one by one by the caller.
  [[nodiscard]] Result<void> remove_swarm(const SwarmId& swarm);
  /// Idempotent: an operation that is there already stays where it is.
  [[nodiscard]] Result<void> put_op(const SwarmId& swarm, const OpId& id, Bytes op);
  /// In the order in which they were put, hence parents first.
  [[nodiscard]] Result<std::vector<Buffer>> ops(const SwarmId& swarm);
  [[nodiscard]] Result<void> put_wraps(const SwarmId& swarm, const OpId& epoch, Bytes wraps);
  [[nodiscard]] Result<std::optional<Buffer>> wraps(const SwarmId& swarm, const OpId& epoch);
  [[nodiscard]] Result<void> put_peer(const PeerRecord& peer);
  /// The `limit` peers of a swarm that were seen last, latest first.
  [[nodiscard]] Result<std::vector<PeerRecord>> peers(const SwarmId& swarm, std::size_t limit);

  // --- shares ---
  /// Idempotent.
  [[nodiscard]] Result<void> put_share(const ShareRecord& share);
  [[nodiscard]] Result<std::optional<ShareRecord>> share(const ShareId& id);
  [[nodiscard]] Result<std::vector<ShareRecord>> shares();
  /// Its copies must have been removed.
  [[nodiscard]] Result<void> remove_share(const ShareId& id);
  /// kNotFound without the share. Idempotent.
  [[nodiscard]] Result<void> put_page(const ShareId& share, std::uint32_t number, Bytes ciphertext);
  [[nodiscard]] Result<std::optional<Buffer>> page(const ShareId& share, std::uint32_t number);
  /// Numbers of the pages that are here, ascending.
  [[nodiscard]] Result<std::vector<std::uint32_t>> pages(const ShareId& share);

  // --- copies ---
  /// kNotFound without the share; replaces a record of the same id.
  [[nodiscard]] Result<void> put_copy(const CopyRecord& copy);
  [[nodiscard]] Result<void> set_copy_state(CopyId copy, CopyState state, std::string_view path);
  [[nodiscard]] Result<std::vector<CopyRecord>> copies();
  /// The states of its files follow in sweep().
  [[nodiscard]] Result<void> remove_copy(CopyId copy);
  [[nodiscard]] Result<void> put_have(CopyId copy, const HaveRow& row);
  /// Rows whose form is damaged are an error (kIo).
  [[nodiscard]] Result<std::vector<HaveRow>> have(CopyId copy);
  [[nodiscard]] Result<void> put_file_stats(CopyId copy, std::uint32_t page, Bytes stats);
  [[nodiscard]] Result<std::optional<Buffer>> file_stats(CopyId copy, std::uint32_t page);

  /// Replaces what was noted; nothing for a copy that is not there.
  [[nodiscard]] Result<void> put_scrub(CopyId copy, const ScrubRecord& scrub);
  [[nodiscard]] Result<std::optional<ScrubRecord>> scrub(CopyId copy);

  // --- reuse ---
  /// Notes that `ids` are the content chunks [first, first + ids.size()) of the share.
  [[nodiscard]] Result<void> index_chunks(const ShareId& share, std::uint32_t first,
                                          std::span<const ChunkId> ids);
  /// The same by hash of the plaintext, so that a later import finds content that it has.
  [[nodiscard]] Result<void> index_plain(const ShareId& share, std::uint32_t first,
                                         std::span<const PlainHash> hashes);
  /// Notes for `count` chunks from `to` on of a share the hashes that are noted for those from
  /// `from` on of an earlier one.
  [[nodiscard]] Result<void> copy_plain(const ShareId& earlier, std::uint32_t from,
                                        const ShareId& share, std::uint32_t to,
                                        std::uint32_t count);
  /// Places where the first 8 bytes agree, at most 8. The caller compares the whole id.
  [[nodiscard]] Result<std::vector<ChunkPlace>> find_chunk(const ChunkId& id);
  [[nodiscard]] Result<std::vector<ChunkPlace>> find_plain(const PlainHash& hash);

  /// At a start, before anything else writes: what was begun and never became a copy. A transaction
  /// of its own; its pages and hashes follow in sweep().
  [[nodiscard]] Result<void> remove_unused();
  /// One step of cleaning up after remove_copy and remove_share, in a transaction of the caller:
  /// rows first, then pages of the file that nothing needs any more go back to the file system.
  /// True: there may be more to do.
  [[nodiscard]] Result<bool> sweep();
  /// Outside of a transaction: what sweep() gave back leaves the file as far as no reader is in the
  /// way, and the file that commits wait in is cut when it begins anew.
  [[nodiscard]] Result<void> checkpoint();
  /// Of the catalog as it is committed, and how much of that nothing needs.
  struct Size {
    std::uint64_t bytes = 0;
    std::uint64_t free_bytes = 0;
  };
  [[nodiscard]] Result<Size> size();

  /// Reads the whole file and checks its structure: for `doctor`. kIo if it is damaged.
  [[nodiscard]] Result<void> check();

 private:
  explicit Catalog(std::unique_ptr<Db> db) : db_(std::move(db)) {}
  [[nodiscard]] static Result<Catalog> open_db(const std::string& path, DbMode mode);
  // A statement in use; reset when the use ends, so that no read transaction stays open.
  struct Reset {
    void operator()(Stmt* stmt) const { stmt->reset(); }
  };
  using Use = std::unique_ptr<Stmt, Reset>;
  [[nodiscard]] Result<Use> stmt(const char* sql);
  [[nodiscard]] Result<std::int64_t> share_number(const ShareId& id);
  [[nodiscard]] Result<std::vector<ChunkPlace>> find_places(const char* sql, std::int64_t id8);
  enum class HashKind : std::uint8_t { kChunk = 0, kPlain = 1 };
  [[nodiscard]] Result<void> index_hashes(HashKind kind, const ShareId& share, std::uint32_t first,
                                          std::span<const std::int64_t> hashes);
  [[nodiscard]] Result<void> put_run(HashKind kind, std::int64_t share, std::uint32_t first,
                                     std::span<const std::int64_t> hashes);
  [[nodiscard]] Result<std::optional<std::int64_t>> leftover(const char* next_sql);
  [[nodiscard]] Result<void> sweep_run(std::int64_t share);
  [[nodiscard]] Result<bool> sweep_stats(CopyId copy);
  [[nodiscard]] Result<bool> give_back();
  [[nodiscard]] Result<void> make_shrinkable(std::int64_t bytes);

  std::unique_ptr<Db> db_;
  std::vector<CopyId> removed_copies_;  // to be swept; a start finds what an earlier run left
  bool shrinks_ = false;                // the file was made so that it can give single pages back
  std::map<const char*, Stmt> statements_;  // keyed by the constant, not by its text
};

/// Refuses file systems on which SQLite's locks or our permissions do not hold: NFS, SMB, 9P, FAT.
[[nodiscard]] Result<void> check_home_filesystem(FileIo& io, const std::string& home);

}  // namespace kith::storage
