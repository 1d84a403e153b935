// Frozen examples of every format of proto/content (docs/protocol-content.md, "Vectors"). These
// never change: what they pin is what devices agree on.
#include <gtest/gtest.h>

#include "proto/content/link.hpp"
#include "tests/unit/proto/content/share_model.hpp"

namespace kith {
namespace {

using test::directory;
using test::file;
using test::symlink;

// 32 bytes that count up from `first`.
template <class Fixed>
Fixed counting(int first) {
  Fixed out;
  for (std::uint8_t& byte : out.bytes) byte = static_cast<std::uint8_t>(first++);
  return out;
}

std::string blake3_hex(Bytes bytes) { return to_hex(blake3(bytes)); }

Page small_page() {
  Page page;
  page.rows = {{counting<ChunkId>(0x00), counting<ChunkKey>(0x20), 10},
               {counting<ChunkId>(0x40), counting<ChunkKey>(0x60), 300'000}};
  page.entries = {directory("", 0755, -1), file("a", 10), symlink("b", "../c"), file("d", 400'000)};
  return page;
}

Root small_root() {
  Root root;
  root.name = "tree";
  PageRef first;
  first.id = counting<ChunkId>(0x80);
  first.key = counting<ChunkKey>(0xa0);
  first.length = 308;
  first.chunks = 2;
  first.entries = 4;
  first.bytes = 300'010;
  PageRef second = first;
  second.id = counting<ChunkId>(0xc0);
  second.entries = 1;
  second.chunks = 1;
  second.bytes = 100'000;
  second.first_path = "d";
  root.pages = {first, second};
  root.totals = {.bytes = 400'010,
                 .files = 2,
                 .directories = 1,
                 .symlinks = 1,
                 .chunks = 3,
                 .stored = 400'010};
  return root;
}

TEST(Vectors, GearTable) {
  Buffer bytes;
  for (const std::uint64_t number : gear_table()) append_be(bytes, number);
  EXPECT_EQ(to_hex(Bytes(bytes).first(16)), "04ddd25424ff4ca3ff058c34147b28ee");
  EXPECT_EQ(to_hex(Bytes(bytes).last(8)), "d8fa6ff23794dcc8");
  EXPECT_EQ(blake3_hex(bytes), "0e3548b764d9226e441550f26f37ba646a87b0a3d1195c92b4e9ce0c7404a8e3");
}

TEST(Vectors, CutsOfSixteenMiB) {
  Buffer data(16 * 1024 * 1024);
  blake3_xof(data, as_bytes("kith/1 vector"));
  FastCdc cdc{Chunking{}};
  std::vector<std::size_t> ends;
  for (std::size_t at = 0; const std::size_t n = cdc.next_cut(Bytes(data).subspan(at));) {
    ends.push_back(at += n);
  }
  const std::vector<std::size_t> expected{1241311,  2666658,  3849161,  5225589,  5866469,
                                          7149222,  8450787,  9547896,  10899050, 11987917,
                                          13063362, 14219129, 14970494, 16134066};
  EXPECT_EQ(ends, expected);
}

TEST(Vectors, PackMarks) {
  // The paths below "dir/" numbered 0 to 99 behind which a pack that is large enough ends.
  std::vector<int> marked;
  Chunking chunking;
  chunking.pack_min = 1;
  for (int i = 0; i < 100; ++i) {
    Packer packer(chunking);
    if (packer.add("dir/" + std::to_string(i), 1, 20)) marked.push_back(i);
  }
  const std::vector<int> expected{27, 37, 43, 52, 58, 62, 69, 77};
  EXPECT_EQ(marked, expected);
}

TEST(Vectors, Page) {
  const std::string hex =
      "64313a633133363a000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223242"
      "5262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f0000000a404142434445464748494a4b4c4d4e"
      "4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7"
      "c7d7e7f000493e0313a656c6c313a64303a6934393365692d3165656c313a66313a616934323065693137303030"
      "30303030303030303030303030306569313065656c313a6c313a62343a2e2e2f63693065656c313a66313a64693"
      "432306569313730303030303030303030303030303030306569343030303030656565313a6b69306565";
  EXPECT_EQ(to_hex(small_page().encode()), hex);
  EXPECT_EQ(Page::decode(*from_hex(hex)).value(), small_page());
}

TEST(Vectors, Root) {
  const std::string hex =
      "64313a636c693065693236323134346569313034383537366569343139343330346569313034383537366569323"
      "6323134346569353234323838656931353732383634656932303438656931333130373265693236323134346565"
      "313a6e343a74726565313a706c6c36343a808182838485868788898a8b8c8d8e8f909192939495969798999a9b9"
      "c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf69333038656932656934"
      "656930656933303030313065303a656c36343ac0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9d"
      "adbdcdddedfa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf6933303865693165"
      "6931656930656931303030303065313a646565313a73693065313a746c693430303031306569326569316569316"
      "5693365693430303031306565313a7669316565";
  EXPECT_EQ(to_hex(small_root().encode()), hex);
  EXPECT_EQ(Root::decode(*from_hex(hex)).value(), small_root());
}

TEST(Vectors, Link) {
  Link link;
  for (std::uint8_t i = 0; i < 8; ++i) link.swarm_prefix[i] = i;
  link.share = counting<ShareId>(0x10);
  link.key = counting<ChunkKey>(0x40);
  const std::string text =
      "kith:share/aeaacaqdaqcqmbyqcejbgfavcylrqgi2dmob2hq7eaqseizeeutcokbjfivsyljof5aecqsdircumr2i"
      "jffewtcnjzhvauksknkfkvsxlbmvuw24lvpf6rs6wg5a";
  EXPECT_EQ(link.to_string(), text);
  EXPECT_EQ(Link::parse(text).value(), link);
}

// 20,000 files of i · 7,919 mod 10,000 bytes and a large one of a single chunk; a chunk's id is
// BLAKE3 of its number as u64, its key is zero. Pins packs and page ends.
test::Share page_end_share(ChunkingMode mode) {
  test::Share share;
  share.chunking.mode = mode;
  share.items.push_back({directory("", 0755, 0), 0});
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    Entry entry = file("file" + std::to_string(100'000 + i), i * 7919 % 10'000);
    entry.mtime_ns = 0;
    share.items.push_back({std::move(entry), i});
  }
  Entry large = file("large", 262'144);
  large.mtime_ns = 0;
  share.items.push_back({std::move(large), 0});
  return share;
}

test::Built build_numbered(const test::Share& share) {
  std::vector<test::Step> steps = test::steps_of(share);
  std::uint64_t number = 0;
  for (test::Step& step : steps) {
    if (step.item != nullptr) continue;
    Buffer raw;
    append_be(raw, number++);
    step.row.id.bytes = blake3(raw);
    step.row.key = {};
  }
  return test::build(share, steps);
}

std::string summary(const test::Built& built) {
  std::string out;
  Buffer all;
  for (const Buffer& page : built.encoded) {
    out += std::to_string(page.size()) + " ";
    append(all, page);
  }
  return out + blake3_hex(all);
}

TEST(Vectors, PageEnds) {
  EXPECT_EQ(summary(build_numbered(page_end_share(ChunkingMode::kCdc))),
            "173843 174267 174942 127027 "
            "17e948fff418576b5009001b7ca8671fa430271a6cf48bca824a5c7c9bce28d3");
  EXPECT_EQ(summary(build_numbered(page_end_share(ChunkingMode::kFixed))),
            "189192 135253 162160 155485 2515 "
            "baedf3865e3b5041493bbba86f8adf0b19bff4f6110cf092d657877881aa17c1");
}

TEST(Vectors, PageEndsWithinAFile) {
  test::Share share;
  share.chunking.mode = ChunkingMode::kFixed;
  share.single_file = true;
  share.name = "huge";
  Entry entry = file("huge", std::uint64_t{20} << 30);
  entry.mtime_ns = 0;
  share.items = {{std::move(entry), 0}};
  EXPECT_EQ(summary(build_numbered(share)),
            "245263 384675 298859 155924 308244 "
            "d1ec0bd7bd22b975a7e1a7cb2786f9a22c316446fa2044c833bd82f76a069a53");
}

}  // namespace
}  // namespace kith
