// FileIo in memory: deterministic, with faults. For simulations (one per node) and for tests that
// crash at every operation. One thread.
//
// What a crash leaves:
// - A *process* crash keeps everything; only descriptors are gone.
// - A *system* crash keeps what was synced. Of the rest nothing, or, with a seed, a part: for each
//   directory some of the changes since its last sync, a rename within it as one, none of a name
//   without those of that name before it; for each file a mixture of old and new 4 KiB blocks, old
//   or new size, old or new mode and times.
// From the crash to restart() every call fails.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>

#include "proto/bytes.hpp"
#include "storage/file_io.hpp"

namespace kith::storage {

class MemoryFileIo final : public FileIo {
 public:
  struct Options {
    std::uint64_t capacity = UINT64_MAX;  // bytes of file content
    std::uint64_t name_max = 255;
    std::uint64_t type = 0xef53;  // statfs magic
    std::uint32_t umask = 022;
    bool folds_case = false;  // of ASCII letters
    bool symlinks = true;
    bool modes = true;      // false: every mode reads as 0755, as on FAT
    bool renames2 = true;   // false: neither NOREPLACE nor EXCHANGE
    bool remembers = true;  // false: no system crashes, and no memory spent on them
  };
  enum class Crash : std::uint8_t { kProcess, kSystem };

  MemoryFileIo() : MemoryFileIo(Options{}) {}
  explicit MemoryFileIo(Options options);

  // --- for tests and simulations ---
  /// The time that changes are stamped with.
  void set_time_ns(std::int64_t now) { now_ns_ = now; }
  /// Calls made so far, whether they succeeded or not.
  [[nodiscard]] std::uint64_t calls() const { return calls_; }
  /// Files and directories that are open.
  [[nodiscard]] std::size_t open_count() const { return open_.size(); }
  /// Before call number `call` (counted from 1) is carried out: does something, and fails the call
  /// with the errno that is returned, unless 0.
  void before_call(std::uint64_t call, std::function<int()> action);
  void fail_at(std::uint64_t call, int errno_value);
  void crash_at(std::uint64_t call, Crash crash);
  /// Nothing that was to happen before a call will.
  void forget_script() { script_.clear(); }
  void crash(Crash crash) { crashed_ = crash; }
  [[nodiscard]] bool crashed() const { return crashed_.has_value(); }
  /// seed 0: nothing survives a system crash that was not synced.
  void restart(std::uint64_t seed = 0);
  [[nodiscard]] std::uint64_t used_bytes() const { return used_; }
  void set_capacity(std::uint64_t capacity) { options_.capacity = capacity; }
  /// One bit of a file's content becomes another, on the disk, too, and nothing else tells of it:
  /// no time changes. `path` from the root, without symlinks.
  void rot(const std::string& path, std::uint64_t offset);
  /// As after a read-only remount: whatever would change something fails, syncing too.
  void set_read_only(bool read_only) { read_only_ = read_only; }
  /// Content that was not synced is gone, zeros are in its place; names, sizes and times stay. So
  /// it is where a disk did not take what was written to it.
  void lose_content();
  /// Names, sizes and times are on the disk from now on; of content, what was synced.
  void keep_names();
  /// The next sync, or write-back that is waited for, fails with it, and what was not synced is
  /// lost: Linux tells so once.
  void fail_next_sync(int errno_value) { sync_error_ = errno_value; }
  /// Another name, in the same directory, for a file.
  [[nodiscard]] Result<void> make_link(const Dir& at, std::string_view name, std::string_view to);
  /// Something that is neither file, directory nor symlink.
  [[nodiscard]] Result<void> make_other(const Dir& at, std::string_view name);

