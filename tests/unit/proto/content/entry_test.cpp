#include "proto/content/entry.hpp"

#include <gtest/gtest.h>

#include "tests/unit/proto/content/share_model.hpp"

namespace kith {
namespace {

using test::directory;
using test::file;
using test::symlink;

std::string text_of(const Entry& entry) {
  Buffer out;
  {
    bencode::Writer writer(out);
    encode_entry(writer, entry);
  }
  return std::string(as_text(out));
}

Result<Entry> parse(std::string_view text) {
  const auto document = bencode::parse(as_bytes(text));
  if (!document) return document.error();
  return decode_entry(document->root());
}

std::string error_of(std::string_view text) {
  const auto result = parse(text);
  return result ? "" : result.error().what;
}

TEST(Entry, HasTheDocumentedEncoding) {
  EXPECT_EQ(text_of(directory("d", 0755, -1)), "l1:d1:di493ei-1ee");
  EXPECT_EQ(text_of(directory("", 0700, 0)), "l1:d0:i448ei0ee");
  EXPECT_EQ(text_of(symlink("d/l", "../x")), "l1:l3:d/l4:../xi0ee");
  EXPECT_EQ(text_of(file("f", 0)), "l1:f1:fi420ei1700000000000000000ei0ee");
  EXPECT_EQ(text_of(file("f", 9, 4)), "l1:f1:fi420ei1700000000000000000ei9ei4ee");
}

TEST(Entry, RoundTripsAndKnowsItsSize) {
  const std::uint64_t most = INT64_MAX;
  std::vector<Entry> entries{directory(""),
                             directory("a/b", 0, INT64_MIN),
                             directory("x", 0777, INT64_MAX),
                             symlink("l", "\xff"),
                             symlink("l", std::string(4095, 't')),
                             file("f", 0),
                             file("f", most),
                             file("f", most, most - 1),
                             file("f", 10, 9),
                             file("f", 2, 1)};
  for (const std::int64_t mtime : {-10, -9, -1, 0, 9, 10, 99, 100}) {
    entries.push_back(directory("m", 0, mtime));
  }
  for (const std::size_t size : {1u, 9u, 10u, 99u, 100u})
    entries.push_back(file(std::string(size, 'p'), size));
  for (const Entry& entry : entries) {
    const std::string text = text_of(entry);
    EXPECT_EQ(text.size(), encoded_size(entry)) << text;
    const auto back = parse(text);
    ASSERT_TRUE(back) << text << back.error().what;
    EXPECT_EQ(*back, entry);
  }
}

TEST(Entry, RefusesForeignForms) {
  EXPECT_EQ(error_of("l1:x1:ai0ei0ee"), "entry is of no known kind");
  EXPECT_EQ(error_of("le"), "entry is of no known kind");
  EXPECT_EQ(error_of("i0e"), "entry is of no known kind");
  EXPECT_EQ(error_of("de"), "entry is of no known kind");
  const std::string fields = "entry has missing, foreign or surplus fields";
  for (const char* text :
       {"l1:de", "l1:d1:ae", "l1:d1:ai0ee", "l1:d1:ai0ei0ei0ee", "l1:di1ei0ei0ee", "l1:d1:a1:0i0ee",
        "l1:d1:ai-1ei0ee", "l1:d1:ai4294967296ei0ee", "l1:f1:ai0ei0ee", "l1:f1:ai0ei0ei-1ee",
        "l1:f1:ai0ei0ei2ei1ei1ee", "l1:f1:ai0ei0ei2ei-1ee", "l1:l1:ai0ei0ee", "l1:l1:a1:bi0ei0ee",
        "l1:l1:a1:be"}) {
    EXPECT_EQ(error_of(text), fields) << text;
  }
}

TEST(Entry, RefusesWrongValues) {
  EXPECT_EQ(error_of("l1:f1:ai512ei0ei0ee"), "entry has mode bits outside 0777");
  EXPECT_EQ(error_of("l1:d1:ai512ei0ee"), "entry has mode bits outside 0777");
  EXPECT_TRUE(parse("l1:d1:ai511ei0ee"));
  EXPECT_EQ(error_of("l1:f1:ai0ei0ei2ei0ee"), "entry has an offset of 0");
  EXPECT_EQ(error_of("l1:f1:ai0ei0ei2ei2ee"), "entry has an offset past the end of the file");
  EXPECT_EQ(error_of("l1:f0:i0ei0ei0ee"), "path is empty");
  EXPECT_EQ(error_of("l1:l0:1:ai0ee"), "path is empty");
  EXPECT_EQ(error_of("l1:l1:a0:i0ee"), "symlink target is empty");
  EXPECT_EQ(error_of("l1:f2:..i0ei0ei0ee"), "path has a component '.' or '..'");
}

TEST(Entry, CheckRefusesWhatHasNoEncoding) {
  Entry link = symlink("l", "t");
  link.mode = 1;
  EXPECT_FALSE(check_entry(link));
  link = symlink("l", "t");
  link.size = 1;
  EXPECT_FALSE(check_entry(link));
  Entry dir = directory("d");
  dir.target = "t";
  EXPECT_FALSE(check_entry(dir));
  dir = directory("d");
  dir.size = 2;
  dir.offset = 1;
  EXPECT_FALSE(check_entry(dir));
  EXPECT_FALSE(check_entry(file("f", std::uint64_t{1} << 63)));
  EXPECT_TRUE(check_entry(file("f", INT64_MAX)));
}

std::string follows(std::string_view last, EntryKind kind, std::string_view path) {
  const auto result = check_follows(last, kind, path);
  return result ? "" : result.error().what;
}

TEST(CheckFollows, WantsOrderParentsAndNothingBelowFiles) {
  constexpr auto kDir = EntryKind::kDirectory;
  constexpr auto kFile = EntryKind::kFile;
  EXPECT_EQ(follows("", kDir, "a"), "");
  EXPECT_EQ(follows("a", kDir, "a/b"), "");
  EXPECT_EQ(follows("a", kFile, "a.b"), "");
  EXPECT_EQ(follows("a/b/c", kFile, "a/b/d"), "");
  EXPECT_EQ(follows("a/b/c", kFile, "a/d"), "");
  EXPECT_EQ(follows("a/b/c", kFile, "b"), "");
  EXPECT_EQ(follows("a", kFile, "a"), "two entries have one path");
  EXPECT_EQ(follows("b", kFile, "a"), "entries are not sorted");
  EXPECT_EQ(follows("a.b", kFile, "a/b"), "entries are not sorted");
  EXPECT_EQ(follows("a", kFile, ""), "entries are not sorted");
  EXPECT_EQ(follows("a", kFile, "a/b"), "an entry lies below a file or symlink");
  EXPECT_EQ(follows("a", EntryKind::kSymlink, "a/b"), "an entry lies below a file or symlink");
  EXPECT_EQ(follows("a", kFile, "a/b/c"), "an entry lies below a file or symlink");
  const std::string orphan = "an entry's directory has no entry before it";
  EXPECT_EQ(follows("", kDir, "a/b"), orphan);
  EXPECT_EQ(follows("a", kDir, "a/b/c"), orphan);
  EXPECT_EQ(follows("a", kDir, "b/c"), orphan);
  EXPECT_EQ(follows("ab/c", kFile, "abc/d"), orphan);
}

}  // namespace
}  // namespace kith
