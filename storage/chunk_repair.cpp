#include "storage/chunk_repair.hpp"

#include <algorithm>
#include <array>

namespace kith::storage {
namespace {

Error changed(const Stretch& stretch) {
  return local_error(Errc::kChanged, "the file is not as it was when it was shared or fetched",
                     stretch.path);
}

bool is_as_recorded(const Stretch& stretch, const FileInfo& info) {
  return info.kind == NodeKind::kFile && stretch.recorded == FileStat::of(info);
}

Result<FileInfo> look_at(CopyFiles& files, const Stretch& stretch) {
  const SplitPath place = files.place(stretch.path);
  KITH_TRY(const Dir dir, files.io().open_dir(files.top(), place.parent));
  return files.io().stat_at(dir, place.name);
}

Error changed_meanwhile() { return local_error(Errc::kChanged, "the file changed meanwhile"); }

// Leaves the file with the mode that it had. `state`: as the file is afterwards, if nobody else
// touched it meanwhile.
Result<File> open_protected(FileIo& io, const Dir& dir, std::string_view name, FileInfo& state) {
  KITH_TRY(const File locked, io.open_file(dir, name, OpenMode::kRead));
  KITH_TRY(const FileInfo before, io.stat(locked));
  if (FileStat::of(before) != FileStat::of(state)) return changed_meanwhile();
  KITH_CHECK(io.set_mode(locked, state.mode | 0200));
  auto opened = io.open_file(dir, name, OpenMode::kReadWrite);
  KITH_CHECK(io.set_mode(locked, state.mode));
  KITH_TRY(state, io.stat(locked));
  if (state.size != before.size || state.mtime_ns != before.mtime_ns) return changed_meanwhile();
  return opened;
}

// The part of the chunk that lies in the file: of the file now, or of the good chunk.
std::vector<iovec> part_of(SlabChain& chunk, std::uint32_t offset, std::uint32_t length) {
  std::vector<iovec> out;
  chunk.for_each_run(offset, length, [&](MutableBytes run) {
    out.push_back({run.data(), run.size()});
  });
  return out;
}

// Not where nothing is written back, or where another machine may write.
bool tells_changes(CopyFiles& files) {
  static constexpr std::array<std::uint64_t, 3> kSilent = {
      0x01021994 /* tmpfs */, 0x858458f6 /* ramfs */, 0x65735546 /* FUSE */};
  const auto system = files.io().file_system(files.top());
  return system && foreign_file_system(system->type) == nullptr &&
         std::ranges::find(kSilent, system->type & 0xffffffff) == kSilent.end();
}

class Repair {
 public:
  Repair(CopyFiles& files, SlabChain& chunk) : files_(files), io_(files.io()), chunk_(chunk) {}

  /// Gives `after` the file's state, once that is another one than was recorded.
  Result<void> write(const Stretch& stretch, std::optional<FileInfo>& after) {
    const SplitPath place = files_.place(stretch.path);
    KITH_TRY(const Dir dir, io_.open_dir(files_.top(), place.parent));
    KITH_TRY(FileInfo state, io_.stat_at(dir, place.name));
    if (!is_as_recorded(stretch, state)) return changed(stretch);
    const auto wrong = read(dir, place.name, stretch);
    if (wrong && is_good(*wrong, stretch)) return {};
    const bool is_protected = (state.mode & 0200) == 0;
    const auto file = is_protected ? open_protected(io_, dir, place.name, state)
                                   : io_.open_file(dir, place.name, OpenMode::kReadWrite);
    if (is_protected && FileStat::of(state) != *stretch.recorded) after = state;
    if (!file) return file.error();
    KITH_TRY(const FileInfo now, io_.stat(*file));
    if (FileStat::of(now) != FileStat::of(state)) return changed(stretch);
    // Whoever may write to a file may not always set its time.
    KITH_CHECK(io_.set_mtime(*file, now.mtime_ns));
    KITH_TRY(const FileInfo mine, io_.stat(*file));
    after = mine;
    // That, and making it writable, gave it another ctime: an edit before it shows in its bytes
    // only.
    const bool is_same = read(dir, place.name, stretch) == wrong;
    // A failing disk may have taken its time over that.
    KITH_TRY(const FileInfo last, io_.stat(*file));
    if (!is_same || FileStat::of(last) != FileStat::of(mine)) {
      after.reset();
      return changed(stretch);
    }
    auto written = write_into(*file, stretch, now);
    KITH_TRY(const FileInfo left, io_.stat(*file));
    // An edit that came behind the write shows in these.
    if (left.mtime_ns != now.mtime_ns || left.size != now.size) return changed_meanwhile();
    after = left;
    return written;
  }

