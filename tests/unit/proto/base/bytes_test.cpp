#include "proto/bytes.hpp"

#include <gtest/gtest.h>
#include <type_traits>
#include <unordered_set>

#include "proto/ids.hpp"

namespace kith {
namespace {

TEST(Hex, HasTwoLowerCaseDigitsPerByte) {
  EXPECT_EQ(to_hex({}), "");
  EXPECT_EQ(to_hex(Buffer{0x00, 0x09, 0xa5, 0xff}), "0009a5ff");
}

TEST(Hex, RoundTripsEveryByte) {
  Buffer all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<std::uint8_t>(i));
  EXPECT_EQ(from_hex(to_hex(all)), all);
}

TEST(Hex, AcceptsBothCasesAndNothingElse) {
  EXPECT_EQ(from_hex("aAfF"), (Buffer{0xaa, 0xff}));
  EXPECT_EQ(from_hex(""), Buffer{});
  for (const char* bad : {"a", "abc", "0g", "g0", "0x", " 1", "1 ", "@0", "`0", "/0", ":0", "G0"}) {
    EXPECT_FALSE(from_hex(bad)) << bad;
  }
}

TEST(BigEndian, StoresTheMostSignificantByteFirst) {
  Buffer out;
  append_be<std::uint8_t>(out, 0x01);
  append_be<std::uint16_t>(out, 0x0203);
  append_be<std::uint32_t>(out, 0x04050607);
  append_be<std::uint64_t>(out, 0x08090a0b0c0d0e0f);
  EXPECT_EQ(to_hex(out), "0102030405060708090a0b0c0d0e0f");
}

TEST(BigEndian, LoadsWhatItStored) {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{0x80},
                                    std::uint64_t{0x8000000000000000}, UINT64_MAX}) {
    std::array<std::uint8_t, 8> raw;
    store_be(raw, value);
    EXPECT_EQ(load_be<std::uint64_t>(raw), value);
    store_be(raw, static_cast<std::uint32_t>(value));
    EXPECT_EQ(load_be<std::uint32_t>(raw), static_cast<std::uint32_t>(value));
    store_be(raw, static_cast<std::uint16_t>(value));
    EXPECT_EQ(load_be<std::uint16_t>(raw), static_cast<std::uint16_t>(value));
  }
}

TEST(BigEndian, WritesOnlyItsOwnBytes) {
  std::array<std::uint8_t, 6> raw{9, 9, 9, 9, 9, 9};
  store_be<std::uint32_t>(MutableBytes(raw).subspan(1), 0);
  EXPECT_EQ(to_hex(raw), "090000000009");
}

TEST(Bytes, CompareByContent) {
  const Buffer a{1, 2, 3}, b{1, 2, 3}, c{1, 2, 4};
  EXPECT_TRUE(equal(a, b));
  EXPECT_FALSE(equal(a, c));
  EXPECT_FALSE(equal(a, Bytes(b).first(2)));
  EXPECT_TRUE(equal({}, Bytes(a).first(0)));
}

TEST(Bytes, AreTextAndBack) {
  const std::string text("a\0b\xff", 4);
  EXPECT_EQ(as_bytes(text).size(), 4u);
  EXPECT_EQ(as_text(as_bytes(text)), text);
  EXPECT_EQ(to_buffer(as_bytes(text)), (Buffer{'a', 0, 'b', 0xff}));
  Buffer out{1};
  append(out, Buffer{2, 3});
  append(out, {});
  EXPECT_EQ(out, (Buffer{1, 2, 3}));
}

TEST(FixedBytes, TakesExactlyItsSize) {
  const Buffer raw(33, 7);
  EXPECT_FALSE(ChunkId::from(raw));
  EXPECT_FALSE(ChunkId::from(Bytes(raw).first(31)));
  const auto id = ChunkId::from(Bytes(raw).first(32));
  ASSERT_TRUE(id);
  EXPECT_TRUE(equal(id->view(), Bytes(raw).first(32)));
  EXPECT_EQ(id->hex(), to_hex(Bytes(raw).first(32)));
}

TEST(FixedBytes, OrdersBytewise) {
  ChunkId low, high;
  EXPECT_TRUE(low.is_zero());
  low.bytes[31] = 0xff;
  high.bytes[0] = 1;
  EXPECT_FALSE(low.is_zero());
  EXPECT_LT(low, high);
  high.bytes[0] = 0x80;
  low.bytes[0] = 0x7f;
  EXPECT_LT(low, high) << "unsigned";
  EXPECT_NE(low, high);
}

TEST(FixedBytes, IsATypeOfItsOwn) {
  static_assert(!std::is_convertible_v<ChunkKey, ChunkId>);
  static_assert(!std::is_convertible_v<DeviceId, SwarmId>);
  static_assert(std::is_same_v<ShareId, ChunkId>);
  SUCCEED();
}

TEST(FixedBytes, IsAKeyOfHashTables) {
  std::unordered_set<ChunkId, FixedBytesHash> set;
  ChunkId a, b;
  b.bytes[0] = 1;
  set.insert(a);
  set.insert(a);
  set.insert(b);
  EXPECT_EQ(set.size(), 2u);
  EXPECT_NE(FixedBytesHash{}(a), FixedBytesHash{}(b));
}

}  // namespace
}  // namespace kith
