// The copies of this device: what it shares, what it fetches, and how a fetch gets from a link to a
// tree. Pure; part of the engine, which drains the transfer core's outbox after every call.
//
// A fetch goes through: kRoot (the root is wanted) → kPreparing (where does it go, is there room)
// → kManifest, only if something stands at the destination: every page, then kComparing
// → kContent (pages and content, rarest first) → kFinishing (empty entries, modes, times, sync)
// → kCommitting (the catalog knows) → kRenaming → kComplete. With the share complete elsewhere on
// this device kContent copies locally instead of asking peers; chunks that copies
// of other shares hold are copied, too. A second fetch to the same place
// joins the first; one of the same share to another place waits for the first and is then filled
// locally.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "node/engine/have_log.hpp"
#include "node/engine/turn.hpp"
#include "proto/content/manifest.hpp"
#include "proto/rng.hpp"
#include "transfer/manager.hpp"

namespace kith::node {

/// How long a fetch looks for anybody who provides the share, unless it was told to wait.
inline constexpr std::chrono::seconds kLookFor{30};
/// Have-bits reach the catalog this often, or after limits::kFlushBytes; content is synced this
/// often, or after limits::kSyncBytes.
inline constexpr std::chrono::milliseconds kFlushEvery{250};
inline constexpr std::chrono::seconds kSyncEvery{5};
inline constexpr std::chrono::milliseconds kProgressEvery{250};
/// Files of a held copy that were opened to be read are closed after so long, also while they are
/// being read: a deleted one would keep its space for ever.
inline constexpr std::chrono::seconds kCloseAfter{30};
/// Files of one copy that are named as changed or missing.
inline constexpr std::size_t kNamed = 100;

/// The id of a new copy: positive, since SQLite's row ids are signed.
[[nodiscard]] CopyId random_copy_id(Rng& rng);

class Copies {
 public:
  Copies(transfer::Manager& transfer, Rng& rng) : transfer_(transfer), rng_(rng) {}

  // --- commands; the swarm is resolved by the engine ---
  void restore(Turn& turn, const SavedCopy& saved);
  void add_share(Turn& turn, RequestId request, AddShare command);
  /// `convs`: of every epoch of the swarm, for chunks of `command.reuse`.
  void fetch(Turn& turn, RequestId request, const Fetch& command, const SwarmId& swarm,
             std::vector<Secret> convs);
  /// kConflict if it is not held, but fetched.
  [[nodiscard]] Result<void> unshare(Turn& turn, CopyId copy);
  void cancel(Turn& turn, RequestId request, CopyId copy);
  void verify(Turn& turn, RequestId request, std::vector<CopyId> copies);
  void moved(Turn& turn, RequestId request, CopyId copy, std::string path);
  /// Looks at the files of every held copy: what is not as recorded is hashed, and withdrawn if it
  /// is not the share's.
  void look(Turn& turn);
  [[nodiscard]] bool is_looking() const;
  /// The client of a command went away: a fetch nobody waits for, and that is not detached, pauses.
  void cancel_request(Turn& turn, RequestId request);
  /// Everything of a swarm that was left.
  void leave(Turn& turn, const SwarmId& swarm);

  // --- space: copies_space.cpp ---
  /// Bytes that fetched copies may take, stagings included; 0: as many as they like.
  void set_quota(std::uint64_t bytes) { quota_ = bytes; }
  [[nodiscard]] std::uint64_t quota() const { return quota_; }
  /// What they take. A fetch counts whole from its beginning.
  [[nodiscard]] std::uint64_t fetched_bytes() const;
  /// What an earlier run was to remove is removed. After restore() of every copy.
  void restore_leftovers(Turn& turn, std::vector<Leftover> saved);
  void collect_garbage(Turn& turn, RequestId request, bool dry_run);

  // --- results ---
  void on_discarded(Turn& turn, const FetchDiscarded& result);
  void on_collected(Turn& turn, const GarbageCollected& result);
  void on_root(Turn& turn, RootOpened result);
  void on_page(Turn& turn, PageOpened result);
  void on_chunk(Turn& turn, const ChunkWritten& result);
  void on_prepared(Turn& turn, const FetchPrepared& result);
  void on_compared(Turn& turn, const DestinationCompared& result);
  void on_finished(Turn& turn, FetchFinished result);
  void on_catalog(Turn& turn, const CatalogDone& result);
  void on_renamed(Turn& turn, FetchRenamed result);
  void on_synced(Turn& turn, const CopySynced& result);
  void on_verified(Turn& turn, const ChunkVerified& result);
  void on_copied(Turn& turn, const ChunkCopied& result);
  void on_found(Turn& turn, const ChunksFound& result);
  void on_scanned(Turn& turn, TreeScanned result);
  void on_opened(Turn& turn, CopyOpened result);
  void on_moved(Turn& turn, const CopyMoved& result);
  void on_located(Turn& turn, const ChunkLocated& result);
  void on_looked(Turn& turn, const PageLooked& result);
  /// Serving found that a chunk's files are missing or changed.
  void withdraw(Turn& turn, CopyId copy, const ShareId& share, ChunkIndex index, const Error& why,
                const std::string& path);

