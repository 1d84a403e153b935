// Serving in place: reads a stretch of a chunk from the files that hold it, and says whether they
// may have changed since their state was recorded. A chunk that may have changed must be hashed
// before it is sent: enciphered under the old key, other content would be a two-time pad.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "proto/content/manifest.hpp"
#include "proto/slab.hpp"
#include "storage/copy_files.hpp"
#include "storage/file_stat.hpp"

namespace kith::storage {

/// A part of a chunk and the file that holds it.
struct Stretch {
  std::string path;  // of the entry
  std::uint64_t file_offset = 0;
  std::uint64_t file_size = 0;
  std::uint32_t chunk_offset = 0;
  std::uint32_t length = 0;
  std::optional<FileStat> recorded;
  UnixMillis recorded_at{};
};

/// Appends the parts of chunk `row` that this page describes. For a chunk that several pages
/// describe (ShareShape::pages_of_chunk) it is called for each, in order. `stats` may be null:
/// nothing was recorded.
void append_stretches(const Page& page, const PageLayout& layout, std::uint32_t row,
                      const PageStats* stats, std::vector<Stretch>& out);

struct ReadChunk {
  SlabChain data;  // plaintext
  /// Of the least trusted file that was read; kChanged also where nothing was recorded.
  FileTrust trust = FileTrust::kUnchanged;
  std::int64_t changed_ns = INT64_MIN;  // the latest ctime among the files that were read
  bool goes_on = false;                 // a file that was read to the end that it had is longer now
  [[nodiscard]] bool must_verify() const { return trust != FileTrust::kUnchanged; }
};

/// Reads bytes [offset, offset + length) of a chunk whose parts are `stretches`, all of them; what
/// lies behind the last is padding and read as zeros. Errors, with the path: kNotFound if a file
/// is missing or replaced by something else, kChanged if it is too short. Any thread.
[[nodiscard]] Result<ReadChunk> read_chunk(CopyFiles& files, SlabPool& pool,
                                           std::span<const Stretch> stretches, std::uint32_t offset,
                                           std::uint32_t length);

/// The first file that is missing or differs from what was recorded, without being read; nothing:
/// all are as recorded. Where nothing was recorded, everything differs.
[[nodiscard]] std::optional<std::string> first_changed(CopyFiles& files,
                                                       std::span<const Stretch> stretches);

/// Which file is to blame for a chunk that is not what it was: the first that is missing or differs
/// from what was recorded, else the first of all.
[[nodiscard]] std::string changed_file(CopyFiles& files, std::span<const Stretch> stretches);

}  // namespace kith::storage
