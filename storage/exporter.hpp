// A fetch on its way to disk. Chunks are written into a staging beside the final name, and nothing
// has that name before everything is there and synced.
//
//   prepare_export → { write_chunk | sync }* → finish → sync → (catalog: complete) → publish
//
// The staging is `DIRECTORY/.NAME.kith-<id8>-OWNER`: a directory (0700), or for the share of a
// single file that file. Every home has an owner's name of its own, so none takes the staging of
// another for one that it left itself. It is locked as long as an Exporter has it, so that a dead
// one can be told from one that another kith is filling. Files are made with O_EXCL, 0600, or with
// their final mode when they come whole; directories 0700 until finish().
//
// Crashes: at any moment, whatever is under the final name is the whole share, or what was there
// before. prepare_export finds out from the recorded inode of the staging whether it is still
// there, was renamed already, or is lost.
//
// write_chunk may be called from several threads at once, and sync from one meanwhile; everything
// else from one at a time, and not together with them.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "proto/content/manifest.hpp"
#include "proto/slab.hpp"
#include "storage/copy_files.hpp"
#include "storage/dirty_set.hpp"
#include "storage/file_stat.hpp"
#include "storage/manifest_walk.hpp"
#include "storage/path_globs.hpp"
#include "storage/space.hpp"

namespace kith::storage {

struct ExportTarget {
  std::string directory;  // absolute; made if missing
  std::string name;       // final name; empty: the share's
  bool replace = false;
  bool safe_links = false;  // leave out symlinks that leave the tree
  PathGlobs part = {};      // takes nothing but this; empty: everything
  /// With `replace`: what stands there was not compared yet, and may be the share already.
  bool compare_first = false;
  /// It was ready to get its final name, and the catalog knew. Only then may it have it: numbers of
  /// inodes are given again, so that what its user put there may have the staging's.
  bool finished = false;
  /// Nobody asked for it in this run of the node: a directory in which something was staged before
  /// is not made anew. Whoever moved it away would get everything again.
  bool unattended = false;
  /// What a new staging may come to hold: what the quota has left.
  std::uint64_t room = UINT64_MAX;
  /// Bytes of the file system that stay free; nothing: as reserve_of() says.
  std::optional<std::uint64_t> min_free{};
  /// Whose the staging is: a part of its name. What has another owner is not touched.
  std::string owner{};
};

/// Identity of the staging, for the catalog. 0, 0: none.
struct StagedRoot {
  std::uint64_t dev = 0;
  std::uint64_t inode = 0;
  bool operator==(const StagedRoot&) const = default;
};

class Exporter {
 public:
  [[nodiscard]] const std::string& path() const { return path_; }  // final
  [[nodiscard]] StagedRoot staged() const { return staged_; }
  /// False: the staging was removed, or replaced, since it was opened.
  [[nodiscard]] bool is_in_place() const;
  /// A command that goes on with this fetch may want it otherwise.
  void set_options(bool replace, bool safe_links);
  /// kNoSpace: `more` bytes would reach into what is to stay free of the file system.
  [[nodiscard]] Result<void> check_room(std::uint64_t more) const;
  /// How many bytes a part takes; of a whole share the root tells. Before the first chunk of a part
  /// is written.
  void set_bytes(std::uint64_t bytes) { bytes_ = bytes; }
  /// kNoSpace: what is still to come, without what is in the staging already, would reach into what
  /// is to stay free.
  [[nodiscard]] Result<void> check_rest() const;
  /// For reading chunks back while the fetch goes on.
  [[nodiscard]] CopyFiles& files() { return files_; }

  /// Writes what `page` says of chunk `row` to its places, as far as the part takes it. `chunk` is
  /// its verified plaintext. A
  /// chunk that several pages describe is written once with each. Writing a chunk twice is
  /// harmless. Errors: kNoSpace (also where it would reach into the reserve, see space.hpp), kIo,
  /// kUnsupported (the file system cannot hold a name).
  [[nodiscard]] Result<void> write_chunk(const Page& page, const PageLayout& layout,
                                         std::uint32_t row, const SlabChain& chunk);

  /// A chunk was read back and has its hash: files that it holds whole get their time, which a
  /// crash, or whoever touched them, may have taken. Arguments as for write_chunk.
  [[nodiscard]] Result<void> confirm_chunk(const Page& page, const PageLayout& layout,
                                           std::uint32_t row);

  /// Makes durable what was written before the call.
  [[nodiscard]] Result<void> sync();
  /// Tells the system to begin writing; does not wait.
  void start_writeback();