  // --- events of the transfer core ---
  void on_event(Turn& turn, const transfer::FetchComplete& event);
  void on_event(Turn& turn, const transfer::FetchFailed& event);
  void on_event(Turn& turn, const transfer::CheckChunk& event);
  void on_event(Turn& turn, const transfer::ChunkUnavailable& event);

  // --- for jobs ---
  /// Turns a received chunk into the job that opens it; nothing if its share is gone.
  [[nodiscard]] std::optional<Job> store_job(transfer::StoreRequest store, const BulkKey& key);
  /// The copy that serves this index, if one does.
  [[nodiscard]] std::optional<CopyId> source(const Turn& turn, const ShareId& share,
                                             ChunkIndex index);

  // --- time ---
  void on_timeout(Turn& turn);
  [[nodiscard]] std::optional<TimePoint> next_timeout() const;
  /// Nothing happened for so long, because the machine slept: patience is counted without it.
  void slept(Duration time);
  /// Everything that is not in the catalog yet, now: before the node ends.
  void flush_all(Turn& turn);

  // --- views ---
  [[nodiscard]] std::vector<ShareView> views() const;
  [[nodiscard]] ShareView view(CopyId copy) const;
  /// True for a shared or complete copy, false for a fetch.
  [[nodiscard]] bool holds(CopyId copy) const { return will_be_held(*find(copy)); }
  /// It is being taken up: what it has is not known yet.
  [[nodiscard]] bool is_opening(CopyId copy) const { return find(copy)->state == State::kOpening; }
  /// What this run of the node got of a share, and from whom; names are filled in by the engine.
  [[nodiscard]] std::vector<SourceView> sources_of(const ShareId& share) const;
  [[nodiscard]] std::vector<CopyId> all() const;
  /// Copies that a selector (link, id, prefix of an id) may mean.
  [[nodiscard]] std::vector<CopyId> select(const ShareSelector& selector) const;
  [[nodiscard]] std::size_t shares() const;
  [[nodiscard]] std::size_t fetches() const;
  /// Shares of a swarm that are announced by this device: it holds something of them.
  [[nodiscard]] std::vector<ShareId> announced(const SwarmId& swarm) const;
  /// Shares of a swarm that are looked for.
  [[nodiscard]] std::vector<ShareId> looked_for(const SwarmId& swarm) const;

