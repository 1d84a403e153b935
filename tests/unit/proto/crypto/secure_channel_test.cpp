#include "proto/crypto/secure_channel.hpp"

#include <gtest/gtest.h>

#include "tests/unit/proto/crypto/test_support.hpp"

namespace kith {
namespace {

using test::counting;
using test::secret_of;

struct ChannelPair {
  SecureChannel a{noise::CipherState(secret_of(1)), noise::CipherState(secret_of(2)), {}};
  SecureChannel b{noise::CipherState(secret_of(2)), noise::CipherState(secret_of(1)), {}};
};

Buffer sealed(SecureChannel& channel, Bytes frame) {
  Buffer out;
  channel.seal_frame(frame, out);
  return out;
}

TEST(SecureChannelTest, FramesOfEverySizeBothWays) {
  ChannelPair pair;
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{2}, std::size_t{1'000}, limits::kFrameMax}) {
    const Buffer frame = counting(size);
    for (auto* from : {&pair.a, &pair.b}) {
      SecureChannel& to = from == &pair.a ? pair.b : pair.a;
      Buffer record = sealed(*from, frame);
      EXPECT_EQ(record.size(), size + kRecordOverhead);
      EXPECT_EQ(SecureChannel::record_size(record), record.size());
      const auto opened = to.open_frame(record);
      ASSERT_TRUE(opened && *opened);
      EXPECT_TRUE(equal((*opened)->frame, frame));
      EXPECT_EQ((*opened)->consumed, record.size());
      EXPECT_EQ((*opened)->frame.data(), record.data() + 2);  // in place
    }
  }
  EXPECT_EQ(pair.a.bytes_sent(), pair.b.bytes_received());
  EXPECT_EQ(pair.b.bytes_sent(), pair.a.bytes_received());
}

TEST(SecureChannelTest, StopsAtTheEndOfARecord) {
  ChannelPair pair;
  Buffer stream = sealed(pair.a, as_bytes("chunk frame"));
  const std::size_t first = stream.size();
  append(stream, Buffer(500, 0xEE));  // a bulk section
  const std::size_t second = stream.size();
  append(stream, sealed(pair.a, as_bytes("next frame")));
  auto opened = pair.b.open_frame(stream);
  ASSERT_TRUE(opened && *opened);
  EXPECT_EQ((*opened)->consumed, first);
  EXPECT_EQ(Buffer(stream.begin() + static_cast<std::ptrdiff_t>(first),
                   stream.begin() + static_cast<std::ptrdiff_t>(second)),
            Buffer(500, 0xEE));
  opened = pair.b.open_frame(MutableBytes(stream).subspan(second));
  ASSERT_TRUE(opened && *opened);
  EXPECT_EQ(as_text((*opened)->frame), "next frame");
}

TEST(SecureChannelTest, WaitsForTheWholeRecord) {
  ChannelPair pair;
  const Buffer record = sealed(pair.a, as_bytes("frame"));
  Buffer received;
  for (std::size_t i = 0; i + 1 < record.size(); ++i) {
    const auto opened = pair.b.open_frame(received);
    ASSERT_TRUE(opened);
    ASSERT_FALSE(*opened) << i;
    EXPECT_EQ(SecureChannel::record_size(received).has_value(), i >= 2);
    received.push_back(record[i]);
  }
  EXPECT_TRUE(equal(received, Bytes(record).first(received.size())));
  received.push_back(record.back());
  EXPECT_TRUE(*pair.b.open_frame(received));
}

TEST(SecureChannelTest, EveryFlippedByteBreaksTheChannelForGood) {
  const std::size_t size = 5 + kRecordOverhead;
  for (std::size_t i = 0; i < size; ++i) {
    ChannelPair pair;
    Buffer record = sealed(pair.a, as_bytes("frame"));
    const Buffer good = record;
    record[i] ^= 1;
    record.resize(record.size() + 2);  // so that a length that grew by one is there
    const auto opened = pair.b.open_frame(record);
    if (i == 0) {
      ASSERT_TRUE(opened && !*opened);  // 256 bytes more: still waiting
      continue;
    }
    ASSERT_FALSE(opened) << i;
    EXPECT_EQ(opened.error().blame, Blame::kNetwork);
    EXPECT_TRUE(pair.b.broken());
    Buffer again = good;
    EXPECT_FALSE(pair.b.open_frame(again));
  }
}

TEST(SecureChannelTest, DroppedRepeatedReorderedAndReflectedRecordsBreakIt) {
  for (const int fault : {0, 1, 2, 3}) {
    ChannelPair pair;
    Buffer first = sealed(pair.a, as_bytes("1"));
    Buffer second = sealed(pair.a, as_bytes("2"));
    Buffer again = first;
    if (fault == 0) {
      EXPECT_FALSE(pair.b.open_frame(second));  // the first was dropped, or comes later
    } else if (fault == 1) {
      ASSERT_TRUE(pair.b.open_frame(first));
      EXPECT_FALSE(pair.b.open_frame(again));
    } else if (fault == 2) {
      ASSERT_TRUE(pair.b.open_frame(first));
      ASSERT_TRUE(pair.b.open_frame(second));
      EXPECT_FALSE(pair.b.open_frame(again));
    } else {
      EXPECT_FALSE(pair.a.open_frame(first));
    }
  }
}

TEST(SecureChannelTest, ImpossibleLengthsAreRefusedBeforeTheirBytesCome) {
  for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{16},
                              limits::kFrameMax + 17, std::size_t{65'535}}) {
    ChannelPair pair;
    Buffer bytes;
    append_be(bytes, static_cast<std::uint16_t>(n));
    const auto opened = pair.b.open_frame(bytes);
    ASSERT_FALSE(opened) << n;
    EXPECT_EQ(opened.error().blame, Blame::kNetwork);
  }
  for (const std::size_t n : {std::size_t{17}, limits::kFrameMax + 16}) {
    ChannelPair pair;
    Buffer bytes;
    append_be(bytes, static_cast<std::uint16_t>(n));
    const auto opened = pair.b.open_frame(bytes);
    EXPECT_TRUE(opened && !*opened) << n;
  }
}

TEST(SecureChannelTest, RekeysEveryDirectionByItself) {
  ChannelPair pair;
  noise::CipherState plain(secret_of(1));  // what direction a → b is without rekeying
  const Buffer frame = {1};
  for (std::uint64_t i = 0; i < 2 * limits::kRekeyEvery + 3; ++i) {
    Buffer record = sealed(pair.a, frame);
    Buffer expected;
    plain.encrypt_with_ad({}, frame, expected);
    if (i == limits::kRekeyEvery - 1) plain.rekey();
    if (i == 2 * limits::kRekeyEvery - 1) plain.rekey();
    ASSERT_TRUE(equal(Bytes(record).subspan(2), expected)) << i;
    ASSERT_TRUE(pair.b.open_frame(record)) << i;
    if (i % 10'000 == 0) {
      Buffer back = sealed(pair.b, frame);
      ASSERT_TRUE(pair.a.open_frame(back));
    }
  }
}

TEST(SecureChannelTest, BulkKeysComeFromTheFirstKeys) {
  ChannelPair pair;
  EXPECT_TRUE(pair.a.send_bulk_key() == bulk_key(secret_of(1)));
  EXPECT_TRUE(pair.a.receive_bulk_key() == bulk_key(secret_of(2)));
  EXPECT_TRUE(pair.b.send_bulk_key() == bulk_key(secret_of(2)));
  EXPECT_TRUE(pair.b.receive_bulk_key() == bulk_key(secret_of(1)));
}

TEST(SecureChannelTest, CountsSectionsWithRecords) {
  ChannelPair pair;
  (void)sealed(pair.a, as_bytes("abc"));
  pair.a.add_section_sent(1'000);
  pair.a.add_section_received(2'000);
  EXPECT_EQ(pair.a.bytes_sent(), 1'000 + 3 + kRecordOverhead);
  EXPECT_EQ(pair.a.bytes_received(), 2'000u);
}

TEST(SecureChannelTest, FrozenRecord) {
  ChannelPair pair;
  EXPECT_EQ(to_hex(sealed(pair.a, as_bytes("kith"))),
            "00146a4e39b9481d93c55183312dc4c69ca4ffb828e9");
}

}  // namespace
}  // namespace kith
