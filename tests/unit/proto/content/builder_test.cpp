#include "proto/content/builder.hpp"

#include <gtest/gtest.h>

#include "proto/limits.hpp"
#include "tests/unit/proto/content/share_model.hpp"

namespace kith {
namespace {

using test::Built;
using test::directory;
using test::file;
using test::row;
using test::Share;
using test::symlink;

// Decodes what was built, checks it as a receiver does, and returns all entries and rows in order.
struct Contents {
  std::vector<Entry> entries;
  std::vector<ChunkRow> rows;
};

Contents receive(const Built& built) {
  Contents out;
  const auto root = Root::decode(built.root.encode());
  EXPECT_TRUE(root) << (root ? "" : root.error().what);
  if (!root) return out;
  EXPECT_EQ(*root, built.root);
  ManifestChecker checker(*root);
  for (std::size_t i = 0; i < built.pages.size(); ++i) {
    const auto page = Page::decode(built.encoded[i]);
    EXPECT_TRUE(page) << (page ? "" : page.error().what);
    if (!page) return out;
    EXPECT_EQ(*page, built.pages[i]);
    const auto ok = checker.add(*page);
    EXPECT_TRUE(ok) << "page " << i << ": " << (ok ? "" : ok.error().what);
    for (const Entry& entry : page->entries) {
      if (entry.offset == 0) out.entries.push_back(entry);
    }
    out.rows.insert(out.rows.end(), page->rows.begin() + (page->skip != 0 ? 1 : 0),
                    page->rows.end());
  }
  const auto ok = checker.finish();
  EXPECT_TRUE(ok) << (ok ? "" : ok.error().what);
  return out;
}

void expect_round_trip(const Share& share, Rng& rng) {
  const std::vector<test::Step> steps = test::steps_of(share);
  const Built built = test::build(share, steps);
  const Contents contents = receive(built);
  std::vector<ChunkRow> rows;
  for (const test::Step& step : steps) {
    if (step.item == nullptr) rows.push_back(step.row);
  }
  EXPECT_TRUE(contents.rows == rows);
  ASSERT_EQ(contents.entries.size(), share.items.size());
  for (std::size_t i = 0; i < share.items.size(); ++i) {
    ASSERT_EQ(contents.entries[i], share.items[i].entry);
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(test::build(share, test::mixed(steps, rng)).encoded == built.encoded)
        << "how entries and rows interleave must not matter";
  }
}

// Every file is put together from the extents of the chunks, each chunk found by the root's shape.
void expect_extents_cover(const Share& share, const Built& built) {
  const ShareShape shape(built.root);
  std::vector<PageLayout> layouts;
  for (const Page& page : built.pages) layouts.emplace_back(page);
  std::map<std::string, std::uint64_t> filled;
  for (std::uint32_t chunk = 0; chunk < shape.chunks(); ++chunk) {
    std::uint64_t at = 0;
    const auto [first, last] = shape.pages_of_chunk(chunk);
    for (std::uint32_t p = first; p <= last; ++p) {
      for (const Extent& e : layouts[p].extents(built.pages[p], chunk - shape.first_chunk(p))) {
        ASSERT_EQ(e.chunk_offset, at);
        at += e.length;
        std::uint64_t& file_at = filled[built.pages[p].entries[e.entry].path];
        ASSERT_EQ(e.file_offset, file_at);
        file_at += e.length;
      }
    }
    ASSERT_GT(at, 0u);
  }
  for (const test::Item& item : share.items) {
    ASSERT_EQ(filled[item.entry.path], item.entry.size) << item.entry.path;
  }
}

TEST(ManifestBuilder, RandomTreesRoundTrip) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    SeededRng rng(seed);
    Chunking chunking = Chunking::tiny(seed % 3 == 0 ? 4096 : 1024);
    chunking.mode = seed % 2 == 0 ? ChunkingMode::kCdc : ChunkingMode::kFixed;
    const std::uint64_t depth = seed % 5 == 0 ? 95 : seed % 5 * 15;
    const Share share = test::random_tree(chunking, 20 + rng.uniform(400), depth, rng);
    expect_round_trip(share, rng);
    expect_extents_cover(share, test::build(share));
  }
}

