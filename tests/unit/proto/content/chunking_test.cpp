#include "proto/content/chunking.hpp"

#include <bit>
#include <gtest/gtest.h>
#include <set>

#include "proto/crypto/hash.hpp"
#include "proto/crypto/random.hpp"

namespace kith {
namespace {

Buffer random_bytes(std::size_t size, std::uint64_t seed) {
  SeededRng rng(seed);
  Buffer out(size);
  rng.fill(out);
  return out;
}

std::uint64_t window_hash(Bytes window) {
  std::uint64_t h = 0;
  for (const std::uint8_t byte : window) h = 2 * h + gear_table()[byte];
  return h;
}

// The lengths of the chunks by the definition, each hash computed anew from its 64 bytes.
std::vector<std::size_t> naive_lengths(const Chunking& c, Bytes data) {
  const int bits = std::countr_zero(c.average);
  std::vector<std::size_t> out;
  while (!data.empty()) {
    std::size_t n = std::min<std::size_t>(c.min, data.size());
    for (; n < data.size() && n < c.max; ++n) {
      const std::uint64_t h = window_hash(data.subspan(n - 64, 64));
      if (h >> (64 - (n < c.average ? bits + 2 : bits - 2)) == 0) break;
    }
    out.push_back(n);
    data = data.subspan(n);
  }
  return out;
}

// The same by FastCdc, fed in portions of the sizes that `portion` gives.
template <class F>
std::vector<std::size_t> lengths(const Chunking& c, Bytes data, F portion) {
  FastCdc cdc(c);
  std::vector<std::size_t> out;
  std::size_t length = 0;
  while (!data.empty()) {
    Bytes part = data.first(std::min<std::size_t>(portion(), data.size()));
    data = data.subspan(part.size());
    while (const std::size_t n = cdc.next_cut(part)) {
      out.push_back(length + n);
      length = 0;
      part = part.subspan(n);
    }
    length += part.size();
  }
  if (length > 0) out.push_back(length);
  return out;
}
std::vector<std::size_t> lengths(const Chunking& c, Bytes data) {
  return lengths(c, data, [&] { return data.size(); });
}

TEST(FastCdc, EqualsTheDefinition) {
  for (const std::uint32_t divisor : {4096u, 2048u, 1024u}) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      SCOPED_TRACE(seed);
      const Chunking c = Chunking::tiny(divisor);
      const Buffer data = random_bytes(200'000 + seed, seed);
      EXPECT_EQ(lengths(c, data), naive_lengths(c, data));
    }
  }
}

TEST(FastCdc, EqualsTheDefinitionOnDullData) {
  const Chunking c = Chunking::tiny(4096);
  for (int value = 0; value < 256; value += 5) {
    const Buffer data(5000, static_cast<std::uint8_t>(value));
    EXPECT_EQ(lengths(c, data), naive_lengths(c, data)) << value;
  }
  Buffer periodic = random_bytes(97, 1);
  for (int i = 0; i < 6; ++i) periodic.insert(periodic.end(), periodic.begin(), periodic.end());
  EXPECT_EQ(lengths(c, periodic), naive_lengths(c, periodic));
}

TEST(FastCdc, DoesNotDependOnPortions) {
  const Chunking c = Chunking::tiny(4096);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    SeededRng rng(seed);
    const Buffer data = random_bytes(30'000, seed);
    const auto whole = lengths(c, data);
    EXPECT_EQ(lengths(c, data, [] { return std::size_t{1}; }), whole);
    EXPECT_EQ(lengths(c, data, [&] { return 1 + rng.uniform(7); }), whole);
    EXPECT_EQ(lengths(c, data, [&] { return 1 + rng.uniform(1500); }), whole);
  }
}

TEST(FastCdc, KeepsItsLimits) {
  const Chunking c = Chunking::tiny(1024);
  const Buffer data = random_bytes(4'000'000, 9);
  const auto all = lengths(c, data);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_LE(all[i], c.max);
    if (i + 1 < all.size()) {
      EXPECT_GE(all[i], c.min);
    }
    sum += all[i];
  }
  EXPECT_EQ(sum, data.size());
  const double mean = static_cast<double>(sum) / static_cast<double>(all.size());
  EXPECT_GT(mean, 0.8 * c.average);
  EXPECT_LT(mean, 1.5 * c.average);
}