 private:
  enum class State : std::uint8_t {
    kOpening,
    kPaused,
    kWaiting,
    kRoot,
    kPreparing,
    kManifest,
    kComparing,
    kContent,
    kFinishing,
    kCommitting,
    kRenaming,
    kComplete,
    kShared,
    kFailed,
    kUnreadable,  // held, but the catalog cannot tell what it is
  };
  struct Listener {
    RequestId request{};
    TimePoint since{};
    bool wait = false;  // however long nobody provides it
    std::uint64_t received_before = 0;
    std::vector<SourceView> sources_before;
  };
  /// A chunk that is not here, and a file with bytes in it.
  struct Missing {
    ChunkIndex index = 0;
    std::string path;
  };
  struct Look {
    std::size_t jobs = 0;
    std::size_t suspects = 0;  // so far
  };
  struct Copy {
    CopyId id{};
    ShareId share;
    SwarmId swarm;
    ChunkKey key;
    State state = State::kOpening;
    std::string directory, name, path;
    bool replace = false, safe_links = false, detached = false;
    std::uint64_t device = 0, inode = 0;
    std::shared_ptr<const Root> root;
    ShareShape shape;
    HaveLog have;
    std::vector<std::uint32_t> lengths;  // of content chunks; 0: page not here yet. Fetches only
    std::uint32_t pages_left = 0;
    bool from_local = false;                 // kContent copies from another copy
    std::map<ChunkIndex, FoundChunk> reuse;  // chunks to be copied from another share's copies
    std::deque<ChunkIndex> reuse_queue;      // those of which no job is out
    std::string reuse_tree;     // the user's, to be looked through before peers are asked; or empty
    std::vector<Secret> convs;  // for that
    bool scanning = false;      // a job looks through it
    std::uint64_t bytes_copied = 0;    // from other copies, since it began in this run
    std::optional<SavedCopy> saved;    // until on_opened
    std::vector<ChunkIndex> to_check;  // had but not durable when another kernel booted
    std::size_t jobs = 0;              // check or copy jobs in flight
    ChunkIndex next_index = 0;         // of the next such job
    std::uint64_t bytes_have = 0;
    std::uint64_t unflushed = 0, unsynced = 0;
    TimePoint flush_at{}, sync_at{};
    bool syncing = false;
    TimePoint looking_since{};
    std::uint64_t rate_bytes = 0;
    TimePoint rate_since{};
    std::uint64_t rate = 0;
    std::uint64_t links_outside = 0;
    std::vector<Listener> listeners;
    std::map<ChunkIndex, std::string> bad_paths;  // came with wrong bytes: a file in it
    std::set<ChunkIndex> unavailable;             // of these: no source is left
    std::optional<Missing> missing;               // the first, when nobody provides it
    bool locating = false;                        // that is being looked up
    bool on_network = false;                      // the transfer core fetches it
    bool compared = false;   // what stands at its destination is something else
    bool repaired = false;   // its staging was not as written when it was finished: once is enough
    bool abandoned = false;  // its last client left while a job was out: it pauses after that
    TimePoint last_stored{};
    std::set<std::string> problem_paths;
    std::string problem;
    std::optional<TimePoint> close_at;  // its files may be open. Held copies only
    std::optional<Look> look;           // under way. Held copies only
  };
  /// A `verify` command: chunks of its copies, one after the other, some at a time.
  struct Verify {
    std::uint64_t number = 0;
    RequestId request{};
    std::vector<CopyId> copies;
    std::size_t at = 0;
    ChunkIndex next = 0;
    std::size_t in_flight = 0;
    VerifyReport report;
    std::uint64_t bytes_total = 0;
    std::set<std::string> bad;
    TimePoint next_progress{};
  };

  /// The copy of this id: a new one, or one that was there, and may have been of another share.
  Copy& insert(CopyId id, const ShareId& share);
  void erase(CopyId id);
  void unlist(const Copy& copy);
  Copy* find(CopyId id);
  const Copy* find(CopyId id) const;
  Copy* fetching(const ShareId& share);
  const Copy* complete_copy(const ShareId& share) const;
  [[nodiscard]] static bool is_fetch(State state);
  [[nodiscard]] static bool is_held(State state) {
    return state == State::kComplete || state == State::kShared;
  }
  /// Held, or about to be taken up as such.
  [[nodiscard]] static bool will_be_held(const Copy& copy);

