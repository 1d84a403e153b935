// A page made by somebody hostile is written to disk chunk by chunk: nothing is made outside the
// staging, and what was written is what is read back.
#include <algorithm>

#include "proto/assert.hpp"
#include "storage/chunk_reader.hpp"
#include "storage/exporter.hpp"
#include "storage/memory_file_io.hpp"

namespace {

using namespace kith;
using namespace kith::storage;

constexpr std::uint64_t kLargest = 1 << 20;

SlabChain content_of(SlabPool& pool, std::uint32_t row, std::uint32_t length) {
  Buffer bytes(length);
  for (std::uint32_t i = 0; i < length; ++i) {
    bytes[i] = static_cast<std::uint8_t>(row * 31 + i * 7 + i / 256);
  }
  return SlabChain::from(pool, bytes);
}

std::vector<std::string> names_in(FileIo& io, const std::string& path) {
  std::vector<std::string> out;
  const auto dir = io.open_root(path);
  KITH_ASSERT(dir);
  for (const DirItem& item : *io.list(*dir)) out.push_back(item.name);
  std::ranges::sort(out);
  return out;
}

void expect_written(Exporter& exporter, SlabPool& pool, const Page& page, std::uint32_t row) {
  std::vector<Stretch> parts;
  append_stretches(page, PageLayout(page), row, nullptr, parts);
  if (parts.empty() || parts.front().chunk_offset != 0) return;  // the page before has the rest
  const auto read = read_chunk(exporter.files(), pool, parts, 0, page.rows[row].length);
  KITH_ASSERT(read);
  const Buffer got = read->data.to_buffer();
  const Buffer expected = content_of(pool, row, page.rows[row].length).to_buffer();
  const std::size_t described = parts.back().chunk_offset + parts.back().length;
  KITH_ASSERT(std::equal(got.begin(), got.begin() + static_cast<std::ptrdiff_t>(described),
                         expected.begin()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static SlabPool pool;
  const auto page = Page::decode(Bytes(data, size));
  if (!page || page->row_bytes() > kLargest) return 0;
  MemoryFileIo io({.capacity = 16 * kLargest, .remembers = false});
  KITH_ASSERT(io.make_dir(*io.open_root("/"), "out", 0700));
  Root root;
  root.name = "tree";
  const auto prepared = prepare_export(io, root, ShareId{}, {.directory = "/out", .name = {}}, {});
  KITH_ASSERT(prepared);
  Exporter& exporter = *prepared->exporter;
  const PageLayout layout(*page);
  bool all_written = true;
  for (std::uint32_t row = 0; row < page->rows.size(); ++row) {
    const SlabChain chunk = content_of(pool, row, page->rows[row].length);
    all_written &= exporter.write_chunk(*page, layout, row, chunk).has_value();
  }
  KITH_ASSERT(names_in(io, "/") == std::vector<std::string>{"out"});
  KITH_ASSERT(names_in(io, "/out") == std::vector<std::string>{staging_name("tree", ShareId{})});
  if (!all_written) return 0;  // no space
  for (std::uint32_t row = 0; row < page->rows.size(); ++row) {
    expect_written(exporter, pool, *page, row);
  }
  return 0;
}