 private:
  Result<void> write_into(const File& file, const Stretch& stretch, const FileInfo& before) {
    const auto parts = part_of(chunk_, stretch.chunk_offset, stretch.length);
    auto written = io_.write(file, stretch.file_offset, parts);
    KITH_CHECK(give_set_id(file, before.mode & kSetIdBits));
    KITH_CHECK(io_.set_mtime(file, before.mtime_ns));
    KITH_CHECK(io_.sync(file));
    return written;
  }

  // A write takes these bits away.
  Result<void> give_set_id(const File& file, std::uint32_t bits) {
    if (bits == 0) return {};
    KITH_TRY(const FileInfo info, io_.stat(file));
    if ((info.mode & bits) == bits) return {};
    return io_.set_mode(file, info.mode | bits);
  }

  // What the file has there; nothing where the disk cannot give it any more.
  std::optional<Buffer> read(const Dir& dir, std::string_view name, const Stretch& stretch) {
    const auto file = io_.open_file(dir, name, OpenMode::kRead);
    if (!file) return std::nullopt;
    Buffer there(stretch.length);
    const iovec into{there.data(), there.size()};
    const auto got = io_.read(*file, stretch.file_offset, std::span(&into, 1));
    return got && *got == there.size() ? std::optional(std::move(there)) : std::nullopt;
  }

  bool is_good(const Buffer& there, const Stretch& stretch) {
    bool equal = true;
    auto at = there.cbegin();
    chunk_.for_each_run(stretch.chunk_offset, stretch.length, [&](MutableBytes run) {
      equal = equal && std::equal(run.begin(), run.end(), at);
      at += static_cast<std::ptrdiff_t>(run.size());
    });
    return equal;
  }

  CopyFiles& files_;
  FileIo& io_;
  SlabChain& chunk_;
};

}  // namespace

bool is_rot(CopyFiles& files, std::span<const Stretch> stretches, bool was_sound) {
  return tells_changes(files) && std::ranges::all_of(stretches, [&](const Stretch& stretch) {
           const auto info = look_at(files, stretch);
           if (!info || !is_as_recorded(stretch, *info)) return false;
           return was_sound || is_written_back(info->ctime_ns, stretch.recorded_at) ||
                  is_written_back(info->mtime_ns, stretch.recorded_at);
         });
}

bool write_back(CopyFiles& files, std::span<const Stretch> stretches) {
  if (!tells_changes(files)) return false;
  return std::ranges::all_of(stretches, [&](const Stretch& stretch) {
    if (!stretch.recorded) return false;
    if (is_written_back(stretch.recorded->ctime_ns, stretch.recorded_at)) return true;
    const SplitPath place = files.place(stretch.path);
    const auto dir = files.io().open_dir(files.top(), place.parent);
    if (!dir) return false;
    const auto file = files.io().open_file(*dir, place.name, OpenMode::kRead);
    return file && files.io().finish_writeback(*file);
  });
}

ChunkRepair repair_chunk(CopyFiles& files, std::span<const Stretch> stretches, SlabChain& chunk) {
  ChunkRepair out;
  const auto fail = [&out](Error error, const Stretch& stretch) {
    error.subject = stretch.path;
    out.error = std::move(error);
    return std::move(out);
  };
  for (const Stretch& stretch : stretches) {
    const auto info = look_at(files, stretch);
    if (!info) return fail(info.error(), stretch);
    if (!is_as_recorded(stretch, *info)) return fail(changed(stretch), stretch);
  }
  Repair repair(files, chunk);
  std::vector<Stretch> parts(stretches.begin(), stretches.end());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    std::optional<FileInfo> after;
    const FileStat before = *parts[i].recorded;
    auto written = repair.write(parts[i], after);
    if (after) {
      const FileStat now = FileStat::of(*after);
      out.touched.push_back({i, before, now, after->links > 1, written.has_value()});
      // Other names of the same file.
      for (Stretch& other : parts) {
        if (other.recorded == before) other.recorded = now;
      }
    }
    if (!written) return fail(std::move(written).error(), parts[i]);
  }
  return out;
}

}  // namespace kith::storage