  [[nodiscard]] static bool is_being_renamed(State state);
  void reopen_fetch(Turn& turn, Copy& copy, CopyOpened& result);
  [[nodiscard]] static std::vector<ChunkIndex> withdrawn_in(const SavedCopy& saved);
  [[nodiscard]] static bool is_withdrawn(const Copy& copy);
  bool add_problem(Copy& copy, const std::string& path);
  void lose(Copy& copy, ChunkIndex index);
  void take_back(Turn& turn, Copy& copy, ChunkIndex index);
  void reopen_held(Turn& turn, Copy& copy, const CopyOpened& result);
  void reopen(Turn& turn, Copy& copy);
  void begin(Turn& turn, Copy& copy);
  void prepare(Turn& turn, Copy& copy);
  void begin_network(Turn& turn, Copy& copy);
  void show_shape(Turn& turn, const Copy& copy);
  void begin_content(Turn& turn, Copy& copy);
  [[nodiscard]] static bool may_ask(const Copy& copy);
  void offer_all(Turn& turn, Copy& copy);
  void offer_lengths(Turn& turn, Copy& copy, std::uint32_t page);
  /// Every page that describes the chunk is here.
  [[nodiscard]] static bool is_placed(const Copy& copy, std::uint32_t chunk);
  void copy_more(Turn& turn, Copy& copy);
  void reuse_pages(Turn& turn, const Copy& copy, std::vector<std::uint32_t>& lengths);
  void on_page_reused(Turn& turn, Copy& copy, PageOpened result);
  [[nodiscard]] static bool is_expected(const Copy& copy, const PageOpened& page);
  void take_page(Turn& turn, Copy& copy, PageOpened result);
  void scan_tree(Turn& turn, Copy& copy, std::shared_ptr<TreeChunks> tree);
  void offer_page(Turn& turn, Copy& copy, std::uint32_t page);
  void offer_chunk(Turn& turn, Copy& copy, ChunkIndex index);
  void reuse_more(Turn& turn, Copy& copy);
  void on_reused(Turn& turn, Copy& copy, const ChunkCopied& result);
  [[nodiscard]] bool has_others(const Copy& copy) const;
  [[nodiscard]] Copy* holder_of(const FoundChunk& chunk);
  static void forget_reuse(Copy& copy);
  void check_more(Turn& turn, Copy& copy);
  [[nodiscard]] static bool is_whole(const Copy& copy) {
    return copy.have.count() == copy.have.total();
  }
  [[nodiscard]] static std::uint64_t fetched_bytes(const Copy& copy);
  [[nodiscard]] std::uint64_t room_for(const Copy& copy) const;
  void note_leftover(Turn& turn, const DiscardFetchJob& job);
  void forget_leftover(Turn& turn, const Copy& copy);
  void drop_leftover(Turn& turn, CopyId of);
  void save_leftovers(Turn& turn);
  void remove_replaced(Turn& turn, const Copy& by);
  void report_gone(Turn& turn, const GarbageCollected& result, GarbageReport& report);
  void maybe_finish(Turn& turn, Copy& copy);
  void fetch_again(Turn& turn, Copy& copy);
  void repair(Turn& turn, Copy& copy, const FetchFinished& found);
  void pause(Turn& turn, Copy& copy);
  void abandon(Turn& turn, Copy& copy);
  void fail(Turn& turn, Copy& copy, const Error& error);
  void finish(Turn& turn, Copy& copy, bool already_there);
  void remove(Turn& turn, Copy& copy, bool discard);
  void mark_have(Turn& turn, Copy& copy, ChunkIndex index);
  void serve(Turn& turn, const Copy& copy);
  static void will_read(const Turn& turn, Copy& copy);
  void leave_network(Turn& turn, Copy& copy);
  void save_held(Turn& turn, Copy& copy);
  [[nodiscard]] bool is_opening(const Copy& but) const;
  [[nodiscard]] Copy* held_at(const Copy& but);
  void answer(Turn& turn, Copy& copy, bool already_there);
  void save(Turn& turn, const Copy& copy, CopyState state, bool full);
  void flush(Turn& turn, Copy& copy);
  void wake_waiting(Turn& turn, const ShareId& share);
  void report_progress(Turn& turn, Copy& copy);
  static void end_look(Copy& copy);
  void verify_more(Turn& turn, Verify& verify);
  void sync(Turn& turn, Copy& copy);
  void start_writeback(Turn& turn, Copy& copy);
  static void distrust(Copy& copy, Errc why);
  void watch_over(Turn& turn, Copy& copy);
  [[nodiscard]] static Error why_stuck(const Copy& copy);
  [[nodiscard]] static bool waits(const Turn& turn, const Listener& listener);
  [[nodiscard]] static bool is_told(const Turn& turn, const Copy& copy);
  void give_up(Turn& turn, Copy& copy, const Error& why);
  [[nodiscard]] bool is_stuck(Turn& turn, Copy& copy) const;
  [[nodiscard]] static std::optional<ChunkIndex> first_missing(const Copy& copy);
  [[nodiscard]] bool knows_missing(Turn& turn, Copy& copy);
  [[nodiscard]] static std::string shown_name(const Copy& copy);
  [[nodiscard]] FetchProgress progress_of(const Copy& copy) const;
  [[nodiscard]] std::uint32_t length_of(const Copy& copy, ChunkIndex index) const;
  void set_root(Copy& copy, Root root);

  transfer::Manager& transfer_;
  Rng& rng_;
  std::map<CopyId, Copy> copies_;
  std::map<ShareId, std::vector<Copy*>> by_share_;  // looked up for every section and chunk
  std::map<std::uint64_t, CopyId> commits_;         // acks awaited from the catalog
  std::uint64_t next_ack_ = 1;
  std::vector<Verify> verifies_;
  std::uint64_t next_verify_ = 1;
  std::map<CopyId, std::vector<RequestId>> moves_;
  TimePoint next_progress_{};
  std::uint64_t quota_ = 0;
  std::vector<Leftover> leftovers_;
};

}  // namespace kith::node
