// ManifestBuilder as a state machine: whatever it is fed, in whatever order, it refuses or makes a
// manifest that a receiver accepts. Input: one byte for the mode, then operations of four bytes:
// kind, name, and a size of two bytes.
#include <vector>

#include "proto/assert.hpp"
#include "proto/content/manifest.hpp"
#include "proto/crypto/hash.hpp"

namespace {

using namespace kith;

struct Pages {
  ManifestBuilder& builder;
  std::vector<Buffer> encoded;

  void take() {
    for (const Page& page : builder.take_pages()) {
      encoded.push_back(page.encode());
      const ChunkId id = *ChunkId::from(blake3(encoded.back()));
      builder.add_page_ref(page, id, {}, static_cast<std::uint32_t>(encoded.back().size()));
    }
  }
};

Entry entry_of(std::uint8_t kind, std::uint8_t name, std::uint16_t size, std::string& directory) {
  Entry entry;
  const std::string base{static_cast<char>('a' + name / 16), static_cast<char>('a' + name % 16)};
  entry.path = directory.empty() ? base : directory + "/" + base;
  entry.mtime_ns = size;
  if (kind == 0) {
    entry.kind = EntryKind::kDirectory;
    directory = entry.path;
  } else if (kind == 1) {
    entry.kind = EntryKind::kSymlink;
    entry.target = std::string(size % 4096, 't');
  } else {
    entry.size = size;
  }
  return entry;
}

void apply(ManifestBuilder& builder, const std::uint8_t* op, std::uint32_t fixed,
           std::string& directory) {
  const auto size = load_be<std::uint16_t>({op + 2, 2});
  if (op[0] % 8 < 5) {
    (void)builder.add(entry_of(op[0] % 8, op[1], size, directory));
  } else if (op[0] % 8 == 5) {
    directory = std::string(parent_path(directory));
  } else {
    ChunkRow row;
    row.id.bytes = blake3({op, 4});
    row.length = fixed != 0 ? fixed : size;
    (void)builder.add(row);
  }
}

void receive(const Root& built, const std::vector<Buffer>& pages) {
  const auto root = Root::decode(built.encode());
  KITH_ASSERT(root && *root == built);
  ManifestChecker checker(*root);
  for (const Buffer& bytes : pages) {
    const auto page = Page::decode(bytes);
    KITH_ASSERT(page && page->encode() == bytes);
    KITH_ASSERT(checker.add(*page));
  }
  KITH_ASSERT(checker.finish());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Chunking chunking = Chunking::tiny(1024);
  if (data[0] % 2 != 0) {
    chunking.mode = ChunkingMode::kFixed;
    chunking.fixed = 1 + data[0] * 64u;
  }
  const std::uint32_t fixed = chunking.mode == ChunkingMode::kFixed ? chunking.fixed : 0;
  ManifestBuilder builder("share", false, chunking);
  Pages pages{builder, {}};
  Entry top;
  top.kind = EntryKind::kDirectory;
  KITH_ASSERT(builder.add(top));
  std::string directory;
  for (std::size_t at = 1; at + 4 <= size; at += 4) {
    apply(builder, data + at, fixed, directory);
    if (directory.size() > 200) directory.clear();
    pages.take();
  }
  builder.finish_pages();
  pages.take();
  const auto root = builder.finish();
  if (root) receive(*root, pages.encoded);
  return 0;
}