TEST(ManifestBuilder, EdgeSizesRoundTrip) {
  SeededRng rng(3);
  for (const ChunkingMode mode : {ChunkingMode::kCdc, ChunkingMode::kFixed}) {
    Chunking c = Chunking::tiny(1024);
    c.mode = mode;
    for (const std::uint64_t size :
         {0u, 1u, c.large_file - 1, c.large_file, c.large_file + 1, c.fixed - 1, c.fixed,
          c.fixed + 1, 2 * c.fixed, c.max, c.max + 1, 1000 * c.max}) {
      SCOPED_TRACE(size);
      Share share;
      share.chunking = c;
      share.single_file = true;
      share.name = "one";
      share.items = {{file("one", size), 5}};
      expect_round_trip(share, rng);
      Share tree;
      tree.chunking = c;
      tree.items = {{directory(""), 0}, {file("a", size), 5}, {directory("b"), 0},
                    {file("c", 1), 6},  {file("d", size), 7}, {symlink("e", "d"), 0}};
      expect_round_trip(tree, rng);
      expect_extents_cover(tree, test::build(tree));
    }
  }
}

TEST(ManifestBuilder, AnEmptyTreeHasOnePageAndNoChunk) {
  SeededRng rng(4);
  for (const ChunkingMode mode : {ChunkingMode::kCdc, ChunkingMode::kFixed}) {
    Share share;
    share.chunking.mode = mode;
    share.items = {{directory(""), 0}};
    const Built built = test::build(share);
    EXPECT_EQ(built.pages.size(), 1u);
    EXPECT_EQ(built.root.totals, (Totals{.directories = 1}));
    expect_round_trip(share, rng);
  }
}

