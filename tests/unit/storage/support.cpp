#include "tests/unit/storage/support.hpp"

#include <filesystem>
#include <numeric>
#include <unistd.h>

namespace kith::storage::test {
namespace {

template <class T>
T must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << to_string(result.error());
    std::abort();
  }
  return std::move(*result);
}
void must(const Result<void>& result) {
  if (result) return;
  ADD_FAILURE() << to_string(result.error());
  std::abort();
}

void write_item(FileIo& io, const Dir& parent, const std::string& name, const TreeItem& item) {
  if (item.kind == EntryKind::kDirectory) {
    must(io.make_dir(parent, name, 0700));
  } else if (item.kind == EntryKind::kSymlink) {
    must(io.make_symlink(parent, name, item.content));
    must(io.set_mtime_at(parent, name, item.mtime_ns));
  } else {
    const File made = must(io.open_file(parent, name, OpenMode::kCreate, 0600));
    std::string content = item.content;
    const iovec part{content.data(), content.size()};
    must(io.write(made, 0, std::span(&part, 1)));
    must(io.set_mode(made, item.mode));
    must(io.set_mtime(made, item.mtime_ns));
  }
}

std::string read_file(FileIo& io, const Dir& dir, std::string_view name, std::uint64_t size) {
  const File opened = must(io.open_file(dir, name, OpenMode::kRead));
  std::string content(size, '\0');
  const iovec part{content.data(), content.size()};
  content.resize(must(io.read(opened, 0, std::span(&part, 1))));
  return content;
}

TreeItem read_item(FileIo& io, const Dir& dir, std::string_view name, const FileInfo& info) {
  TreeItem item;
  item.mode = info.mode;
  item.mtime_ns = info.mtime_ns;
  if (info.kind == NodeKind::kDirectory) {
    item.kind = EntryKind::kDirectory;
  } else if (info.kind == NodeKind::kSymlink) {
    item = {EntryKind::kSymlink, 0, 0, must(io.read_link(dir, name))};
  } else {
    item.content = read_file(io, dir, name, info.size);
  }
  return item;
}

void read_below(FileIo& io, const Dir& dir, const std::string& path, Tree& out) {
  for (const DirItem& found : must(io.list(dir))) {
    const std::string below = path.empty() ? found.name : path + "/" + found.name;
    const FileInfo info = must(io.stat_at(dir, found.name));
    out[below] = read_item(io, dir, found.name, info);
    if (info.kind == NodeKind::kDirectory) {
      read_below(io, must(io.open_dir(dir, found.name)), below, out);
    }
  }
}

std::string odd_name(Rng& rng) {
  static const std::vector<std::string> kNames = {
      "a",       "b",          "a.b",         "a-b",       "A",
      ".hidden", "with space", "back\\slash", "tab\there", "ümlaut",
      "日本語",  "new\nline",  "-rf",         "*",         "x" + std::string(254, 'y'),
      "~",       "%00",        "con"};
  std::string name = kNames[rng.uniform(kNames.size())];
  if (rng.chance(2, 3)) name = std::to_string(rng.uniform(1000)) + name.substr(0, 200);
  return name;
}

std::size_t odd_size(Rng& rng, const Chunking& c) {
  const std::vector<std::size_t> around = {
      0, 1, 2, c.min, c.average, c.large_file, c.fixed, c.pack_min, c.pack_max, c.max, 2 * c.max};
  const std::size_t size = around[rng.uniform(around.size())];
  if (rng.chance(1, 3)) return rng.uniform(2 * c.large_file);
  return size + rng.uniform(3) - (size > 0 ? 1 : 0);
}

std::int64_t odd_time(Rng& rng) {
  if (rng.chance(1, 8)) return -1'500'000'001;
  return static_cast<std::int64_t>(rng.uniform(2'000'000'000'000'000'000));
}

