// Copies, driven by hand: what they ask of jobs, in every order in which results may come. Mostly a
// copy is filled from another of the same share, so that no peer is needed.
#include "node/engine/copies.hpp"

#include <algorithm>
#include <gtest/gtest.h>

#include "proto/crypto/random.hpp"
#include "proto/limits.hpp"

namespace kith::node {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kChunks = 2;
constexpr RequestId kFetch{2};

class CopiesTest : public testing::Test {
 protected:
  CopiesTest() {
    share_.bytes[0] = 1;
    swarm_.bytes[0] = 2;
    AddShare add;
    add.swarm = swarm_;
    add.share = share_;
    add.copy = CopyId{1};
    add.path = "/shared";
    add.root.name = "it";
    PageRef page;
    page.chunks = kChunks;
    page.bytes = 2'000;
    add.root.pages = {page};
    add.root.totals.bytes = page.bytes;
    add.root.totals.chunks = kChunks;
    root_ = add.root;
    run([&](Turn& turn) { copies_.add_share(turn, RequestId{1}, add); });
  }

  template <class F>
  void run(F&& input) {
    out_ = Outbox();
    Turn turn{now_, out_, transfer_out_};
    input(turn);
    transfer_out_ = transfer::Outbox();
  }
  /// The last job of this kind that the last call asked for.
  template <class J>
  const J* job() const {
    const J* found = nullptr;
    for (const Job& job : out_.jobs) {
      if (const J* j = std::get_if<J>(&job)) found = j;
    }
    return found;
  }
  template <class J>
  std::size_t jobs() const {
    return static_cast<std::size_t>(std::count_if(
        out_.jobs.begin(), out_.jobs.end(), [](const Job& j) { return get_if<J>(&j) != nullptr; }));
  }

  std::vector<Error> errors() const {
    std::vector<Error> out;
    for (const Reply& reply : out_.replies) {
      if (const auto* error = std::get_if<Error>(&reply.body)) out.push_back(*error);
    }
    return out;
  }

  void ask() {
    Fetch command;
    command.link.share = share_;
    command.directory = "/fetched";
    command.name = "it";
    run([&](Turn& turn) { copies_.fetch(turn, kFetch, command, swarm_, {}); });
  }
  FetchPrepared begin_fetch(bool fresh = true) {
    ask();
    FetchPrepared result;
    EXPECT_EQ(jobs<PrepareFetchJob>(), 1U);
    if (jobs<PrepareFetchJob>() == 1) copy_ = job<PrepareFetchJob>()->copy;
    result.copy = copy_;
    result.fresh = fresh;
    result.path = "/fetched/it";
    result.inode = 7;
    return result;
  }
  void prepared(const FetchPrepared& result) {
    run([&](Turn& turn) { copies_.on_prepared(turn, result); });
  }
  /// In another staging than before.
  void staged_anew() {
    FetchPrepared result;
    result.copy = copy_;
    result.inode = 8;
    prepared(result);
  }
  /// Begins, or goes on with, a fetch: its content is asked for when this returns.
  void fetch(bool fresh = true) { prepared(begin_fetch(fresh)); }
  void copied(std::uint32_t chunk, std::optional<Error> error = {}) {
    ChunkCopied result;
    result.to = copy_;
    result.error = std::move(error);
    result.share = share_;
    result.index = 2 + chunk;
    result.good = !result.error;
    run([&](Turn& turn) { copies_.on_copied(turn, result); });
  }
  /// Lets so much time pass that a sync is due.
  std::uint64_t begin_sync() {
    now_.mono += kSyncEvery;
    run([&](Turn& turn) { copies_.on_timeout(turn); });
    return job<SyncJob>() == nullptr ? 0 : job<SyncJob>()->mark;
  }
  void synced(std::uint64_t mark, std::optional<Error> error = {}) {
    run([&](Turn& turn) { copies_.on_synced(turn, {copy_, mark, std::move(error)}); });
  }