  Result<Dir> open_root(const std::string& path) override;
  Result<Dir> open_dir(const Dir& at, std::string_view path) override;
  Result<File> open_file(const Dir& at, std::string_view name, OpenMode open,
                         std::uint32_t mode = 0600) override;
  Result<std::size_t> read(const File& file, std::uint64_t offset,
                           std::span<const iovec> into) override;
  Result<void> write(const File& file, std::uint64_t offset, std::span<const iovec> from) override;
  Result<bool> allocate(const File& file, std::uint64_t size) override;
  Result<void> truncate(const File& file, std::uint64_t size) override;
  void advise_sequential(const File&) override {}
  void start_writeback(const File&) override {}
  Result<void> finish_writeback(const File& file) override;
  Result<FileInfo> stat(const Handle& handle) override;
  Result<FileInfo> stat_at(const Dir& at, std::string_view name) override;
  Result<FileSystemInfo> file_system(const Handle& handle) override;
  Result<std::vector<DirItem>> list(const Dir& dir) override;
  Result<std::string> read_link(const Dir& at, std::string_view name) override;
  Result<void> set_mode(const Handle& handle, std::uint32_t mode) override;
  Result<void> set_mode_at(const Dir& at, std::string_view name, std::uint32_t mode) override;
  Result<void> set_mtime(const Handle& handle, std::int64_t mtime_ns) override;
  Result<void> set_mtime_at(const Dir& at, std::string_view name, std::int64_t mtime_ns) override;
  Result<void> make_dir(const Dir& at, std::string_view name, std::uint32_t mode) override;
  Result<void> make_symlink(const Dir& at, std::string_view name,
                            const std::string& target) override;
  Result<void> rename(const Dir& from_dir, std::string_view from, const Dir& to_dir,
                      std::string_view to, RenameMode mode) override;
  Result<void> remove_file(const Dir& at, std::string_view name) override;
  Result<void> remove_dir(const Dir& at, std::string_view name) override;
  Result<bool> try_lock(const Handle& handle) override;
  Result<void> sync_data(const File& file) override;
  Result<void> sync(const Handle& handle) override;
  Result<void> sync_all(const Dir& dir) override;
  std::uint32_t creation_mask() const override { return options_.umask; }
  std::string boot_id() override { return "boot-" + std::to_string(boots_); }

 private:
  using Inode = std::uint64_t;  // 0: none
  static constexpr Inode kRootInode = 1;
  using Children = std::map<std::string, Inode, std::less<>>;
  struct Meta {
    std::uint32_t mode = 0;
    std::int64_t mtime_ns = 0;
    std::int64_t ctime_ns = 0;
  };
  // Entries of one directory that change together; inode 0 = removed.
  using Change = std::vector<std::pair<std::string, Inode>>;
  struct Node {
    NodeKind kind = NodeKind::kOther;
    Meta meta;
    std::shared_ptr<Buffer> data;  // shared with durable_data until it is written
    std::string target;
    Children children;
    std::uint32_t links = 1;
    std::uint32_t handles = 0;
    int locked_by = -1;

    Meta durable_meta;
    std::shared_ptr<Buffer> durable_data;
    Children durable_children;
    std::vector<Change> changes;  // since the last sync
  };

  void close(int fd) noexcept override;
  [[nodiscard]] Result<void> count_call(std::string_view doing, std::string_view subject);
  [[nodiscard]] Result<void> count_change(std::string_view doing, std::string_view subject);
  [[nodiscard]] Node* node_of(const Handle& handle);
  [[nodiscard]] Inode inode_of(const Handle& handle) const;
  [[nodiscard]] Inode child(const Node& dir, std::string_view name) const;
  [[nodiscard]] Result<Inode> lookup(const Dir& at, std::string_view name, std::string_view doing);
  [[nodiscard]] Result<Inode> create(const Dir& at, std::string_view name, NodeKind kind,
                                     std::uint32_t mode, std::string_view doing);
  [[nodiscard]] Result<Inode> walk(Inode from, std::string_view path, bool follow) const;
  [[nodiscard]] int open(Inode inode);
  void apply(Node& dir, Change change);
  void unlink(Inode inode);
  void forget_if_unused(Inode inode);
  [[nodiscard]] Result<void> resize(Node& file, std::uint64_t size);
  [[nodiscard]] Buffer& own_data(Node& file);
  void touch(Node& node, bool content);
  void make_durable(Node& node, bool with_meta);
  [[nodiscard]] static std::shared_ptr<Buffer> synced_content(const Node& file);
  /// As fail_next_sync() has it.
  [[nodiscard]] Result<void> sync_outcome(std::string_view doing);
  [[nodiscard]] FileInfo info(Inode inode) const;
  void lose_unsynced(std::uint64_t seed);
  void drop_unreachable();

  Options options_;
  std::map<Inode, Node> nodes_;
  Inode next_inode_ = 2;
  std::unordered_map<int, Inode> open_;
  int next_fd_ = 3;
  std::uint64_t used_ = 0;
  std::int64_t now_ns_ = 0;
  std::uint64_t calls_ = 0;
  int sync_error_ = 0;
  std::multimap<std::uint64_t, std::function<int()>> script_;
  bool read_only_ = false;
  std::optional<Crash> crashed_;
  std::uint64_t boots_ = 1;
};

}  // namespace kith::storage