TEST(FastCdc, FindsItsCutsAgainBehindAnInsertion) {
  const Chunking c = Chunking::tiny(1024);
  const Buffer data = random_bytes(1'000'000, 10);
  Buffer longer = random_bytes(137, 11);
  append(longer, data);
  const auto ends = [&](Bytes bytes) {
    std::set<std::size_t> out;
    std::size_t at = bytes.size();
    for (const std::size_t n : lengths(c, bytes)) out.insert(at -= n);
    return out;  // distances from the end
  };
  const auto before = ends(data), after = ends(longer);
  std::size_t lost = 0;
  for (const std::size_t end : before) lost += after.contains(end) ? 0u : 1u;
  EXPECT_LE(lost, 8u) << "of " << before.size();
}

TEST(FastCdc, ResetBeginsAnew) {
  const Chunking c = Chunking::tiny(4096);
  const Buffer data = random_bytes(10'000, 12);
  FastCdc used(c);
  (void)used.next_cut(Bytes(data).first(40));
  used.reset();
  FastCdc fresh(c);
  EXPECT_EQ(used.next_cut(Bytes(data).subspan(40)), fresh.next_cut(Bytes(data).subspan(40)));
  EXPECT_EQ(used.next_cut({}), 0u);
}

// --- packs ---

bool is_marked(std::string_view path) { return (blake3(as_bytes(path))[0] & 7) == 0; }

std::string path_that(bool marked, int number) {
  for (int i = 0;; ++i) {
    std::string path = "p" + std::to_string(number) + "-" + std::to_string(i);
    if (is_marked(path) == marked) return path;
  }
}

Chunking pack_sizes() {
  Chunking c;
  c.large_file = 100;
  c.pack_min = 200;
  c.pack_max = 300;
  c.pack_files = 10;
  c.pack_entry_bytes = 1000;
  return c;
}

TEST(Packer, EndsAtMarkedFilesOnceLargeEnough) {
  Packer packer(pack_sizes());
  EXPECT_FALSE(packer.add(path_that(true, 0), 99, 10));
  EXPECT_FALSE(packer.add(path_that(true, 1), 99, 10));
  EXPECT_EQ(packer.bytes(), 198u);
  EXPECT_FALSE(packer.add(path_that(true, 2), 1, 10));
  EXPECT_TRUE(packer.add(path_that(true, 3), 1, 10)) << "200 bytes";
  EXPECT_EQ(packer.bytes(), 0u);
}

TEST(Packer, EndsAtAnyFileOnceFull) {
  Packer packer(pack_sizes());
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(packer.add(path_that(false, i), 99, 10));
  EXPECT_FALSE(packer.add(path_that(false, 3), 2, 10)) << "299 bytes";
  EXPECT_TRUE(packer.add(path_that(false, 4), 1, 10)) << "300 bytes";
}

TEST(Packer, EndsByTheNumberOfEntries) {
  Packer packer(pack_sizes());
  for (int i = 0; i < 9; ++i)
    EXPECT_FALSE(packer.add(path_that(false, i), i == 0 ? 1 : 0, 10)) << i;
  EXPECT_TRUE(packer.add(path_that(false, 9), 0, 10)) << "even a directory, at the limit";
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(packer.add(path_that(true, i), 1, 10));
  EXPECT_TRUE(packer.add(path_that(true, 4), 1, 10)) << "half of the limit and a marked path";
}

TEST(Packer, EndsByTheBytesOfEntries) {
  Packer packer(pack_sizes());
  EXPECT_FALSE(packer.add(path_that(false, 0), 1, 999));
  EXPECT_TRUE(packer.add(path_that(false, 1), 0, 1));
  EXPECT_FALSE(packer.add(path_that(true, 0), 1, 499));
  EXPECT_TRUE(packer.add(path_that(true, 1), 1, 1));
}

TEST(Packer, IsNotEndedByEntriesWithoutContent) {
  Packer packer(pack_sizes());
  EXPECT_FALSE(packer.add(path_that(false, 0), 99, 10));
  EXPECT_FALSE(packer.add(path_that(false, 1), 99, 10));
  EXPECT_FALSE(packer.add(path_that(false, 2), 50, 10));
  EXPECT_FALSE(packer.add(path_that(true, 3), 0, 10)) << "large enough and marked, but no content";
  EXPECT_TRUE(packer.add(path_that(true, 4), 1, 10));
}

TEST(Packer, BeginsWithContent) {
  Packer packer(pack_sizes());
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(packer.add(path_that(i % 2 == 0, i), 0, 500));
  EXPECT_FALSE(packer.add(path_that(true, 0), 1, 499)) << "what came before does not count";
}

TEST(Packer, ResetForgets) {
  Packer packer(pack_sizes());
  for (int i = 0; i < 9; ++i) EXPECT_FALSE(packer.add(path_that(false, i), 1, 10));
  packer.reset();
  EXPECT_EQ(packer.bytes(), 0u);
  for (int i = 0; i < 9; ++i) EXPECT_FALSE(packer.add(path_that(false, i), 1, 10));
}

// --- parameters ---

TEST(Chunking, DefaultsAndTinyOnesAreSound) {
  EXPECT_TRUE(Chunking{}.check());
  for (std::uint32_t divisor = 1; divisor <= 4096; divisor *= 2) {
    EXPECT_TRUE(Chunking::tiny(divisor).check()) << divisor;
  }
  EXPECT_EQ(Chunking::tiny(1), Chunking{});
  EXPECT_EQ(Chunking::tiny(1024).average, 1024u);
  EXPECT_EQ(Chunking::tiny(1024).pack_files, 2048u);
}

bool sound(const std::function<void(Chunking&)>& change) {
  Chunking c;
  change(c);
  const auto result = c.check();
  if (!result) {
    EXPECT_EQ(result.error().blame, Blame::kPeer);
  }
  return result.has_value();
}

TEST(Chunking, RefusesContradictions) {
  constexpr std::uint32_t kMiB = 1024 * 1024;
  EXPECT_TRUE(sound([](Chunking& c) { c.min = 64; }));
  EXPECT_FALSE(sound([](Chunking& c) { c.min = 63; }));
  EXPECT_TRUE(sound([](Chunking& c) { c.min = c.average - 1; }));
  EXPECT_FALSE(sound([](Chunking& c) { c.min = c.average; }));
  EXPECT_FALSE(sound([](Chunking& c) { c.average = c.average - 1; }));
  EXPECT_TRUE(sound([](Chunking& c) { c.max = c.average + 1; }));
  EXPECT_FALSE(sound([](Chunking& c) { c.max = c.average; }));
  EXPECT_FALSE(sound([](Chunking& c) { c.max = 4 * kMiB + 1; }));
  EXPECT_TRUE(sound([](Chunking& c) { c.fixed = 4 * kMiB; }));
  EXPECT_FALSE(sound([](Chunking& c) { c.fixed = 4 * kMiB + 1; }));
  EXPECT_FALSE(sound([](Chunking& c) { c.fixed = 0; }));
  EXPECT_FALSE(sound([](Chunking& c) { c.large_file = 0; }));
  EXPECT_TRUE(sound([](Chunking& c) { c.large_file = 4 * kMiB - c.pack_max; }));
  EXPECT_FALSE(sound([](Chunking& c) { c.large_file = 4 * kMiB - c.pack_max + 1; }));
  EXPECT_FALSE(sound([](Chunking& c) { c.large_file = UINT32_MAX; }));
  EXPECT_FALSE(sound([](Chunking& c) { c.pack_min = 0; }));
  EXPECT_TRUE(sound([](Chunking& c) { c.pack_min = c.pack_max; }));
  EXPECT_FALSE(sound([](Chunking& c) { c.pack_min = c.pack_max + 1; }));
  EXPECT_FALSE(sound([](Chunking& c) { c.pack_files = 0; }));
  EXPECT_FALSE(sound([](Chunking& c) { c.pack_entry_bytes = 0; }));
  EXPECT_TRUE(sound([](Chunking& c) { c.pack_entry_bytes = c.page_target; }));
  EXPECT_FALSE(sound([](Chunking& c) { c.pack_entry_bytes = c.page_target + 1; }));
  EXPECT_FALSE(sound([](Chunking& c) { c.page_target = 256 * 1024 + 1; }));
  EXPECT_FALSE(sound([](Chunking& c) { c.mode = static_cast<ChunkingMode>(2); }));
}

TEST(Chunking, KnowsItsLongestChunk) {
  Chunking c;
  EXPECT_EQ(c.longest(), c.max);
  c.max = c.average + 1;
  EXPECT_EQ(c.longest(), c.pack_max + c.large_file);
  c.mode = ChunkingMode::kFixed;
  EXPECT_EQ(c.longest(), c.fixed);
}

}  // namespace
}  // namespace kith