  SeededRng rng_{1};
  transfer::Manager transfer_{transfer::Config{limits::kReceiveBudget, limits::kSendBudget}, rng_};
  Copies copies_{transfer_, rng_};
  Now now_{TimePoint(1h), UnixMillis(0)};
  transfer::Outbox transfer_out_;
  Outbox out_;
  ShareId share_;
  SwarmId swarm_;
  Root root_;
  CopyId copy_{};
};

TEST_F(CopiesTest, AFetchIsFinishedOnlyWhenNoSyncIsUnderWay) {
  fetch();
  copied(0);
  const std::uint64_t mark = begin_sync();
  ASSERT_NE(mark, 0U);
  copied(1);
  EXPECT_EQ(jobs<FinishFetchJob>(), 0U);
  synced(mark);
  EXPECT_EQ(jobs<FinishFetchJob>(), 1U);
}

TEST_F(CopiesTest, ASyncThatFailedWhenTheLastChunkHadComeFailsTheFetch) {
  fetch();
  copied(0);
  const std::uint64_t mark = begin_sync();
  copied(1);
  synced(mark, local_error(Errc::kIo, "the disk is broken"));
  EXPECT_EQ(jobs<FinishFetchJob>(), 0U);
  ASSERT_EQ(out_.replies.size(), 1U);
  EXPECT_EQ(std::get<Error>(out_.replies.front().body).code, Errc::kIo);
}

TEST_F(CopiesTest, WhatWasNotSyncedWhenTheDiskFailedIsWrittenAgain) {
  fetch();
  copied(0);
  const std::uint64_t first = begin_sync();
  synced(first);
  copied(1);
  ASSERT_EQ(jobs<FinishFetchJob>(), 1U);
  FetchFinished failed;
  failed.copy = copy_;
  failed.error = local_error(Errc::kIo, "the disk is broken");
  run([&](Turn& turn) { copies_.on_finished(turn, failed); });
  fetch(false);
  EXPECT_EQ(jobs<CopyChunkJob>(), kChunks);
}

TEST_F(CopiesTest, WritingBeginsLongBeforeASyncWaitsForIt) {
  fetch();
  copied(0);
  now_.mono += kFlushEvery;
  run([&](Turn& turn) { copies_.on_timeout(turn); });
  ASSERT_EQ(jobs<SyncJob>(), 1U);
  EXPECT_EQ(job<SyncJob>()->mark, 0U);
  EXPECT_EQ(begin_sync(), 0U) << "one at a time";
  synced(0);
  EXPECT_NE(begin_sync(), 0U);
}

// Its client leaves while the staging is made, which another client's leaving must not hide.
TEST_F(CopiesTest, AFetchThatWasLeftPausesWhoeverElseLeaves) {
  const auto prepare = begin_fetch();
  run([&](Turn& turn) { copies_.cancel_request(turn, kFetch); });
  run([&](Turn& turn) { copies_.cancel_request(turn, RequestId{99}); });
  prepared(prepare);
  EXPECT_EQ(jobs<CopyChunkJob>(), 0U);
  EXPECT_EQ(copies_.view(copy_).state, "paused");
}

TEST_F(CopiesTest, AFetchThatLostAChunkWhileItWasFinishedFetchesItAgain) {
  fetch();
  copied(0);
  copied(1);
  ASSERT_EQ(jobs<FinishFetchJob>(), 1U);
  const Error wrong = local_error(Errc::kVerification, "its bytes changed");
  run([&](Turn& turn) { copies_.withdraw(turn, copy_, share_, 3, wrong, "a file"); });
  FetchFinished done;
  done.copy = copy_;
  run([&](Turn& turn) { copies_.on_finished(turn, done); });
  ASSERT_EQ(jobs<CopyChunkJob>(), 1U);
  EXPECT_EQ(job<CopyChunkJob>()->index, 3U);
  copied(1);
  EXPECT_EQ(jobs<FinishFetchJob>(), 1U);
}

FetchFinished altered(CopyId copy, std::vector<ChunkIndex> chunks) {
  FetchFinished out;
  out.copy = copy;
  out.altered = std::move(chunks);
  out.altered_path = "/fetched/.it/a";
  return out;
}

TEST_F(CopiesTest, AFileThatWasChangedInTheStagingIsCopiedAgainOnce) {
  fetch();
  copied(0);
  copied(1);
  ASSERT_EQ(jobs<FinishFetchJob>(), 1U);
  run([&](Turn& turn) { copies_.on_finished(turn, altered(copy_, {3})); });
  ASSERT_EQ(jobs<CopyChunkJob>(), 1U);
  EXPECT_EQ(job<CopyChunkJob>()->index, 3U);
  copied(1);
  ASSERT_EQ(jobs<FinishFetchJob>(), 1U);
  run([&](Turn& turn) { copies_.on_finished(turn, altered(copy_, {2})); });
  ASSERT_EQ(out_.replies.size(), 1U) << "who changes it again must be told";
  const Error error = std::get<Error>(out_.replies.front().body);
  EXPECT_EQ(error.code, Errc::kChanged);
  EXPECT_EQ(error.subject, "/fetched/.it/a");
  fetch(false);
  ASSERT_EQ(jobs<CopyChunkJob>(), 1U) << "the same command repairs it";
  EXPECT_EQ(job<CopyChunkJob>()->index, 2U);
}

// It would begin in another staging while they write into the one before: what they did is not
// there, and what they met is no matter of this one.
TEST_F(CopiesTest, AFetchThatFailedBeginsAnewWhenItsJobsAreBack) {
  fetch();
  ASSERT_EQ(jobs<CopyChunkJob>(), kChunks);
  const Error gone = local_error(Errc::kNotFound, "somebody removed the staging");
  copied(0, gone);
  ASSERT_EQ(errors().size(), 1U);
  ask();
  EXPECT_EQ(jobs<PrepareFetchJob>(), 0U);
  copied(1);
  ASSERT_EQ(jobs<PrepareFetchJob>(), 1U);
  EXPECT_EQ(copies_.view(copy_).bytes_have, 0U);
  staged_anew();
  copied(0);
  EXPECT_EQ(jobs<FinishFetchJob>(), 0U);
  copied(1);
  EXPECT_EQ(jobs<FinishFetchJob>(), 1U);
}

TEST_F(CopiesTest, AFetchThatFailedBeginsAnewWhenItsSyncIsOver) {
  fetch();
  copied(0);
  const std::uint64_t mark = begin_sync();
  copied(1, local_error(Errc::kNotFound, "somebody removed the staging"));
  ask();
  EXPECT_EQ(jobs<PrepareFetchJob>(), 0U);
  synced(mark, local_error(Errc::kNotFound, "somebody removed the staging"));
  EXPECT_TRUE(errors().empty());
  EXPECT_EQ(jobs<PrepareFetchJob>(), 1U);
}

// What came so far is somebody's: only `cancel` may throw it away.
TEST_F(CopiesTest, UnshareOfAFetchIsRefused) {
  fetch();
  copied(0);
  for (const char* state : {"fetching", "paused"}) {
    EXPECT_EQ(copies_.view(copy_).state, state);
    run([&](Turn& turn) {
      const auto refused = copies_.unshare(turn, copy_);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, Errc::kConflict);
    });
    EXPECT_EQ(jobs<DiscardFetchJob>(), 0U);
    EXPECT_EQ(copies_.view(copy_).bytes_have, 1'000U);
    run([&](Turn& turn) { copies_.cancel_request(turn, kFetch); });
  }
}

// A fetch from peers serves what it has: what one of them calls bad is looked into.
class FetchedCopies : public CopiesTest {
 protected:
  void SetUp() override {
    run([&](Turn& turn) { ASSERT_TRUE(copies_.unshare(turn, CopyId{1})); });
    ask();
    RootOpened root;
    root.share = share_;
    root.outcome = transfer::StoreOutcome::kStored;
    root.root = root_;
    run([&](Turn& turn) { copies_.on_root(turn, root); });
    ASSERT_EQ(jobs<PrepareFetchJob>(), 1U);
    FetchPrepared prepared;
    prepared.copy = copy_ = job<PrepareFetchJob>()->copy;
    prepared.inode = 7;
    run([&](Turn& turn) { copies_.on_prepared(turn, prepared); });
    PageOpened page;
    page.share = share_;
    page.index = 1;
    page.outcome = transfer::StoreOutcome::kStored;
    page.lengths.assign(kChunks, 1'000);
    run([&](Turn& turn) { copies_.on_page(turn, page); });
  }
  /// It came from a peer, and is at a job.
  void arrives(std::uint32_t chunk) {
    transfer::StoreRequest store;
    store.share = share_;
    store.index = 2 + chunk;
    EXPECT_TRUE(copies_.store_job(std::move(store), {}, {}));
  }
  void written(std::uint32_t chunk) {
    arrives(chunk);
    stored(chunk);
  }
  void stored(std::uint32_t chunk) {
    ChunkWritten result;
    result.copy = copy_;
    result.share = share_;
    result.index = 2 + chunk;
    result.outcome = transfer::StoreOutcome::kStored;
    run([&](Turn& turn) { copies_.on_chunk(turn, result); });
    run([&](Turn& turn) { copies_.on_event(turn, transfer::FetchComplete{share_}); });
  }
  void verified(std::uint32_t chunk, bool good) {
    ChunkVerified result;
    result.copy = copy_;
    result.verify = kForFetch;
    result.share = share_;
    result.index = 2 + chunk;
    result.good = good;
    run([&](Turn& turn) { copies_.on_verified(turn, result); });
  }
};

TEST_F(FetchedCopies, AChunkThatIsCalledBadIsCheckedAndFetchedAgainIfItIs) {
  written(0);
  run([&](Turn& turn) { copies_.on_event(turn, transfer::CheckChunk{share_, 2}); });
  ASSERT_EQ(jobs<VerifyChunkJob>(), 1U);
  written(1);
  EXPECT_EQ(jobs<FinishFetchJob>(), 0U) << "the check is not over";
  verified(0, false);
  EXPECT_EQ(jobs<FinishFetchJob>(), 0U);
  EXPECT_EQ(copies_.view(copy_).bytes_have, 1'000U);
  written(0);
  EXPECT_EQ(jobs<FinishFetchJob>(), 1U);
}

TEST_F(FetchedCopies, AChunkThatIsCalledBadAndIsNotDelaysTheEndOnly) {
  written(0);
  run([&](Turn& turn) { copies_.on_event(turn, transfer::CheckChunk{share_, 2}); });
  written(1);
  verified(0, true);
  EXPECT_EQ(jobs<FinishFetchJob>(), 1U);
}

TEST_F(FetchedCopies, AFileThatWasChangedInTheStagingIsHashedBeforeItIsFetchedAgain) {
  written(0);
  written(1);
  ASSERT_EQ(jobs<FinishFetchJob>(), 1U);
  run([&](Turn& turn) { copies_.on_finished(turn, altered(copy_, {2, 3})); });
  ASSERT_EQ(jobs<VerifyChunkJob>(), 2U);
  EXPECT_EQ(copies_.view(copy_).bytes_have, 0U);
  verified(0, true);
  verified(1, false);
  EXPECT_EQ(copies_.view(copy_).bytes_have, 1'000U);
  EXPECT_EQ(jobs<FinishFetchJob>(), 0U);
  written(1);
  EXPECT_EQ(jobs<FinishFetchJob>(), 1U);
}

TEST_F(FetchedCopies, WhatALateJobWroteIntoTheEarlierStagingIsNotHeld) {
  const Error gone = local_error(Errc::kNotFound, "somebody removed the staging");
  arrives(0);
  run([&](Turn& turn) { copies_.on_event(turn, transfer::FetchFailed{share_, gone}); });
  ASSERT_EQ(errors().size(), 1U);
  ask();
  EXPECT_EQ(jobs<PrepareFetchJob>(), 0U);
  stored(0);
  EXPECT_EQ(copies_.view(copy_).bytes_have, 0U);
  staged_anew();
  written(0);
  EXPECT_EQ(copies_.view(copy_).bytes_have, 1'000U);
  written(1);
  EXPECT_EQ(jobs<FinishFetchJob>(), 1U);
}

TEST_F(FetchedCopies, WhatIsBeingCheckedWhenItPausesIsCheckedAgain) {
  written(0);
  run([&](Turn& turn) { copies_.on_event(turn, transfer::CheckChunk{share_, 2}); });
  ASSERT_EQ(jobs<VerifyChunkJob>(), 1U);
  run([&](Turn& turn) { copies_.cancel_request(turn, kFetch); });
  verified(0, false);
  fetch(false);
  EXPECT_EQ(jobs<VerifyChunkJob>(), 1U);
}

TEST_F(FetchedCopies, WhoLacksTheRestNamesAFileOfIt) {
  written(0);
  now_.mono += kLookFor;
  run([&](Turn& turn) { copies_.on_timeout(turn); });
  ASSERT_EQ(jobs<LocateChunkJob>(), 1U);
  EXPECT_EQ(job<LocateChunkJob>()->index, 3U);
  EXPECT_TRUE(errors().empty());
  run([&](Turn& turn) { copies_.on_timeout(turn); });
  EXPECT_EQ(jobs<LocateChunkJob>(), 0U) << "once is enough";
  run([&](Turn& turn) { copies_.on_located(turn, {copy_, 3, "d/a"}); });
  ASSERT_EQ(errors().size(), 1U);
  const Error error = errors().front();
  EXPECT_EQ(error.code, Errc::kNotFound);
  EXPECT_EQ(error.subject, "d/a");
}

TEST_F(FetchedCopies, WhatCameWhileTheFileWasLookedUpIsProgress) {
  now_.mono += kLookFor;
  run([&](Turn& turn) { copies_.on_timeout(turn); });
  ASSERT_EQ(jobs<LocateChunkJob>(), 1U);
  written(0);
  run([&](Turn& turn) { copies_.on_located(turn, {copy_, 2, "a"}); });
  EXPECT_TRUE(errors().empty()) << "it has something new";
}

}  // namespace
}  // namespace kith::node
