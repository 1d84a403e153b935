// The small parts that decide when: timers, limits, meters, the request window, deficit round
// robin, the ban list, assembly.
#include <gtest/gtest.h>

#include "proto/crypto/random.hpp"
#include "transfer/ban_list.hpp"
#include "transfer/rate_limit.hpp"
#include "transfer/rate_meter.hpp"
#include "transfer/receive_assembly.hpp"
#include "transfer/request_queue.hpp"
#include "transfer/send_scheduler.hpp"
#include "transfer/timers.hpp"

namespace kith::transfer {
namespace {

using namespace std::chrono_literals;

TimePoint at(Duration d) { return TimePoint{d}; }
ShareId share_of(std::uint8_t n) {
  ShareId id;
  id.bytes[0] = n;
  return id;
}
DeviceId device_of(std::uint32_t n) {
  DeviceId id;
  store_be(id.mutable_view(), n);
  return id;
}

// --- Timers ---

TEST(Timers, FireInOrderAndOnlyMoveForward) {
  Timers<int> timers;
  timers.set(1, at(10ms));
  timers.set(2, at(5ms));
  timers.set(1, at(20ms));  // later: no effect
  timers.set(2, at(3ms));   // earlier: moves
  EXPECT_EQ(timers.next(), at(3ms));
  EXPECT_FALSE(timers.pop_due(at(2ms)));
  EXPECT_EQ(timers.pop_due(at(10ms)), 2);
  EXPECT_EQ(timers.pop_due(at(10ms)), 1);
  EXPECT_FALSE(timers.pop_due(at(1h)));
  EXPECT_FALSE(timers.next());
}

TEST(Timers, CancelledOnesDoNotFire) {
  Timers<int> timers;
  timers.set(1, at(1ms));
  timers.cancel(1);
  timers.cancel(7);
  EXPECT_FALSE(timers.pop_due(at(1h)));
}

// --- RateLimit ---

TEST(RateLimit, NoneAllowsAll) {
  RateLimit limit;
  limit.spend(1ULL << 40);
  EXPECT_TRUE(limit.allows(at(0ms)));
}

TEST(RateLimit, KeepsTheRateOnAverageWithDebts) {
  for (const std::uint64_t rate : {1'000ULL, 100'000ULL, 5'000'000ULL, 4'000'000'000ULL}) {
    RateLimit limit(rate);
    TimePoint now = at(1h);
    std::uint64_t sent = 0;
    const TimePoint end = now + 100s;
    while (now < end) {
      if (limit.allows(now)) {
        limit.spend(rate / 7);
        sent += rate / 7;
      } else {
        EXPECT_GT(limit.ready_at(), now);
        now = limit.ready_at();
        EXPECT_TRUE(limit.allows(now)) << rate;
      }
    }
    EXPECT_NEAR(static_cast<double>(sent), static_cast<double>(rate) * 100,
                static_cast<double>(rate));
  }
}

// What was spent is not paid for at a lower rate, and nobody waits for what is not limited.
TEST(RateLimit, ADebtIsPaidNoLaterThanAtTheOldRate) {
  RateLimit limit(1'000'000);
  EXPECT_TRUE(limit.allows(at(0s)));
  limit.spend(100'000 + 2'000'000);
  EXPECT_FALSE(limit.allows(at(0s)));
  limit.set_rate(10);
  EXPECT_FALSE(limit.allows(at(1'900ms)));
  EXPECT_TRUE(limit.allows(at(2'200ms)));
  limit.spend(1'000);
  limit.set_rate(1'000);
  EXPECT_FALSE(limit.allows(at(3s)));
  EXPECT_TRUE(limit.allows(at(3'300ms)));
  limit.spend(1'000'000);
  limit.set_rate(0);
  limit.set_rate(1);
  EXPECT_TRUE(limit.allows(at(4s)));
}

TEST(RateLimit, LongPausesGiveOneBurst) {
  RateLimit limit(1'000);
  EXPECT_TRUE(limit.allows(at(0s)));
  EXPECT_TRUE(limit.allows(at(24h * 365)));
  limit.spend(100);
  EXPECT_FALSE(limit.allows(at(24h * 365)));
}

TEST(RateLimit, BurstAsGiven) {
  RateLimit limit(1, 16);
  int allowed = 0;
  for (int i = 0; i < 100; ++i) {
    if (!limit.allows(at(5s))) continue;
    limit.spend(1);
    ++allowed;
  }
  EXPECT_EQ(allowed, 16);
}

TEST(RateLimit, ManySmallStepsLoseNothing) {
  RateLimit limit(3'000);
  (void)limit.allows(at(0s));
  limit.spend(300 + 3'000);  // the burst, and one second
  for (int micros = 100; micros < 999'900; micros += 100) {
    ASSERT_FALSE(limit.allows(at(std::chrono::microseconds(micros)))) << micros;
  }
  EXPECT_TRUE(limit.allows(at(1'001ms)));
}

// --- RateMeter ---

TEST(RateMeter, CountsBusyTimeOnly) {
  RateMeter meter;
  TimePoint now = at(0s);
  for (int i = 0; i < 20; ++i) {
    meter.busy(now);
    now += 10ms;
    meter.add(now, 100'000);
    meter.idle(now);
    now += 1s;
  }
  EXPECT_TRUE(meter.measured());
  EXPECT_EQ(meter.rate(), 10'000'000U);
}

TEST(RateMeter, RisesAtOnceAndFallsByQuarters) {
  RateMeter meter;
  meter.busy(at(0s));
  meter.add(at(100ms), 100'000);
  EXPECT_EQ(meter.rate(), 1'000'000U);
  meter.add(at(200ms), 400'000);
  EXPECT_EQ(meter.rate(), 4'000'000U);
  meter.add(at(300ms), 0);
  meter.add(at(400ms), 1);
  EXPECT_NEAR(static_cast<double>(meter.rate()), 3'000'000.0, 100.0);
}

TEST(RateMeter, NoTimeNoMeasure) {
  RateMeter meter;
  meter.busy(at(0s));
  meter.add(at(0s), 1'000'000);
  EXPECT_FALSE(meter.measured());
  EXPECT_EQ(meter.rate(), 0U);
}

// --- RequestQueue ---

constexpr std::uint64_t kNoCap = UINT64_MAX;

TEST(RequestQueue, TwoChunksAlways) {
  RequestQueue queue;
  queue.add(at(0s), {0, 1}, share_of(1), 4 << 20, 4 << 20);
  EXPECT_TRUE(queue.has_room(0));
  queue.add(at(0s), {0, 2}, share_of(1), 4 << 20, 4 << 20);
  EXPECT_FALSE(queue.has_room(kNoCap));
  EXPECT_EQ(queue.outstanding(), 8U << 20);
  queue.erase(at(0s), {0, 1});
  EXPECT_TRUE(queue.has_room(0));
}

TEST(RequestQueue, NeverMoreWantsThanThePeerTakes) {
  RequestQueue queue;
  ChunkIndex i = 0;
  while (queue.has_room(kNoCap)) queue.add(at(0s), {0, i++}, share_of(1), 1, 1);
  EXPECT_EQ(queue.size(), limits::kQueuedWantsPerPeer);
}

/// Delivers one chunk of `size` bytes after `latency`, at `rate`.
void deliver(RequestQueue& queue, TimePoint& now, ChunkIndex i, std::uint32_t size,
             Duration latency, Duration time) {
  Want& want = queue.add(now, {0, i}, share_of(1), size, size);
  now += latency;
  queue.on_first_byte(now, want);
  now += time;
  want.assembly.skip(size);
  queue.on_section(now, want, size);
  queue.on_delivered(now, want);
  queue.erase(now, {0, i});
}

TEST(RequestQueue, WindowIsTwiceRateTimesLatencyAndAFloor) {
  RequestQueue queue;
  EXPECT_EQ(queue.window(), 1U << 20);
  TimePoint now = at(1s);
  // 1 MB in 100 ms, of which 50 ms latency: 10 MB/s.
  for (ChunkIndex i = 0; i < 50; ++i) deliver(queue, now, i, 1'000'000, 50ms, 50ms);
  EXPECT_NEAR(static_cast<double>(queue.rate()), 1e7, 1e5);
  EXPECT_NEAR(static_cast<double>(queue.window()), 2 * 1e7 * 0.05 + 1e7 / 5, 1e5);
  EXPECT_FALSE(queue.is_slow());
}

TEST(RequestQueue, SlowPeersGetASmallWindow) {
  RequestQueue queue;
  TimePoint now = at(1s);
  for (ChunkIndex i = 0; i < 10; ++i) deliver(queue, now, i, 100'000, 1ms, 999ms);
  EXPECT_LT(queue.window(), 50'000U);
  EXPECT_TRUE(queue.is_slow());
}

TEST(RequestQueue, AllowanceFollowsService) {
  RequestQueue queue;
  EXPECT_EQ(queue.allowance(), 1s);  // silent so far
  TimePoint now = at(1s);
  for (ChunkIndex i = 0; i < 100; ++i) deliver(queue, now, i, 1'000, 1s, 1s);
  EXPECT_EQ(queue.allowance(), 8s);
  for (ChunkIndex i = 0; i < 100; ++i) deliver(queue, now, i, 1'000, 1ms, 1ms);
  EXPECT_EQ(queue.allowance(), 1s);
}

TEST(RequestQueue, SlackUntilSomethingComes) {
  RequestQueue queue;
  TimePoint now = at(1s);
  queue.on_missed();
  EXPECT_TRUE(queue.has_room(kNoCap));
  queue.add(now, {0, 1}, share_of(1), 10, 10);
  EXPECT_FALSE(queue.has_room(kNoCap));
  queue.erase(now, {0, 1});
  deliver(queue, now, 2, 10, 1ms, 1ms);
  EXPECT_FALSE(queue.slack());
}

TEST(RequestQueue, EveryMissDoublesTheAllowanceUntilSomethingComes) {
  RequestQueue queue;
  TimePoint now = at(1s);
  for (std::chrono::seconds allowed = 1s; allowed < 300h; allowed = 2 * allowed) {
    EXPECT_EQ(queue.allowance(), allowed);
    queue.on_missed();
  }
  deliver(queue, now, 1, 10, 1ms, 1ms);
  EXPECT_EQ(queue.allowance(), 1s);
}

TEST(RequestQueue, SectionsMoveTheDeadline) {
  RequestQueue queue;
  Want& want = queue.add(at(0s), {0, 1}, share_of(1), 200'000, 200'000);
  EXPECT_EQ(queue.next_deadline(), at(1s));
  want.assembly.skip(61'440);
  queue.on_section(at(900ms), want, 61'440);
  EXPECT_EQ(queue.next_deadline(), at(5'900ms));  // bytes come, though no whole chunk yet
  EXPECT_EQ(queue.outstanding(), 200'000U - 61'440U);
  want.is_void = true;
  want.assembly.skip(61'440);
  queue.on_section(at(5s), want, 61'440);
  EXPECT_EQ(queue.next_deadline(), at(5'900ms));
}

// --- SendScheduler ---

TEST(SendScheduler, EqualBytesWhateverTheSectionLength) {
  SendScheduler drr;
  const std::map<ConnId, std::uint32_t> lengths = {
      {ConnId{1}, 61'440}, {ConnId{2}, 4'239'360}, {ConnId{3}, 983'040}};
  for (const auto& [conn, length] : lengths) drr.activate(conn);
  std::map<ConnId, std::uint64_t> sent;
  for (int i = 0; i < 20'000; ++i) {
    const auto turn = drr.next([&](ConnId c) { return Offer::section(lengths.at(c)); });
    ASSERT_TRUE(turn);
    sent[turn->first] += turn->second;
  }
  for (const auto& [conn, bytes] : sent) {
    EXPECT_NEAR(static_cast<double>(bytes) / static_cast<double>(sent[ConnId{1}]), 1.0, 0.01);
  }
}

TEST(SendScheduler, WhoHasNothingLeaves) {
  SendScheduler drr;
  drr.activate(ConnId{1});
  drr.activate(ConnId{1});
  drr.activate(ConnId{2});
  drr.remove(ConnId{3});
  int asked = 0;
  const auto turn = drr.next([&](ConnId c) {
    ++asked;
    if (c == ConnId{1}) return Offer{};
    return Offer::section(61'440);
  });
  ASSERT_TRUE(turn);
  EXPECT_EQ(turn->first, ConnId{2});
  EXPECT_EQ(asked, 3);  // 1; 2 without a deficit, 2 with one
  drr.remove(ConnId{2});
  EXPECT_FALSE(drr.next([](ConnId) { return Offer::section(1); }));
}

TEST(SendScheduler, LeavingForgetsTheDeficit) {
  SendScheduler drr;
  drr.activate(ConnId{1});
  (void)drr.next([](ConnId) { return Offer::section(1); });
  (void)drr.next([](ConnId) { return Offer{}; });
  drr.refund(ConnId{1}, 1'000'000'000);  // gone: no effect
  drr.activate(ConnId{1});
  drr.activate(ConnId{2});
  const auto turn = drr.next([](ConnId) { return Offer::section(983'041); });
  ASSERT_TRUE(turn);
  EXPECT_EQ(turn->first, ConnId{1});
}

TEST(SendScheduler, WhatWasStartedOutOfTurnIsOwed) {
  SendScheduler drr;
  const auto leave = [](ConnId) { return Offer{}; };
  drr.activate(ConnId{1});
  drr.charge(ConnId{1}, 10 * 983'040);
  EXPECT_FALSE(drr.next(leave));
  drr.activate(ConnId{1});
  drr.activate(ConnId{2});
  std::map<ConnId, int> sections;
  for (int i = 0; i < 14; ++i) {
    ++sections[drr.next([](ConnId) { return Offer::section(983'040); })->first];
  }
  EXPECT_EQ(sections[ConnId{1}], 2);
  EXPECT_EQ(sections[ConnId{2}], 12);
  // With the connection its debt goes.
  drr.charge(ConnId{1}, 1'000'000'000);
  drr.remove(ConnId{1});
  drr.remove(ConnId{2});
  drr.activate(ConnId{1});
  int asked = 0;
  (void)drr.next([&](ConnId) { return ++asked, Offer::section(1); });
  EXPECT_EQ(asked, 2);
}

TEST(SendScheduler, WhoMustWaitKeepsItsPlace) {
  SendScheduler drr;
  for (const std::uint64_t conn : {1U, 2U, 3U}) drr.activate(ConnId{conn});
  int asked = 0;
  const auto wait = [&](ConnId) { return ++asked, Offer{Offer::What::kWaits}; };
  EXPECT_FALSE(drr.next(wait));
  EXPECT_FALSE(drr.next(wait));
  EXPECT_EQ(asked, 3);  // nobody is asked twice in vain
  drr.rouse();
  // Every time the limit lets one go: all come round.
  std::vector<ConnId> order;
  for (int i = 0; i < 6; ++i) {
    const auto turn = drr.next([](ConnId) { return Offer::section(983'040); });
    ASSERT_TRUE(turn);
    order.push_back(turn->first);
    EXPECT_FALSE(drr.next(wait));
    drr.rouse();
  }
  std::map<ConnId, int> turns;
  for (const ConnId conn : order) ++turns[conn];
  EXPECT_EQ(turns[ConnId{1}], 2);
  EXPECT_EQ(turns[ConnId{2}], 2);
  EXPECT_EQ(turns[ConnId{3}], 2);
  // One that need not wait is found among those that must.
  EXPECT_FALSE(drr.next(wait));
  drr.activate(ConnId{4});
  const auto turn = drr.next([](ConnId c) {
    return c == ConnId{4} ? Offer::section(61'440) : Offer{Offer::What::kWaits};
  });
  ASSERT_TRUE(turn);
  EXPECT_EQ(turn->first, ConnId{4});
}

// It can take one record at a time, of every sixth at most.
TEST(SendScheduler, WhoIsFullGetsItsPartInSmallSteps) {
  SendScheduler drr;
  for (const std::uint64_t conn : {1U, 2U, 3U}) drr.activate(ConnId{conn});
  std::map<ConnId, std::uint64_t> sent;
  bool full = false;
  for (int i = 0; i < 10'000; ++i) {
    const auto turn = drr.next([&](ConnId c) {
      if (c == ConnId{1} && full) return Offer{Offer::What::kFull};
      return Offer::section(c == ConnId{1} ? 61'440 : 4 * 61'440);
    });
    ASSERT_TRUE(turn);
    sent[turn->first] += turn->second;
    full = turn->first == ConnId{1} || (full && i % 6 != 0);
    if (!full) drr.activate(ConnId{1});
  }
  const auto records = [&](std::uint64_t conn) {
    return static_cast<double>(sent[ConnId{conn}]) / 61'440;
  };
  EXPECT_NEAR(records(1), 1e4 / 6, 100);
  EXPECT_NEAR(records(2), records(3), 100);
}

// One that waits for a limit of its own gets its part, too.
TEST(SendScheduler, WhoWaitsComesFirstWhenItNeedNot) {
  SendScheduler drr;
  for (const std::uint64_t conn : {1U, 2U}) drr.activate(ConnId{conn});
  std::map<ConnId, int> turns;
  for (int i = 0; i < 1'000; ++i) {
    const auto turn = drr.next([&](ConnId c) {
      return c == ConnId{1} && i % 4 != 0 ? Offer{Offer::What::kWaits} : Offer::section(61'440);
    });
    ++turns[turn->first];
  }
  EXPECT_NEAR(turns[ConnId{1}], 250, 20);
}

// --- BanList ---

TEST(BanList, ThirdWithinAnHour) {
  BanList bans;
  EXPECT_FALSE(bans.report(at(0s), device_of(1), share_of(1), 1));
  EXPECT_FALSE(bans.report(at(30min), device_of(1), share_of(1), 2));
  EXPECT_FALSE(bans.contains(device_of(1)));
  EXPECT_TRUE(bans.report(at(59min), device_of(1), share_of(1), 3));
  EXPECT_TRUE(bans.contains(device_of(1)));
  EXPECT_FALSE(bans.report(at(59min), device_of(1), share_of(1), 3));  // told once
}

TEST(BanList, NotTheThirdAfterAnHour) {
  BanList bans;
  for (ChunkIndex i = 0; i < 100; ++i) {
    EXPECT_FALSE(bans.report(at(i * 31min), device_of(1), share_of(1), i));
  }
}

TEST(BanList, TheSameTwiceWhenever) {
  BanList bans;
  EXPECT_FALSE(bans.report(at(0s), device_of(1), share_of(1), 1));
  EXPECT_FALSE(bans.report(at(2h), device_of(1), share_of(2), 1));
  EXPECT_FALSE(bans.report(at(2h), device_of(2), share_of(1), 1));
  EXPECT_TRUE(bans.report(at(10h), device_of(1), share_of(1), 1));
}

TEST(BanList, IsBounded) {
  BanList bans;
  for (std::uint32_t i = 0; i < 3 * limits::kBanEntries; ++i) {
    const TimePoint now = at(std::chrono::milliseconds(i));
    EXPECT_FALSE(bans.report(now, device_of(i), share_of(1), 1));
    if (i % 2 == 0) {
      EXPECT_TRUE(bans.report(now, device_of(i), share_of(1), 1));
    }
  }
  EXPECT_LE(bans.size(), 2 * limits::kBanEntries);
  EXPECT_TRUE(bans.contains(device_of(3 * limits::kBanEntries - 2)));
}

// --- ReceiveAssembly ---

ChunkFrame frame_of(std::uint32_t offset, std::uint32_t length, std::uint32_t size) {
  ChunkFrame frame;
  frame.offset = offset;
  frame.length = length;
  frame.size = size;
  return frame;
}

TEST(ReceiveAssembly, SectionsInOrderWithoutGaps) {
  SlabPool pool;
  ReceiveAssembly chunk(150'000, 150'000);
  EXPECT_FALSE(chunk.announce(frame_of(61'440, 61'440, 150'000)));
  ASSERT_TRUE(chunk.announce(frame_of(0, 122'880, 150'000)));
  chunk.append({7, 122'880}, SlabChain(pool, 122'880));
  EXPECT_FALSE(chunk.complete());
  EXPECT_FALSE(chunk.announce(frame_of(0, 122'880, 150'000)));
  EXPECT_FALSE(chunk.announce(frame_of(122'880, 27'121, 150'000)));  // past the end
  EXPECT_FALSE(chunk.announce(frame_of(122'880, 27'119, 150'000)));  // short, and not the last
  EXPECT_FALSE(chunk.announce(frame_of(122'880, 0, 150'000)));
  EXPECT_FALSE(chunk.announce(frame_of(122'880, 27'120, 149'999)));  // another size
  ASSERT_TRUE(chunk.announce(frame_of(122'880, 27'120, 150'000)));
  chunk.append({9, 27'120}, SlabChain(pool, 27'120));
  EXPECT_TRUE(chunk.complete());
  EXPECT_EQ(chunk.take_sections().size(), 2U);
  EXPECT_EQ(chunk.take_sealed().size(), 150'000U);
  EXPECT_EQ(pool.in_use(), 0U);
}

TEST(ReceiveAssembly, LengthMustBeTheExpectedOne) {
  EXPECT_FALSE(ReceiveAssembly(100, 100).announce(frame_of(0, 99, 99)));
  EXPECT_FALSE(ReceiveAssembly(100, 100).announce(frame_of(0, 101, 101)));
  EXPECT_TRUE(ReceiveAssembly(100, 100).announce(frame_of(0, 100, 100)));
}

TEST(ReceiveAssembly, UnknownLengthIsBoundedAndThenSettled) {
  constexpr std::uint32_t kMax = limits::kPageMax;
  EXPECT_FALSE(ReceiveAssembly(std::nullopt, kMax).announce(frame_of(0, 61'440, kMax + 1)));
  EXPECT_FALSE(ReceiveAssembly(std::nullopt, kMax).announce(frame_of(0, 0, 0)));
  ReceiveAssembly root(std::nullopt, kMax);
  ASSERT_TRUE(root.announce(frame_of(0, 61'440, kMax)));
  root.skip(61'440);
  const auto changed = root.announce(frame_of(61'440, 61'440, kMax - 1));
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().blame, Blame::kPeer);
}

TEST(ReceiveAssembly, DiscardFreesAtOnceAndGoesOnCounting) {
  SlabPool pool;
  ReceiveAssembly chunk(100'000, 100'000);
  ASSERT_TRUE(chunk.announce(frame_of(0, 61'440, 100'000)));
  chunk.append({0, 61'440}, SlabChain(pool, 61'440));
  EXPECT_EQ(pool.in_use(), 1U);
  chunk.discard();
  EXPECT_EQ(pool.in_use(), 0U);
  ASSERT_TRUE(chunk.announce(frame_of(61'440, 38'560, 100'000)));
  chunk.skip(38'560);
  EXPECT_TRUE(chunk.complete());
}

}  // namespace
}  // namespace kith::transfer
