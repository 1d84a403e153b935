#include "proto/slab.hpp"

#include <gtest/gtest.h>
#include <set>
#include <thread>

#include "proto/crypto/random.hpp"

namespace kith {
namespace {

Buffer numbered(std::size_t size, std::uint64_t seed = 1) {
  SeededRng rng(seed);
  Buffer out(size);
  rng.fill(out);
  return out;
}

const std::vector<std::size_t>& edge_sizes() {
  static const std::vector<std::size_t> sizes{0,
                                              1,
                                              kRecordBytes - 1,
                                              kRecordBytes,
                                              kRecordBytes + 1,
                                              2 * kRecordBytes - 1,
                                              2 * kRecordBytes,
                                              2 * kRecordBytes + 1,
                                              1024 * 1024};
  return sizes;
}

TEST(SlabPool, HandsOutDistinctAlignedSlabs) {
  SlabPool pool;
  std::vector<std::uint8_t*> slabs;
  pool.take(40, slabs);
  EXPECT_EQ(slabs.size(), 40u);
  EXPECT_EQ(std::set<std::uint8_t*>(slabs.begin(), slabs.end()).size(), 40u);
  for (std::uint8_t* slab : slabs) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(slab) % 4096, 0u);
    slab[0] = 1;
    slab[kSlabBytes - 1] = 2;
  }
  EXPECT_EQ(pool.in_use(), 40u);
  EXPECT_GE(pool.allocated(), 40u);
  pool.give_back(slabs);
  EXPECT_TRUE(slabs.empty());
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(SlabPool, UsesSlabsAgain) {
  SlabPool pool;
  std::vector<std::uint8_t*> slabs;
  pool.take(16, slabs);
  const std::set<std::uint8_t*> first(slabs.begin(), slabs.end());
  const std::size_t allocated = pool.allocated();
  for (int i = 0; i < 100; ++i) {
    pool.give_back(slabs);
    pool.take(16, slabs);
  }
  EXPECT_EQ(pool.allocated(), allocated);
  EXPECT_EQ(std::set<std::uint8_t*>(slabs.begin(), slabs.end()), first);
  pool.give_back(slabs);
}

TEST(SlabPool, AppendsToWhatIsThere) {
  SlabPool pool;
  std::vector<std::uint8_t*> slabs;
  pool.take(2, slabs);
  pool.take(0, slabs);
  pool.take(3, slabs);
  EXPECT_EQ(slabs.size(), 5u);
  pool.give_back(slabs);
}

TEST(SlabPool, MayBeUsedFromSeveralThreads) {
  SlabPool pool;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&pool, t] {
      for (std::size_t i = 0; i < 500; ++i) {
        SlabChain chain(pool, 1 + i % 5 * kRecordBytes);
        chain.slab(0)[0] = static_cast<std::uint8_t>(t);
        ASSERT_EQ(chain.slab(0)[0], t);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(SlabPoolDeathTest, MustOutliveItsSlabs) {
  EXPECT_DEATH(
      {
        std::vector<std::uint8_t*> slabs;
        SlabPool pool;
        pool.take(1, slabs);
      },
      "allocated_");
}

TEST(SlabChain, KeepsContent) {
  SlabPool pool;
  for (const std::size_t size : edge_sizes()) {
    const Buffer bytes = numbered(size);
    const SlabChain chain = SlabChain::from(pool, bytes);
    EXPECT_EQ(chain.size(), size);
    EXPECT_EQ(chain.empty(), size == 0);
    EXPECT_EQ(chain.slab_count(), slabs_for(size));
    EXPECT_EQ(chain.to_buffer(), bytes) << size;
    std::size_t sum = 0;
    for (std::size_t i = 0; i < chain.slab_count(); ++i) {
      EXPECT_TRUE(equal(chain.slab(i), Bytes(bytes).subspan(sum, chain.slab_size(i))));
      if (i + 1 < chain.slab_count()) {
        EXPECT_EQ(chain.slab_size(i), kRecordBytes);
      }
      sum += chain.slab_size(i);
    }
    EXPECT_EQ(sum, size);
  }
  EXPECT_EQ(pool.in_use(), 0u) << "chains give their slabs back";
}

TEST(SlabChain, CopiesStretchesInAndOut) {
  SlabPool pool;
  SeededRng rng(5);
  Buffer model = numbered(3 * kRecordBytes + 100);
  SlabChain chain = SlabChain::from(pool, model);
  for (int i = 0; i < 200; ++i) {
    const std::size_t from = rng.uniform(model.size() + 1);
    const std::size_t length = rng.uniform(model.size() - from + 1);
    const Buffer bytes = numbered(length, static_cast<std::uint64_t>(i));
    chain.copy_in(from, bytes);
    std::copy(bytes.begin(), bytes.end(), model.begin() + static_cast<std::ptrdiff_t>(from));
    Buffer out(length);
    chain.copy_out(from, out);
    ASSERT_EQ(out, bytes);
  }
  EXPECT_EQ(chain.to_buffer(), model);
}

TEST(SlabChain, KeepsAStretch) {
  SlabPool pool;
  const Buffer bytes = numbered(3 * kRecordBytes + 10);
  for (std::size_t from = 0; from <= bytes.size(); from += kRecordBytes) {
    const std::size_t rest = bytes.size() - from;
    for (const std::size_t length : {std::size_t{0}, std::size_t{1}, rest / 2, rest}) {
      SlabChain chain = SlabChain::from(pool, bytes);
      chain.keep(from, length);
      EXPECT_TRUE(equal(chain.to_buffer(), Bytes(bytes).subspan(from, length)));
      EXPECT_EQ(pool.in_use(), slabs_for(length));
    }
  }
}

TEST(SlabChain, RunsCoverAStretchInOrder) {
  SlabPool pool;
  const Buffer bytes = numbered(2 * kRecordBytes + 10);
  SlabChain chain = SlabChain::from(pool, bytes);
  Buffer seen;
  std::size_t runs = 0;
  chain.for_each_run(kRecordBytes - 3, kRecordBytes + 5, [&](MutableBytes run) {
    append(seen, run);
    ++runs;
  });
  EXPECT_EQ(runs, 3u);
  EXPECT_TRUE(equal(seen, Bytes(bytes).subspan(kRecordBytes - 3, kRecordBytes + 5)));
  chain.for_each_run(5, 0, [](MutableBytes) { FAIL() << "nothing to visit"; });
}

TEST(SlabChain, MovesWithoutCopying) {
  SlabPool pool;
  const Buffer bytes = numbered(100'000);
  SlabChain a = SlabChain::from(pool, bytes);
  const std::uint8_t* slab = a.slab(0).data();
  SlabChain b = std::move(a);
  EXPECT_EQ(b.slab(0).data(), slab);
  SlabChain c;
  c = std::move(b);
  EXPECT_EQ(c.to_buffer(), bytes);
  EXPECT_EQ(pool.in_use(), slabs_for(bytes.size()));
}

TEST(SlabChain, AssignmentGivesTheOldSlabsBackInTheEnd) {
  SlabPool pool;
  {
    SlabChain a(pool, 10), b(pool, 3 * kRecordBytes);
    a = std::move(b);
    EXPECT_EQ(a.size(), 3 * kRecordBytes);
  }
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(SlabChain, GrowsByWholeRecords) {
  SlabPool pool;
  SlabChain chain;
  chain.grow(pool, kRecordBytes);
  chain.grow(pool, 2 * kRecordBytes);
  chain.grow(pool, 7);
  EXPECT_EQ(chain.size(), 3 * kRecordBytes + 7);
  EXPECT_EQ(chain.slab_count(), 4u);
  EXPECT_EQ(chain.slab_size(3), 7u);
  EXPECT_EQ(chain.raw(3).size(), kSlabBytes);
}

TEST(SlabChain, TruncatesAndReturnsWhatIsEmpty) {
  SlabPool pool;
  const Buffer bytes = numbered(3 * kRecordBytes);
  SlabChain chain = SlabChain::from(pool, bytes);
  chain.truncate(3 * kRecordBytes);
  EXPECT_EQ(pool.in_use(), 3u);
  chain.truncate(kRecordBytes + 1);
  EXPECT_EQ(pool.in_use(), 2u);
  EXPECT_TRUE(equal(chain.to_buffer(), Bytes(bytes).first(kRecordBytes + 1)));
  chain.truncate(kRecordBytes);
  EXPECT_EQ(pool.in_use(), 1u);
  chain.truncate(0);
  EXPECT_EQ(pool.in_use(), 0u);
  EXPECT_TRUE(chain.empty());
}

TEST(SlabChain, AppendsTails) {
  SlabPool pool;
  const Buffer bytes = numbered(4 * kRecordBytes + 9);
  SlabChain chain;
  chain.append(SlabChain::from(pool, Bytes(bytes).first(2 * kRecordBytes)));
  chain.append(SlabChain());
  chain.append(SlabChain::from(pool, Bytes(bytes).subspan(2 * kRecordBytes)));
  EXPECT_EQ(chain.to_buffer(), bytes);
  EXPECT_EQ(pool.in_use(), 5u);
}

TEST(SlabChainDeathTest, RefusesMisuse) {
  SlabPool pool;
  SlabChain chain(pool, 10);
  EXPECT_DEATH(chain.grow(pool, 1), "kRecordBytes");
  EXPECT_DEATH(chain.append(SlabChain(pool, 1)), "kRecordBytes");
  EXPECT_DEATH(chain.truncate(11), "size_");
  Buffer out(11);
  EXPECT_DEATH(chain.copy_out(0, out), "size_");
}

}  // namespace
}  // namespace kith
