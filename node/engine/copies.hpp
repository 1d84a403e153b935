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
// locally. A fetch that goes on waits for what its jobs still do of what was ended before: they may
// write to another staging. A copy may take only a part of its share (node/engine/selection.hpp).
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "node/engine/have_log.hpp"
#include "node/engine/selection.hpp"
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

/// The id of a new copy: positive, since SQLite's row ids are signed.
[[nodiscard]] CopyId random_copy_id(Rng& rng);

/// Reading a chunk failed with this: the copy does not have it any more. Otherwise it is not known.
[[nodiscard]] inline bool tells_of_loss(const Error& error) {
  return error.code == Errc::kVerification || error.code == Errc::kNotFound ||
         error.code == Errc::kChanged;
}

class Copies {
 public:
  Copies(transfer::Manager& transfer, Rng& rng) : transfer_(transfer), rng_(rng) {}

  // --- commands; the swarm is resolved by the engine ---
  void restore(Turn& turn, const SavedCopy& saved);
  void add_share(Turn& turn, RequestId request, AddShare command);
  /// `convs`: of every epoch of the swarm, for chunks of `command.reuse`.
  void fetch(Turn& turn, RequestId request, const Fetch& command, const SwarmId& swarm,
             std::vector<Secret> convs);
  /// `link` is the one that the command's selector means.
  void read(Turn& turn, RequestId request, const ReadFile& command, const Link& link,
            const SwarmId& swarm);
  /// kConflict if it is not held, but fetched.
  [[nodiscard]] Result<void> unshare(Turn& turn, CopyId copy);
  void cancel(Turn& turn, RequestId request, CopyId copy);
  void verify(Turn& turn, RequestId request, std::vector<CopyId> copies);
  void moved(Turn& turn, RequestId request, CopyId copy, std::string path);
  void set_scrub(const ScrubSettings& settings);
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
  void on_bytes_found(Turn& turn, BytesFound result);
  void on_chunk_read(Turn& turn, ChunkRead result);
  void on_prepared(Turn& turn, const FetchPrepared& result);
  void on_compared(Turn& turn, const DestinationCompared& result);
  void on_selected(Turn& turn, const PageSelected& result);
  void on_room(Turn& turn, const RoomChecked& result);
  void on_finished(Turn& turn, FetchFinished result);
  void on_catalog(Turn& turn, const CatalogDone& result);
  void on_renamed(Turn& turn, FetchRenamed result);
  void on_synced(Turn& turn, const CopySynced& result);
  void on_verified(Turn& turn, const ChunkVerified& result);
  void on_mended(Turn& turn, const ChunkMended& result);
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
  /// `device`: that sent it.
  [[nodiscard]] std::optional<Job> store_job(transfer::StoreRequest store, const BulkKey& key,
                                             const DeviceId& device);
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
  [[nodiscard]] ScrubView scrub_view() const;
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
  /// A chunk that rotted on the disk; a good one is looked for, unless that was given up.
  struct Mend {
    std::uint32_t length = 0;
    std::uint32_t files = 0;  // with bytes in it
    std::string path;         // of one of them
    bool at_job = false;
    bool given_up = false;
    std::string why_not;  // so far
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
    std::optional<Selection> part;       // nothing: it takes all of the share
    bool has_room = false;               // there is room for the part
    std::vector<std::uint32_t> lengths;  // of content chunks; 0: page not here yet. Fetches only
    std::uint32_t pages_left = 0;
    bool is_stream = false;                  // see copies_stream.cpp
    bool from_local = false;                 // kContent copies from another copy
    std::map<ChunkIndex, FoundChunk> reuse;  // chunks to be copied from another share's copies
    std::deque<ChunkIndex> reuse_queue;      // those of which no job is out
    std::string reuse_tree;     // the user's, to be looked through before peers are asked; or empty
    std::vector<Secret> convs;  // for that
    bool scanning = false;      // a job looks through it
    std::uint64_t bytes_copied = 0;    // from other copies, since it began in this run
    std::optional<SavedCopy> saved;    // until on_opened
    std::vector<ChunkIndex> to_check;  // had but not durable when another kernel booted
    std::size_t jobs = 0;              // check, copy or scan jobs in flight
    std::size_t steps = 0;             // other jobs that read or write its staging; not syncs
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
    bool finished = false;       // the catalog has it so: it may have its final name
    bool lost_unsynced = false;  // the disk said so while it was opened anew
    bool compared = false;       // what stands at its destination is something else
    bool repaired = false;   // its staging was not as written when it was finished: once is enough
    bool asked = false;      // a command of this run of the node wants it
    bool abandoned = false;  // its last client left while a job was out: it pauses after that
    TimePoint last_stored{};
    std::set<std::string> problem_paths;
    std::string problem;
    std::optional<TimePoint> close_at;  // its files may be open. Held copies only
    std::optional<Look> look;           // under way. Held copies only
    std::map<ChunkIndex, Mend> mends;   // none of them is held. Held copies only
    ScrubLedger scrub;
    std::vector<ChunkIndex> recheck;  // withdrawn in an earlier run: the scrub begins with them
  };
  /// What readings of a share have in memory.
  struct Stream {
    SwarmId swarm;
    ChunkKey key;
    struct Chunk {
      std::shared_ptr<const SlabChain> data;
      std::uint64_t used = 0;  // as Stream::uses counts
    };
    std::map<ChunkIndex, Chunk> chunks;
    std::set<ChunkIndex> at_jobs;  // being read from a copy
    std::uint64_t bytes = 0;       // of the chunks
    std::uint64_t uses = 0;
    TimePoint used{};  // by a reading
  };
  /// A ReadFile command.
  struct Reading {
    RequestId request{};
    ShareId share;
    ReadFile command;
    TimePoint since{};
    bool is_finding = false;
    std::optional<std::uint32_t> missing_page;
    std::optional<FilePlace> place;
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
    struct Damage {
      bool settled = false;
      DamageView view{};
    };
    std::map<std::pair<CopyId, ChunkIndex>, Damage> damage;
    std::size_t unsettled = 0;
    TimePoint give_up{};  // then what is not settled is reported as it is
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
  /// Empty if there is none.
  [[nodiscard]] const std::vector<Copy*>& copies_of(const ShareId& share) const;
  Copy* fetching(const ShareId& share);
  /// To a place: a stream does not count.
  [[nodiscard]] bool is_fetched(const ShareId& share) const;
  const Copy* complete_copy(const ShareId& share) const;
  Copy* stream_of(const ShareId& share);
  void read_on(Turn& turn, const ShareId& share);
  void hurry(const ShareId& share);
  bool answer(Turn& turn, Stream& stream, const Reading& reading);
  void begin_stream(Turn& turn, const ShareId& share, const Stream& stream);
  void take_root(Copy& copy, Root root);
  void read_pages(Turn& turn, const ShareId& share);
  void want_page(Turn& turn, const ShareId& share, const Stream& stream, std::uint32_t page);
  void want_chunks(Turn& turn, const ShareId& share, Stream& stream, const FilePlace& place);
  void on_streamed(Turn& turn, Copy& copy, const ChunkWritten& result);
  void keep_chunk(const ShareId& share, ChunkIndex index, std::shared_ptr<const SlabChain> data);
  [[nodiscard]] bool is_needed(const ShareId& share, ChunkIndex index) const;
  /// A chunk that comes to this fetch, or stream, is for readings only.
  [[nodiscard]] static bool passes(const Copy& copy, ChunkIndex index);
  [[nodiscard]] bool is_read(const ShareId& share) const;
  void fail_readings(Turn& turn, const ShareId& share, const Error& why);
  void give_up_readings(Turn& turn, const Copy& copy);
  [[nodiscard]] static Error why_unread(const Copy& copy, const Reading& reading);
  void end_stream(Turn& turn, Copy& copy);
  void end_streams(Turn& turn, const SwarmId& swarm);
  void tend_streams(Turn& turn);
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
  void discount(Copy& copy, ChunkIndex index) const;
  void take_back(Turn& turn, Copy& copy, ChunkIndex index);
  // copies_mend.cpp
  [[nodiscard]] Copy* other_with(const Copy& but, ChunkIndex index);
  void take_away(Turn& turn, Copy& copy, ChunkIndex index);
  void damaged(Turn& turn, Copy& copy, const ChunkVerified& found);
  void mend_more(Turn& turn, const ShareId& share);
  bool mend_one(Turn& turn, Copy& copy, ChunkIndex index);
  bool mend_from_here(Turn& turn, Copy& copy, ChunkIndex index, Mend& mend);
  bool ask_for(Turn& turn, const Copy& copy, ChunkIndex index);
  [[nodiscard]] Copy* mending(const ShareId& share, ChunkIndex index);
  void mend_ended(Turn& turn, Copy& copy, const ChunkMended& result);
  void save_stats(Turn& turn, const Copy& copy, const std::map<std::uint32_t, Buffer>& stats);
  void mended(Turn& turn, Copy& copy, const ChunkMended& result);
  void distrust_source(Turn& turn, const ChunkMended& result);
  void mend_failed(Turn& turn, Copy& copy, const ChunkMended& result);
  void no_rot(Turn& turn, Copy& copy, ChunkIndex index, const Error& why, const std::string& path);
  void no_damage(Turn& turn, Copy& copy, ChunkIndex index);
  void mend_unavailable(const transfer::ChunkUnavailable& event);
  [[nodiscard]] static bool is_mending(const Copy& copy);
  [[nodiscard]] static std::string damage_text(const Copy& copy);
  [[nodiscard]] static DamageView damage_view(const Copy& copy, ChunkIndex index, const Mend& mend);
  void settle(Turn& turn, CopyId id, const DamageView& view);
  static void note_damage(Verify& verify, const Copy& copy, ChunkIndex index);
  void end_verify(Turn& turn, Verify& verify);
  // copies_scrub.cpp
  [[nodiscard]] bool is_due(const Copy& copy, UnixMillis now) const;
  [[nodiscard]] Copy* next_to_scrub(UnixMillis now);
  [[nodiscard]] static std::optional<ChunkIndex> next_to_read(Copy& copy);
  void scrub_more(Turn& turn);
  [[nodiscard]] bool is_busy(TimePoint now) const;
  void on_scrubbed(Turn& turn, const ChunkVerified& result);
  void end_pass(Turn& turn, Copy& copy);
  void mark_read(Turn& turn, Copy& copy);
  void reopen_held(Turn& turn, Copy& copy, const CopyOpened& result);
  void reopen(Turn& turn, Copy& copy);
  void begin(Turn& turn, Copy& copy);
  void prepare(Turn& turn, Copy& copy);
  void begin_network(Turn& turn, Copy& copy);
  void show_shape(Turn& turn, const Copy& copy);
  void forget_rows(Turn& turn, Copy& copy);
  void begin_content(Turn& turn, Copy& copy);
  void fill(Turn& turn, Copy& copy);
  [[nodiscard]] static bool may_ask(const Copy& copy);
  void offer_all(Turn& turn, Copy& copy);
  void offer_lengths(Turn& turn, Copy& copy, std::uint32_t page);
  /// Every page that describes the chunk is here.
  [[nodiscard]] static bool is_placed(const Copy& copy, std::uint32_t chunk);
  void copy_more(Turn& turn, Copy& copy);
  void reuse_pages(Turn& turn, const Copy& copy, std::vector<std::uint32_t>& lengths);
  void on_page_reused(Turn& turn, Copy& copy, PageOpened result);
  bool forget_late(Turn& turn, const Copy* copy, const ShareId& share, CopyId stream);
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
  void on_checked(Turn& turn, Copy& copy, const ChunkVerified& result);
  /// It has all that it takes.
  [[nodiscard]] static bool is_whole(const Copy& copy);
  // --- copies of a part ---
  [[nodiscard]] static std::vector<std::string> globs_of(const Copy& copy);
  [[nodiscard]] static bool takes(const Copy& copy, ChunkIndex index);
  [[nodiscard]] static bool cuts(const Copy& copy, ChunkIndex index);
  [[nodiscard]] static std::uint64_t bytes_taken(const Copy& copy);
  [[nodiscard]] static std::uint64_t bytes_to_store(const Copy& copy);
  [[nodiscard]] static bool fits_nothing(const Copy& copy);
  [[nodiscard]] static bool is_same_part(const Copy& copy, const std::vector<std::string>& globs);
  static void hold_all(Copy& copy);
  static void learn_part(Copy& copy, std::uint32_t page, const PageSelection& selection);
  void select_page(Turn& turn, const Copy& copy, std::uint32_t page);
  void select_pages(Turn& turn, const Copy& copy);
  void end_empty(Turn& turn, Copy& copy);
  void end_part(Turn& turn, Copy& copy, const Error& why);
  void refuse_part(Turn& turn, Copy& copy, const Error& why);
  [[nodiscard]] bool check_part(Turn& turn, Copy& copy);
  [[nodiscard]] Error over_quota(const Copy& copy) const;
  void tell_held(Turn& turn, const Copy& copy, ChunkIndex index);
  [[nodiscard]] Buffer servable(const Copy& copy) const;
  [[nodiscard]] static bool serves(const Copy& copy, ChunkIndex index);
  [[nodiscard]] bool is_served(const ShareId& share, ChunkIndex index) const;
  void verify_chunk(Turn& turn, const Copy& copy, ChunkIndex index, std::uint64_t verify);
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
  [[nodiscard]] bool is_in(const ShareId& share, const SwarmId& swarm) const;
  void remove(Turn& turn, Copy& copy, bool discard);
  void mark_have(Turn& turn, Copy& copy, ChunkIndex index);
  void serve(Turn& turn, const Copy& copy);
  void serve_others(Turn& turn, const Copy& but);
  static void will_read(const Turn& turn, Copy& copy);
  void leave_network(Turn& turn, Copy& copy);
  void save_held(Turn& turn, Copy& copy);
  [[nodiscard]] static bool is_idle(const Copy& copy);
  bool waited_for(Turn& turn, Copy& copy, std::size_t& jobs);
  [[nodiscard]] Copy* after_step(Turn& turn, CopyId id, State state);
  [[nodiscard]] bool is_opening(const Copy& but) const;
  [[nodiscard]] Copy* held_at(const Copy& but);
  void answer(Turn& turn, Copy& copy, bool already_there);
  void save(Turn& turn, const Copy& copy, CopyState state, bool full);
  void flush(Turn& turn, Copy& copy);
  void wake_waiting(Turn& turn, const ShareId& share);
  void report_progress(Turn& turn, Copy& copy);
  static void end_look(Copy& copy);
  void verify_more(Turn& turn, Verify& verify);
  void end_verifies(Turn& turn);
  void count_verified(const ChunkVerified& result);
  void judge(Turn& turn, Copy& copy, const ChunkVerified& result);
  void sync(Turn& turn, Copy& copy);
  void start_writeback(Turn& turn, Copy& copy);
  void fail_write(Turn& turn, Copy& copy, const Error& error);
  [[nodiscard]] static bool is_of_disk(const Error& error);
  static void distrust(Copy& copy);
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
  std::map<ShareId, Stream> streams_;
  std::vector<Reading> readings_;
  TimePoint next_tending_{};
  std::vector<Verify> verifies_;
  std::uint64_t next_verify_ = 1;
  std::map<CopyId, std::vector<RequestId>> moves_;
  ScrubSettings scrub_;
  bool scrub_out_ = false;   // a job of the scrub
  TimePoint scrub_at_{};     // not before
  TimePoint moved_at_{};     // a chunk was asked of a copy, or came to a fetch
  TimePoint scrub_saved_{};  // the catalog was told where it is
  TimePoint next_progress_{};
  std::uint64_t quota_ = 0;
  std::vector<Leftover> leftovers_;
};

}  // namespace kith::node
