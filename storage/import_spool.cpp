#include "storage/import_spool.hpp"

namespace kith::storage {
namespace {

// Left behind, empty, only by a process that was killed between making and removing it.
constexpr std::string_view kName = "import.spool";

// The bytes of a part in the order of the file: ids, hashes, then page by page. An iovec of a write
// is never written to.
std::vector<iovec> parts_of(const ImportMade& made) {
  std::vector<iovec> parts;
  const auto add = [&parts](const void* data, std::size_t bytes) {
    if (bytes > 0) parts.push_back({const_cast<void*>(data), bytes});
  };
  add(made.chunks.data(), made.chunks.size() * sizeof(ChunkId));
  add(made.plain.data(), made.plain.size() * sizeof(PlainHash));
  for (const ImportedPage& page : made.pages) {
    add(page.ciphertext.data(), page.ciphertext.size());
    add(page.file_stats.data(), page.file_stats.size());
  }
  return parts;
}

std::size_t total(const std::vector<iovec>& parts) {
  std::size_t bytes = 0;
  for (const iovec& part : parts) bytes += part.iov_len;
  return bytes;
}

}  // namespace

Error ImportSpool::named(Error error) const {
  error.subject = directory_;
  return error;
}

Result<void> ImportSpool::open() {
  KITH_TRY(const Dir dir, io_->open_root(directory_));
  auto file = io_->open_file(dir, kName, OpenMode::kCreate);
  if (!file && file.error().code == Errc::kExists) {
    KITH_CHECK(io_->remove_file(dir, kName));
    file = io_->open_file(dir, kName, OpenMode::kCreate);
  }
  if (!file) return std::move(file).error();
  file_ = std::move(*file);
  return io_->remove_file(dir, kName);
}

Result<void> ImportSpool::put(const ImportMade& made) {
  if (!file_) {
    if (auto opened = open(); !opened) return named(std::move(opened).error());
  }
  const std::vector<iovec> bytes = parts_of(made);
  if (auto written = io_->write(file_, end_, bytes); !written) {
    return named(std::move(written).error());
  }
  Part part{
      end_, made.first_page, made.first_chunk, static_cast<std::uint32_t>(made.chunks.size()), {}};
  for (const ImportedPage& page : made.pages) {
    part.pages.push_back({static_cast<std::uint32_t>(page.ciphertext.size()),
                          static_cast<std::uint32_t>(page.file_stats.size())});
  }
  end_ += total(bytes);
  parts_.push_back(std::move(part));
  return {};
}

Result<ImportMade> ImportSpool::part(std::size_t i) const {
  const Part& part = parts_.at(i);
  ImportMade made{part.first_page, part.first_chunk, {}, {}, {}};
  made.chunks.resize(part.chunks);
  made.plain.resize(part.chunks);
  for (const PageSizes& page : part.pages) {
    made.pages.push_back({Buffer(page.ciphertext), Buffer(page.file_stats)});
  }
  const std::vector<iovec> into = parts_of(made);
  auto got = io_->read(file_, part.offset, into);
  if (!got) return named(std::move(got).error());
  if (*got == total(into)) return made;
  return named(local_error(Errc::kIo, "what an import made is gone from its file"));
}

}  // namespace kith::storage
