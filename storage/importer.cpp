#include "storage/importer.hpp"

#include <algorithm>

#include "proto/assert.hpp"
#include "proto/text.hpp"
#include "storage/path_policy.hpp"

namespace kith::storage {
namespace {

// One read of a large file: few system calls, and little to copy behind a cut.
constexpr std::size_t kReadBytes = 4 * kRecordBytes;
// What one call of step() does at most before it returns without a chunk.
constexpr int kStepTurns = 1'024;

std::string share_name(const ImportOptions& options, const std::string& source) {
  return options.name.empty() ? std::string(split_native(source).name) : options.name;
}

Buffer private_conv(const ImportOptions& options) {
  return options.is_private ? to_buffer(options.conv.view()) : Buffer();
}

void note(std::vector<ImportNote>& notes, const std::string& path, std::string reason) {
  if (notes.size() < kNotesMax) notes.push_back({path, std::move(reason)});
}

}  // namespace

ImportScan::ImportScan(FileIo& io, SlabPool& pool, std::string source, ImportOptions options,
                       bool single)
    : io_(&io),
      source_(std::move(source)),
      options_(std::move(options)),
      single_(single),
      buffer_(pool),
      cdc_(options_.chunking),
      packer_(options_.chunking),
      builder_(std::in_place, options_.name, single, options_.chunking, private_conv(options_)) {}

Result<ImportScan> ImportScan::open_chunks(FileIo& io, SlabPool& pool, const std::string& source,
                                           const Chunking& chunking) {
  ImportOptions options;
  options.name = "chunks";
  options.chunking = chunking;
  options.skip_bad = true;
  KITH_TRY(ImportScan scan, open(io, pool, source, std::move(options)));
  scan.builder_.reset();
  return scan;
}

Result<ImportScan> ImportScan::open(FileIo& io, SlabPool& pool, const std::string& source,
                                    ImportOptions options) {
  KITH_CHECK(options.chunking.check());
  options.name = share_name(options, source);
  if (auto name = check_name(options.name); !name) {
    return local_error(Errc::kUsage, "a share cannot have this name (" + name.error().what + ")",
                       options.name, "choose one with --name");
  }
  const SplitPath place = split_native(source);
  KITH_TRY(Dir parent, io.open_root(std::string(place.parent)));
  NodeKind kind = NodeKind::kDirectory;
  if (!place.name.empty()) {
    auto info = io.stat_at(parent, place.name);
    if (!info) {
      Error error = std::move(info).error();
      error.subject = source;
      return error;
    }
    kind = info->kind;
  }
  if (kind == NodeKind::kOther) {
    return local_error(Errc::kUnsupported, "neither a file nor a directory", source);
  }
  ImportScan scan(io, pool, source, std::move(options), kind == NodeKind::kFile);
  if (scan.single_) {
    scan.single_parent_ = std::move(parent);
    return scan;
  }
  auto top = io.open_root(source);
  if (!top && kind == NodeKind::kSymlink) {
    return local_error(Errc::kUnsupported, "a symbolic link that leads to no directory", source,
                       "name what it points to");
  }
  if (!top) return std::move(top).error();
  scan.tree_.emplace(io, std::move(*top), PathGlobs(std::move(scan.options_.exclude)));
  return scan;
}

Result<std::optional<ScannedChunk>> ImportScan::step() {
  KITH_ASSERT(may_step());
  for (int turn = 0; turn < kStepTurns && may_step(); ++turn) {
    KITH_TRY(Chunk chunk, advance());
    // Entries without content end pages, too.
    if (builder_) drain_pages();
    if (chunk) return std::optional(ScannedChunk{next_ordinal_++, std::move(*chunk)});
  }
  return std::optional<ScannedChunk>();
}

Result<ImportScan::Chunk> ImportScan::advance() {
  switch (phase_) {
    case Phase::kTop:
      if (single_) {
        phase_ = Phase::kTail;
        return begin_file(single_parent_, split_native(source_).name, options_.name);
      }
      return enter_top();
    case Phase::kItems:
      return next_item();
    case Phase::kFile:
      return read_on();
    case Phase::kKnownFile:
      return add_known_row();
    case Phase::kTail:
      return end_stream();
    case Phase::kEnd:
      break;
  }
  return Chunk();
}

Result<ImportScan::Chunk> ImportScan::enter_top() {
  auto info = tree_->enter_top();
  if (!info) {
    Error error = std::move(info).error();
    error.subject = source_;
    return error;
  }
  phase_ = Phase::kItems;
  return place({.kind = EntryKind::kDirectory,
                .path = "",
                .target = {},
                .mode = info->mode & 0777,
                .mtime_ns = info->mtime_ns});
}

Result<ImportScan::Chunk> ImportScan::next_item() {
  auto next = tree_->next();
  if (!next && !builder_) {
    skip(next.error().subject, next.error());
    return Chunk();
  }
  KITH_TRY(const auto item, std::move(next));
  if (!item) {
    phase_ = Phase::kTail;
    return Chunk();
  }
  ++entries_seen_;
  if (auto checked = check_path(item->path); !checked) {
    skip(item->path, checked.error());
    return Chunk();
  }
  switch (item->kind) {
    case NodeKind::kFile:
      return begin_file(tree_->dir(), item->name(), item->path);
    case NodeKind::kDirectory:
      return add_directory(*item);
    case NodeKind::kSymlink:
      return add_symlink(*item);
    case NodeKind::kOther:
      break;
  }
  skip(item->path, local_error(Errc::kRefused, "neither a file, a directory nor a link"));
  return Chunk();
}

Result<ImportScan::Chunk> ImportScan::add_directory(const ScanItem& item) {
  const auto info = tree_->enter(item);
  if (!info && info.error().code == Errc::kNotFound) return gone(item.path);
  if (!info) {
    skip(item.path, info.error());
    return Chunk();
  }
  return place({.kind = EntryKind::kDirectory,
                .path = item.path,
                .target = {},
                .mode = info->mode & 0777,
                .mtime_ns = info->mtime_ns});
}

Result<ImportScan::Chunk> ImportScan::add_symlink(const ScanItem& item) {
  const auto info = io_->stat_at(tree_->dir(), item.name());
  auto target = io_->read_link(tree_->dir(), item.name());
  if (!info || !target) return gone(item.path);
  if (auto checked = check_symlink_target(*target); !checked) {
    skip(item.path, checked.error());
    return Chunk();
  }
  if (!symlink_stays_inside(item.path, *target)) {
    note(result_.links_outside, item.path, *target);
    ++result_.links_outside_count;
  }
  return place({.kind = EntryKind::kSymlink,
                .path = item.path,
                .target = std::move(*target),
                .mode = 0,
                .mtime_ns = info->mtime_ns});
}

Result<ImportScan::Chunk> ImportScan::begin_file(const Dir& dir, std::string_view name,
                                                 const std::string& path) {
  if (earlier_ && !refusing()) {
    KITH_TRY(auto known, begin_known(dir, name, path));
    if (known) return std::move(*known);
  }
  auto file = io_->open_file(dir, name, OpenMode::kRead);
  if (!file && file.error().code == Errc::kNotFound) return gone(path);
  if (!file) {
    skip(path, file.error());
    return Chunk();
  }
  KITH_TRY(const FileInfo info, io_->stat(*file));
  if (info.kind != NodeKind::kFile) return gone(path);
  if (refusing()) return Chunk();
  OpenFile open{std::move(*file), path, FileStat::of(info)};
  open.large = !is_fixed() && info.size >= options_.chunking.large_file;
  KITH_TRY(open.entry_bytes, add_file(path, info));
  if (open.large) io_->advise_sequential(open.file);
  file_ = std::move(open);
  phase_ = Phase::kFile;
  if (file_->large) return end_pack();
  // What lies before it in its pack is read after all: the pack is another one now.
  if (info.size > 0) KITH_CHECK(read_unread());
  return Chunk();
}

// Returns what the entry takes in a manifest. `known_at`: when its content was read, if not now.
Result<std::size_t> ImportScan::add_file(const std::string& path, const FileInfo& info,
                                         std::optional<UnixMillis> known_at) {
  Entry entry{.kind = EntryKind::kFile,
              .path = path,
              .target = {},
              .mode = info.mode & 0777,
              .mtime_ns = info.mtime_ns,
              .size = info.size};
  const std::size_t bytes = encoded_size(entry);
  const bool is_sure = !known_at || is_written_back(info.ctime_ns, *known_at);
  if (builder_) stats_.push_back({FileStat::of(info), is_sure ? std::nullopt : known_at});
  KITH_CHECK(add_entry(std::move(entry)));
  return bytes;
}

Result<void> ImportScan::add_entry(Entry entry) {
  return builder_ ? builder_->add(std::move(entry)) : Result<void>();
}

// A pack is complete, or a large file begins, which it does on a chunk boundary.
Result<ImportScan::Chunk> ImportScan::end_pack() {
  KITH_TRY(const bool reused, reuse_pack());
  if (reused) {
    packer_.reset();
    return Chunk();
  }
  KITH_CHECK(read_unread());
  if (buffer_.size() > 0) packer_.reset();
  return cut_all();
}

Result<ImportScan::Chunk> ImportScan::read_on() {
  if (file_->large) {
    if (Chunk chunk = scan_for_cut()) return chunk;
  }
  if (is_fixed() && buffer_.size() == options_.chunking.fixed) return cut_all();
  if (file_->read == file_->before.size) return end_file();
  auto done = read_stretch();
  if (!done && !builder_) return abandon(done.error());
  KITH_CHECK(done);
  return Chunk();
}

// Where only chunks are wanted it is no harm if a file ends early: those that lie behind the loss,
// in the same file or pack, are not found.
ImportScan::Chunk ImportScan::abandon(const Error& why) {
  skip(file_->path, why);
  file_.reset();
  phase_ = single_ ? Phase::kTail : Phase::kItems;
  scanned_to_ = 0;
  if (buffer_.size() > 0) (void)buffer_.cut(buffer_.size());
  cdc_.reset();
  packer_.reset();
  return Chunk();
}

Result<void> ImportScan::read_stretch() {
  std::uint64_t wanted = std::min<std::uint64_t>(file_->before.size - file_->read, kReadBytes);
  if (is_fixed())
    wanted = std::min<std::uint64_t>(wanted, options_.chunking.fixed - buffer_.size());
  const auto bytes = static_cast<std::size_t>(wanted);
  KITH_CHECK(read(file_->file, file_->path, file_->read, bytes));
  file_->read += bytes;
  return {};
}

// Exactly so many bytes, behind what is in the buffer.
Result<void> ImportScan::read(const File& file, const std::string& path, std::uint64_t offset,
                              std::size_t bytes) {
  auto got = io_->read(file, offset, buffer_.room(bytes));
  if (!got) {
    Error error = std::move(got).error();
    error.subject = full_path(path);
    return error;
  }
  if (*got != bytes) return changed(path);
  buffer_.fill(bytes);
  bytes_done_ += bytes;
  result_.bytes_read += bytes;
  return {};
}

Result<ImportScan::Chunk> ImportScan::end_file() {
  KITH_TRY(const FileInfo after, io_->stat(file_->file));
  if (builder_ && FileStat::of(after) != file_->before) return changed(file_->path);
  const OpenFile file = std::move(*file_);
  file_.reset();
  phase_ = single_ ? Phase::kTail : Phase::kItems;
  if (is_fixed()) return Chunk();
  if (file.large) {
    cdc_.reset();
    return cut_all();
  }
  if (packer_.add(file.path, file.before.size, file.entry_bytes)) return end_pack();
  return Chunk();
}

Result<ImportScan::Chunk> ImportScan::end_stream() {
  phase_ = Phase::kEnd;
  if (refusing()) return Chunk();
  if (is_fixed() && buffer_.size() > 0) {
    buffer_.fill_zeros(options_.chunking.fixed - buffer_.size());
  }
  return end_pack();
}

ImportScan::Chunk ImportScan::scan_for_cut() {
  while (scanned_to_ < buffer_.size()) {
    const Bytes run = buffer_.run(scanned_to_);
    const std::size_t cut = cdc_.next_cut(run);
    if (cut > 0) {
      SlabChain chunk = buffer_.cut(scanned_to_ + cut);
      scanned_to_ = 0;
      return chunk;
    }
    scanned_to_ += run.size();
  }
  return std::nullopt;
}

ImportScan::Chunk ImportScan::cut_all() {
  scanned_to_ = 0;
  if (buffer_.size() == 0) return std::nullopt;
  return buffer_.cut(buffer_.size());
}

// An entry without content. It counts for the pack all the same: it takes its part of the manifest.
Result<ImportScan::Chunk> ImportScan::place(Entry entry) {
  if (refusing()) return Chunk();
  const bool ends_pack = !is_fixed() && packer_.add(entry.path, 0, encoded_size(entry));
  KITH_CHECK(add_entry(std::move(entry)));
  if (ends_pack) return end_pack();
  return Chunk();
}

Result<void> ImportScan::add_result(std::uint64_t ordinal, const HashedChunk& chunk) {
  KITH_ASSERT(ordinal >= next_row_ && ordinal < next_ordinal_);
  KITH_ASSERT(rows_.emplace(ordinal, chunk).second);
  for (auto it = rows_.find(next_row_); it != rows_.end(); it = rows_.find(next_row_)) {
    if (!refusing()) KITH_CHECK(builder_->add(it->second.row));
    result_.chunks.push_back(it->second.row.id);
    result_.plain.push_back(it->second.plain);
    rows_.erase(it);
    ++next_row_;
  }
  drain_pages();
  return {};
}

void ImportScan::drain_pages() {
  for (const Page& page : builder_->take_pages()) {
    PageStats stats{options_.recorded_at, {}};
    for (const Entry& entry : page.entries) {
      if (entry.kind != EntryKind::kFile) continue;
      if (entry.offset == 0) {
        last_stat_ = stats_.front();
        stats_.pop_front();
      }
      stats.files.push_back(last_stat_.stat);
      if (last_stat_.read_at) {
        stats.read_at = std::min(stats.read_at.value_or(*last_stat_.read_at), *last_stat_.read_at);
      }
    }
    EncipheredPage sealed = encipher_page(options_.conv, page.encode());
    builder_->add_page_ref(page, sealed.id, sealed.key,
                           static_cast<std::uint32_t>(sealed.ciphertext.size()));
    result_.pages.push_back({std::move(sealed.ciphertext), stats.encode()});
  }
}

std::size_t ImportScan::made_bytes() const {
  std::size_t bytes = result_.chunks.size() * (sizeof(ChunkId) + sizeof(PlainHash));
  for (const ImportedPage& page : result_.pages) {
    bytes += page.ciphertext.size() + page.file_stats.size();
  }
  return bytes;
}

ImportMade ImportScan::take_made() {
  ImportMade& made = result_;
  const auto next_page = static_cast<std::uint32_t>(made.first_page + made.pages.size());
  const auto next_chunk = static_cast<std::uint32_t>(made.first_chunk + made.chunks.size());
  return std::exchange(made, ImportMade{next_page, next_chunk, {}, {}, {}});
}

Result<ImportResult> ImportScan::finish() {
  KITH_ASSERT(scanned() && next_row_ == next_ordinal_);
  if (refusing()) return refusal();
  builder_->finish_pages();
  drain_pages();
  KITH_TRY(result_.root, builder_->finish());
  EncipheredPage sealed = encipher_page(options_.conv, result_.root.encode());
  result_.share = sealed.id;
  result_.key = sealed.key;
  result_.root_ciphertext = std::move(sealed.ciphertext);
  result_.skipped_count = skipped_count_;
  return std::move(result_);
}

void ImportScan::skip(const std::string& path, const Error& why) {
  note(result_.skipped, full_path(path), why.what);
  ++skipped_count_;
}

Error ImportScan::refusal() const {
  const std::string count =
      skipped_count_ == 1 ? "1 entry" : std::to_string(skipped_count_) + " entries";
  return local_error(Errc::kUnsupported, count + " cannot be shared", source_,
                     "--skip-bad or --exclude leaves out what cannot be shared");
}

Error ImportScan::changed(const std::string& path) const {
  return local_error(Errc::kChanged, "changed while it was read", full_path(path),
                     "share it again when nothing writes to it");
}

// An entry that was there a moment ago.
Result<ImportScan::Chunk> ImportScan::gone(const std::string& path) {
  if (builder_) return changed(path);
  skip(path, changed(path));
  return Chunk();
}

std::string ImportScan::full_path(const std::string& path) const {
  return single_ || path.empty() ? source_ : join_native(source_, path);
}

Result<ImportResult> import_tree(FileIo& io, SlabPool& pool, const std::string& source,
                                 ImportOptions options, const KnownLookup& lookup) {
  const Secret conv = options.conv;
  KITH_TRY(ImportScan scan, ImportScan::open(io, pool, source, std::move(options)));
  while (!scan.scanned()) {
    KITH_TRY(auto chunk, scan.step());
    if (!chunk) continue;
    KITH_CHECK(scan.add_result(chunk->ordinal, hash_chunk(conv, chunk->plaintext, lookup)));
  }
  return scan.finish();
}

}  // namespace kith::storage
