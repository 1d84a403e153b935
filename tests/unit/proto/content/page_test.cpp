#include "proto/content/page.hpp"

#include <functional>
#include <gtest/gtest.h>

#include "proto/limits.hpp"
#include "tests/unit/proto/content/share_model.hpp"

namespace kith {
namespace {

using test::directory;
using test::file;
using test::row;
using test::symlink;

Page small_page() {
  Page page;
  page.rows = {row(10, 1), row(20, 2)};
  page.entries = {directory("a"), file("a/x", 12), symlink("a/y", "x"), file("b", 18)};
  return page;
}

std::string error_of(const Page& page) {
  const auto result = Page::decode(page.encode());
  return result ? "" : result.error().what;
}
std::string error_of(std::string_view text) {
  const auto result = Page::decode(as_bytes(text));
  if (result) return "";
  EXPECT_EQ(result.error().blame, Blame::kPeer);
  return result.error().what;
}

// small_page() after a change.
std::string error_after(const std::function<void(Page&)>& change) {
  Page page = small_page();
  change(page);
  return error_of(page);
}

TEST(Page, RoundTrips) {
  const Page page = small_page();
  const Buffer bytes = page.encode();
  const auto back = Page::decode(bytes);
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(*back, page);
  EXPECT_EQ(back->encode(), bytes);
  EXPECT_EQ(page.row_bytes(), 30u);
  EXPECT_EQ(page.content_bytes(), 30u);
}

TEST(Page, MayBeginAndEndWithinAFile) {
  Page page;
  page.rows = {row(10), row(20)};
  page.entries = {file("f", 1000, 500)};
  EXPECT_EQ(error_of(page), "");
  EXPECT_EQ(page.content_bytes(), 30u);
  page.entries = {file("f", 505, 500), directory("g"), file("h", 1000)};
  EXPECT_EQ(error_of(page), "");
  EXPECT_EQ(page.content_bytes(), 30u);
}

TEST(Page, MayBeginAndEndWithinAChunk) {
  Page page;
  page.rows = {row(10)};
  page.skip = 4;
  page.entries = {file("f", 1), directory("g"), file("h", 2)};
  EXPECT_EQ(error_of(page), "");
  EXPECT_EQ(page.content_bytes(), 3u);
}

TEST(Page, MayHaveNoContent) {
  Page page;
  page.entries = {directory("")};
  EXPECT_EQ(error_of(page), "");
  page.entries = {directory(""), file("a", 0), symlink("b", "c")};
  EXPECT_EQ(error_of(page), "");
  EXPECT_EQ(page.content_bytes(), 0u);
}

TEST(Page, RefusesContentThatDoesNotFitItsChunks) {
  EXPECT_EQ(error_after([](Page& p) { p.rows.clear(); }), "page has content and no chunk");
  EXPECT_EQ(error_after([](Page& p) {
              p.rows.clear();
              p.entries = {directory("a")};
              p.skip = 1;
            }),
            "page skips bytes and has no chunk");
  EXPECT_EQ(error_after([](Page& p) {
              p.entries = {directory("a"), file("b", 0)};
            }),
            "page has chunks and no content");
  EXPECT_EQ(error_after([](Page& p) { p.skip = 10; }), "page skips a whole chunk");
  EXPECT_EQ(error_after([](Page& p) { p.entries[1] = file("a/x", 30); }),
            "entries hold more than the chunks of their page");
  EXPECT_EQ(error_after([](Page& p) { p.entries[1] = file("a/x", 29); }), "");
  EXPECT_EQ(error_after([](Page& p) { p.entries.back() = file("b", 19); }), "") << "goes on";
  EXPECT_EQ(error_after([](Page& p) {
              p.entries.back() = file("b", 19);
              p.entries.push_back(directory("c"));
            }),
            "entries hold more than the chunks of their page");
  EXPECT_EQ(error_after([](Page& p) {
              p.entries[1] = file("a/x", 5);
              p.entries.back() = file("b", 5);
            }),
            "page has a chunk of which it describes nothing");
  EXPECT_EQ(error_after([](Page& p) {
              p.entries[1] = file("a/x", 5);
              p.entries.back() = file("b", 6);
            }),
            "");
  EXPECT_EQ(error_after([](Page& p) {
              p.entries = {file("b", 100, 80)};
              p.skip = 1;
            }),
            "page begins within a chunk and within a file");
}

TEST(Page, RefusesBadEntriesAndTheirOrder) {
  EXPECT_EQ(error_after([](Page& p) { p.entries.clear(); }), "page has no entry");
  EXPECT_EQ(error_after([](Page& p) { p.entries[1].path = "a/b/c"; }),
            "an entry's directory has no entry before it");
  EXPECT_EQ(error_after([](Page& p) { std::swap(p.entries[1], p.entries[2]); }),
            "entries are not sorted");
  EXPECT_EQ(error_after([](Page& p) { p.entries[2] = symlink("a/x", "t"); }),
            "two entries have one path");
  EXPECT_EQ(error_after([](Page& p) { p.entries[0] = symlink("a", "t"); }),
            "an entry lies below a file or symlink");
  EXPECT_EQ(error_after([](Page& p) { p.entries[0] = file("a", 0); }),
            "an entry lies below a file or symlink");
  EXPECT_EQ(error_after([](Page& p) { p.entries[3] = file("b", 20, 2); }),
            "an entry behind the first has an offset");
  EXPECT_EQ(error_after([](Page& p) { p.entries[1].mode = 01000; }),
            "entry has mode bits outside 0777");
  EXPECT_EQ(error_after([](Page& p) { p.entries[1].path = "a/../x"; }),
            "path has a component '.' or '..'");
}

TEST(Page, RefusesBadRows) {
  EXPECT_EQ(error_after([](Page& p) { p.rows[1].length = 0; }), "chunk is empty");
  EXPECT_EQ(error_after([](Page& p) { p.rows[1].length = 4 * 1024 * 1024 + 1; }),
            "chunk is over 4 MiB");
  EXPECT_EQ(error_after([](Page& p) {
              p.rows[1].length = 4 * 1024 * 1024;
              p.entries.back() = file("b", 19);
            }),
            "");
  EXPECT_EQ(error_of("d1:c3:abc1:ele1:ki0ee"), "page has part of a row");
}

TEST(Page, RefusesForeignForms) {
  const std::string keys = "page has missing, foreign or surplus keys";
  EXPECT_EQ(error_of("d1:c0:1:elee"), keys);
  EXPECT_EQ(error_of("d1:c0:1:ki0ee"), keys);
  EXPECT_EQ(error_of("d1:elee"), keys);
  EXPECT_EQ(error_of("d1:c0:1:e0:1:ki0ee"), keys);
  EXPECT_EQ(error_of("d1:cle1:ele1:ki0ee"), keys);
  EXPECT_EQ(error_of("d1:c0:1:ele1:ki-1ee"), keys);
  EXPECT_EQ(error_of("d1:c0:1:ele1:ki4294967296ee"), keys);
  EXPECT_EQ(error_of("d1:c0:1:ele1:ki0e1:zi0ee"), keys);
  EXPECT_EQ(error_of("le"), keys);
  EXPECT_EQ(error_of("d1:c0:1:ele1:ki0ee"), "page has no entry");
  EXPECT_EQ(error_of("d1:c0:1:elllleee1:ki0ee"), "bencode: too deep");
  EXPECT_NE(error_of(""), "");
  EXPECT_NE(error_of("d1:c0:1:ele1:ki0eex"), "");
}

TEST(Page, RefusesSizesThatOverflow) {
  Page page;
  page.rows = {row(10)};
  page.entries = {file("a", INT64_MAX)};
  EXPECT_EQ(error_of(page), "");
  EXPECT_EQ(page.content_bytes(), 10u);
  page.entries = {file("a", 1), file("b", INT64_MAX)};
  EXPECT_EQ(error_of(page), "sizes in a page are over 2^63 bytes");
  page.entries = {file("a", INT64_MAX), file("b", INT64_MAX), file("c", 3)};
  EXPECT_EQ(error_of(page), "sizes in a page are over 2^63 bytes");
  page.entries = {file("a", 1), file("b", INT64_MAX - 1)};
  EXPECT_EQ(error_of(page), "");
}

// A page whose encoding has exactly `size` bytes: full of long symlinks.
Page page_of(std::size_t size) {
  Page page;
  page.entries.push_back(directory(""));
  std::size_t left = size - page.encode().size();
  const auto add = [&](std::size_t bytes) {
    Entry entry = symlink("link" + std::to_string(1000 + page.entries.size()), "");
    entry.target = std::string(bytes - encoded_size(entry) - 3, 't');  // its length has 4 digits
    left -= encoded_size(entry);
    page.entries.push_back(std::move(entry));
  };
  while (left > 8000) add(4000);
  add(left / 2);
  add(left);
  return page;
}

TEST(Page, MayHaveOneMiBAndNotMore) {
  const Page page = page_of(limits::kPageMax);
  Buffer bytes = page.encode();
  ASSERT_EQ(bytes.size(), limits::kPageMax);
  EXPECT_TRUE(Page::decode(bytes));
  bytes.push_back('e');
  const auto result = Page::decode(bytes);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().what, "page is over 1 MiB");
  EXPECT_EQ(result.error().code, Errc::kLimit);
}

TEST(Page, HoldsTheShortestEntriesThatFit) {
  Page page;
  page.entries.push_back(directory(""));
  std::size_t bytes = 64;
  for (std::size_t n = 0;; ++n) {
    std::string name(3, 'a');
    for (std::size_t i = 0, rest = n; i < 3; ++i, rest /= 64) {
      name[2 - i] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~"[rest % 64];
    }
    Entry entry = directory(name, 0, 0);
    bytes += encoded_size(entry);
    if (bytes > limits::kPageMax) break;
    page.entries.push_back(std::move(entry));
  }
  ASSERT_GT(page.entries.size(), 55'000u);
  const auto back = Page::decode(page.encode());
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(*back, page);
}

TEST(Page, SurvivesEveryTruncationAndChangedByte) {
  const Buffer bytes = small_page().encode();
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_FALSE(Page::decode(Bytes(bytes).first(n))) << n;
  }
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    for (const int change : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
      Buffer bad = bytes;
      bad[n] = static_cast<std::uint8_t>(bad[n] ^ change);
      const auto page = Page::decode(bad);
      if (page) {
        EXPECT_EQ(page->encode(), bad) << n;
      }
    }
  }
}

}  // namespace
}  // namespace kith
