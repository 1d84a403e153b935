#include "storage/catalog.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "storage/memory_file_io.hpp"
#include "storage/schema.hpp"
#include "tests/unit/storage/support.hpp"

namespace kith::storage::test {
namespace {

template <class Fixed>
Fixed id(std::uint8_t value) {
  Fixed out;
  out.bytes.fill(value);
  return out;
}

ShareRecord a_share(std::uint8_t value) {
  return {id<ShareId>(value), id<SwarmId>(9), "name " + std::to_string(value), id<ChunkKey>(value),
          Buffer(10, value)};
}

class CatalogTest : public testing::Test {
 protected:
  CatalogTest() : catalog_(std::move(*Catalog::open_in_memory())) {}
  Catalog catalog_;
};

TEST_F(CatalogTest, Settings) {
  EXPECT_FALSE(*catalog_.setting("port"));
  ASSERT_OK(catalog_.put_setting("port", "5484"));
  ASSERT_OK(catalog_.put_setting("port", std::string("\0\xff", 2)));
  EXPECT_EQ(**catalog_.setting("port"), std::string("\0\xff", 2));
  ASSERT_OK(catalog_.put_setting("port", ""));
  EXPECT_EQ(**catalog_.setting("port"), "");
}

TEST_F(CatalogTest, SwarmsWithOpsWrapsAndPeers) {
  const auto one = id<SwarmId>(1), two = id<SwarmId>(2);
  ASSERT_OK(catalog_.put_swarm({one, Secret(Buffer(32, 7))}));
  ASSERT_OK(catalog_.put_swarm({two, Secret(Buffer(32, 8))}));
  for (const std::uint8_t op : std::vector<std::uint8_t>{3, 1, 2, 1}) {
    ASSERT_OK(catalog_.put_op(one, id<OpId>(op), Buffer(op, op)));
  }
  ASSERT_OK(catalog_.put_op(two, id<OpId>(1), Buffer(1, 42)));
  ASSERT_OK(catalog_.put_wraps(one, id<OpId>(5), Buffer(3, 1)));
  ASSERT_OK(catalog_.put_wraps(one, id<OpId>(5), Buffer(4, 2)));
  EXPECT_EQ(*catalog_.ops(one), (std::vector{Buffer(3, 3), Buffer(1, 1), Buffer(2, 2)}));
  EXPECT_EQ(**catalog_.wraps(one, id<OpId>(5)), Buffer(4, 2));
  EXPECT_FALSE(*catalog_.wraps(two, id<OpId>(5)));
  EXPECT_EQ(catalog_.swarms()->size(), 2U);
  ASSERT_OK(catalog_.remove_swarm(one));
  EXPECT_TRUE(catalog_.ops(one)->empty());
  EXPECT_EQ(catalog_.ops(two)->size(), 1U);
  ASSERT_EQ(catalog_.swarms()->size(), 1U);
  EXPECT_EQ(catalog_.swarms()->front().id, two);
  EXPECT_EQ(catalog_.swarms()->front().secret, Secret(Buffer(32, 8)));
}

TEST_F(CatalogTest, PeersComeLatestFirst) {
  const auto swarm = id<SwarmId>(1);
  const auto v4 = *Endpoint::parse("192.0.2.1:5484"), v6 = *Endpoint::parse("[2001:db8::1]:1");
  const PeerRecord old{swarm, id<DeviceId>(1), {v4, v6}, UnixMillis(10)};
  PeerRecord recent{swarm, id<DeviceId>(2), {}, UnixMillis(20)};
  ASSERT_OK(catalog_.put_peer(old));
  ASSERT_OK(catalog_.put_peer(recent));
  recent.seen = UnixMillis(30);
  recent.endpoints = {v6};
  ASSERT_OK(catalog_.put_peer(recent));
  EXPECT_EQ(*catalog_.peers(swarm, 10), (std::vector{recent, old}));
  EXPECT_EQ(*catalog_.peers(swarm, 1), std::vector{recent});
}

TEST_F(CatalogTest, SharesAndPages) {
  const ShareRecord share = a_share(1);
  EXPECT_ERROR(catalog_.put_page(share.id, 0, Buffer(3)), Errc::kNotFound);
  ASSERT_OK(catalog_.put_share(share));
  ASSERT_OK(catalog_.put_share(share));
  ASSERT_OK(catalog_.put_page(share.id, 2, Buffer(300'000, 2)));
  ASSERT_OK(catalog_.put_page(share.id, 0, Buffer(3, 1)));
  ASSERT_OK(catalog_.put_page(share.id, 0, Buffer(3, 1)));
  EXPECT_EQ(**catalog_.share(share.id), share);
  EXPECT_FALSE(*catalog_.share(id<ShareId>(7)));
  EXPECT_EQ(*catalog_.shares(), std::vector{share});
  EXPECT_EQ(**catalog_.page(share.id, 2), Buffer(300'000, 2));
  EXPECT_FALSE(*catalog_.page(share.id, 1));
  EXPECT_EQ(*catalog_.pages(share.id), (std::vector<std::uint32_t>{0, 2}));
}

TEST_F(CatalogTest, CopiesWithTheirHaveSets) {
  ASSERT_OK(catalog_.put_share(a_share(1)));
  CopyRecord copy{CopyId(5),  id<ShareId>(1), CopyState::kFetching, true,       true, false,
                  "/dir\xff", "name",         "/dir\xff/name",      UINT64_MAX, 77};
  ASSERT_OK(catalog_.put_copy(copy));
  copy.safe_links = true;
  copy.swarm = id<SwarmId>(9);  // another one than its share came from
  copy.inode = 78;
  ASSERT_OK(catalog_.put_copy(copy));
  EXPECT_EQ(*catalog_.copies(), std::vector{copy});
  ASSERT_OK(catalog_.set_copy_state(copy.id, CopyState::kComplete, "/else"));
  copy.state = CopyState::kComplete;
  copy.path = "/else";
  EXPECT_EQ(*catalog_.copies(), std::vector{copy});
  EXPECT_ERROR(catalog_.set_copy_state(CopyId(6), CopyState::kComplete, ""), Errc::kNotFound);
  CopyRecord orphan = copy;
  orphan.share = id<ShareId>(2);
  EXPECT_ERROR(catalog_.put_copy(orphan), Errc::kNotFound);

  const HaveRow first{0, Buffer(kHaveRowBytes, 0xff), false, "boot 1"};
  const HaveRow last{2 * kHaveRowBits, Buffer(7, 0x80), false, "boot 1"};
  const HaveRow durable{0, Buffer(kHaveRowBytes, 0x0f), true, "boot 1"};
  for (const HaveRow& row : {durable, last, first}) ASSERT_OK(catalog_.put_have(copy.id, row));
  EXPECT_EQ(*catalog_.have(copy.id), (std::vector{first, last, durable}));
  HaveRow changed = last;
  changed.boot = "boot 2";
  changed.bits[3] = 1;
  ASSERT_OK(catalog_.put_have(copy.id, changed));
  EXPECT_EQ(*catalog_.have(copy.id), (std::vector{first, changed, durable}));
  for (const HaveRow& bad : {HaveRow{1, Buffer(1), false, ""}, HaveRow{0, Buffer(), false, ""},
                             HaveRow{0, Buffer(kHaveRowBytes + 1), false, ""}}) {
    EXPECT_ERROR(catalog_.put_have(copy.id, bad), Errc::kMalformed);
  }

  ASSERT_OK(catalog_.put_file_stats(copy.id, 3, Buffer(5, 1)));
  EXPECT_EQ(**catalog_.file_stats(copy.id, 3), Buffer(5, 1));
  EXPECT_FALSE(*catalog_.file_stats(copy.id, 2));

  EXPECT_ERROR(catalog_.remove_share(id<ShareId>(1)), Errc::kConflict);  // it has a copy
  ASSERT_OK(catalog_.remove_copy(copy.id));
  EXPECT_TRUE(catalog_.have(copy.id)->empty());
  while (*catalog_.sweep()) continue;
  EXPECT_FALSE(*catalog_.file_stats(copy.id, 3));
  EXPECT_OK(catalog_.remove_share(id<ShareId>(1)));
}

TEST_F(CatalogTest, StatesOfFilesGoInStepsAndStayWhereTheRemovalDidNotHappen) {
  ASSERT_OK(catalog_.put_share(a_share(1)));
  CopyRecord copy;
  copy.share = id<ShareId>(1);
  for (const auto number : {1U, 2U}) {
    copy.id = CopyId{number};
    ASSERT_OK(catalog_.put_copy(copy));
    for (std::uint32_t page = 0; page < 100; ++page) {
      ASSERT_OK(catalog_.put_file_stats(copy.id, page, Buffer(5)));
    }
  }
  ASSERT_OK(catalog_.remove_copy(CopyId{1}));
  ASSERT_OK(catalog_.begin());
  ASSERT_OK(catalog_.remove_copy(CopyId{2}));
  catalog_.roll_back();
  int steps = 0;
  while (*catalog_.sweep()) ++steps;
  EXPECT_GE(steps, 4) << "all at once";
  for (std::uint32_t page = 0; page < 100; ++page) {
    EXPECT_FALSE(*catalog_.file_stats(CopyId{1}, page));
    EXPECT_TRUE(*catalog_.file_stats(CopyId{2}, page));
  }
}

TEST_F(CatalogTest, ChunksAreFoundByTheirFirstBytes) {
  ASSERT_OK(catalog_.put_share(a_share(1)));
  ASSERT_OK(catalog_.put_share(a_share(2)));
  ChunkId same_start = id<ChunkId>(7);
  same_start.bytes[31] = 0;
  ASSERT_OK(
      catalog_.index_chunks(id<ShareId>(1), 10, std::vector{id<ChunkId>(7), id<ChunkId>(200)}));
  ASSERT_OK(catalog_.index_chunks(id<ShareId>(2), 0, std::vector{same_start}));
  ASSERT_OK(catalog_.index_plain(id<ShareId>(1), 3, std::vector{id<PlainHash>(7)}));
  EXPECT_EQ(*catalog_.find_chunk(id<ChunkId>(7)),
            (std::vector<ChunkPlace>{{id<ShareId>(1), 10}, {id<ShareId>(2), 0}}));
  EXPECT_EQ(*catalog_.find_chunk(id<ChunkId>(200)),
            (std::vector<ChunkPlace>{{id<ShareId>(1), 11}}));
  EXPECT_EQ(*catalog_.find_plain(id<PlainHash>(7)), (std::vector<ChunkPlace>{{id<ShareId>(1), 3}}));
  EXPECT_TRUE(catalog_.find_plain(id<PlainHash>(8))->empty());
}

TEST_F(CatalogTest, TheScrubOfACopyIsKeptWithIt) {
  ASSERT_OK(catalog_.put_share(a_share(1)));
  const ScrubRecord record{7, UnixMillis(1'800'000'000'000), 3, 2};
  ASSERT_OK(catalog_.put_scrub(CopyId{5}, record));
  EXPECT_FALSE(*catalog_.scrub(CopyId{5})) << "there is no such copy";
  CopyRecord copy;
  copy.id = CopyId{5};
  copy.share = a_share(1).id;
  ASSERT_OK(catalog_.put_copy(copy));
  EXPECT_FALSE(*catalog_.scrub(CopyId{5}));
  ASSERT_OK(catalog_.put_scrub(CopyId{5}, {}));
  ASSERT_OK(catalog_.put_scrub(CopyId{5}, record));
  EXPECT_EQ(**catalog_.scrub(CopyId{5}), record);
  ASSERT_OK(catalog_.remove_copy(CopyId{5}));
  EXPECT_FALSE(*catalog_.scrub(CopyId{5}));
}

TEST_F(CatalogTest, AVersionTakesOverHashesOfTheOneBefore) {
  ASSERT_OK(catalog_.put_share(a_share(1)));
  ASSERT_OK(catalog_.put_share(a_share(2)));
  const std::vector hashes{id<PlainHash>(5), id<PlainHash>(6), id<PlainHash>(7), id<PlainHash>(8)};
  ASSERT_OK(catalog_.index_plain(id<ShareId>(1), 10, hashes));
  ASSERT_OK(catalog_.copy_plain(id<ShareId>(1), 11, id<ShareId>(2), 3, 2));
  EXPECT_EQ(catalog_.find_plain(id<PlainHash>(5))->size(), 1U);
  EXPECT_EQ(catalog_.find_plain(id<PlainHash>(8))->size(), 1U);
  ASSERT_OK(catalog_.remove_share(id<ShareId>(1)));
  while (*catalog_.sweep()) continue;
  EXPECT_EQ(*catalog_.find_plain(id<PlainHash>(6)), (std::vector<ChunkPlace>{{id<ShareId>(2), 3}}));
  EXPECT_EQ(*catalog_.find_plain(id<PlainHash>(7)), (std::vector<ChunkPlace>{{id<ShareId>(2), 4}}));
}

TEST_F(CatalogTest, SweepingTakesAwayWhatRemovedSharesLeft) {
  ASSERT_OK(catalog_.begin());
  SeededRng rng(1);
  std::vector<ChunkId> ids(10'000);
  for (ChunkId& chunk : ids) chunk = rng.random<ChunkId>();
  for (const std::uint8_t value : std::vector<std::uint8_t>{1, 2}) {
    const ShareRecord share = a_share(value);
    ASSERT_OK(catalog_.put_share(share));
    for (std::uint32_t page = 0; page < 100; ++page) {
      ASSERT_OK(catalog_.put_page(share.id, page, Buffer(10, value)));
    }
    ASSERT_OK(catalog_.index_chunks(share.id, 0, ids));
  }
  ASSERT_OK(catalog_.remove_share(id<ShareId>(1)));
  EXPECT_EQ(catalog_.find_chunk(ids[0])->size(), 1U);
  int steps = 0;
  while (*catalog_.sweep()) ++steps;
  EXPECT_GE(steps, 2);  // not all at once
  ASSERT_OK(catalog_.commit());
  EXPECT_EQ(catalog_.pages(id<ShareId>(2))->size(), 100U);
  for (std::size_t i = 0; i < ids.size(); i += 97) {
    EXPECT_EQ(*catalog_.find_chunk(ids[i]),
              (std::vector<ChunkPlace>{{id<ShareId>(2), static_cast<std::uint32_t>(i)}}));
  }
  // A share that comes back does not inherit what was left.
  ASSERT_OK(catalog_.put_share(a_share(1)));
  EXPECT_TRUE(catalog_.pages(id<ShareId>(1))->empty());
  EXPECT_EQ(catalog_.find_chunk(ids[0])->size(), 1U);
}

TEST_F(CatalogTest, WhatNeverBecameACopyIsRemovedAtAStart) {
  for (const std::uint8_t value : std::vector<std::uint8_t>{1, 2}) {
    ASSERT_OK(catalog_.put_share(a_share(value)));
    ASSERT_OK(catalog_.put_page(id<ShareId>(value), 0, Buffer(10, value)));
    ASSERT_OK(catalog_.index_chunks(id<ShareId>(value), 0, std::vector{id<ChunkId>(value)}));
    ASSERT_OK(catalog_.put_file_stats(CopyId(value), 0, Buffer(5, value)));
  }
  CopyRecord copy;
  copy.id = CopyId(2);
  copy.share = id<ShareId>(2);
  ASSERT_OK(catalog_.put_copy(copy));
  ASSERT_OK(catalog_.remove_unused());
  while (*catalog_.sweep()) continue;
  EXPECT_FALSE(*catalog_.share(id<ShareId>(1)));
  EXPECT_FALSE(*catalog_.file_stats(CopyId(1), 0));
  EXPECT_TRUE(catalog_.find_chunk(id<ChunkId>(1))->empty());
  EXPECT_TRUE(*catalog_.share(id<ShareId>(2)));
  EXPECT_TRUE(*catalog_.file_stats(CopyId(2), 0));
  EXPECT_EQ(catalog_.pages(id<ShareId>(2))->size(), 1U);
  EXPECT_EQ(catalog_.find_chunk(id<ChunkId>(2))->size(), 1U);
}

TEST_F(CatalogTest, AGroupIsAllOrNothing) {
  ASSERT_OK(catalog_.begin());
  ASSERT_OK(catalog_.put_setting("a", "1"));
  catalog_.roll_back();
  EXPECT_FALSE(*catalog_.setting("a"));
  ASSERT_OK(catalog_.begin());
  ASSERT_OK(catalog_.put_setting("a", "2"));
  ASSERT_OK(catalog_.commit_full());
  EXPECT_EQ(**catalog_.setting("a"), "2");
}

// --- the file ---

class CatalogFile : public testing::Test {
 protected:
  std::string path() const { return dir_.path() + "/catalog.db"; }
  std::string content() const {
    std::ifstream in(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void overwrite(const std::string& with) const {
    std::ofstream(path(), std::ios::binary | std::ios::trunc) << with;
  }
  TempDir dir_;
};

TEST_F(CatalogFile, KeepsWhatWasCommitted) {
  {
    auto catalog = Catalog::open(path());
    ASSERT_OK(catalog);
    ASSERT_OK(catalog->begin());
    ASSERT_OK(catalog->put_share(a_share(1)));
    ASSERT_OK(catalog->commit_full());
    ASSERT_OK(catalog->begin());
    ASSERT_OK(catalog->put_share(a_share(2)));
  }
  auto catalog = Catalog::open(path());
  ASSERT_OK(catalog);
  EXPECT_EQ(*catalog->shares(), std::vector{a_share(1)});
  EXPECT_EQ(std::filesystem::status(path()).permissions(), std::filesystem::perms{0600});
}

TEST_F(CatalogFile, ReadersSeeCommitsAndChangeNothing) {
  auto writer = Catalog::open(path());
  ASSERT_OK(writer);
  auto reader = Catalog::open_read_only(path());
  ASSERT_OK(reader);
  ASSERT_OK(writer->begin());
  ASSERT_OK(writer->put_setting("a", "1"));
  EXPECT_FALSE(*reader->setting("a"));
  ASSERT_OK(writer->commit());
  EXPECT_EQ(**reader->setting("a"), "1");
  EXPECT_ERROR(reader->put_setting("a", "2"), Errc::kRefused);
}

// Pages of a share, so that the file has some megabytes.
void fill(Catalog& catalog) {
  ASSERT_OK(catalog.begin());
  ASSERT_OK(catalog.put_share(a_share(1)));
  for (std::uint32_t page = 0; page < 100; ++page) {
    ASSERT_OK(catalog.put_page(id<ShareId>(1), page, Buffer(50'000, 1)));
  }
  ASSERT_OK(catalog.commit());
}

// As the catalog thread does when it is idle. How many steps it took.
int sweep(Catalog& catalog) {
  for (int steps = 0;; ++steps) {
    EXPECT_TRUE(catalog.begin());
    const auto more = catalog.sweep();
    EXPECT_TRUE(more);
    EXPECT_TRUE(catalog.commit());
    if (!more || !*more) return steps;
  }
}

TEST_F(CatalogFile, GivesBackTheRoomOfWhatWasRemovedInSteps) {
  auto catalog = Catalog::open(path());
  ASSERT_OK(catalog);
  auto reader = Catalog::open_read_only(path());
  ASSERT_OK(reader);
  ASSERT_OK(catalog->put_share(a_share(2)));
  fill(*catalog);
  ASSERT_OK(catalog->checkpoint());
  EXPECT_GT(std::filesystem::file_size(path()), 5'000'000U);
  ASSERT_OK(catalog->remove_share(id<ShareId>(1)));
  EXPECT_GT(sweep(*catalog), 4) << "all at once";
  EXPECT_LT(catalog->size()->bytes, 300'000U);
  EXPECT_EQ(catalog->size()->free_bytes, 0U);
  ASSERT_OK(catalog->checkpoint());
  EXPECT_LT(std::filesystem::file_size(path()), 300'000U);
  EXPECT_EQ(*reader->shares(), std::vector{a_share(2)});
  EXPECT_OK(catalog->check());
}

TEST_F(CatalogFile, ASmallOneOfAnEarlierVersionGivesBackRoomToo) {
  ASSERT_OK(Catalog::open(path()));
  {
    auto db = Db::open(path(), DbMode::kReadWrite);
    ASSERT_OK(db);
    ASSERT_OK((*db)->exec("PRAGMA journal_mode=DELETE; PRAGMA auto_vacuum=NONE; VACUUM"));
    ASSERT_EQ(*(*db)->query_integer("PRAGMA auto_vacuum"), 0);
  }
  auto catalog = Catalog::open(path());
  ASSERT_OK(catalog);
  fill(*catalog);
  ASSERT_OK(catalog->remove_share(id<ShareId>(1)));
  sweep(*catalog);
  EXPECT_LT(catalog->size()->bytes, 300'000U);
}

TEST_F(CatalogFile, ALargeOneOfAnEarlierVersionIsOpenedAsItIs) {
  {
    auto catalog = Catalog::open(path());
    ASSERT_OK(catalog);
    fill(*catalog);
    ASSERT_OK(catalog->put_share(a_share(2)));
    ASSERT_OK(catalog->put_page(id<ShareId>(2), 0, Buffer(5'000'000, 1)));
  }
  {
    auto db = Db::open(path(), DbMode::kReadWrite);
    ASSERT_OK(db);
    ASSERT_OK((*db)->exec("PRAGMA journal_mode=DELETE; PRAGMA auto_vacuum=NONE; VACUUM"));
  }
  auto catalog = Catalog::open(path());
  ASSERT_OK(catalog);
  ASSERT_OK(catalog->remove_share(id<ShareId>(1)));
  sweep(*catalog);
  EXPECT_GT(catalog->size()->bytes, 9'000'000U) << "it was written anew";
  EXPECT_GT(catalog->size()->free_bytes, 4'000'000U);
}

TEST_F(CatalogFile, OneOfTheFirstVersionIsBroughtUpToDate) {
  {
    auto catalog = Catalog::open(path());
    ASSERT_OK(catalog);
    ASSERT_OK(catalog->put_share(a_share(1)));
    ASSERT_OK(catalog->put_page(id<ShareId>(1), 0, Buffer(10, 1)));
    CopyRecord copy;
    copy.id = CopyId(5);
    copy.share = id<ShareId>(1);
    ASSERT_OK(catalog->put_copy(copy));
  }
  {
    // As it was: hashes in the two indexes, and nothing that tells whose they are.
    auto db = Db::open(path(), DbMode::kReadWrite);
    ASSERT_OK(db);
    ASSERT_OK((*db)->exec("DROP TABLE hash_run; DROP TABLE scrub"));
    ASSERT_OK((*db)->exec("ALTER TABLE copy DROP COLUMN part"));
    ASSERT_OK((*db)->exec("ALTER TABLE copy DROP COLUMN swarm"));
    ASSERT_OK((*db)->exec("INSERT INTO chunk_index VALUES(1, 1, 0)"));
    ASSERT_OK((*db)->exec("PRAGMA user_version=1"));
  }
  EXPECT_ERROR(Catalog::open_read_only(path()), Errc::kConflict);
  auto catalog = Catalog::open(path());
  ASSERT_OK(catalog);
  EXPECT_EQ(*catalog->shares(), std::vector{a_share(1)});
  EXPECT_EQ(catalog->pages(id<ShareId>(1))->size(), 1U);
  ASSERT_EQ(catalog->copies()->size(), 1U);
  EXPECT_EQ(catalog->copies()->front().swarm, a_share(1).swarm);
  ASSERT_OK(catalog->index_chunks(id<ShareId>(1), 0, std::vector{id<ChunkId>(7)}));
  EXPECT_EQ(catalog->find_chunk(id<ChunkId>(7))->size(), 1U);
}

TEST_F(CatalogFile, ANewerOneIsLeftAlone) {
  {
    ASSERT_OK(Catalog::open(path()));
    auto db = Db::open(path(), DbMode::kReadWrite);
    ASSERT_OK(db);
    const std::string newer = "PRAGMA user_version=" + std::to_string(schema_version() + 1);
    ASSERT_OK((*db)->exec(newer.c_str()));
    ASSERT_OK((*db)->exec("PRAGMA wal_checkpoint(TRUNCATE)"));
  }
  const std::string before = content();
  const auto catalog = Catalog::open(path());
  EXPECT_ERROR(catalog, Errc::kUnsupported);
  EXPECT_NE(catalog.error().what.find("newer"), std::string::npos);
  EXPECT_EQ(catalog.error().subject, path());
  EXPECT_ERROR(Catalog::open_read_only(path()), Errc::kUnsupported);
  EXPECT_EQ(content(), before);
}

TEST_F(CatalogFile, AnotherProgramsDatabaseIsLeftAlone) {
  {
    auto db = Db::open(path(), DbMode::kReadWrite);
    ASSERT_OK((*db)->exec("CREATE TABLE theirs(x)"));
  }
  const std::string before = content();
  EXPECT_ERROR(Catalog::open(path()), Errc::kIo);
  EXPECT_EQ(content(), before);
}

TEST_F(CatalogFile, DamageIsToldAndNothingOverwritten) {
  {
    auto catalog = Catalog::open(path());
    ASSERT_OK(catalog);
    ASSERT_OK(catalog->begin());
    for (std::uint8_t i = 0; i < 200; ++i) {
      ShareRecord share = a_share(i);
      share.root = Buffer(5'000, i);
      ASSERT_OK(catalog->put_share(share));
    }
    ASSERT_OK(catalog->commit());
  }
  const std::string good = content();
  ASSERT_GT(good.size(), 500'000U);
  // Not a database at all; the schema page; pages in the middle; the end cut off.
  std::vector<std::string> bad(4, good);
  bad[0] = noise(1, 10'000);
  std::ranges::fill(bad[1].begin() + 100, bad[1].begin() + 4096, '\xee');
  std::ranges::fill(bad[2].begin() + 40'960, bad[2].begin() + 409'600, '\xee');
  bad[3].resize(good.size() / 2);
  for (std::size_t i = 0; i < bad.size(); ++i) {
    SCOPED_TRACE(i);
    overwrite(bad[i]);
    const auto catalog = Catalog::open(path());
    EXPECT_ERROR(catalog, Errc::kIo);
    EXPECT_NE(catalog.error().what.find("damaged"), std::string::npos) << catalog.error().what;
    EXPECT_EQ(content(), bad[i]);
  }
}

TEST_F(CatalogFile, WhatWaitsBesideADamagedOneStaysThere) {
  {
    auto writer = std::make_optional(Catalog::open(path()));
    ASSERT_OK(*writer);
    ASSERT_OK((*writer)->put_setting("a", "1"));
    // While somebody reads, the writer leaves its WAL behind, as a crash would.
    const auto reader = Catalog::open_read_only(path());
    ASSERT_OK(reader);
    writer.reset();
  }
  const std::string wal = path() + "-wal";
  const auto waiting = std::filesystem::file_size(wal);
  ASSERT_GT(waiting, 0U);
  std::string bad = content();
  std::ranges::fill(bad.begin(), bad.begin() + 100, '\xee');
  overwrite(bad);
  EXPECT_ERROR(Catalog::open(path()), Errc::kIo);
  EXPECT_EQ(content(), bad);
  EXPECT_EQ(std::filesystem::file_size(wal), waiting);
}

TEST_F(CatalogFile, AHomeThatCannotHoldItIsRefused) {
  for (const std::uint64_t type : {0x6969ULL, 0xff534d42ULL, 0xffffffffff534d42ULL, 0x4d44ULL}) {
    MemoryFileIo io({.type = type});
    EXPECT_ERROR(check_home_filesystem(io, "/"), Errc::kUnsupported);
  }
  MemoryFileIo io;
  EXPECT_OK(check_home_filesystem(io, "/"));
}

}  // namespace
}  // namespace kith::storage::test
