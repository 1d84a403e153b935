#include "transfer/chunk_picker.hpp"

#include <gtest/gtest.h>
#include <map>

#include "tests/unit/transfer/picker_model.hpp"

namespace kith::transfer::test {
namespace {

using namespace std::chrono_literals;

Bitfield all_of(ChunkIndex total) {
  Bitfield out(total);
  for (ChunkIndex i = 0; i < total; ++i) out.set(i);
  return out;
}

/// A share without pages whose root is held, every chunk of `length` wanted, and one that holds
/// all.
void want_all(ChunkPicker& picker, ChunkIndex total, std::uint32_t length) {
  picker.set_shape(total, {}, Bitfield::from(Buffer{0x80}, total));
  picker.set_lengths(1, std::vector<std::uint32_t>(total - 1, length));
  picker.add_holder(all_of(total));
}

TEST(ChunkPicker, KnowsTheRootFirst) {
  ChunkPicker picker;
  EXPECT_EQ(picker.total(), 1U);
  EXPECT_EQ(picker.state(0), ChunkState::kWanted);
  EXPECT_EQ(picker.reservation(0), limits::kPageMax);
  EXPECT_FALSE(picker.length(0));
  EXPECT_FALSE(picker.complete());
  (void)picker.hold(0);
  EXPECT_FALSE(picker.complete());  // there may be more: the shape is unknown
  picker.set_shape(1, {}, Bitfield::from(Buffer{0x80}, 1));
  EXPECT_TRUE(picker.complete());
}

TEST(ChunkPicker, WhatWasUsedAndIsNotHeldIsWantedAgainWhenItIsTold) {
  ChunkPicker picker;
  picker.set_shape(4, {}, Bitfield::from(Buffer{0x80}, 4));
  const std::vector<std::uint32_t> lengths = {10, 0, 30};
  picker.set_lengths(1, lengths);
  EXPECT_EQ(picker.state(2), ChunkState::kUnknown);  // no length: not wanted
  picker.start(1, {ConnId{1}}, TimePoint{});
  EXPECT_FALSE(picker.begin_store(1, ConnId{1}).has_value());
  picker.leave(1);
  EXPECT_EQ(picker.state(1), ChunkState::kUnknown);
  EXPECT_EQ(picker.wanted(), 1U);
  picker.check_invariants();
  picker.set_lengths(1, lengths);
  EXPECT_EQ(picker.state(1), ChunkState::kWanted);
  picker.leave(1);  // nothing was stored
  EXPECT_EQ(picker.state(1), ChunkState::kWanted);
  picker.check_invariants();
}

TEST(ChunkPicker, InOrderWhereItIsTold) {
  ChunkPicker picker;
  picker.set_shape(50, {}, Bitfield::from(Buffer{0x80}, 50));
  picker.set_lengths(10, std::vector<std::uint32_t>(40, 1));
  picker.pick_in_order();
  Bitfield held = all_of(50);
  held.clear(11);
  picker.add_holder(held);
  picker.add_holder_of(20);  // however common
  SeededRng rng(1);
  ChunkIndex cursor = 30;
  std::vector<ChunkIndex> order;
  while (const auto i = picker.pick(held, cursor, rng)) {
    picker.start(*i, {ConnId{1}}, TimePoint{});
    order.push_back(*i);
  }
  ASSERT_EQ(order.size(), 39U);
  EXPECT_EQ(order.front(), 10U);
  EXPECT_EQ(order[1], 12U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(ChunkPicker, WhatIsUrgentComesFirst) {
  ChunkPicker picker;
  picker.set_shape(50, std::vector<std::uint32_t>{5}, Bitfield::from(Buffer{0x80}, 50));
  picker.set_lengths(10, std::vector<std::uint32_t>(40, 1));
  Bitfield held = all_of(50);
  held.clear(30);
  picker.add_holder(held);
  picker.add_holder_of(20);  // however common
  SeededRng rng(1);
  ChunkIndex cursor = 0;
  const auto next = [&] {
    const ChunkIndex index = *picker.pick(held, cursor, rng);
    picker.start(index, {ConnId{1}}, TimePoint{});
    return index;
  };
  picker.hurry({5, 40, 30, 20, 20, 99});  // without a length; not held there; twice; none at all
  EXPECT_EQ(next(), 40U);
  picker.hurry({25, 20});
  EXPECT_EQ(next(), 25U);
  EXPECT_EQ(next(), 20U);
  EXPECT_EQ(next(), 1U) << "a page, where nothing is urgent";
  // Wanted again, it is urgent still; once it is held, never.
  EXPECT_TRUE(picker.give_back(40, ConnId{1}));
  picker.set_lengths(5, std::vector<std::uint32_t>{7});
  EXPECT_EQ(next(), 5U);
  EXPECT_EQ(next(), 40U);
  (void)picker.hold(40);
  picker.hurry({});
  picker.drop(40);
  EXPECT_NE(next(), 40U);
  picker.check_invariants();
}

TEST(ChunkPicker, LittleIsUrgentAtATime) {
  constexpr ChunkIndex kMany = 2 * kUrgentMax;
  ChunkPicker picker;
  want_all(picker, kMany + 1, 1);
  std::vector<ChunkIndex> down;
  for (ChunkIndex i = kMany; i > 0; --i) down.push_back(i);
  picker.hurry(down);
  SeededRng rng(3);
  ChunkIndex cursor = 0;
  std::vector<ChunkIndex> order;
  while (const auto i = picker.pick(all_of(kMany + 1), cursor, rng)) {
    picker.start(*i, {ConnId{1}}, TimePoint{});
    order.push_back(*i);
  }
  ASSERT_EQ(order.size(), kMany);
  EXPECT_TRUE(std::equal(down.begin(), down.begin() + kUrgentMax, order.begin()));
  EXPECT_FALSE(std::equal(down.begin() + kUrgentMax, down.end(), order.begin() + kUrgentMax));
}

TEST(ChunkPicker, ShapeWhileTheRootIsOnItsWay) {
  for (const bool storing : {false, true}) {
    ChunkPicker picker;
    picker.start(0, {ConnId{1}}, TimePoint{});
    if (storing) {
      EXPECT_FALSE(picker.begin_store(0, ConnId{1}).has_value());
    }
    picker.set_shape(3, std::vector<std::uint32_t>{5}, Bitfield(3));
    EXPECT_EQ(picker.state(0), storing ? ChunkState::kStoring : ChunkState::kInFlight);
    EXPECT_EQ(picker.state(1), ChunkState::kWanted);
    EXPECT_EQ(picker.state(2), ChunkState::kUnknown);
    picker.check_invariants();
  }
}

TEST(ChunkPicker, PagesBeforeContentAndUnknownNever) {
  ChunkPicker picker;
  picker.set_shape(10, std::vector<std::uint32_t>{100, 100}, Bitfield::from(Buffer{0x80}, 10));
  picker.set_lengths(3, std::vector<std::uint32_t>{1, 1, 1});
  picker.add_holder(all_of(10));
  SeededRng rng(1);
  ChunkIndex cursor = 0;
  std::vector<ChunkIndex> order;
  while (const auto i = picker.pick(all_of(10), cursor, rng)) {
    picker.start(*i, {ConnId{1}}, TimePoint{});
    order.push_back(*i);
  }
  ASSERT_EQ(order.size(), 5U);
  EXPECT_LE(std::max(order[0], order[1]), 2U);
  EXPECT_GE(*std::min_element(order.begin() + 2, order.end()), 3U);
  EXPECT_LE(*std::max_element(order.begin() + 2, order.end()), 5U);
}

TEST(ChunkPicker, TiesAreRandom) {
  ChunkPicker picker;
  want_all(picker, 9, 1);
  SeededRng rng(2);
  std::map<ChunkIndex, int> seen;
  ChunkIndex cursor = 0;
  for (int i = 0; i < 800; ++i) ++seen[*picker.pick(all_of(9), cursor, rng)];
  EXPECT_EQ(seen.size(), 8U);
  for (const auto& [index, n] : seen) EXPECT_NEAR(n, 100, 50) << index;
}

TEST(ChunkPicker, FindsTheOneChunkOfAPoorPeer) {
  constexpr ChunkIndex kTotal = 1'000'000;
  ChunkPicker picker;
  want_all(picker, kTotal, 1);
  Bitfield one(kTotal);
  one.set(777'777);
  picker.add_holder(one);
  SeededRng rng(3);
  for (ChunkIndex cursor : {0U, 1U, 777'777U, 777'778U, kTotal - 1, kTotal + 5}) {
    EXPECT_EQ(picker.pick(one, cursor, rng), 777'777U);
  }
  picker.start(777'777, {ConnId{1}}, TimePoint{});
  ChunkIndex cursor = 0;
  EXPECT_FALSE(picker.pick(one, cursor, rng));
}

class Hedging : public testing::Test {
 protected:
  // 100 chunks of 100 bytes, all but the last few held: 5 may be fetched twice.
  Hedging() {
    picker_.set_shape(101, {}, Bitfield(101));
    picker_.set_lengths(1, std::vector<std::uint32_t>(100, 100));
    picker_.add_holder(all_of(101));
    picker_.add_holder(all_of(101));
    for (ChunkIndex i = 0; i < 91; ++i) (void)picker_.hold(i);
    for (ChunkIndex i = 91; i < 101; ++i) picker_.start(i, {ConnId{1}}, TimePoint{i * 1ms});
  }
  ChunkPicker picker_;
};

TEST_F(Hedging, LongestWaitingFirstWithinABudget) {
  for (ChunkIndex i = 91; i < 96; ++i) {
    const auto got = picker_.pick_hedge(all_of(101), ConnId{2}, TimePoint{1s}, 1ms);
    ASSERT_EQ(got, i);
    picker_.start(*got, {ConnId{2}}, TimePoint{1s});
  }
  EXPECT_EQ(picker_.hedged_bytes(), 500U);
  EXPECT_FALSE(picker_.pick_hedge(all_of(101), ConnId{2}, TimePoint{1s}, 1ms));
  EXPECT_FALSE(picker_.may_hedge());
}

TEST_F(Hedging, NotBeforePatienceAndNotToTheSame) {
  EXPECT_FALSE(picker_.pick_hedge(all_of(101), ConnId{2}, TimePoint{95ms}, 5ms));
  EXPECT_TRUE(picker_.pick_hedge(all_of(101), ConnId{2}, TimePoint{96ms}, 5ms));
  EXPECT_FALSE(picker_.pick_hedge(all_of(101), ConnId{1}, TimePoint{1s}, 5ms));
  EXPECT_FALSE(picker_.pick_hedge(Bitfield(101), ConnId{2}, TimePoint{1s}, 5ms));
}

TEST_F(Hedging, NotWhileAnythingIsWanted) {
  EXPECT_TRUE(picker_.give_back(100, ConnId{1}));
  EXPECT_FALSE(picker_.pick_hedge(all_of(101), ConnId{2}, TimePoint{1s}, 1ms));
}

TEST_F(Hedging, WhatNobodyElseHoldsIsInNobodysWay) {
  // Connection 2 holds the last chunk only; nine wait longer where nobody else has them.
  Bitfield last(101);
  last.set(100);
  picker_.remove_holder(all_of(101));
  EXPECT_FALSE(picker_.may_hedge());
  EXPECT_FALSE(picker_.pick_hedge(last, ConnId{2}, TimePoint{1s}, 1ms));
  picker_.add_holder(last);
  picker_.check_invariants();
  EXPECT_TRUE(picker_.may_hedge());
  const std::uint64_t looks = picker_.looks();
  EXPECT_EQ(picker_.pick_hedge(last, ConnId{2}, TimePoint{1s}, 1ms), 100U);
  EXPECT_EQ(picker_.looks(), looks + 1);
}

TEST_F(Hedging, TheFirstToDeliverVoidsTheOther) {
  picker_.start(91, {ConnId{2}}, TimePoint{1s});
  EXPECT_EQ(picker_.begin_store(91, ConnId{2}), ConnId{1});
  picker_.start(92, {ConnId{2}}, TimePoint{1s});
  EXPECT_FALSE(picker_.give_back(92, ConnId{1}));
  EXPECT_EQ(picker_.requesters(92), std::vector<ConnId>{ConnId{2}});
  EXPECT_FALSE(picker_.begin_store(92, ConnId{2}).has_value());
  picker_.check_invariants();
}

class Moving : public testing::Test {
 protected:
  // Two chunks wait at connection 1.
  Moving() {
    picker_.set_shape(3, {}, Bitfield::from(Buffer{0x80}, 3));
    picker_.set_lengths(1, std::vector<std::uint32_t>(2, 100));
    picker_.add_holder(all_of(3));
    picker_.add_holder(all_of(3));
    picker_.start(1, {ConnId{1}}, TimePoint{2ms});
    picker_.start(2, {ConnId{1}}, TimePoint{1ms});
  }
  std::optional<ChunkIndex> waiting(std::uint64_t conn) const {
    return picker_.pick_waiting(all_of(3), ConnId{conn}, TimePoint{1h});
  }
  ChunkPicker picker_;
};

TEST_F(Moving, OnlyOnNewsAndOnceForEach) {
  EXPECT_FALSE(waiting(2));
  picker_.on_news(1);
  EXPECT_EQ(waiting(2), 1U);
  EXPECT_FALSE(waiting(1));  // it waits there already
  EXPECT_FALSE(picker_.pick_waiting(Bitfield(3), ConnId{2}, TimePoint{1h}));
  EXPECT_EQ(picker_.move(1, {ConnId{2}}, TimePoint{3ms}), ConnId{1});
  EXPECT_EQ(picker_.requesters(1), std::vector<ConnId>{ConnId{2}});
  EXPECT_FALSE(waiting(1));
  EXPECT_FALSE(waiting(3));
  picker_.on_news(1);
  EXPECT_EQ(waiting(3), 1U);
  EXPECT_EQ(picker_.hedged_bytes(), 0U);
  picker_.check_invariants();
}

// Asked of a connection that missed deadlines: without news, and whatever came twice.
TEST_F(Moving, WhatIsStuckLeavesWithoutNews) {
  EXPECT_TRUE(picker_.give_back(1, ConnId{1}));
  picker_.start(1, {ConnId{1}, {}, true}, TimePoint{2ms});
  picker_.doubt(100);
  const auto stuck = [this](std::uint64_t conn, TimePoint now) {
    return picker_.pick_stuck(all_of(3), ConnId{conn}, now);
  };
  picker_.remove_holder(all_of(3));
  EXPECT_FALSE(picker_.may_move());  // nobody else holds it
  EXPECT_FALSE(stuck(2, TimePoint{1h}));
  picker_.add_holder(all_of(3));
  EXPECT_TRUE(picker_.may_move());
  EXPECT_FALSE(stuck(2, TimePoint{601ms}));
  EXPECT_EQ(stuck(2, TimePoint{602ms}), 1U);
  EXPECT_FALSE(stuck(1, TimePoint{602ms}));
  EXPECT_FALSE(waiting(2));
  picker_.check_invariants();
  (void)picker_.move(1, {ConnId{2}}, TimePoint{1s});
  EXPECT_FALSE(picker_.may_move());
  EXPECT_FALSE(stuck(3, TimePoint{1h}));
  picker_.check_invariants();
}

TEST_F(Moving, WhatBeganIsNotStuck) {
  EXPECT_TRUE(picker_.give_back(1, ConnId{1}));
  picker_.start(1, {ConnId{1}, {}, true}, TimePoint{2ms});
  picker_.begin(1);
  EXPECT_FALSE(picker_.pick_stuck(all_of(3), ConnId{2}, TimePoint{1h}));
  picker_.check_invariants();
}

TEST_F(Moving, NotBeforeItWaitedLong) {
  picker_.on_news(1);
  EXPECT_TRUE(picker_.may_move());
  EXPECT_FALSE(picker_.pick_waiting(all_of(3), ConnId{2}, TimePoint{601ms}));
  EXPECT_EQ(picker_.pick_waiting(all_of(3), ConnId{2}, TimePoint{602ms}), 1U);
  picker_.begin(1);
  EXPECT_FALSE(picker_.may_move());
}

// Of a far peer more comes after it was told to stop: ten ways there and back, and at most 5 s.
TEST_F(Moving, NotBeforeItWaitedLongForTheWay) {
  const auto moves_at = [this](Duration round_trip, TimePoint now) {
    EXPECT_TRUE(picker_.give_back(1, picker_.requesters(1).at(0)));
    picker_.start(1, {ConnId{1}, round_trip}, TimePoint{});
    picker_.on_news(1);
    return picker_.pick_waiting(all_of(3), ConnId{2}, now) == 1U;
  };
  EXPECT_FALSE(moves_at(200ms, TimePoint{1'999ms}));
  EXPECT_TRUE(moves_at(200ms, TimePoint{2s}));
  EXPECT_FALSE(moves_at(Duration::max(), TimePoint{4'999ms}));
  EXPECT_TRUE(moves_at(Duration::max(), TimePoint{5s}));
  EXPECT_EQ(picker_.move(1, {ConnId{2}, 100ms}, TimePoint{5s}), ConnId{1});
  picker_.on_news(1);
  EXPECT_FALSE(picker_.pick_waiting(all_of(3), ConnId{3}, TimePoint{5'999ms}));
  EXPECT_EQ(picker_.pick_waiting(all_of(3), ConnId{3}, TimePoint{6s}), 1U);
  picker_.check_invariants();
}

TEST_F(Moving, TheLongestWaitingFirst) {
  picker_.on_news(1);
  picker_.on_news(2);
  EXPECT_EQ(waiting(2), 2U);
  (void)picker_.move(2, {ConnId{2}}, TimePoint{3ms});
  picker_.on_news(2);
  EXPECT_EQ(waiting(3), 1U);
}

TEST_F(Moving, NothingThatNobodyElseHolds) {
  picker_.on_news(1);
  picker_.remove_holder(all_of(3));
  EXPECT_FALSE(picker_.may_move());
  picker_.add_holder(all_of(3));
  EXPECT_EQ(waiting(2), 1U);
}

// However many wait, few are looked at for a peer that holds none of them.
TEST(ChunkPicker, LooksAtFewThatMayMove) {
  constexpr ChunkIndex kTotal = 2'000;
  ChunkPicker picker;
  want_all(picker, kTotal, 100);
  picker.add_holder(all_of(kTotal));
  for (ChunkIndex i = 1; i < kTotal; ++i) {
    picker.start(i, {ConnId{1}}, TimePoint{});
    picker.on_news(i);
  }
  const std::uint64_t looks = picker.looks();
  EXPECT_FALSE(picker.pick_waiting(Bitfield(kTotal), ConnId{2}, TimePoint{1h}));
  EXPECT_LE(picker.looks(), looks + 16);
  EXPECT_TRUE(picker.pick_waiting(all_of(kTotal), ConnId{2}, TimePoint{1h}));
}

TEST_F(Moving, NothingThatIsComing) {
  EXPECT_TRUE(picker_.waits(1));
  picker_.begin(1);
  EXPECT_FALSE(picker_.waits(1));
  picker_.on_news(1);
  EXPECT_FALSE(waiting(2));
  // Asked for anew it waits again, and the old news is none.
  EXPECT_TRUE(picker_.give_back(1, ConnId{1}));
  EXPECT_FALSE(picker_.waits(1));
  picker_.start(1, {ConnId{1}}, TimePoint{5ms});
  EXPECT_TRUE(picker_.waits(1));
  EXPECT_FALSE(waiting(2));
}

TEST_F(Moving, NothingThatTwoWereAskedFor) {
  picker_.start(1, {ConnId{2}}, TimePoint{3ms});
  picker_.on_news(1);
  EXPECT_FALSE(waiting(3));
}

// Of 200 bytes, 10 and a chunk may come twice. All of a chunk counts until it is known what came.
TEST_F(Moving, OnlyWhileLittleCameTwice) {
  picker_.on_news(1);
  picker_.doubt(100);
  EXPECT_FALSE(waiting(2));
  EXPECT_TRUE(picker_.may_move());  // when that is settled
  picker_.settle(100, 10);
  EXPECT_EQ(waiting(2), 1U);
  picker_.doubt(100);
  picker_.settle(100, 1);
  EXPECT_FALSE(waiting(2));
  EXPECT_FALSE(picker_.may_move());
}

TEST_F(Hedging, WhatMovedCountsAsWell) {
  EXPECT_TRUE(picker_.pick_hedge(all_of(101), ConnId{2}, TimePoint{1s}, 1ms));
  picker_.doubt(401);
  EXPECT_FALSE(picker_.pick_hedge(all_of(101), ConnId{2}, TimePoint{1s}, 1ms));
  picker_.settle(401, 400);
  EXPECT_TRUE(picker_.pick_hedge(all_of(101), ConnId{2}, TimePoint{1s}, 1ms));
  picker_.doubt(1);
  picker_.settle(1, 1);
  EXPECT_FALSE(picker_.pick_hedge(all_of(101), ConnId{2}, TimePoint{1s}, 1ms));
}

TEST(ChunkPicker, AgreesWithANaiveModel) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SeededRng rng(seed);
    Buffer input(200 + rng.uniform(1'500));
    rng.fill(input);
    PickerModel(input).run();
  }
}

}  // namespace
}  // namespace kith::transfer::test
