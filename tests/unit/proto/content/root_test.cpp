#include "proto/content/root.hpp"

#include <functional>
#include <gtest/gtest.h>

#include "proto/limits.hpp"
#include "tests/unit/proto/content/share_model.hpp"

namespace kith {
namespace {

PageRef page_ref(std::string first_path, std::uint32_t chunks, std::uint32_t entries,
                 std::uint64_t bytes) {
  PageRef ref;
  ref.id = *ChunkId::from(blake3(as_bytes(first_path)));
  ref.key = *ChunkKey::from(blake3(ref.id.view()));
  ref.length = 1000;
  ref.chunks = chunks;
  ref.entries = entries;
  ref.bytes = bytes;
  ref.first_path = std::move(first_path);
  return ref;
}

Root tree_root() {
  Root root;
  root.name = "tree";
  root.pages = {page_ref("", 2, 4, 100), page_ref("m", 3, 5, 200), page_ref("z", 0, 1, 0)};
  root.totals = {
      .bytes = 300, .files = 6, .directories = 2, .symlinks = 2, .chunks = 5, .stored = 300};
  return root;
}

Root file_root() {
  Root root;
  root.name = "file";
  root.single_file = true;
  root.pages = {page_ref("file", 2, 1, 100)};
  root.totals = {.bytes = 100, .files = 1, .chunks = 2, .stored = 100};
  return root;
}

std::string error_of(const Root& root) {
  const auto result = Root::decode(root.encode());
  if (result) return "";
  EXPECT_EQ(result.error().blame, Blame::kPeer);
  return result.error().what;
}

std::string tree_error(const std::function<void(Root&)>& change) {
  Root root = tree_root();
  change(root);
  return error_of(root);
}
std::string file_error(const std::function<void(Root&)>& change) {
  Root root = file_root();
  change(root);
  return error_of(root);
}

TEST(Root, RoundTrips) {
  Root with_conv = tree_root();
  with_conv.private_conv = Buffer(32, 7);
  Root shared = tree_root();
  shared.pages[1].shares_first = true;
  shared.totals.chunks = 4;
  Root fixed = tree_root();
  fixed.chunking.mode = ChunkingMode::kFixed;
  fixed.chunking.fixed = 61;
  fixed.totals.stored = 305;
  Root tiny = tree_root();
  tiny.chunking = Chunking::tiny(1024);
  for (const Root& root : {tree_root(), file_root(), with_conv, shared, fixed, tiny}) {
    const Buffer bytes = root.encode();
    const auto back = Root::decode(bytes);
    ASSERT_TRUE(back) << back.error().what;
    EXPECT_EQ(*back, root);
    EXPECT_EQ(back->encode(), bytes);
  }
}

TEST(Root, RefusesBadNamesAndPages) {
  for (const char* name : {"", ".", "..", "a/b", "/"}) {
    EXPECT_NE(tree_error([&](Root& r) { r.name = name; }), "") << name;
  }
  EXPECT_EQ(tree_error([](Root& r) { r.pages.clear(); }), "root has no page");
  EXPECT_EQ(tree_error([](Root& r) { r.pages[1].length = 0; }), "page is empty");
  EXPECT_EQ(tree_error([](Root& r) { r.pages[1].length = 1024 * 1024; }), "");
  EXPECT_EQ(tree_error([](Root& r) { r.pages[1].length = 1024 * 1024 + 1; }), "page is over 1 MiB");
  EXPECT_EQ(tree_error([](Root& r) { r.pages[1].entries = 0; }), "page has no entry");
  const std::string shares = "page shares a chunk that is not there";
  EXPECT_EQ(tree_error([](Root& r) { r.pages[0].shares_first = true; }), shares);
  EXPECT_EQ(tree_error([](Root& r) { r.pages[2].shares_first = true; }), shares);
  const std::string bytes = "page has more or fewer bytes than its chunks can hold";
  EXPECT_EQ(tree_error([](Root& r) { r.pages[1].bytes = 2; }), bytes);
  EXPECT_EQ(tree_error([](Root& r) { r.pages[2].bytes = 1; }), bytes);
  EXPECT_EQ(tree_error([](Root& r) { r.pages[1].bytes = 3 * limits::kChunkMaxAllowed + 1; }),
            bytes);
}

TEST(Root, RefusesUnsortedPages) {
  const std::string first = "first page begins with a wrong path";
  EXPECT_EQ(tree_error([](Root& r) { r.pages[0].first_path = "a"; }), first);
  EXPECT_EQ(file_error([](Root& r) { r.pages[0].first_path = ""; }), first);
  EXPECT_EQ(file_error([](Root& r) { r.pages[0].first_path = "other"; }), first);
  EXPECT_EQ(tree_error([](Root& r) { r.pages[2].first_path = "a"; }), "pages are not sorted");
  EXPECT_EQ(tree_error([](Root& r) { r.pages[2].first_path = "m"; }), "pages are not sorted");
  EXPECT_EQ(tree_error([](Root& r) { r.pages[1].first_path = ""; }), "path is empty");
  EXPECT_EQ(tree_error([](Root& r) { r.pages[1].first_path = "a//b"; }),
            "path has an empty component");
  // A page within one file has the path of the page before and of the one behind.
  EXPECT_EQ(tree_error([](Root& r) {
              r.pages[1].entries = 1;
              r.pages[2].first_path = "m";
              r.totals.files = 2;
            }),
            "");
}

TEST(Root, RefusesTotalsThatDoNotAddUp) {
  EXPECT_EQ(tree_error([](Root& r) { r.totals.bytes = 301; }), "pages and total differ in bytes");
  EXPECT_EQ(tree_error([](Root& r) { r.totals.chunks = 4; }), "pages and total differ in chunks");
  EXPECT_EQ(tree_error([](Root& r) { r.pages[1].shares_first = true; }),
            "pages and total differ in chunks");
  const std::string entries = "pages and totals differ in entries";
  EXPECT_EQ(tree_error([](Root& r) { r.totals.files = 7; }), entries);
  EXPECT_EQ(tree_error([](Root& r) { r.totals.files = 4; }), "") << "two files cross pages";
  EXPECT_EQ(tree_error([](Root& r) { r.totals.files = 3; }), entries);
  EXPECT_EQ(tree_error([](Root& r) { r.totals.stored = 301; }), "stored bytes are not the content");
  const std::string kind = "totals do not fit the kind of share";
  EXPECT_EQ(tree_error([](Root& r) { r.totals.directories = 0; }), kind);
  EXPECT_EQ(file_error([](Root& r) { r.totals.files = 0; }), kind);
  EXPECT_EQ(file_error([](Root& r) { r.totals.files = 2; }), kind);
  EXPECT_EQ(file_error([](Root& r) { r.totals.symlinks = 1; }), kind);
  EXPECT_EQ(file_error([](Root& r) { r.totals.directories = 1; }), kind);
}

TEST(Root, WantsWholeChunksOfAFixedShare) {
  const auto with = [](std::uint32_t fixed, std::uint64_t stored) {
    return tree_error([&](Root& r) {
      r.chunking.mode = ChunkingMode::kFixed;
      r.chunking.fixed = fixed;
      r.totals.stored = stored;
    });
  };
  EXPECT_EQ(with(60, 300), "");
  EXPECT_EQ(with(74, 370), "");
  EXPECT_NE(with(75, 375), "") << "a whole chunk of padding";
  EXPECT_NE(with(59, 295), "");
  EXPECT_NE(with(61, 300), "");
}

TEST(Root, HoldsTheLimitsOfEntriesAndChunks) {
  const auto with_entries = [](std::uint64_t files, std::uint32_t in_page) {
    return tree_error([&](Root& r) {
      r.totals.files = files;
      r.pages[2].entries = in_page;
    });
  };
  EXPECT_EQ(with_entries(3'999'996, 3'999'991), "");
  EXPECT_EQ(with_entries(3'999'997, 3'999'992), "share has over 4 M entries");
  EXPECT_EQ(with_entries(INT64_MAX, 1), "share has over 4 M entries");
  const auto with_chunks = [](std::uint32_t chunks) {
    return tree_error([&](Root& r) {
      r.pages[2].chunks = chunks;
      r.pages[2].bytes = chunks;
      r.totals.chunks += chunks;
      r.totals.bytes += chunks;
      r.totals.stored += chunks;
    });
  };
  EXPECT_EQ(with_chunks(15'999'995), "");
  EXPECT_EQ(with_chunks(15'999'996), "share has over 16 M chunks");
  EXPECT_EQ(with_chunks(UINT32_MAX), "share has over 16 M chunks");
}

TEST(Root, RefusesBadChunking) {
  EXPECT_EQ(tree_error([](Root& r) { r.chunking.average += 1; }), "chunking: min, average and max");
  EXPECT_EQ(tree_error([](Root& r) { r.chunking.mode = static_cast<ChunkingMode>(2); }),
            "chunking: unknown mode");
}

// The encoding of tree_root() with one stretch of text replaced by another of any length.
std::string error_with(std::string_view from, std::string_view to) {
  std::string text(as_text(tree_root().encode()));
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
  const auto result = Root::decode(as_bytes(text));
  return result ? "" : result.error().what;
}

TEST(Root, RefusesForeignForms) {
  const std::string keys = "root has missing, foreign or surplus keys";
  EXPECT_EQ(error_with("1:vi1ee", "1:vi2ee"), "root has an unknown version");
  EXPECT_EQ(error_with("1:vi1ee", "e"), "root has no version");
  EXPECT_EQ(error_with("1:vi1ee", "1:vi1e1:yi0ee"), keys);
  EXPECT_EQ(error_with("1:n4:tree", ""), keys);
  EXPECT_EQ(error_with("1:n4:tree", "1:ni4e"), keys);
  EXPECT_EQ(error_with("1:si0e", ""), keys);
  EXPECT_EQ(error_with("1:si0e", "1:si2e"), keys);
  EXPECT_EQ(error_with("1:vi1ee", "1:vi1e1:x31:" + std::string(31, 'x') + "e"),
            "root has a malformed conv");
  EXPECT_EQ(error_with("1:vi1ee", "1:vi1e1:x0:e"), "root has a malformed conv");
  EXPECT_EQ(error_with("1:vi1ee", "1:vi1e1:xi1ee"), keys);
  EXPECT_EQ(error_with("1:tli300e", "1:tl"), "root has malformed totals");
  EXPECT_EQ(error_with("1:tli300e", "1:tli-1e"), "root has malformed totals");
  EXPECT_EQ(error_with("1:cli0e", "1:cl"), "root has malformed chunking");
  EXPECT_EQ(error_with("1:cli0e", "1:cli0ei0e"), "root has malformed chunking");
  EXPECT_EQ(error_with("1:cli0e", "1:cli256e"), "root has malformed chunking");
  const std::string ref = "root has a malformed page reference";
  EXPECT_EQ(error_with("i1000ei2ei4ei0ei100e0:", "i1000ei2ei4ei2ei100e0:"), ref);
  EXPECT_EQ(error_with("i1000ei2ei4ei0ei100e0:", "i1000ei2ei4ei0ei100e"), ref);
  EXPECT_EQ(error_with("i1000ei2ei4ei0ei100e0:", "i1000ei-2ei4ei0ei100e0:"), ref);
  EXPECT_EQ(error_with("i1000ei2ei4ei0ei100e0:", "i1000ei2ei4ei0ei100e0:0:"), ref);
  EXPECT_NE(error_with("1:p", "1:q"), "");
}

TEST(Root, MayHaveOneMiBAndNotMore) {
  Root root = tree_root();
  root.pages.resize(1);
  root.totals = {
      .bytes = 100, .files = 1, .directories = 1, .symlinks = 2, .chunks = 2, .stored = 100};
  // Pages without chunks, whose long first paths make the root large.
  std::size_t size = root.encode().size();
  while (size + 310 < limits::kPageMax) {
    const std::string number = std::to_string(100'000 + root.pages.size());
    root.pages.push_back(page_ref(number + std::string(190, 'p'), 0, 1, 0));
    root.totals.files += 1;
    size += 64 + 3 + 196 + 4 + 2 + 6 + 4 * 3;
  }
  const auto room = [&root] { return limits::kPageMax - root.encode().size(); };
  while (room() > 5 && root.name.size() < 255) root.name += "n";
  std::string& last = root.pages.back().first_path;
  while (room() > 0) last += "q";
  ASSERT_EQ(root.encode().size(), limits::kPageMax);
  const auto back = Root::decode(root.encode());
  ASSERT_TRUE(back) << back.error().what;
  last += "q";
  EXPECT_EQ(error_of(root), "root is over 1 MiB");
}

TEST(Root, PagesOfOneChunkMayHave16MiBAndNotMore) {
  constexpr auto kPages = static_cast<std::uint32_t>(limits::kChunkPagesMax / limits::kPageMax);
  Root root = tree_root();
  root.pages.clear();
  for (std::uint32_t i = 0; i < kPages; ++i) {
    root.pages.push_back(page_ref(i == 0 ? "" : std::to_string(100 + i), 1, 1, 1));
    root.pages.back().length = limits::kPageMax;
    root.pages.back().shares_first = i > 0;
  }
  root.totals = {.bytes = kPages, .files = kPages - 1, .directories = 1, .chunks = 1, .stored = 16};
  EXPECT_EQ(error_of(root), "");
  // Pages between them that do not describe it cost nothing.
  Root between = root;
  between.pages.insert(between.pages.begin() + 1, page_ref("1", 0, 1, 0));
  between.totals.files += 1;
  EXPECT_EQ(error_of(between), "");
  // One that begins another chunk is a new beginning.
  Root other = root;
  other.pages.push_back(page_ref("x", 2, 1, 2));
  other.pages.back().shares_first = true;
  other.pages.back().length = 1;
  other.totals = {.bytes = 18, .files = 16, .directories = 1, .chunks = 2, .stored = 18};
  const std::string error = "one chunk holds more entries than 16 MiB of pages describe";
  EXPECT_EQ(error_of(other), error);
  other.pages[1].length -= 1;
  EXPECT_EQ(error_of(other), "");
}

TEST(Root, PagesMayHave2GiBAndNotMore) {
  constexpr auto kPages = static_cast<std::uint32_t>(limits::kManifestMax / limits::kPageMax);
  Root root = tree_root();
  root.pages.clear();
  for (std::uint32_t i = 0; i <= kPages; ++i) {
    root.pages.push_back(page_ref(i == 0 ? "" : std::to_string(100'000 + i), 0, 1, 0));
    root.pages.back().length = limits::kPageMax;
  }
  root.totals = {.files = kPages, .directories = 1};
  EXPECT_EQ(error_of(root), "manifest is over 2 GiB");
  root.pages.pop_back();
  root.totals.files -= 1;
  EXPECT_EQ(error_of(root), "");
}

TEST(Root, SurvivesEveryTruncationAndChangedByte) {
  const Buffer bytes = tree_root().encode();
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_FALSE(Root::decode(Bytes(bytes).first(n))) << n;
    for (int bit = 0; bit < 8; ++bit) {
      Buffer bad = bytes;
      bad[n] = static_cast<std::uint8_t>(bad[n] ^ (1 << bit));
      const auto root = Root::decode(bad);
      if (root) {
        EXPECT_EQ(root->encode(), bad) << n;
      }
    }
  }
}

}  // namespace
}  // namespace kith