TEST(ManifestBuilder, ManyEmptyFilesFillPagesWithoutChunks) {
  SeededRng rng(5);
  Share share;
  share.items = {{directory(""), 0}};
  for (int i = 0; i < 30'000; ++i)
    share.items.push_back({file("f" + std::to_string(100'000 + i), 0), 0});
  const Built built = test::build(share);
  EXPECT_GT(built.pages.size(), 3u);
  EXPECT_EQ(ShareShape(built.root).chunks(), 0u);
  expect_round_trip(share, rng);
}

TEST(ManifestBuilder, OneFixedChunkMayFillManyPages) {
  SeededRng rng(6);
  Share share;
  share.chunking.mode = ChunkingMode::kFixed;
  share.items = {{directory(""), 0}};
  // 90,000 files of a byte in one chunk, and among them enough empty ones to fill pages of their
  // own.
  for (int i = 0; i < 90'000; ++i) {
    const bool empty = i >= 30'000 && i < 60'000;
    share.items.push_back({file("f" + std::to_string(100'000 + i), empty ? 0 : 1), 1});
  }
  const Built built = test::build(share);
  EXPECT_EQ(ShareShape(built.root).chunks(), 1u);
  EXPECT_GE(built.pages.size(), 5u);
  const auto without_rows = std::count_if(built.pages.begin(), built.pages.end(),
                                          [](const Page& page) { return page.rows.empty(); });
  EXPECT_GT(without_rows, 0);
  EXPECT_EQ(ShareShape(built.root).pages_of_chunk(0).second, built.pages.size() - 1);
  expect_round_trip(share, rng);
  expect_extents_cover(share, built);
}

TEST(ManifestBuilder, PagesKeepTheirSizes) {
  for (std::uint64_t seed = 0; seed < 6; ++seed) {
    SCOPED_TRACE(seed);
    SeededRng rng(seed);
    Share share;
    share.chunking.mode = seed % 2 == 0 ? ChunkingMode::kCdc : ChunkingMode::kFixed;
    share.items = {{directory(""), 0}};
    const std::uint64_t longest = seed < 2 ? 60 : 4000;  // symlink targets
    for (int i = 0; i < 6'000; ++i) {
      const std::string name = "n" + std::to_string(100'000 + i);
      if (rng.chance(1, 4)) {
        share.items.push_back({symlink(name, std::string(1 + rng.uniform(longest), 't')), 0});
      } else {
        share.items.push_back({file(name, rng.uniform(3000)), rng.next_u64()});
      }
    }
    const Built built = test::build(share);
    const std::size_t target = share.chunking.page_target;
    for (std::size_t i = 0; i < built.encoded.size(); ++i) {
      EXPECT_LE(built.encoded[i].size(), 3 * target + 9000) << i;
      if (i + 1 < built.encoded.size()) {
        EXPECT_GE(built.encoded[i].size(), target / 2) << i;
      }
      if (share.chunking.mode == ChunkingMode::kCdc) {
        EXPECT_EQ(built.pages[i].skip, 0u) << "packs keep pages from ending within a chunk";
      }
    }
  }
}

TEST(ManifestBuilder, AHugeFileCrossesManyPages) {
  Share share;
  share.single_file = true;
  share.name = "huge";
  share.items = {{file("huge", std::uint64_t{40} << 30), 1}};
  const Built built = test::build(share);
  EXPECT_GT(built.pages.size(), 3u);
  for (std::size_t i = 1; i < built.pages.size(); ++i) {
    EXPECT_EQ(built.pages[i].entries.front().offset + built.pages[i].content_bytes(),
              i + 1 < built.pages.size() ? built.pages[i + 1].entries.front().offset
                                         : share.items[0].entry.size);
  }
  receive(built);
}

TEST(ManifestBuilder, GivesPagesAwayAsTheyComplete) {
  ManifestBuilder builder("share", false, Chunking{});
  ASSERT_TRUE(builder.add(directory("")));
  std::size_t pages = 0;
  std::size_t since = 0;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    ASSERT_TRUE(builder.add(file("f" + std::to_string(100'000 + i), 300'000)));
    ASSERT_TRUE(builder.add(row(300'000, i * 0x9e3779b97f4a7c15)));
    const std::size_t now = builder.take_pages().size();
    since = now > 0 ? 0 : since + 1;
    ASSERT_LT(since, 6000u) << "rows and entries of 130 bytes: 2 x 256 KiB are reached before";
    pages += now;
  }
  EXPECT_GT(pages, 4u);
}

// --- misuse and what cannot be published ---

std::string error_of(const Result<void>& result) {
  if (result) return "";
  EXPECT_EQ(result.error().blame, Blame::kLocal);
  return result.error().what;
}

TEST(ManifestBuilder, RefusesEntriesThatAShareMayNotHave) {
  ManifestBuilder builder("share", false, Chunking{});
  ASSERT_TRUE(builder.add(directory("")));
  ASSERT_TRUE(builder.add(file("b", 0)));
  EXPECT_EQ(error_of(builder.add(file("b", 0))), "two entries have one path");
  EXPECT_EQ(error_of(builder.add(file("a", 0))), "entries are not sorted");
  EXPECT_EQ(error_of(builder.add(file("b/c", 0))), "an entry lies below a file or symlink");
  EXPECT_EQ(error_of(builder.add(file("c/d", 0))), "an entry's directory has no entry before it");
  EXPECT_EQ(error_of(builder.add(file("c\xff", 0))), "path is not valid UTF-8");
  EXPECT_EQ(error_of(builder.add(file(std::string(256, 'c'), 0))),
            "path has a component of over 255 bytes");
  EXPECT_EQ(error_of(builder.add(symlink("c", ""))), "symlink target is empty");
  EXPECT_EQ(error_of(builder.add(file("c", 2, 1))), "an entry must be added whole");
  EXPECT_EQ(error_of(builder.add(file("c", INT64_MAX))), "");
  EXPECT_EQ(error_of(builder.add(file("d", 1))), "share has over 2^63 bytes");
  const auto bad = builder.add(file("c\n\xff", 0));
  EXPECT_EQ(bad.error().subject, "c\\x0a\\xff") << "names the path, safe to show";
}

TEST(ManifestBuilder, WantsTheTopEntryFirst) {
  const std::string top = "a share must begin with its top entry";
  EXPECT_EQ(error_of(ManifestBuilder("s", false, {}).add(file("a", 0))), top);
  EXPECT_EQ(error_of(ManifestBuilder("s", false, {}).add(directory("a"))), top);
  EXPECT_EQ(error_of(ManifestBuilder("s", true, {}).add(file("a", 0))), top);
  EXPECT_EQ(error_of(ManifestBuilder("s", true, {}).add(directory(""))), top);
  EXPECT_EQ(error_of(ManifestBuilder("s", true, {}).add(symlink("s", "t"))), top);
  EXPECT_EQ(error_of(ManifestBuilder("a/b", true, {}).add(file("a/b", 0))),
            "name contains a slash");
  EXPECT_EQ(error_of(ManifestBuilder("", false, {}).add(directory(""))), "path is empty");
  ManifestBuilder single("s", true, {});
  EXPECT_EQ(error_of(single.add(file("s", 0))), "");
  EXPECT_EQ(error_of(single.add(file("t", 0))), "a single file has one entry");
}

TEST(ManifestBuilder, RefusesRowsThatItsChunkingDoesNotMake) {
  Chunking fixed;
  fixed.mode = ChunkingMode::kFixed;
  const std::string what = "a chunk has a length that its chunking does not make";
  EXPECT_EQ(error_of(ManifestBuilder("s", false, fixed).add(row(1024 * 1024))), "");
  EXPECT_EQ(error_of(ManifestBuilder("s", false, fixed).add(row(1024 * 1024 - 1))), what);
  EXPECT_EQ(error_of(ManifestBuilder("s", false, {}).add(row(0))), what);
  EXPECT_EQ(error_of(ManifestBuilder("s", false, {}).add(row(4 * 1024 * 1024))), "");
  EXPECT_EQ(error_of(ManifestBuilder("s", false, {}).add(row(4 * 1024 * 1024 + 1))), what);
}

Result<Root> finish_with(ChunkingMode mode, std::uint64_t file_size,
                         const std::vector<std::uint32_t>& rows) {
  Chunking chunking;
  chunking.mode = mode;
  chunking.fixed = 1000;
  ManifestBuilder builder("share", false, chunking);
  EXPECT_TRUE(builder.add(directory("")));
  EXPECT_TRUE(builder.add(file("a", file_size)));
  for (const std::uint32_t length : rows) EXPECT_TRUE(builder.add(row(length)));
  builder.finish_pages();
  for (const Page& page : builder.take_pages()) {
    builder.add_page_ref(page, {}, {}, 100);
  }
  return builder.finish();
}

TEST(ManifestBuilder, WantsChunksToHoldExactlyTheContent) {
  constexpr auto kCdc = ChunkingMode::kCdc;
  constexpr auto kFixed = ChunkingMode::kFixed;
  EXPECT_TRUE(finish_with(kCdc, 1500, {1000, 500}));
  EXPECT_FALSE(finish_with(kCdc, 1500, {1000}));
  EXPECT_FALSE(finish_with(kCdc, 1500, {1000, 501}));
  EXPECT_FALSE(finish_with(kCdc, 1500, {1000, 500, 1}));
  EXPECT_FALSE(finish_with(kCdc, 0, {1}));
  EXPECT_TRUE(finish_with(kFixed, 1500, {1000, 1000}));
  EXPECT_TRUE(finish_with(kFixed, 2000, {1000, 1000}));
  EXPECT_FALSE(finish_with(kFixed, 2001, {1000, 1000}));
  EXPECT_FALSE(finish_with(kFixed, 1000, {1000, 1000}));
  EXPECT_EQ(finish_with(kCdc, 1500, {1000}).error().code, Errc::kInternal);
}

TEST(ManifestBuilder, RefusesARootThatWouldBeTooLarge) {
  ManifestBuilder builder("share", false, Chunking::tiny(4096));
  ASSERT_TRUE(builder.add(directory("")));
  for (int i = 0; i < 40'000; ++i) {
    ASSERT_TRUE(builder.add(
        symlink(std::to_string(100'000 + i) + std::string(240, 'x'), std::string(300, 't'))));
    for (const Page& page : builder.take_pages()) builder.add_page_ref(page, {}, {}, 100);
  }
  builder.finish_pages();
  for (const Page& page : builder.take_pages()) builder.add_page_ref(page, {}, {}, 100);
  const auto root = builder.finish();
  ASSERT_FALSE(root);
  EXPECT_EQ(root.error().code, Errc::kLimit);
}

TEST(ManifestBuilder, CarriesThePrivateConv) {
  ManifestBuilder builder("share", false, {}, Buffer(32, 9));
  ASSERT_TRUE(builder.add(directory("")));
  builder.finish_pages();
  for (const Page& page : builder.take_pages()) builder.add_page_ref(page, {}, {}, 100);
  const auto root = builder.finish();
  ASSERT_TRUE(root);
  EXPECT_EQ(root->private_conv, Buffer(32, 9));
}

}  // namespace
}  // namespace kith
