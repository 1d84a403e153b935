#include "storage/file_stat.hpp"

#include <algorithm>

namespace kith::storage {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kVersionWithReading = 2;
constexpr std::size_t kHeaderBytes = 1 + 8;
constexpr std::size_t kFileBytes = 5 * 8;
constexpr std::int64_t kNanosPerMilli = 1'000'000;

}  // namespace

bool is_settled(std::int64_t changed_ns, UnixMillis now) {
  return changed_ns / kNanosPerMilli + kRacyMillis <= count(now);
}

bool is_written_back(std::int64_t changed_ns, UnixMillis now) {
  return changed_ns / kNanosPerMilli + kWritebackMillis <= count(now);
}

FileTrust trust(const FileStat& recorded, UnixMillis recorded_at, const FileStat& now) {
  if (recorded != now) return FileTrust::kChanged;
  return is_written_back(recorded.ctime_ns, recorded_at) ? FileTrust::kUnchanged : FileTrust::kRacy;
}

Buffer PageStats::encode() const {
  Buffer out;
  out.reserve(kHeaderBytes + files.size() * kFileBytes);
  out.push_back(read_at ? kVersionWithReading : kVersion);
  append_be(out, static_cast<std::uint64_t>(count(recorded_at)));
  if (read_at) append_be(out, static_cast<std::uint64_t>(count(*read_at)));
  for (const FileStat& file : files) {
    append_be(out, file.dev);
    append_be(out, file.inode);
    append_be(out, file.size);
    append_be(out, static_cast<std::uint64_t>(file.mtime_ns));
    append_be(out, static_cast<std::uint64_t>(file.ctime_ns));
  }
  return out;
}

Result<PageStats> PageStats::decode(Bytes blob) {
  const bool with_reading = !blob.empty() && blob[0] == kVersionWithReading;
  const std::size_t header = kHeaderBytes + (with_reading ? 8 : 0);
  const bool whole = blob.size() >= header && (blob.size() - header) % kFileBytes == 0;
  if (!whole || (blob[0] != kVersion && !with_reading)) {
    return local_error(Errc::kMalformed, "the recorded state of files has the wrong form");
  }
  PageStats out;
  out.recorded_at = UnixMillis(load_be<std::int64_t>(blob.subspan(1)));
  if (with_reading) out.read_at = UnixMillis(load_be<std::int64_t>(blob.subspan(kHeaderBytes)));
  blob = blob.subspan(header);
  out.files.reserve(blob.size() / kFileBytes);
  for (; !blob.empty(); blob = blob.subspan(kFileBytes)) {
    out.files.push_back({load_be<std::uint64_t>(blob), load_be<std::uint64_t>(blob.subspan(8)),
                         load_be<std::uint64_t>(blob.subspan(16)),
                         load_be<std::int64_t>(blob.subspan(24)),
                         load_be<std::int64_t>(blob.subspan(32))});
  }
  return out;
}

bool is_written_back(const PageStats& stats) {
  return std::ranges::all_of(stats.files, [&](const FileStat& file) {
    return is_written_back(file.ctime_ns, stats.known_at());
  });
}

PageStats as_written_back(const PageStats& stats) {
  PageStats out = stats;
  out.read_at.reset();
  for (const FileStat& file : stats.files) {
    const auto then = UnixMillis(file.ctime_ns / kNanosPerMilli + kWritebackMillis);
    out.recorded_at = std::max(out.recorded_at, then);
  }
  return out;
}

std::vector<std::uint32_t> stat_positions(const Page& page) {
  std::vector<std::uint32_t> out;
  out.reserve(page.entries.size());
  std::uint32_t files = 0;
  for (const Entry& entry : page.entries) {
    out.push_back(files);
    if (entry.kind == EntryKind::kFile) ++files;
  }
  return out;
}

}  // namespace kith::storage
