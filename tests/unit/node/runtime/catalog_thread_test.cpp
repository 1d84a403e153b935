#include "node/runtime/catalog_thread.hpp"

#include <chrono>
#include <future>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

#include "storage/sqlite.hpp"
#include "tests/unit/storage/support.hpp"

namespace kith::node {
namespace {

using storage::Catalog;
using storage::test::TempDir;

CatalogWrite setting(const std::string& key, std::optional<std::uint64_t> ack = {}) {
  return {PutSetting{key, "value"}, ack, false};
}

class CatalogThreadTest : public testing::Test {
 protected:
  // What is written by then is committed.
  void end() { thread_.reset(); }
  bool has(const std::string& key) {
    auto catalog = Catalog::open_read_only(path_);
    return catalog && catalog->setting(key).value().has_value();
  }

  TempDir dir_;
  std::string path_ = dir_.path() + "/catalog.db";
  // Filled by the catalog thread; read after its end.
  std::vector<std::uint64_t> acks_;
  std::vector<std::string> errors_;
  std::size_t committed_ = 0;
  std::unique_ptr<CatalogThread> thread_ = std::make_unique<CatalogThread>(
      std::move(*Catalog::open(path_)), "boot",
      [this](CatalogDone done) {
        (done.error ? errors_.push_back(done.error->what) : acks_.push_back(done.ack));
      },
      [this](const CatalogBody&) { ++committed_; });
};

TEST_F(CatalogThreadTest, CommitsWhatItWasGivenBeforeItEnds) {
  for (int i = 0; i < 500; ++i) thread_->write(setting("key" + std::to_string(i)));
  end();
  EXPECT_TRUE(has("key0"));
  EXPECT_TRUE(has("key499"));
  EXPECT_EQ(committed_, 500U);
}

TEST_F(CatalogThreadTest, AnswersWhoAsksInOrderAndNobodyElse) {
  for (std::uint64_t i = 1; i <= 100; ++i) {
    thread_->write(setting("key", i % 2 == 0 ? std::optional(i) : std::nullopt));
  }
  end();
  std::vector<std::uint64_t> wanted;
  for (std::uint64_t i = 2; i <= 100; i += 2) wanted.push_back(i);
  EXPECT_EQ(acks_, wanted);
  EXPECT_THAT(errors_, testing::IsEmpty());
}

TEST_F(CatalogThreadTest, AWriteThatCannotBeExecutedTakesNoOtherWithIt) {
  // A page of a share that the catalog does not know breaks a foreign key.
  thread_->run([thread = thread_.get()](Catalog&) {
    for (int i = 0; i < 20; ++i) {  // one batch, with it in the middle
      thread->write(setting("key" + std::to_string(i), i));
      if (i == 10) thread->write({PutPage{ShareId(), 0, Buffer(10)}, 77, false});
    }
  });
  end();
  EXPECT_EQ(errors_.size(), 1U);
  EXPECT_EQ(acks_.size(), 20U);
  EXPECT_TRUE(has("key0"));
  EXPECT_TRUE(has("key19"));
}

TEST_F(CatalogThreadTest, TellsWhatItGaveBackWhenNothingIsLeftToSweep) {
  ShareId share;
  share.bytes[0] = 1;
  std::promise<std::uint64_t> freed, again, dry;
  // In one batch, so that nothing is swept before it is asked.
  thread_->run([&, thread = thread_.get()](Catalog&) {
    thread->write({PutShare{share, {}, {}, "name", Buffer(10)}, {}, false});
    for (std::uint32_t page = 0; page < 50; ++page) {
      thread->write({PutPage{share, page, Buffer(50'000, 1)}, {}, false});
    }
    thread->write({DeleteCopy{CopyId(1), share, true}, {}, false});
    thread->give_back(false, [&](std::uint64_t bytes) { freed.set_value(bytes); });
  });
  EXPECT_GT(freed.get_future().get(), 2'000'000U);
  thread_->give_back(true, [&](std::uint64_t bytes) { dry.set_value(bytes); });
  EXPECT_EQ(dry.get_future().get(), 0U);
  thread_->give_back(false, [&](std::uint64_t bytes) { again.set_value(bytes); });
  EXPECT_EQ(again.get_future().get(), 0U);
  end();
  EXPECT_THAT(errors_, testing::IsEmpty());
}

TEST_F(CatalogThreadTest, WorkRunsBetweenTheWritesAroundIt) {
  std::optional<bool> before, after;
  thread_->write(setting("before"));
  thread_->run([&](Catalog& catalog) {
    before = catalog.setting("before").value().has_value();
    after = catalog.setting("after").value().has_value();
  });
  thread_->write(setting("after"));
  end();
  EXPECT_EQ(before, true);
  EXPECT_EQ(after, false);
  EXPECT_TRUE(has("after"));
}

TEST_F(CatalogThreadTest, WhatARemovedShareLeavesIsSweptUpWhenNothingIsQueued) {
  constexpr std::uint32_t kPages = 300;  // several steps
  ShareId share;
  share.bytes[0] = 1;
  thread_->write({PutShare{share, {}, {}, "a share", Buffer(10)}, {}, false});
  for (std::uint32_t i = 0; i < kPages; ++i) {
    thread_->write({PutPage{share, i, Buffer(10)}, {}, false});
  }
  const auto rows = [&] {
    std::promise<std::int64_t> promise;
    thread_->run([&](Catalog&) {
      const auto db = storage::Db::open(path_, storage::DbMode::kReadOnly);
      promise.set_value((*db)->query_integer("SELECT count(*) FROM page").value());
    });
    return promise.get_future().get();
  };
  ASSERT_EQ(rows(), kPages);
  thread_->write({DeleteCopy{CopyId{1}, share, true}, {}, false});
  // It takes its steps between these. A thread that never does would be waited for in vain.
  const auto end_at = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (rows() > 0 && std::chrono::steady_clock::now() < end_at) std::this_thread::yield();
  EXPECT_EQ(rows(), 0);
}

}  // namespace
}  // namespace kith::node
