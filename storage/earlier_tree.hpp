// What an earlier import of a tree recorded, walked beside a new scan of it: which files are as
// they were, and in which chunks their content lies. So a tree that is shared again is read only
// where it changed.
//
// A file is believed to be as it was when its recorded state is its present one, and its last
// change came so long before the recording that another one would have left another time. Pages
// that cannot be read any more end the walk: what lies behind them is read again, as if it were
// new. Memory: two pages of the earlier manifest. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "proto/content/manifest.hpp"
#include "proto/result.hpp"
#include "storage/file_stat.hpp"

namespace kith::storage {

class EarlierTree {
 public:
  struct Page {
    std::shared_ptr<const kith::Page> page;
    std::shared_ptr<const PageStats> stats;
  };
  struct Source {
    Root root;
    /// Page number i, and what was recorded of its files.
    std::function<Result<Page>(std::uint32_t)> pages;
    /// By content chunk: not on disk as it was shared. May be shorter than the share.
    std::vector<bool> withdrawn;
  };
  explicit EarlierTree(Source source) : source_(std::move(source)), shape_(source_.root) {}

  [[nodiscard]] const Root& root() const { return source_.root; }

  /// Where the content of a file begins.
  struct Place {
    std::uint32_t chunk = 0;   // number of the content chunk
    std::uint32_t offset = 0;  // in it
    UnixMillis known_at{};     // as PageStats::known_at(), of the page where it begins
  };
  /// Nothing if the file was not there, is another one by now, or is empty. To be asked in the
  /// order of a manifest (compare_paths), each path once; of a single file, with any path.
  [[nodiscard]] std::optional<Place> find(std::string_view path, const FileStat& now);

  struct Rows {
    std::vector<ChunkRow> rows;
    /// Of the pages that they stand in, the earliest.
    UnixMillis recorded_at{INT64_MAX};
    UnixMillis known_at{INT64_MAX};  // as PageStats::known_at()
  };
  /// The rows of the chunks from `chunk` on that hold exactly `bytes` bytes; nothing if none do, or
  /// one of them was withdrawn.
  [[nodiscard]] std::optional<Rows> rows(std::uint32_t chunk, std::uint64_t bytes);

 private:
  [[nodiscard]] bool enter_page();
  void next_entry();
  [[nodiscard]] std::optional<Place> place_of_entry(const FileStat& now) const;
  [[nodiscard]] const ChunkRow* row(std::uint32_t chunk);

  Source source_;
  ShareShape shape_;
  bool at_end_ = false;
  // The entry that find() looks at next.
  std::uint32_t number_ = 0;  // of its page
  Page page_;                 // empty: not read yet
  std::size_t entry_ = 0;
  std::size_t file_ = 0;         // its place in the stats
  std::uint64_t position_ = 0;   // of its first byte, from the beginning of the page's first row
  std::uint32_t row_ = 0;        // in which that lies
  std::uint64_t row_begin_ = 0;  // of that row, counted as position_
  // The page that row() looked at last.
  std::uint32_t rows_number_ = 0;
  Page rows_page_;
};

}  // namespace kith::storage
