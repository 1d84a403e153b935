// What the tests of storage have in common: trees as values, written to and read from any FileIo;
// random trees; a share with its chunks in memory; and an export of it.
#pragma once

#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proto/crypto/random.hpp"
#include "storage/exporter.hpp"
#include "storage/importer.hpp"

namespace kith::storage::test {

struct TreeItem {
  EntryKind kind = EntryKind::kFile;
  std::uint32_t mode = 0644;
  std::int64_t mtime_ns = 1'690'000'000'123'456'789;
  std::string content;  // of a file; the target of a symlink
  bool operator==(const TreeItem&) const = default;
};
/// By path; "" is the top.
using Tree = std::map<std::string, TreeItem>;

[[nodiscard]] TreeItem file(std::string content, std::uint32_t mode = 0644);
[[nodiscard]] TreeItem directory(std::uint32_t mode = 0755);
[[nodiscard]] TreeItem symlink(std::string target);
/// Bytes that do not repeat, from a seed.
[[nodiscard]] std::string noise(std::uint64_t seed, std::size_t size);

/// Writes the tree to `path`, whose parent exists. A single item "" that is a file makes a file.
void write_tree(FileIo& io, const std::string& path, const Tree& tree);
/// Reads what is at `path`; nothing there: an empty tree. mtimes of symlinks are left out (0).
[[nodiscard]] Tree read_tree(FileIo& io, const std::string& path);
/// The same tree as read_tree would give it.
[[nodiscard]] Tree without_link_times(Tree tree);
void make_dir(FileIo& io, const std::string& path);
[[nodiscard]] bool exists(FileIo& io, const std::string& path);
[[nodiscard]] std::vector<std::string> names_in(FileIo& io, const std::string& path);

/// A tree with files around every limit of `chunking`, empty ones, deep and wide directories,
/// symlinks, odd names, odd modes and times.
[[nodiscard]] Tree random_tree(std::uint64_t seed, const Chunking& chunking);

/// A share with the plaintext of its chunks, as a perfect network would deliver it.
struct Shared {
  ImportResult import;
  std::vector<Buffer> chunks;
  [[nodiscard]] PageSource pages() const;
  [[nodiscard]] Page page(std::uint32_t number) const;
};
[[nodiscard]] ImportOptions import_options(const Chunking& chunking);
/// Imports; a failure fails the test and gives nothing.
[[nodiscard]] std::unique_ptr<Shared> share(FileIo& io, SlabPool& pool, const std::string& path,
                                            ImportOptions options);
/// The same ciphertexts and recorded states.
void expect_same_pages(const std::vector<ImportedPage>& one,
                       const std::vector<ImportedPage>& other);
/// Writes content chunk `chunk` to the exporter, for each page that describes it.
[[nodiscard]] Result<void> write_chunk(Exporter& exporter, SlabPool& pool, const Shared& shared,
                                       std::uint32_t chunk);
/// prepare, every chunk in a random order, finish, sync, publish.
[[nodiscard]] Result<void> export_all(FileIo& io, SlabPool& pool, const Shared& shared,
                                      const ExportTarget& target, std::uint64_t seed);
[[nodiscard]] inline Exporter::StatsSink no_stats() {
  return [](std::uint32_t, Buffer) { return Result<void>(); };
}

/// A directory of the real file system that is removed at the end.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

#define ASSERT_OK(expression)                               \
  do {                                                      \
    const auto& ok_result = (expression);                   \
    ASSERT_TRUE(ok_result) << to_string(ok_result.error()); \
  } while (false)
#define EXPECT_OK(expression)                               \
  do {                                                      \
    const auto& ok_result = (expression);                   \
    EXPECT_TRUE(ok_result) << to_string(ok_result.error()); \
  } while (false)
#define EXPECT_ERROR(expression, errc)                                             \
  do {                                                                             \
    const auto& error_result = (expression);                                       \
    ASSERT_FALSE(error_result);                                                    \
    EXPECT_EQ(error_result.error().code, errc) << to_string(error_result.error()); \
  } while (false)

}  // namespace kith::storage::test