TreeItem odd_item(Rng& rng, const Chunking& chunking) {
  if (rng.chance(1, 10)) return symlink(rng.chance(1, 2) ? "../../away" : "a");
  TreeItem item = file(noise(rng.next_u64(), odd_size(rng, chunking)));
  // Readable, so that tests need not be root.
  item.mode = 0400 | static_cast<std::uint32_t>(rng.uniform(0400));
  item.mtime_ns = odd_time(rng);
  return item;
}

}  // namespace

TreeItem file(std::string content, std::uint32_t mode) {
  return {.kind = EntryKind::kFile, .mode = mode, .content = std::move(content)};
}
TreeItem directory(std::uint32_t mode) {
  return {.kind = EntryKind::kDirectory, .mode = mode, .content = {}};
}
TreeItem symlink(std::string target) {
  return {.kind = EntryKind::kSymlink, .mode = 0, .content = std::move(target)};
}

std::string noise(std::uint64_t seed, std::size_t size) {
  std::string out(size, '\0');
  SeededRng(seed).fill({reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
  return out;
}

void write_tree(FileIo& io, const std::string& path, const Tree& tree) {
  const SplitPath place = split_native(path);
  const Dir parent = must(io.open_root(std::string(place.parent)));
  write_item(io, parent, std::string(place.name), tree.at(""));
  if (tree.at("").kind != EntryKind::kDirectory) return;
  const Dir top = must(io.open_dir(parent, place.name));
  for (const auto& [below, item] : tree) {
    if (below.empty()) continue;
    write_item(io, must(io.open_dir(top, split(below).parent)), std::string(split(below).name),
               item);
  }
  // Directories last, the deepest first: what is made in them changes their times.
  for (auto it = tree.rbegin(); it != tree.rend(); ++it) {
    if (it->second.kind != EntryKind::kDirectory) continue;
    const Dir dir = must(io.open_dir(top, it->first));
    must(io.set_mtime(dir, it->second.mtime_ns));
    must(io.set_mode(dir, it->second.mode));
  }
}

Tree read_tree(FileIo& io, const std::string& path) {
  const SplitPath place = split_native(path);
  const Dir parent = must(io.open_root(std::string(place.parent)));
  const auto info = io.stat_at(parent, place.name);
  if (!info) return {};
  Tree out;
  out[""] = read_item(io, parent, place.name, *info);
  if (info->kind == NodeKind::kDirectory) {
    read_below(io, must(io.open_dir(parent, place.name)), "", out);
  }
  return out;
}

Tree without_link_times(Tree tree) {
  for (auto& [path, item] : tree) {
    if (item.kind == EntryKind::kSymlink) item.mtime_ns = 0;
  }
  return tree;
}

void make_dir(FileIo& io, const std::string& path) {
  const SplitPath place = split_native(path);
  must(io.make_dir(must(io.open_root(std::string(place.parent))), place.name, 0755));
}

bool exists(FileIo& io, const std::string& path) {
  const SplitPath place = split_native(path);
  const Dir parent = must(io.open_root(std::string(place.parent)));
  return io.stat_at(parent, place.name).has_value();
}

std::vector<std::string> names_in(FileIo& io, const std::string& path) {
  std::vector<std::string> out;
  for (const DirItem& item : must(io.list(must(io.open_root(path))))) out.push_back(item.name);
  std::ranges::sort(out);
  return out;
}

Tree random_tree(std::uint64_t seed, const Chunking& chunking) {
  SeededRng rng(seed);
  Tree tree = {{"", directory(0750)}};
  std::vector<std::string> directories = {""};
  const auto below = [&](const std::string& dir) {
    const std::string name = odd_name(rng);
    return dir.empty() ? name : dir + "/" + name;
  };
  for (std::uint64_t i = rng.uniform(12); i > 0; --i) {
    const std::string path = below(directories[rng.uniform(directories.size())]);
    if (tree.contains(path) || path.size() > 1000) continue;
    tree[path] = directory(0700 | static_cast<std::uint32_t>(rng.uniform(0100)));
    tree[path].mtime_ns = odd_time(rng);
    directories.push_back(path);
  }
  for (std::uint64_t i = rng.uniform(60); i > 0; --i) {
    const std::string path = below(directories[rng.uniform(directories.size())]);
    if (!tree.contains(path)) tree[path] = odd_item(rng, chunking);
  }
  return tree;
}

ImportOptions import_options(const Chunking& chunking) {
  ImportOptions options;
  options.chunking = chunking;
  options.conv = Secret(as_bytes("0123456789abcdef0123456789abcdef"));
  options.recorded_at = UnixMillis(1'800'000'000'000);
  return options;
}

Page Shared::page(std::uint32_t number) const {
  const PageRef& ref = import.root.pages.at(number);
  const Buffer plain = must(decipher_page(ref.id, ref.key, import.pages.at(number).ciphertext));
  return must(Page::decode(plain));
}

PageSource Shared::pages() const {
  return [this](std::uint32_t number) -> Result<Page> { return page(number); };
}

std::unique_ptr<Shared> share(FileIo& io, SlabPool& pool, const std::string& path,
                              ImportOptions options) {
  auto out = std::make_unique<Shared>();
  const Secret conv = options.conv;
  ImportScan scan = must(ImportScan::open(io, pool, path, std::move(options)));
  while (!scan.scanned()) {
    auto chunk = must(scan.step());
    if (!chunk) continue;
    out->chunks.push_back(chunk->plaintext.to_buffer());
    must(scan.add_result(chunk->ordinal, hash_chunk(conv, chunk->plaintext, {})));
  }
  out->import = must(scan.finish());
  // What others receive is what they decode.
  out->import.root = must(Root::decode(
      must(decipher_page(out->import.share, out->import.key, out->import.root_ciphertext))));
  return out;
}

void expect_same_pages(const std::vector<ImportedPage>& one,
                       const std::vector<ImportedPage>& other) {
  ASSERT_EQ(one.size(), other.size());
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].ciphertext, other[i].ciphertext);
    EXPECT_EQ(one[i].file_stats, other[i].file_stats);
  }
}

