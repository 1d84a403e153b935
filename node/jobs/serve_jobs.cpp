// Jobs that read copies: to serve them, to check them, to fill another copy, to take them up at
// start.
#include <algorithm>

#include "node/jobs/jobs.hpp"
#include "node/jobs/tree_chunks.hpp"
#include "proto/crypto/content_cipher.hpp"
#include "proto/limits.hpp"

namespace kith::node {
namespace {

// Of a tree that is looked through, in one job.
constexpr std::uint64_t kScanBytes = 16 * 1024 * 1024;

}  // namespace

JobResult Jobs::perform(SealSectionJob& job, UnixMillis wall) {
  SectionSealed out;
  out.copy = job.copy;
  out.request = job.request;
  out.section = job.section;
  auto read = read_again(job.copy, [&] { return read_section(job, wall, out.size, out.path); });
  if (!read) {
    out.error = std::move(read).error();
    if (!out.error->subject.empty()) out.path = out.error->subject;
    return out;
  }
  out.sealed = std::move(*read);
  seal_section(job.key, job.section, out.sealed);
  return out;
}

Result<SlabChain> Jobs::read_section(const SealSectionJob& job, UnixMillis wall,
                                     std::uint32_t& size, std::string& path) {
  KITH_TRY(const SharePtr share, manifests_.share(job.request.share));
  if (share->shape.is_content(job.request.index))
    return read_content(job, *share, wall, size, path);
  KITH_TRY(const Buffer bytes, manifests_.ciphertext(*share, job.request.index));
  size = static_cast<std::uint32_t>(bytes.size());
  if (job.request.offset >= size) return local_error(Errc::kInternal, "a section past the end");
  const std::size_t length = std::min<std::size_t>(job.request.length, size - job.request.offset);
  return SlabChain::from(slabs_, Bytes(bytes).subspan(job.request.offset, length));
}

Result<SlabChain> Jobs::read_content(const SealSectionJob& job, const ShareInfo& share,
                                     UnixMillis wall, std::uint32_t& size, std::string& path) {
  KITH_TRY(const Place place, place_of(share, job.request.index));
  size = place.row.length;
  if (job.request.offset >= size) return local_error(Errc::kInternal, "a section past the end");
  path = path_in(place);
  KITH_TRY(const auto parts, stretches(job.copy, place));
  KITH_TRY(const auto files, copies_.files(job.copy, share.root.single_file));
  const std::uint32_t length = std::min(job.request.length, size - job.request.offset);
  KITH_TRY(storage::ReadChunk read,
           storage::read_chunk(*files, slabs_, parts, job.request.offset, length));
  const bool racy = read.trust == storage::FileTrust::kRacy;
  if (!read.must_verify() || (racy && manifests_.is_hashed(job.copy, job.request.index))) {
    chunk_cipher(place.row.key, job.request.offset, read.data);
    return std::move(read.data);
  }
  // Sent under the old key, other content would be a two-time pad: the whole chunk is hashed, and
  // just these bytes are sent.
  if (length < size) {
    KITH_TRY(read, storage::read_chunk(*files, slabs_, parts, 0, size));
  }
  chunk_cipher(place.row.key, 0, read.data);
  if (chunk_id(read.data) != place.row.id) {
    return local_error(Errc::kVerification, "the file changed since it was shared",
                       storage::changed_file(*files, parts));
  }
  const bool as_recorded = read.trust != storage::FileTrust::kChanged;
  if (as_recorded && storage::is_written_back(read.changed_ns, wall)) {
    manifests_.mark_hashed(job.copy, job.request.index);
  }
  read.data.keep(job.request.offset, length);
  return std::move(read.data);
}

// The ciphertext of a chunk as the files have it, with its hash compared.
Result<storage::ReadChunk> Jobs::read_whole(storage::CopyFiles& files,
                                            std::span<const storage::Stretch> parts,
                                            const ChunkRow& row) {
  KITH_TRY(storage::ReadChunk read, storage::read_chunk(files, slabs_, parts, 0, row.length));
  chunk_cipher(row.key, 0, read.data);
  if (chunk_id(read.data) == row.id) return read;
  return local_error(Errc::kVerification, "its bytes are not the share's",
                     storage::changed_file(files, parts));
}

Result<void> Jobs::check_chunk(const VerifyChunkJob& job, const ShareInfo& share,
                               const Place& place, UnixMillis wall) {
  KITH_TRY(const auto parts, stretches(job.copy, place));
  KITH_TRY(const auto files, copies_.files(job.copy, share.root.single_file));
  // What is written back now, and hashed after it, a later change of leaves a trace.
  const bool is_doubted =
      !copies_.is_fetching(job.copy) && !manifests_.is_sound(job.copy, job.index);
  const bool is_clean = is_doubted && storage::write_back(*files, parts);
  KITH_TRY(const storage::ReadChunk read, read_whole(*files, parts, place.row));
  if (read.goes_on) {
    return local_error(Errc::kChanged, "it is longer than it was",
                       storage::changed_file(*files, parts));
  }
  const bool as_recorded = read.trust != storage::FileTrust::kChanged;
  if (is_clean && as_recorded && storage::is_settled(read.changed_ns, wall)) {
    manifests_.mark_sound(job.copy, job.index);
  }
  return {};
}

// Of a fetch; held copies are left as they are.
Result<void> Jobs::confirm_chunk(CopyId copy, const Place& place) {
  const auto exporter = copies_.exporter(copy);
  if (exporter == nullptr) return {};
  for (const Place::Part& part : place.parts) {
    KITH_CHECK(exporter->confirm_chunk(part.page->page, part.page->layout, part.row));
  }
  return {};
}

Result<void> Jobs::verify_chunk(const VerifyChunkJob& job, UnixMillis wall, ChunkVerified& out) {
  KITH_TRY(const SharePtr share, manifests_.share(job.share));
  if (!share->shape.is_content(job.index)) {
    KITH_TRY(const Buffer bytes, manifests_.ciphertext(*share, job.index));
    const ChunkId id = job.index == 0 ? share->id : share->root.pages.at(job.index - 1).id;
    out.bytes = static_cast<std::uint32_t>(bytes.size());
    out.path = "the manifest";
    if (chunk_id(bytes) == id) return {};
    return local_error(Errc::kVerification, "the catalog has other bytes");
  }
  KITH_TRY(const Place place, place_of(*share, job.index));
  out.path = path_in(place);
  out.bytes = place.row.length;
  out.files = files_in(place);
  if (!job.part.empty()) {
    KITH_TRY(out.bytes, check_part(job.copy, *share, place, storage::PathGlobs(job.part)));
    return {};
  }
  auto checked = check_chunk(job, *share, place, wall);
  if (checked) {
    KITH_CHECK(renew_stats(*share, place, out));
    return confirm_chunk(job.copy, place);
  }
  // A disk may say itself that it lost something.
  const Errc code = checked.error().code;
  out.rotten = (code == Errc::kVerification || code == Errc::kIo) &&
               is_rotten(job.copy, *share, job.index, place);
  return checked;
}

JobResult Jobs::perform(const VerifyChunkJob& job, UnixMillis wall) {
  ChunkVerified out;
  out.verify = job.verify;
  out.copy = job.copy;
  out.share = job.share;
  out.index = job.index;
  auto done = verify_chunk(job, wall, out);
  out.good = done.has_value();
  if (!done) {
    out.error = std::move(done).error();
    if (!out.error->subject.empty()) out.path = out.error->subject;
  }
  return out;
}

// Rows of files that do not look as they were recorded; in order, perhaps more than once.
Result<std::vector<std::uint32_t>> Jobs::suspicious_rows(CopyId copy, const ShareInfo& share,
                                                         std::uint32_t number,
                                                         const storage::PathGlobs& part) {
  KITH_TRY(const PagePtr page, manifests_.page(share, number));
  KITH_TRY(const auto stats, manifests_.file_stats(copy, number));
  const auto files = copies_.files(copy, share.root.single_file);
  std::vector<std::uint32_t> out;
  const std::vector<std::uint32_t> positions = storage::stat_positions(page->page);
  for (std::uint32_t i = 0; i < page->page.entries.size(); ++i) {
    const Entry& entry = page->page.entries[i];
    if (entry.kind != EntryKind::kFile || !part.takes(entry.path, false)) continue;
    const bool is_recorded = stats && positions[i] < stats->files.size();
    const storage::FileStat* recorded = is_recorded ? &stats->files[positions[i]] : nullptr;
    if (files && looks_as_recorded(**files, entry, recorded)) continue;
    const auto [first, last] = page->layout.rows_of(page->page, i);
    for (std::uint32_t row = first; row < last && out.size() < limits::kSuspects; ++row) {
      out.push_back(row);
    }
    if (out.size() == limits::kSuspects) break;
  }
  return out;
}

bool Jobs::looks_as_recorded(storage::CopyFiles& files, const Entry& entry,
                             const storage::FileStat* recorded) {
  const storage::SplitPath place = files.place(entry.path);
  const auto dir = files.dir(place.parent);
  if (!dir) return false;
  const auto info = io_.stat_at(**dir, place.name);
  if (!info || info->kind != storage::NodeKind::kFile || info->size != entry.size) return false;
  return recorded == nullptr || info->mtime_ns == recorded->mtime_ns;
}

JobResult Jobs::perform(LookPageJob& job) {
  PageLooked out{job.copy, job.share, job.page, {}};
  const auto share = manifests_.share(job.share);
  if (!share) return out;
  const storage::PathGlobs part(std::move(job.part));
  const auto rows = suspicious_rows(job.copy, **share, job.page, part);
  if (!rows) return out;
  for (const std::uint32_t row : *rows) {
    const std::uint32_t chunk = (*share)->shape.first_chunk(job.page) + row;
    out.suspects.push_back((*share)->shape.index_of_chunk(chunk));
  }
  return out;
}

JobResult Jobs::perform(const LocateChunkJob& job) {
  ChunkLocated out{job.copy, job.index, {}};
  const auto share = manifests_.share(job.share);
  if (!share) return out;
  if (const auto place = place_of(**share, job.index)) out.path = path_in(*place);
  return out;
}

JobResult Jobs::perform(const CloseFilesJob& job) {
  copies_.close_files(job.copy);
  return FetchDiscarded{job.copy, false};
}

// The plaintext of the chunk that is `wanted`, from the copy that seems to have it.
Result<SlabChain> Jobs::read_source(const CopyChunkJob& job, const ChunkRow& wanted) {
  KITH_TRY(const SharePtr share, manifests_.share(job.from_share));
  KITH_TRY(const Place place, place_of(*share, job.from_index));
  if (place.row.id != wanted.id) return local_error(Errc::kNotFound, "it is another chunk");
  KITH_TRY(const auto parts, stretches(job.from, place));
  KITH_TRY(const auto files, copies_.files(job.from, share->root.single_file));
  KITH_TRY(storage::ReadChunk read, read_whole(*files, parts, wanted));
  chunk_cipher(wanted.key, 0, read.data);
  return std::move(read.data);
}

JobResult Jobs::perform(const CopyChunkJob& job) {
  ChunkCopied out;
  out.to = job.to;
  out.share = job.share;
  out.index = job.index;
  const auto copy = [&]() -> Result<void> {
    KITH_TRY(const SharePtr share, manifests_.share(job.share));
    KITH_TRY(const Place place, place_of(*share, job.index));
    // What is wrong with the source is no error: the engine asks elsewhere.
    const auto read = read_source(job, place.row);
    if (!read) return {};
    KITH_CHECK(write_chunk(job.to, place, *read));
    out.good = true;
    out.bytes = place.row.length;
    return {};
  };
  if (auto done = copy(); !done) out.error = std::move(done).error();
  return out;
}

JobResult Jobs::perform(ScanTreeJob& job) {
  TreeScanned out;
  out.copy = job.copy;
  out.share = job.share;
  out.tree = std::move(job.tree);
  const auto scan = [&]() -> Result<void> {
    KITH_TRY(const SharePtr share, manifests_.share(job.share));
    if (out.tree == nullptr) {
      KITH_TRY(auto tree, TreeChunks::open(io_, slabs_, manifests_, share, job.directory,
                                           std::move(job.convs)));
      out.tree = std::make_shared<TreeChunks>(std::move(tree));
    }
    KITH_TRY(const auto hit, out.tree->step(manifests_, kScanBytes));
    out.at_end = out.tree->at_end();
    if (!hit) return {};
    for (const ChunkIndex index : hit->places) {
      KITH_TRY(const Place place, place_of(*share, index));
      KITH_CHECK(write_chunk(job.copy, place, hit->plaintext));
      out.written.push_back(index);
    }
    return {};
  };
  if (auto done = scan(); !done) out.error = std::move(done).error();
  return out;
}

JobResult Jobs::perform(const FindChunksJob& job) {
  ChunksFound out{job.copy, job.share, job.page, {}};
  const auto find = [&]() -> Result<void> {
    KITH_TRY(const SharePtr share, manifests_.share(job.share));
    KITH_TRY(const PagePtr page, manifests_.page(*share, job.page));
    ChunkIndex index = share->shape.index_of_chunk(share->shape.first_chunk(job.page));
    for (const ChunkRow& row : page->page.rows) {
      KITH_TRY(const auto places, manifests_.find_chunk(row.id));
      for (const storage::ChunkPlace& place : places) {
        out.found.push_back({index, place.share, place.chunk});
      }
      ++index;
    }
    return {};
  };
  // What is not found is fetched.
  if (!find()) out.found.clear();
  return out;
}

Result<void> Jobs::look_at(CopyId copy, const ShareInfo& share) {
  KITH_TRY(const auto files, copies_.files(copy, share.root.single_file));
  if (!files->is_single()) return {};
  KITH_TRY(const auto info, io_.stat_at(files->top(), files->place("").name));
  const bool may_be = info.kind == storage::NodeKind::kFile && info.size == share.root.totals.bytes;
  if (may_be) return {};
  return local_error(Errc::kChanged, "something else stands there");
}

std::string Jobs::changed_in(CopyId copy, const ShareInfo& share, ChunkIndex index,
                             const storage::PathGlobs& part) {
  if (!share.shape.is_content(index)) return "the manifest";
  const auto place = place_of(share, index);
  if (!place) return "the manifest";
  const auto parts = stretches(copy, *place, part);
  if (parts && parts->empty()) return {};
  const auto files = copies_.files(copy, share.root.single_file);
  return parts && files ? storage::changed_file(**files, *parts) : path_in(*place);
}

// Of a part there may be very many that it does not take.
void Jobs::name_withdrawn(const OpenCopyJob& job, const ShareInfo& share,
                          const storage::PathGlobs& part, CopyOpened& out) {
  std::vector<bool> taken(share.shape.chunks(), part.empty());
  for (const CopyOpened::PageLengths& page : out.pages) {
    for (std::uint32_t row = 0; row < page.selection.takes.size(); ++row) {
      if (page.selection.takes[row]) taken[share.shape.first_chunk(page.page) + row] = true;
    }
  }
  for (const ChunkIndex index : job.withdrawn) {
    if (out.changed.size() == kNamed || index >= share.shape.total()) return;
    const bool is_content = share.shape.is_content(index);
    if (is_content && !taken[index - share.shape.index_of_chunk(0)]) continue;
    std::string path = changed_in(job.copy, share, index, part);
    if (!path.empty()) out.changed.push_back(std::move(path));
  }
}

JobResult Jobs::perform(OpenCopyJob& job) {
  CopyOpened out;
  out.copy = job.copy;
  out.share = job.share;
  const auto open = [&]() -> Result<void> {
    KITH_TRY(const SharePtr share, manifests_.share(job.share));
    out.root = share->root;
    const storage::PathGlobs part(std::move(job.part));
    if (!job.fetching) {
      out.missing = !look_at(job.copy, *share);
      if (part.empty()) {
        name_withdrawn(job, *share, part, out);
        return {};
      }
    }
    for (std::uint32_t number = 0; number < share->shape.pages(); ++number) {
      const auto page = manifests_.page(*share, number);
      if (!page) continue;  // not here yet, or damaged: fetched again
      CopyOpened::PageLengths lengths{number, {}, {}};
      if (!part.empty()) lengths.selection = selection_of(**page, part);
      for (const ChunkRow& row : (*page)->page.rows) lengths.lengths.push_back(row.length);
      out.pages.push_back(std::move(lengths));
    }
    if (!job.fetching) name_withdrawn(job, *share, part, out);
    return {};
  };
  if (auto done = open(); !done) out.error = std::move(done).error();
  return out;
}

Result<std::vector<Buffer>> Jobs::record_files(storage::CopyFiles& files, const ShareInfo& share,
                                               UnixMillis wall, const storage::PathGlobs& part) {
  std::vector<Buffer> out;
  for (std::uint32_t number = 0; number < share.shape.pages(); ++number) {
    KITH_TRY(const PagePtr page, manifests_.page(share, number));
    storage::PageStats stats{wall, {}};
    for (const Entry& entry : page->page.entries) {
      if (entry.kind != EntryKind::kFile) continue;
      if (!part.takes(entry.path, false)) {
        stats.files.emplace_back();
        continue;
      }
      const storage::SplitPath place = files.place(entry.path);
      KITH_TRY(const auto dir, files.dir(place.parent));
      KITH_TRY(const storage::FileInfo info, io_.stat_at(*dir, place.name));
      stats.files.push_back(storage::FileStat::of(info));
    }
    out.push_back(stats.encode());
  }
  return out;
}

// `stats`: if nothing differs, the states of the files. They are looked at before the content is,
// so that what is put there later is not recorded as the share's, and again after it: a repair may
// have written meanwhile.
Result<std::optional<storage::Difference>> Jobs::compare(
    storage::CopyFiles& files, const std::string& path, const SharePtr& share,
    const storage::Comparison& how, UnixMillis wall, std::vector<Buffer>& stats) {
  auto before = record_files(files, *share, wall, how.part);
  KITH_TRY(auto difference,
           storage::differs_from_share(files, slabs_, share->root, page_source(share), how));
  if (difference) return difference;
  KITH_TRY(stats, std::move(before));
  KITH_TRY(const auto after, record_files(files, *share, wall, how.part));
  if (after == stats) return difference;
  return local_error(Errc::kChanged, "a file there was changed while it was being compared", path,
                     "give the same command again");
}

JobResult Jobs::perform(MoveCopyJob& job, UnixMillis wall) {
  CopyMoved out;
  out.copy = job.copy;
  out.path = job.path;
  const auto move = [&]() -> Result<void> {
    KITH_TRY(const SharePtr share, manifests_.share(job.share));
    KITH_TRY(const auto files, storage::CopyFiles::open(io_, job.path, share->root.single_file));
    const storage::Comparison how{
        true, storage::PathGlobs(std::move(job.part)),
        [&](std::uint32_t page) { return manifests_.file_stats(job.copy, page); }};
    KITH_TRY(const auto difference, compare(*files, job.path, share, how, wall, out.file_stats));
    if (difference) {
      const bool top = difference->path.empty() || share->root.single_file;
      return local_error(Errc::kVerification,
                         "what stands there is not this share: it " + difference->what,
                         top ? job.path : storage::join_native(job.path, difference->path),
                         "'mv' and 'cp -a' keep modes and times; 'kith share' publishes it as "
                         "what it is now");
    }
    copies_.published(job.copy, job.path);
    manifests_.forget_file_stats(job.copy);
    return {};
  };
  if (auto done = move(); !done) out.error = std::move(done).error();
  return out;
}

}  // namespace kith::node
