// FileIo on the real file system. Any thread but those that must not block; descriptors are the
// kernel's and close on exec.
#pragma once

#include "storage/file_io.hpp"

namespace kith::storage {

class PosixFileIo final : public FileIo {
 public:
  PosixFileIo();

  Result<Dir> open_root(const std::string& path) override;
  Result<Dir> open_dir(const Dir& at, std::string_view path) override;
  Result<File> open_file(const Dir& at, std::string_view name, OpenMode open,
                         std::uint32_t mode = 0600) override;
  Result<std::size_t> read(const File& file, std::uint64_t offset,
                           std::span<const iovec> into) override;
  Result<void> write(const File& file, std::uint64_t offset, std::span<const iovec> from) override;
  Result<bool> allocate(const File& file, std::uint64_t size) override;
  Result<void> truncate(const File& file, std::uint64_t size) override;
  void advise_sequential(const File& file) override;
  void start_writeback(const File& file) override;
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
  std::uint32_t creation_mask() const override { return umask_; }
  std::string boot_id() override;

 private:
  void close(int fd) noexcept override;
  std::uint32_t umask_;
};

}  // namespace kith::storage
