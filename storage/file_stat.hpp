// What is recorded of a file when its content was last known, so that serving in place can tell
// whether it may have changed since without reading it.
//
// Blob, one per manifest page: u8 1 ‖ i64 time of recording in ms ‖ per file of the page, in order
// of its entries: dev u64 ‖ inode u64 ‖ size u64 ‖ mtime i64 ‖ ctime i64 (ns). Big-endian. Or u8 2,
// with i64 time of reading in ms behind the time of recording.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "proto/bytes.hpp"
#include "proto/content/manifest.hpp"
#include "proto/result.hpp"
#include "proto/time.hpp"
#include "storage/file_io.hpp"

namespace kith::storage {

struct FileStat {
  std::uint64_t dev = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  bool operator==(const FileStat&) const = default;

  [[nodiscard]] static FileStat of(const FileInfo& info) {
    return {info.dev, info.inode, info.size, info.mtime_ns, info.ctime_ns};
  }
};

/// In order: of two, the greater one is trusted less.
enum class FileTrust : std::uint8_t {
  kUnchanged,
  /// Nothing differs, but the last change was not written back at the recording, so that a later
  /// one may have left no trace: hash before believing.
  kRacy,
  kChanged,
};

/// The granularity of file times, with much room: some file systems count in 2 s.
inline constexpr std::int64_t kRacyMillis = 2'000;

/// A change at `changed_ns` (a ctime) is so long ago that a later one than `now` cannot leave the
/// same time behind.
[[nodiscard]] bool is_settled(std::int64_t changed_ns, UnixMillis now);

/// What a program stores through a mapping leaves a time behind only if the page was clean. The
/// kernel writes pages back, which makes them clean, half a minute after they were first stored to.
inline constexpr std::int64_t kWritebackMillis = 60'000;

/// A change at `changed_ns` is so long ago that whatever changes the file after `now` shows in its
/// times. Not so on tmpfs, which writes nothing back, and where other machines write.
[[nodiscard]] bool is_written_back(std::int64_t changed_ns, UnixMillis now);

[[nodiscard]] FileTrust trust(const FileStat& recorded, UnixMillis recorded_at,
                              const FileStat& now);

/// The files of one page.
struct PageStats {
  UnixMillis recorded_at{};
  std::vector<FileStat> files;  // one per entry that is a file, in order
  /// When their content was read, where that was before the recording: sharing a tree again does
  /// not read what looks as it did.
  std::optional<UnixMillis> read_at = {};
  bool operator==(const PageStats&) const = default;

  /// Since then a change would show, of what was written back by then.
  [[nodiscard]] UnixMillis known_at() const { return read_at.value_or(recorded_at); }

  [[nodiscard]] Buffer encode() const;
  /// kMalformed, blame local.
  [[nodiscard]] static Result<PageStats> decode(Bytes blob);
};

/// All that changed these files was written back when they were read.
[[nodiscard]] bool is_written_back(const PageStats& stats);

/// The same states, for who found all that the page describes right after it was written back:
/// recorded at the moment at which it was.
[[nodiscard]] PageStats as_written_back(const PageStats& stats);

/// For each entry of a page its place in PageStats::files; meaningless for what is not a file.
[[nodiscard]] std::vector<std::uint32_t> stat_positions(const Page& page);

}  // namespace kith::storage
