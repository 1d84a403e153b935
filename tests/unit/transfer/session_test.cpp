// What one Manager does with each frame, right and wrong, and that nothing a peer does breaks it.
#include <gtest/gtest.h>

#include "proto/crypto/bulk.hpp"
#include "tests/unit/transfer/session_fixture.hpp"
#include "tests/unit/transfer/session_model.hpp"

namespace kith::transfer::test {
namespace {

using namespace std::chrono_literals;

void expect_peer_fault(const Result<void>& result) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().blame, Blame::kPeer);
}

// --- asking ---

TEST_F(Session, WatchesConnectedAndNewPeersOfTheSwarmOnly) {
  connect();
  SwarmId other;
  other.bytes[0] = 9;
  manager_.on_connected(now_, ConnId{2}, device_of(2), other, false, out_);
  manager_.add_share(now_, share_, swarm_, true, out_);
  manager_.on_connected(now_, ConnId{3}, device_of(3), swarm_, false, out_);
  EXPECT_EQ(sent<WatchFrame>(FrameType::kWatch, ConnId{1}).size(), 1U);
  EXPECT_EQ(sent<WatchFrame>(FrameType::kWatch, ConnId{2}).size(), 0U);
  EXPECT_EQ(sent<WatchFrame>(FrameType::kWatch, ConnId{3}).size(), 1U);
}

TEST_F(Session, AShareOfSeveralSwarmsIsServedAndAskedForInEachOfThem) {
  const auto swarm_of = [](std::uint8_t n) {
    SwarmId id;
    id.bytes[0] = n;
    return id;
  };
  connect();
  for (std::uint8_t n = 2; n <= 4; ++n) {
    manager_.on_connected(now_, ConnId{n}, device_of(n), swarm_of(n), false, out_);
  }
  serve_all();
  for (const ConnId conn : {kConn, ConnId{2}}) ASSERT_TRUE(feed(WatchFrame{0, share_}, conn));
  EXPECT_EQ(sent<HaveSetFrame>(FrameType::kHaveSet, ConnId{2}).at(0).total, 0U);
  clear();
  manager_.add_share(now_, share_, swarm_of(2), false, out_);
  ASSERT_EQ(sent<HaveSetFrame>(FrameType::kHaveSet, ConnId{2}).size(), 1U);
  EXPECT_EQ(sent<HaveSetFrame>(FrameType::kHaveSet, ConnId{2}).at(0).total, kTotal);
  EXPECT_EQ(sent<HaveSetFrame>(FrameType::kHaveSet).size(), 0U) << "it was told already";
  const auto watches = [&](ConnId conn) {
    return sent<WatchFrame>(FrameType::kWatch, conn).size();
  };
  manager_.add_share(now_, share_, swarm_, true, out_);
  EXPECT_EQ(watches(kConn), 1U);
  EXPECT_EQ(watches(ConnId{2}), 1U);
  EXPECT_EQ(watches(ConnId{3}), 0U);
  manager_.add_share(now_, share_, swarm_of(3), false, out_);
  EXPECT_EQ(watches(ConnId{3}), 1U) << "it is being fetched";
  EXPECT_EQ(watches(kConn), 1U);
  EXPECT_TRUE(manager_.is_in(share_, swarm_of(3)));
  EXPECT_FALSE(manager_.is_in(share_, swarm_of(4)));
  EXPECT_EQ(watches(ConnId{4}), 0U);
}

