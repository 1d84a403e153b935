#include "transfer/availability.hpp"

#include <gtest/gtest.h>
#include <map>
#include <set>
#include <vector>

#include "proto/crypto/random.hpp"

namespace kith::transfer {
namespace {

Bitfield all_of(ChunkIndex total) {
  Bitfield out(total);
  for (ChunkIndex i = 0; i < total; ++i) out.set(i);
  return out;
}

std::vector<std::uint32_t> equally_long(ChunkIndex total) {
  return std::vector<std::uint32_t>(total, 1'000);
}

TEST(Availability, PicksTheRarest) {
  Availability a(10, 1);
  for (ChunkIndex i = 1; i < 10; ++i) {
    a.insert(i);
    for (ChunkIndex n = 0; n < 10 - i; ++n) a.add(i);  // index 9 has one holder
  }
  SeededRng rng(1);
  ChunkIndex cursor = 0;
  for (ChunkIndex expected = 9; expected >= 1; --expected) {
    const auto got = a.pick(all_of(10), equally_long(10), cursor, rng);
    ASSERT_EQ(got, expected);
    a.erase(*got);
    a.check_invariants();
  }
  EXPECT_FALSE(a.pick(all_of(10), equally_long(10), cursor, rng));
}

TEST(Availability, NothingThatNobodyHolds) {
  Availability a(4, 1);
  a.insert(2);
  SeededRng rng(1);
  ChunkIndex cursor = 0;
  EXPECT_FALSE(a.pick(Bitfield(4), equally_long(4), cursor, rng));
  EXPECT_FALSE(a.pick(Bitfield(), equally_long(4), cursor, rng));
}

TEST(Availability, CommonOnesShareARank) {
  // 31 holders and 300 holders are equally common; 30 are rarer.
  Availability a(3, 0);
  for (ChunkIndex i = 0; i < 3; ++i) a.insert(i);
  for (int n = 0; n < 31; ++n) a.add(0);
  for (int n = 0; n < 300; ++n) a.add(1);
  for (int n = 0; n < 30; ++n) a.add(2);
  a.check_invariants();
  SeededRng rng(4);
  ChunkIndex cursor = 0;
  EXPECT_EQ(a.pick(all_of(3), equally_long(3), cursor, rng), 2U);
  a.erase(2);
  std::set<ChunkIndex> seen;
  for (int i = 0; i < 50; ++i) seen.insert(*a.pick(all_of(3), equally_long(3), cursor, rng));
  EXPECT_EQ(seen, (std::set<ChunkIndex>{0, 1}));
}

TEST(Availability, PicksTheLongestOfAFewThatAreEquallyRare) {
  constexpr ChunkIndex kTotal = 40;
  Availability a(kTotal, 0);
  std::vector<std::uint32_t> lengths(kTotal);
  for (ChunkIndex i = 0; i < kTotal; ++i) {
    a.insert(i);
    a.add(i);
    lengths[i] = 1 + i;
  }
  a.add(39);  // the longest, and not as rare as the others
  SeededRng rng(4);
  ChunkIndex cursor = 0;
  std::map<ChunkIndex, int> picked;
  for (int i = 0; i < 10'000; ++i) ++picked[*a.pick(all_of(kTotal), lengths, cursor, rng)];
  EXPECT_EQ(picked.count(39), 0U);
  for (ChunkIndex i = 0; i < 3; ++i) EXPECT_EQ(picked.count(i), 0U) << i;  // a longer one is near
  EXPECT_GT(picked.size(), 8U);                                            // not always the same
  // What the peer does not hold is no choice.
  Bitfield two(kTotal);
  two.set(3);
  two.set(20);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.pick(two, lengths, cursor, rng), 20U);
}

TEST(Availability, BitsPastTheEndAreIgnored) {
  Availability a(8, 1);
  a.insert(3);
  a.add_all(all_of(100));
  EXPECT_EQ(a.count(7), 1U);
  a.remove_all(all_of(100));
  EXPECT_EQ(a.count(7), 0U);
  a.check_invariants();
}

TEST(Availability, AgreesWithCountsUnderRandomOperations) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SeededRng rng(seed);
    const auto total = static_cast<ChunkIndex>(1 + rng.uniform(200));
    const auto pages = static_cast<ChunkIndex>(rng.uniform(total));
    Availability a(total, pages);
    std::vector<std::uint32_t> counts(total);
    std::set<ChunkIndex> members;
    for (int step = 0; step < 500; ++step) {
      const auto i = static_cast<ChunkIndex>(rng.uniform(total));
      if (rng.chance(1, 2)) {
        a.add(i);
        ++counts[i];
      } else if (counts[i] > 0) {
        a.remove(i);
        --counts[i];
      }
      const auto j = static_cast<ChunkIndex>(rng.uniform(total));
      if (members.insert(j).second) {
        a.insert(j);
      } else {
        members.erase(j);
        a.erase(j);
      }
    }
    a.check_invariants();
    EXPECT_EQ(a.size(), members.size());
    for (ChunkIndex i = 0; i < total; ++i) {
      EXPECT_EQ(a.count(i), counts[i]);
      EXPECT_EQ(a.contains(i), members.contains(i));
    }
  }
}

}  // namespace
}  // namespace kith::transfer