  struct Finished {
    std::uint64_t links_outside = 0;  // symlinks that leave the tree, made or left out
    /// Chunks of files that are not as they were written: missing, of another size, or, of those
    /// that one chunk held whole, of another time. Not finished then: they must be read back, and
    /// confirmed or written again.
    std::vector<ChunkIndex> altered;
    std::string altered_path;  // of the first such file, in the staging
  };
  /// Called with the number of each page and its encoded PageStats.
  using StatsSink = std::function<Result<void>(std::uint32_t, Buffer)>;
  /// Calls f(i) once for every i < count, perhaps several at the same time, and waits for all.
  using InParallel =
      std::function<void(std::size_t count, const std::function<void(std::size_t)>& f)>;
  /// After every chunk was written: checks the manifest as a whole and the staging against it,
  /// makes what has no content, sets modes and times. May be called again after an error, a crash,
  /// or when it found something altered. Bytes that somebody changed in a file of several chunks
  /// are not noticed, if its size stayed: only reading it again would show them. `in_parallel`:
  /// for the looks at the files of a page; without it they come one by one.
  [[nodiscard]] Result<Finished> finish(const PageSource& pages, UnixMillis recorded_at,
                                        const StatsSink& sink, const InParallel& in_parallel = {});

  struct Published {
    /// Only for a single file, whose rename changed its ctime: what to record for every page.
    std::optional<FileStat> stat;
  };
  /// Gives the staging its final name and syncs the directory. kExists if something has that name
  /// and `replace` is not set, kConflict if the path does not lead to the directory any more; then
  /// the staging stays.
  [[nodiscard]] Result<Published> publish();
  /// Removes the staging.
  [[nodiscard]] Result<void> discard();

 private:
  friend class ExportPreparation;
  friend class FinishVisitor;
  Exporter(FileIo& io, const Root& root, ExportTarget target, std::string staging_name, Dir parent,
           Dir top, StagedRoot staged);

  /// The file has all its bytes in this one chunk, and is written in one go.
  [[nodiscard]] bool is_whole(const Extent& extent, const Entry& entry) const;
  [[nodiscard]] Result<void> write_whole(const Dir& dir, std::string_view name, const Entry& entry,
                                         std::span<const iovec> content);
  [[nodiscard]] Result<void> write_part(const Dir& dir, std::string_view name, const Entry& entry,
                                        const Extent& extent, std::span<const iovec> content);
  [[nodiscard]] Result<std::shared_ptr<File>> open_part(const Dir& dir, std::string_view name,
                                                        const Entry& entry);
  [[nodiscard]] Result<void> give_size(const File& file, const Entry& entry);
  [[nodiscard]] Result<std::uint64_t> rest() const;
  [[nodiscard]] Result<void> take_room(const Entry& entry, std::uint64_t bytes);
  [[nodiscard]] Result<File> open_existing(const Dir& dir, std::string_view name);
  [[nodiscard]] Result<void> check_exact_name(const Dir& dir, std::string_view name);
  [[nodiscard]] Result<std::shared_ptr<Dir>> parent_of(std::string_view directory);
  [[nodiscard]] Result<void> sync_some(const DirtySet::Taken& dirty);
  [[nodiscard]] Result<void> check_directory();
  [[nodiscard]] Result<void> rename_to_final();
  [[nodiscard]] Result<void> replace_final();

  FileIo* io_;
  ExportTarget target_;
  std::string staging_name_;
  std::string path_;
  Root root_;
  std::atomic<std::uint64_t> bytes_;  // of all that it takes; of a part 0 until it is known
  Dir parent_;                        // the directory of the final name
  Handle lock_;                       // keeps the staging locked
  StagedRoot staged_;
  CopyFiles files_;
  DirtySet dirty_;
  // By the hash of the path: two files may share one.
  static constexpr std::size_t kWriteLocks = 16;
  std::array<std::mutex, kWriteLocks> writing_;
  std::mutex reserving_;
  std::uint64_t reserved_ = 0;            // for large files, in this run
  std::atomic<bool> reserves_{false};     // the file system did so for the last of them
  std::atomic<std::uint64_t> written_{};  // in this run, where nothing was reserved for it
  bool folds_case_ = false;
};

/// Opens and locks what stands under the name of a staging, made accessible if an interrupted
/// finish() gave it its final mode. Nothing: somebody else has it locked. kRefused: it is neither a
/// directory nor a file.
[[nodiscard]] Result<std::optional<Handle>> lock_staging(FileIo& io, const Dir& parent,
                                                         std::string_view name);

struct PreparedExport {
  enum class State : std::uint8_t {
    kFresh,      // a new staging: nothing is held
    kResumed,    // the recorded staging: what was had may be believed as far as it was marked
    kPublished,  // the rename had happened already; no exporter
    kExists,     // something has the final name, to be left alone or compared first; no exporter
  };
  State state = State::kFresh;
  std::string path;  // final
  std::unique_ptr<Exporter> exporter;
};

/// Decides where a fetch goes, and makes or takes up its staging. A new one is probed first: space,
/// name length, symlinks, modes. Errors say what the destination lacks: kNoSpace, kUnsupported,
/// kConflict (another kith is filling the same staging), kRefused.
[[nodiscard]] Result<PreparedExport> prepare_export(FileIo& io, const Root& root,
                                                    const ShareId& share, ExportTarget target,
                                                    StagedRoot recorded);

}  // namespace kith::storage