TEST_F(Session, AsksForTheRootFirstAndReservesAPage) {
  connect();
  manager_.add_share(now_, share_, swarm_, true, out_);
  ASSERT_TRUE(feed(everything()));
  const auto wants = sent<WantFrame>(FrameType::kWant);
  ASSERT_EQ(wants.size(), 1U);
  EXPECT_EQ(wants[0].index, 0U);
  EXPECT_EQ(manager_.reserved(), limits::kPageMax);
  auto root = whole(0);
  root.size = root.length = 12'345;
  ASSERT_TRUE(section(root));
  ASSERT_EQ(out_.stores.size(), 1U);
  EXPECT_EQ(out_.stores[0].sealed.size(), 12'345U);
  EXPECT_EQ(manager_.reserved(), 12'345U);
  stored(0, StoreOutcome::kStored);
  EXPECT_EQ(manager_.reserved(), 0U);
}

TEST_F(Session, RootThatIsTooLongIsTheSendersFault) {
  connect();
  manager_.add_share(now_, share_, swarm_, true, out_);
  ASSERT_TRUE(feed(everything()));
  auto root = whole(0);
  root.size = limits::kPageMax + 1;
  root.length = kRecordBytes;
  expect_peer_fault(section(root));
}

TEST_F(Session, HaveSetMayComeInPiecesAndBeReplaced) {
  connect();
  fetch();
  ASSERT_TRUE(feed(HaveSetFrame{0, 8, kTotal, {0xff, 0xf0}}));
  ASSERT_TRUE(feed(HaveSetFrame{0, 0, kTotal, {0xff}}));
  EXPECT_EQ(manager_.progress(share_).sources, 1U);
  ASSERT_TRUE(feed(HaveSetFrame{0, 0, 0, {}}));
  EXPECT_EQ(manager_.progress(share_).sources, 0U);
}

TEST_F(Session, HaveSetKeptUntilTheShapeIsKnown) {
  connect();
  manager_.add_share(now_, share_, swarm_, true, out_);
  ASSERT_TRUE(feed(everything()));
  ASSERT_TRUE(section([&] {
    auto root = whole(0);
    root.size = root.length = 500;
    return root;
  }()));
  stored(0, StoreOutcome::kStored);
  clear();
  manager_.set_shape(now_, share_, kTotal, std::vector<std::uint32_t>{kLength}, Buffer{0x80}, out_);
  const auto wants = sent<WantFrame>(FrameType::kWant);
  ASSERT_EQ(wants.size(), 1U);
  EXPECT_EQ(wants[0].index, 1U);
  clear();
  manager_.set_lengths(now_, share_, 2, std::vector<std::uint32_t>(18, kLength), out_);
  EXPECT_GE(sent<WantFrame>(FrameType::kWant).size(), 1U);
}

TEST_F(Session, HaveSetOfAnotherLengthIsAFault) {
  connect();
  fetch();
  expect_peer_fault(feed(HaveSetFrame{0, 0, kTotal + 1, {0xff}}));
}

TEST_F(Session, LiarAboutTheLengthCountsForNothingOnceItIsKnown) {
  connect();
  manager_.add_share(now_, share_, swarm_, true, out_);
  ASSERT_TRUE(feed(HaveSetFrame{0, 15'999'992, 16'000'000, {0xff}}));
  manager_.set_shape(now_, share_, kTotal, std::vector<std::uint32_t>{kLength}, Buffer{0x80}, out_);
  manager_.check_invariants();
  EXPECT_EQ(manager_.progress(share_).sources, 0U);
  expect_peer_fault(feed(HaveFrame{0, {3}}));
}

TEST_F(Session, FramesForHandlesNeverGivenAreFaults) {
  connect();
  fetch();
  expect_peer_fault(feed(everything(1)));
  expect_peer_fault(feed(HaveFrame{1, {1}}));
  expect_peer_fault(feed(RefuseFrame{1, 1}));
  expect_peer_fault(section(whole(2, 1)));
}

TEST_F(Session, FramesForRetiredHandlesAreLate) {
  connect();
  fetch();
  manager_.stop_fetching(now_, share_, out_);
  EXPECT_TRUE(feed(everything()));
  EXPECT_TRUE(feed(HaveFrame{0, {1}}));
  expect_peer_fault(feed(RefuseFrame{0, 2}));  // nothing was asked for
}

TEST_F(Session, HavePastTheEndIsAFault) {
  connect();
  fetch();
  ASSERT_TRUE(feed(everything()));
  expect_peer_fault(feed(HaveFrame{0, {kTotal}}));
}

TEST_F(Session, EveryDeviationOfAChunkIsAFault) {
  const auto attempt = [](auto change) {
    struct Fixture : Session {
      void TestBody() override {}
      Result<void> go(const std::function<void(ChunkFrame&)>& f) {
        connect();
        fetch();
        EXPECT_TRUE(feed(everything()));
        auto frame = whole(sent<WantFrame>(FrameType::kWant).at(0).index);
        f(frame);
        return section(frame);
      }
    } fixture;
    return fixture.go(change);
  };
  EXPECT_TRUE(attempt([](ChunkFrame&) {}));
  expect_peer_fault(attempt([](ChunkFrame& f) { f.index = 0; }));  // held: not asked for
  expect_peer_fault(attempt([](ChunkFrame& f) { f.index = kTotal + 7; }));
  expect_peer_fault(attempt([](ChunkFrame& f) { f.size -= 1; }));
  expect_peer_fault(attempt([](ChunkFrame& f) { f.size += 1; }));
  expect_peer_fault(attempt([](ChunkFrame& f) { f.offset = kRecordBytes; }));
  expect_peer_fault(attempt([](ChunkFrame& f) { f.length += 1; }));
  expect_peer_fault(attempt([](ChunkFrame& f) { f.length -= 1; }));
  expect_peer_fault(attempt([](ChunkFrame& f) { f.length = 0; }));
}

TEST_F(Session, ChunkSentTwiceIsAFault) {
  connect();
  fetch();
  ASSERT_TRUE(feed(everything()));
  const ChunkIndex index = sent<WantFrame>(FrameType::kWant).at(0).index;
  ASSERT_TRUE(section(whole(index)));
  expect_peer_fault(section(whole(index)));
}

TEST_F(Session, SeveralChunksMayBeOpenAtOnce) {
  connect();
  fetch();
  ASSERT_TRUE(feed(everything()));
  const auto wants = sent<WantFrame>(FrameType::kWant);
  ASSERT_GE(wants.size(), 2U);
  for (const std::uint32_t offset : {0U, 61'440U}) {
    for (int i = 0; i < 2; ++i) {
      auto frame = whole(wants[static_cast<std::size_t>(i)].index);
      frame.offset = offset;
      frame.length = offset == 0 ? kRecordBytes : kLength - offset;
      ASSERT_TRUE(section(frame));
    }
  }
  EXPECT_EQ(out_.stores.size(), 2U);
  EXPECT_EQ(out_.stores[0].sections.size(), 2U);
}

TEST_F(Session, RefusedChunkIsAskedForElsewhereAndNamedWhenNobodyHasIt) {
  connect();
  fetch();
  ASSERT_TRUE(feed(HaveSetFrame{0, 0, kTotal, {0x20, 0, 0}}));  // index 2 alone
  ASSERT_EQ(sent<WantFrame>(FrameType::kWant).size(), 1U);
  clear();
  ASSERT_TRUE(feed(RefuseFrame{0, 2}));
  EXPECT_EQ(events<ChunkUnavailable>().size(), 1U);
  EXPECT_EQ(manager_.reserved(), 0U);
  connect(ConnId{2}, 2);
  ASSERT_TRUE(feed(everything(), ConnId{2}));
  bool asked = false;
  for (const auto& want : sent<WantFrame>(FrameType::kWant, ConnId{2})) asked |= want.index == 2;
  EXPECT_TRUE(asked);
}

TEST_F(Session, CancelledChunkIsCollectedAndDropped) {
  connect();
  fetch();
  ASSERT_TRUE(feed(HaveSetFrame{0, 0, kTotal, {0x20, 0, 0}}));
  EXPECT_EQ(manager_.reserved(), kLength);
  manager_.add_have(now_, share_, 2, out_);
  EXPECT_EQ(sent<CancelFrame>(FrameType::kCancel).size(), 1U);
  EXPECT_EQ(manager_.reserved(), kLength);  // it may be on its way
  ASSERT_TRUE(section(whole(2)));
  EXPECT_TRUE(out_.stores.empty());
  EXPECT_EQ(manager_.reserved(), 0U);
  EXPECT_EQ(pool_.in_use(), 0U);
  expect_peer_fault(feed(RefuseFrame{0, 2}));  // it ended already
}

TEST_F(Session, UnansweredCancelClosesTheConnection) {
  connect();
  fetch();
  ASSERT_TRUE(feed(HaveSetFrame{0, 0, kTotal, {0x20, 0, 0}}));
  manager_.stop_fetching(now_, share_, out_);
  clear();
  now_ += 59s;
  manager_.on_timeout(now_, out_);
  EXPECT_TRUE(events<CloseConnection>().empty());
  now_ += 1s;
  EXPECT_LE(manager_.next_timeout(), now_);
  manager_.on_timeout(now_, out_);
  const auto closed = events<CloseConnection>();
  ASSERT_EQ(closed.size(), 1U);
  EXPECT_EQ(closed[0].why.blame, Blame::kNetwork);
  EXPECT_EQ(manager_.reserved(), 0U);
}

TEST_F(Session, SilentPeerLosesItsChunksToOthersOnly) {
  connect();
  fetch();
  ASSERT_TRUE(feed(everything()));
  const std::size_t asked = sent<WantFrame>(FrameType::kWant).size();
  clear();
  now_ += 2s;
  manager_.on_timeout(now_, out_);
  EXPECT_TRUE(sent<CancelFrame>(FrameType::kCancel).empty());  // nobody else has them
  connect(ConnId{2}, 2);
  ASSERT_TRUE(feed(everything(), ConnId{2}));
  clear();
  now_ += 10s;
  manager_.on_timeout(now_, out_);
  EXPECT_EQ(sent<CancelFrame>(FrameType::kCancel).size(), asked);
  manager_.check_invariants();
}

TEST_F(Session, BadChunkIsReportedAndNotAskedForAgainThere) {
  connect();
  fetch();
  ASSERT_TRUE(feed(HaveSetFrame{0, 0, kTotal, {0x20, 0, 0}}));
  ASSERT_TRUE(section(whole(2)));
  clear();
  stored(2, StoreOutcome::kBadChunk);
  EXPECT_EQ(sent<BadFrame>(FrameType::kBad).size(), 1U);
  EXPECT_EQ(events<ChunkUnavailable>().size(), 1U);
  clear();
  ASSERT_TRUE(feed(HaveSetFrame{0, 0, kTotal, {0x20, 0, 0}}));
  EXPECT_TRUE(sent<WantFrame>(FrameType::kWant).empty());
  ASSERT_TRUE(feed(HaveFrame{0, {2}}));  // it was repaired, says the peer
  EXPECT_EQ(sent<WantFrame>(FrameType::kWant).size(), 1U);
  ASSERT_TRUE(section(whole(2)));
  stored(2, StoreOutcome::kBadChunk);
  EXPECT_EQ(events<DeviceBanned>().size(), 1U);
  EXPECT_EQ(events<CloseConnection>().size(), 1U);
  EXPECT_TRUE(manager_.is_banned(device_of(1)));
  clear();
  connect(ConnId{9}, 1);
  EXPECT_EQ(events<CloseConnection>().size(), 1U);
}

TEST_F(Session, BadRecordClosesWithoutBlame) {
  connect();
  fetch();
  ASSERT_TRUE(feed(HaveSetFrame{0, 0, kTotal, {0x20, 0, 0}}));
  ASSERT_TRUE(section(whole(2)));
  stored(2, StoreOutcome::kBadRecord);
  const auto closed = events<CloseConnection>();
  ASSERT_EQ(closed.size(), 1U);
  EXPECT_EQ(closed[0].why.blame, Blame::kNetwork);
  EXPECT_FALSE(manager_.is_banned(device_of(1)));
  EXPECT_EQ(manager_.reserved(), 0U);
}

TEST_F(Session, CompletionIsToldOnceAndAgainAfterARepair) {
  connect();
  fetch();
  for (ChunkIndex i = 2; i < kTotal; ++i) manager_.add_have(now_, share_, i, out_);
  EXPECT_EQ(events<FetchComplete>().size(), 1U);
  clear();
  ASSERT_TRUE(feed(everything()));
  manager_.drop_have(now_, share_, 5, out_);
  ASSERT_EQ(sent<WantFrame>(FrameType::kWant).size(), 1U);
  ASSERT_TRUE(section(whole(5)));
  stored(5, StoreOutcome::kStored);
  EXPECT_EQ(events<FetchComplete>().size(), 1U);
}

TEST_F(Session, ResumedCompleteFetchIsCompleteAtOnce) {
  manager_.add_share(now_, share_, swarm_, true, out_);
  manager_.set_shape(now_, share_, kTotal, std::vector<std::uint32_t>{kLength}, Buffer(3, 0xff),
                     out_);
  EXPECT_EQ(events<FetchComplete>().size(), 1U);
}

TEST_F(Session, MoreFetchesThanHandlesWaitForOne) {
  connect();
  for (std::uint32_t i = 0; i <= limits::kHandlesPerConnection; ++i) {
    ShareId id;
    store_be(id.mutable_view(), i);
    manager_.add_share(now_, id, swarm_, true, out_);
  }
  EXPECT_EQ(sent<WatchFrame>(FrameType::kWatch).size(), limits::kHandlesPerConnection);
  clear();
  ShareId first;
  manager_.remove_share(now_, first, out_);
  EXPECT_EQ(sent<WatchFrame>(FrameType::kWatch).size(), 1U);
}

// --- serving ---

TEST_F(Session, AnswersAWatchWithTheHaveSet) {
  serve_all();
  connect();
  ASSERT_TRUE(feed(WatchFrame{7, share_}));
  const auto sets = sent<HaveSetFrame>(FrameType::kHaveSet);
  ASSERT_EQ(sets.size(), 1U);
  EXPECT_EQ(sets[0].handle, 7U);
  EXPECT_EQ(sets[0].total, kTotal);
  EXPECT_EQ(sets[0].bits, (Buffer{0xff, 0xff, 0xf0}));
}

TEST_F(Session, NotHeldAndNotAllowedAreOneAnswer) {
  serve_all();
  SwarmId other;
  other.bytes[0] = 1;
  manager_.on_connected(now_, kConn, device_of(1), other, false, out_);
  ShareId unknown;
  unknown.bytes[0] = 77;
  ASSERT_TRUE(feed(WatchFrame{0, share_}));
  ASSERT_TRUE(feed(WatchFrame{1, unknown}));
  const auto sets = sent<HaveSetFrame>(FrameType::kHaveSet);
  ASSERT_EQ(sets.size(), 2U);
  EXPECT_EQ(sets[0].total, sets[1].total);
  EXPECT_EQ(sets[0].bits, sets[1].bits);
  ASSERT_TRUE(feed(WantFrame{0, 1}));
  EXPECT_EQ(sent<RefuseFrame>(FrameType::kRefuse).size(), 1U);
  EXPECT_TRUE(out_.seals.empty());
}

TEST_F(Session, ShareThatComesLaterIsToldToItsWatchers) {
  connect();
  ASSERT_TRUE(feed(WatchFrame{0, share_}));
  clear();
  serve_all();
  EXPECT_EQ(sent<HaveSetFrame>(FrameType::kHaveSet).size(), 1U);
}

TEST_F(Session, LongHaveSetsGoOutAsThePeerReads) {
  constexpr ChunkIndex kMany = 8'000'000;
  manager_.add_share(now_, share_, swarm_, false, out_);
  manager_.set_shape(now_, share_, kMany, {}, Buffer((kMany + 7) / 8, 0xff), out_);
  connect();
  ASSERT_TRUE(feed(WatchFrame{0, share_}));
  std::size_t bytes = 0;
  for (int turn = 0; turn < 100 && bytes < kMany / 8; ++turn) {
    std::size_t now_out = 0;
    for (const auto& set : sent<HaveSetFrame>(FrameType::kHaveSet)) {
      EXPECT_EQ(set.first, 8 * bytes);
      bytes += set.bits.size();
      now_out += set.bits.size();
    }
    EXPECT_LE(now_out, 512U << 10);
    clear();
    manager_.on_wrote(now_, kConn, now_out, 0, out_);
  }
  EXPECT_EQ(bytes, kMany / 8);
}

// The other side of one connection: takes what was sent since the last clear().
class Watcher {
 public:
  Watcher(const ShareId& share, const SwarmId& swarm) {
    Outbox out;
    manager_.on_connected({}, kConn, {}, swarm, false, out);
    manager_.add_share({}, share, swarm, true, out);
  }
  void take(const std::vector<SendFrame>& frames) {
    for (const SendFrame& f : frames) {
      Outbox out;
      const auto result = manager_.on_frame({}, kConn, static_cast<FrameType>(f.frame[0]),
                                            Bytes(f.frame).subspan(1), out);
      EXPECT_TRUE(result) << to_string(result.error());
    }
  }

 private:
  SeededRng rng_{2};
  Manager manager_{{32 << 20, 32 << 20}, rng_};
};

TEST_F(Session, AWatcherHearsOfNoIndexBeforeTheHaveSet) {
  connect();
  fetch();
  manager_.on_wrote(now_, kConn, 0, 1 << 20, out_);  // so much is unsent: the have-set waits
  clear();
  Watcher watcher(share_, swarm_);
  ASSERT_TRUE(feed(WatchFrame{0, share_}));
  manager_.add_have(now_, share_, 4, out_);
  now_ += 100ms;
  manager_.on_timeout(now_, out_);
  watcher.take(out_.frames);
  clear();
  manager_.on_wrote(now_, kConn, 1 << 20, 0, out_);
  const auto sets = sent<HaveSetFrame>(FrameType::kHaveSet);
  ASSERT_EQ(sets.size(), 1U);
  EXPECT_EQ(sets[0].bits[0], 0b1100'1000) << "with what came meanwhile";
  watcher.take(out_.frames);
}

TEST_F(Session, AWatcherOfAShareThatCameLaterHearsOfNoIndexBeforeTheHaveSet) {
  connect();
  Watcher watcher(share_, swarm_);
  ASSERT_TRUE(feed(WatchFrame{0, share_}));  // answered: nothing
  manager_.on_wrote(now_, kConn, 0, 1 << 20, out_);
  fetch();
  manager_.add_have(now_, share_, 4, out_);
  now_ += 100ms;
  manager_.on_timeout(now_, out_);
  watcher.take(out_.frames);
}

TEST_F(Session, HavesAreBatched) {
  connect();
  fetch();
  ASSERT_TRUE(feed(WatchFrame{3, share_}));
  clear();
  manager_.add_have(now_, share_, 4, out_);
  manager_.add_have(now_, share_, 9, out_);
  EXPECT_TRUE(sent<HaveFrame>(FrameType::kHave).empty());
  EXPECT_EQ(manager_.next_timeout(), now_ + 100ms);
  now_ += 100ms;
  manager_.on_timeout(now_, out_);
  const auto haves = sent<HaveFrame>(FrameType::kHave);
  ASSERT_EQ(haves.size(), 1U);
  EXPECT_EQ(haves[0].handle, 3U);
  EXPECT_EQ(haves[0].indices, (std::vector<ChunkIndex>{4, 9}));
}

TEST_F(Session, WithdrawnIndexIsToldAndItsWantsRefused) {
  serve_all();
  connect();
  ASSERT_TRUE(feed(WatchFrame{0, share_}));
  ASSERT_TRUE(feed(WantFrame{0, 9}));
  clear();
  manager_.drop_have(now_, share_, 9, out_);
  const auto sets = sent<HaveSetFrame>(FrameType::kHaveSet);
  ASSERT_EQ(sets.size(), 1U);
  EXPECT_EQ(sets[0].first, 8U);
  EXPECT_EQ(sets[0].bits, Buffer{0xbf});
  EXPECT_EQ(sent<RefuseFrame>(FrameType::kRefuse).size(), 1U);
  ASSERT_TRUE(feed(WantFrame{0, 9}));
  EXPECT_EQ(sent<RefuseFrame>(FrameType::kRefuse).size(), 2U);
}

TEST_F(Session, WantsAreServedInSectionsInOrder) {
  serve_all();
  connect();
  ASSERT_TRUE(feed(WatchFrame{0, share_}));
  ASSERT_TRUE(feed(WantFrame{0, 5}));
  ASSERT_EQ(out_.seals.size(), 1U);
  constexpr std::uint32_t kSize = 1'000'000;
  std::uint32_t next = 0;
  for (int i = 0; i < 20 && next < kSize; ++i) {
    ASSERT_EQ(out_.seals.size(), 1U);
    const SealRequest request = out_.seals[0];
    clear();
    EXPECT_EQ(request.offset, next);
    seal(request, kSize);
    ASSERT_EQ(out_.sections.size(), 1U);
    EXPECT_EQ(out_.sections[0].frame.offset, next);
    EXPECT_EQ(out_.sections[0].frame.size, kSize);
    next += out_.sections[0].frame.length;
  }
  EXPECT_EQ(next, kSize);
  EXPECT_TRUE(out_.seals.empty());
}

TEST_F(Session, CancelTakesEffectAtTheNextSectionAndIsAnswered) {
  serve_all();
  connect();
  ASSERT_TRUE(feed(WatchFrame{0, share_}));
  ASSERT_TRUE(feed(WantFrame{0, 5}));
  const SealRequest request = out_.seals.at(0);
  clear();
  ASSERT_TRUE(feed(CancelFrame{0, 5}));
  EXPECT_EQ(sent<RefuseFrame>(FrameType::kRefuse).size(), 1U);
  seal(request);
  EXPECT_TRUE(out_.sections.empty());
  manager_.on_wrote(now_, kConn, 3, 0, out_);
  EXPECT_EQ(manager_.send_reserved(), 0U);
  ASSERT_TRUE(feed(CancelFrame{0, 5}));  // of what ended already: no second answer
  EXPECT_EQ(sent<RefuseFrame>(FrameType::kRefuse).size(), 1U);
}

TEST_F(Session, StaleSealOfACancelledWantDoesNotServeItsSuccessorTwice) {
  serve_all();
  connect();
  ASSERT_TRUE(feed(WatchFrame{0, share_}));
  ASSERT_TRUE(feed(WantFrame{0, 5}));
  ASSERT_TRUE(feed(CancelFrame{0, 5}));
  ASSERT_TRUE(feed(WantFrame{0, 5}));
  ASSERT_EQ(out_.seals.size(), 2U);
  const auto seals = out_.seals;
  clear();
  seal(seals[0]);
  seal(seals[1]);
  EXPECT_EQ(out_.sections.size(), 1U);
  EXPECT_EQ(out_.sections[0].frame.length, kLength);
}

TEST_F(Session, StaleSealNeverStandsInForALaterSection) {
  constexpr std::uint32_t kSize = 1'000'000;
  serve_all();
  connect();
  ASSERT_TRUE(feed(WatchFrame{0, share_}));
  ASSERT_TRUE(feed(WantFrame{0, 5}));
  ASSERT_TRUE(feed(CancelFrame{0, 5}));
  ASSERT_TRUE(feed(WantFrame{0, 5}));
  ASSERT_EQ(out_.seals.size(), 2U);
  const auto seals = out_.seals;
  clear();
  seal(seals[0], kSize);  // taken for the new want, which goes on with its next section
  ASSERT_EQ(out_.seals.size(), 1U);
  const SealRequest next = out_.seals[0];
  clear();
  seal(seals[1], kSize);
  EXPECT_TRUE(out_.sections.empty());
  seal(next, kSize);
  ASSERT_EQ(out_.sections.size(), 1U);
  EXPECT_EQ(out_.sections[0].frame.offset, next.offset);
  EXPECT_GT(next.offset, 0U);
}

TEST_F(Session, CancelOfTheHandleUnwatches) {
  serve_all();
  connect();
  ASSERT_TRUE(feed(WatchFrame{0, share_}));
  ASSERT_TRUE(feed(WantFrame{0, 5}));
  ASSERT_TRUE(feed(WantFrame{0, 6}));
  clear();
  ASSERT_TRUE(feed(CancelFrame{0, std::nullopt}));
  EXPECT_EQ(sent<RefuseFrame>(FrameType::kRefuse).size(), 2U);
  clear();
  manager_.drop_have(now_, share_, 5, out_);
  EXPECT_TRUE(out_.frames.empty());
  expect_peer_fault(feed(WantFrame{0, 5}));
  EXPECT_TRUE(feed(WatchFrame{0, share_}));
}

TEST_F(Session, SealFailureRefuses) {
  serve_all();
  connect();
  ASSERT_TRUE(feed(WatchFrame{0, share_}));
  ASSERT_TRUE(feed(WantFrame{0, 5}));
  manager_.on_seal_failed(now_, out_.seals.at(0), out_);
  EXPECT_EQ(sent<RefuseFrame>(FrameType::kRefuse).size(), 1U);
  manager_.on_wrote(now_, kConn, 3, 0, out_);
  EXPECT_EQ(manager_.send_reserved(), 0U);
}

TEST_F(Session, WantsBeyondTheLimitAreAFault) {
  manager_.add_share(now_, share_, swarm_, false, out_);
  manager_.set_shape(now_, share_, 1'000, {}, Buffer(125, 0xff), out_);
  connect();
  ASSERT_TRUE(feed(WatchFrame{0, share_}));
  for (ChunkIndex i = 0; i < limits::kQueuedWantsPerPeer; ++i) {
    ASSERT_TRUE(feed(WantFrame{0, i})) << i;
  }
  expect_peer_fault(feed(WantFrame{0, 999}));
}

TEST_F(Session, WatchesBeyondTheLimitAreAFault) {
  connect();
  for (std::uint32_t i = 0; i < limits::kHandlesPerConnection; ++i) {
    ShareId id;
    store_be(id.mutable_view(), i);
    ASSERT_TRUE(feed(WatchFrame{i, id}));
  }
  expect_peer_fault(feed(WatchFrame{5'000, share_}));
}

TEST_F(Session, RepeatedAndUnknownReferencesAreFaults) {
  serve_all();
  connect();
  expect_peer_fault(feed(WantFrame{0, 1}));
  expect_peer_fault(feed(CancelFrame{0, 1}));
  expect_peer_fault(feed(BadFrame{0, 1}));
  ASSERT_TRUE(feed(WatchFrame{0, share_}));
  ASSERT_TRUE(feed(WantFrame{0, 1}));
  expect_peer_fault(feed(WantFrame{0, 1}));
  ShareId other;
  expect_peer_fault(feed(WatchFrame{0, other}));
  expect_peer_fault(feed(WatchFrame{1, share_}));
}

TEST_F(Session, BadReportsAreActedOnWithinALimit) {
  serve_all();
  connect();
  ASSERT_TRUE(feed(WatchFrame{0, share_}));
  for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(feed(BadFrame{0, 3}));
  EXPECT_EQ(events<CheckChunk>().size(), limits::kBadReportsBurst);
}

TEST_F(Session, OtherFramesAndUnknownConnectionsAreErrors) {
  connect();
  expect_peer_fault(feed(PingFrame{1}));
  const auto late = feed(WatchFrame{0, share_}, ConnId{99});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().blame, Blame::kNetwork);
  manager_.on_closed(now_, ConnId{99}, out_);
  manager_.on_section(now_, ConnId{99}, SlabChain(pool_, 1), out_);
  manager_.on_wrote(now_, ConnId{99}, 1, 1, out_);
  manager_.on_stored(now_, share_, 1, ConnId{99}, StoreOutcome::kStored, std::nullopt, out_);
}

TEST_F(Session, PeerThatDoesNotReadIsClosedAfterAMinute) {
  serve_all();
  connect();
  ASSERT_TRUE(feed(WatchFrame{0, share_}));
  for (ChunkIndex i = 0; i < kTotal; ++i) ASSERT_TRUE(feed(WantFrame{0, i}));
  for (std::size_t i = 0; i < out_.seals.size(); ++i) seal(SealRequest(out_.seals[i]));
  EXPECT_LE(manager_.send_reserved(), 2U << 20);
  EXPECT_GE(manager_.send_reserved(), 512U << 10);
  clear();
  // A record in half a minute is slow; a byte a second is as good as nothing.
  const auto read = [&](std::size_t n) {
    manager_.on_wrote(now_, kConn, n, manager_.send_reserved() - n, out_);
    manager_.on_timeout(now_, out_);
  };
  now_ += 30s;
  read(kRecordBytes);
  for (int second = 0; second < 59; ++second) {
    now_ += 1s;
    read(1);
  }
  EXPECT_TRUE(events<CloseConnection>().empty());
  now_ += 1s;
  read(1);
  EXPECT_EQ(events<CloseConnection>().size(), 1U);
  EXPECT_EQ(manager_.send_reserved(), 0U);
}

TEST_F(Session, FirstCopiesGoBeforeSecondOnes) {
  // Two peers want the same two chunks: each gets another one first.
  serve_two();
  limit({.up = 1});  // the bucket lets one section through, then no more
  ASSERT_TRUE(feed(WantFrame{0, 5}, ConnId{1}));
  ASSERT_TRUE(feed(WantFrame{0, 6}, ConnId{1}));
  ASSERT_TRUE(feed(WantFrame{0, 5}, ConnId{2}));
  ASSERT_TRUE(feed(WantFrame{0, 6}, ConnId{2}));
  ASSERT_EQ(out_.seals.size(), 1U);
  EXPECT_EQ(out_.seals[0].index, 5U);
  clear();
  limit({});
  ASSERT_EQ(out_.seals.size(), 3U);
  EXPECT_EQ(out_.seals[0].index, 6U);
}

TEST_F(Session, RootAndPagesNeverStandBackAsSecondCopies) {
  serve_two();
  // The first peer was sent root, page and two chunks, and wants more that nobody was sent.
  for (const ChunkIndex index : {0U, 1U, 5U, 6U}) {
    ASSERT_TRUE(feed(WantFrame{0, index}, ConnId{1}));
    seal(out_.seals.back());
  }
  clear();
  limit({.up = 1});
  for (ChunkIndex index = 7; index < 12; ++index) {
    ASSERT_TRUE(feed(WantFrame{0, index}, ConnId{1}));
  }
  for (const ChunkIndex index : {5U, 0U, 1U}) ASSERT_TRUE(feed(WantFrame{0, index}, ConnId{2}));
  clear();
  limit({});
  // A newcomer has its turn for them as if nobody had asked before; its copy of a chunk waits.
  std::vector<ChunkIndex> begun;
  for (const SealRequest& request : out_.seals) begun.push_back(request.index);
  EXPECT_LT(std::ranges::find(begun, 0U), std::ranges::find(begun, 9U));
  EXPECT_LT(std::ranges::find(begun, 1U), std::ranges::find(begun, 11U));
  EXPECT_EQ(begun.back(), 5U);
}

TEST_F(Session, ARoundOfASoleSourceEndsWithoutRootAndPages) {
  serve_two();
  // Pages come from other peers: all chunks make a round, after which none was sent.
  const auto send = [&](ChunkIndex index) {
    clear();
    ASSERT_TRUE(feed(WantFrame{0, index}, ConnId{1}));
    ASSERT_EQ(out_.seals.size(), 1U);
    seal(out_.seals[0]);
    manager_.on_wrote(now_, ConnId{1}, manager_.send_reserved(), 0, out_);
  };
  for (ChunkIndex index = 2; index < kTotal; ++index) send(index);
  send(5);
  clear();
  limit({.up = 1});
  for (const ChunkIndex index : {7U, 5U, 6U}) ASSERT_TRUE(feed(WantFrame{0, index}, ConnId{2}));
  clear();
  limit({});
  ASSERT_EQ(out_.seals.size(), 2U);
  EXPECT_EQ(out_.seals[0].index, 6U);  // a first copy of the new round
  EXPECT_EQ(out_.seals[1].index, 5U);
}

// --- anything ---

TEST(SessionModelTest, InvariantsHoldUnderRandomFrames) {
  std::size_t sections = 0;
  std::size_t chunks = 0;
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SeededRng rng(seed);
    Buffer input(500 + rng.uniform(6'000));
    rng.fill(input);
    SessionModel model(input);
    model.run();
    sections += model.sections_sent();
    chunks += model.chunks_stored();
  }
  // The model is worth something only if it gets somewhere.
  EXPECT_GT(sections, 1'000U);
  EXPECT_GT(chunks, 1'000U);
}

}  // namespace
}  // namespace kith::transfer::test
