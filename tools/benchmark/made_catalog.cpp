// A share that nobody has the room for, for rows about the catalog's size: one file of CHUNKS
// chunks of 1 MiB, whose ids are random, in the catalog of a home where no node runs.
//
//   kith_made_catalog CATALOG FILE CHUNKS
//
// FILE exists and has that size (a hole will do); the share is recorded as standing there, long
// enough ago to be believed.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "proto/content/manifest.hpp"
#include "proto/crypto/content_cipher.hpp"
#include "proto/crypto/random.hpp"
#include "storage/catalog.hpp"
#include "storage/file_stat.hpp"
#include "storage/path_policy.hpp"
#include "storage/posix_file_io.hpp"

namespace kith::benchmark {
namespace {

constexpr std::uint32_t kChunkBytes = 1024 * 1024;
constexpr CopyId kCopy{1};

struct Made {
  Root root;
  EncipheredPage sealed_root;
  std::vector<Buffer> pages;
  std::vector<ChunkId> chunks;
  std::vector<PlainHash> plain;
};

Secret conv() { return Secret(as_bytes("of no swarm, for nobody fetches ")); }

void take_pages(ManifestBuilder& builder, Made& made) {
  for (const Page& page : builder.take_pages()) {
    EncipheredPage sealed = encipher_page(conv(), page.encode());
    const auto length = static_cast<std::uint32_t>(sealed.ciphertext.size());
    builder.add_page_ref(page, sealed.id, sealed.key, length);
    made.pages.push_back(std::move(sealed.ciphertext));
  }
}

Result<Made> make(const storage::FileInfo& file, std::uint32_t chunks) {
  Made made;
  SeededRng rng(1);
  ManifestBuilder builder("made", true, Chunking());
  KITH_CHECK(builder.add({.kind = EntryKind::kFile,
                          .path = "made",
                          .target = {},
                          .mode = file.mode & 0777,
                          .mtime_ns = file.mtime_ns,
                          .size = file.size}));
  for (std::uint32_t i = 0; i < chunks; ++i) {
    const ChunkRow row{rng.random<ChunkId>(), rng.random<ChunkKey>(), kChunkBytes};
    KITH_CHECK(builder.add(row));
    made.chunks.push_back(row.id);
    made.plain.push_back(rng.random<PlainHash>());
    take_pages(builder, made);
  }
  builder.finish_pages();
  take_pages(builder, made);
  KITH_TRY(made.root, builder.finish());
  made.sealed_root = encipher_page(conv(), made.root.encode());
  return made;
}

Result<void> put(storage::Catalog& catalog, const Made& made, const storage::FileInfo& file,
                 const std::string& path) {
  KITH_TRY(const auto swarms, catalog.swarms());
  if (swarms.empty()) return local_error(Errc::kNotFound, "the home is in no swarm");
  const ShareId share = ShareId{made.sealed_root.id.bytes};
  const UnixMillis recorded{file.ctime_ns / 1'000'000 + 10 * storage::kRacyMillis};
  const Buffer stats = storage::PageStats{recorded, {storage::FileStat::of(file)}}.encode();
  KITH_CHECK(catalog.begin());
  KITH_CHECK(catalog.put_share(
      {share, swarms.front().id, "made", made.sealed_root.key, made.sealed_root.ciphertext}));
  for (std::uint32_t i = 0; i < made.pages.size(); ++i) {
    KITH_CHECK(catalog.put_page(share, i, made.pages[i]));
    KITH_CHECK(catalog.put_file_stats(kCopy, i, stats));
  }
  KITH_CHECK(catalog.index_chunks(share, 0, made.chunks));
  KITH_CHECK(catalog.index_plain(share, 0, made.plain));
  storage::CopyRecord copy;
  copy.id = kCopy;
  copy.share = share;
  copy.state = storage::CopyState::kShared;
  copy.name = "made";
  copy.path = path;
  copy.swarm = swarms.front().id;
  KITH_CHECK(catalog.put_copy(copy));
  return catalog.commit_full();
}

Result<void> run(const std::string& catalog_path, const std::string& path, std::uint32_t chunks) {
  init_crypto();
  storage::PosixFileIo io;
  const storage::SplitPath place = storage::split_native(path);
  KITH_TRY(const storage::Dir dir, io.open_root(std::string(place.parent)));
  KITH_TRY(const storage::FileInfo file, io.stat_at(dir, place.name));
  if (file.size != std::uint64_t{chunks} * kChunkBytes) {
    return local_error(Errc::kUsage, "the file has another size", path);
  }
  KITH_TRY(const Made made, make(file, chunks));
  KITH_TRY(storage::Catalog catalog, storage::Catalog::open(catalog_path));
  return put(catalog, made, file, path);
}

}  // namespace
}  // namespace kith::benchmark

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: kith_made_catalog CATALOG FILE CHUNKS\n");
    return 2;
  }
  const auto chunks = static_cast<std::uint32_t>(std::strtoul(argv[3], nullptr, 10));
  const auto done = kith::benchmark::run(argv[1], argv[2], chunks);
  if (!done) std::fprintf(stderr, "kith_made_catalog: %s\n", kith::to_string(done.error()).c_str());
  return done ? 0 : 1;
}