Result<void> write_chunk(Exporter& exporter, SlabPool& pool, const Shared& shared,
                         std::uint32_t chunk) {
  const ShareShape shape(shared.import.root);
  const SlabChain chain = SlabChain::from(pool, shared.chunks.at(chunk));
  const auto [first, last] = shape.pages_of_chunk(chunk);
  for (std::uint32_t number = first; number <= last; ++number) {
    if (shape.chunk_count(number) == 0) continue;
    const Page page = shared.page(number);
    KITH_CHECK(
        exporter.write_chunk(page, PageLayout(page), chunk - shape.first_chunk(number), chain));
  }
  return {};
}

Result<void> export_all(FileIo& io, SlabPool& pool, const Shared& shared,
                        const ExportTarget& target, std::uint64_t seed) {
  KITH_TRY(auto prepared,
           prepare_export(io, shared.import.root, shared.import.share, target, StagedRoot{}));
  if (!prepared.exporter) return local_error(Errc::kExists, "the destination exists");
  std::vector<std::uint32_t> order(shared.chunks.size());
  std::iota(order.begin(), order.end(), 0U);
  SeededRng rng(seed);
  rng.shuffle(std::span(order));
  for (const std::uint32_t chunk : order) {
    KITH_CHECK(write_chunk(*prepared.exporter, pool, shared, chunk));
  }
  KITH_CHECK(prepared.exporter->finish(shared.pages(), UnixMillis(0), no_stats()));
  KITH_CHECK(prepared.exporter->sync());
  KITH_CHECK(prepared.exporter->publish());
  return {};
}

// In memory where that is possible: other processes' writes would make every sync slow.
TempDir::TempDir() {
  const std::string parent = ::access("/dev/shm", W_OK) == 0
                                 ? "/dev/shm"
                                 : std::filesystem::temp_directory_path().string();
  std::string pattern = parent + "/kith-storage-XXXXXX";
  path_ = ::mkdtemp(pattern.data());
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace kith::storage::test
