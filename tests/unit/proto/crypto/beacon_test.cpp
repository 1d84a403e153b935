#include "proto/crypto/beacon.hpp"

#include <gtest/gtest.h>

#include "proto/limits.hpp"
#include "proto/wire/bencode.hpp"
#include "tests/unit/proto/crypto/test_support.hpp"

namespace kith {
namespace {

using test::secret_of;

constexpr UnixMillis kNow{1'700'000'000'000};

Buffer seal(std::uint16_t port = 5484) {
  SeededRng rng(1);
  return seal_beacon(secret_of(9), SignKeys::from_seed(secret_of(1)), port, kNow, rng);
}

TEST(BeaconTest, RoundTrip) {
  for (const std::uint16_t port : std::initializer_list<std::uint16_t>{1, 5484, 65'535}) {
    const Buffer sealed = seal(port);
    EXPECT_LE(sealed.size(), limits::kBeaconMax);
    const auto opened = open_beacon(secret_of(9), sealed, kNow);
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->device.bytes, SignKeys::from_seed(secret_of(1)).pub.bytes);
    EXPECT_EQ(opened->port, port);
    EXPECT_EQ(opened->time, kNow);
  }
}

TEST(BeaconTest, DropsFlippedTruncatedForeignAndLong) {
  const Buffer good = seal();
  for (std::size_t i = 0; i < good.size(); ++i) {
    Buffer bad = good;
    bad[i] ^= 1;
    EXPECT_FALSE(open_beacon(secret_of(9), bad, kNow)) << i;
    EXPECT_FALSE(open_beacon(secret_of(9), Bytes(good).first(i), kNow)) << i;
  }
  EXPECT_FALSE(open_beacon(secret_of(8), good, kNow));
  EXPECT_FALSE(open_beacon(secret_of(9), Buffer(limits::kBeaconMax + 1), kNow));
}

TEST(BeaconTest, DropsWhatIsStale) {
  const Buffer sealed = seal();
  constexpr std::int64_t kWindow = 30 * 60 * 1'000;
  EXPECT_TRUE(open_beacon(secret_of(9), sealed, UnixMillis{count(kNow) + kWindow}));
  const auto stale = open_beacon(secret_of(9), sealed, UnixMillis{count(kNow) + kWindow + 1});
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().code, Errc::kTimeout);
}

// A member that holds the key and speaks for another device.
TEST(BeaconTest, DropsWhatAnotherDeviceSigned) {
  SeededRng rng(1);
  const SignKeys device = SignKeys::from_seed(secret_of(1));
  const SignKeys liar = SignKeys::from_seed(secret_of(2));
  const auto forge = [&](std::int64_t port, std::uint16_t signed_port, const SignKeys& signer) {
    Buffer message;
    append_be(message, static_cast<std::uint64_t>(count(kNow)));
    append_be(message, signed_port);
    const Signature signature = signer.sign("kith/1 beacon", message);
    Buffer text;
    {
      bencode::Writer writer(text);
      writer.dict().string("d", device.pub.view()).integer("p", port);
      writer.string("s", signature.view()).integer("t", count(kNow)).end();
    }
    return seal_secret(secret_of(9), text, {}, rng);
  };
  EXPECT_TRUE(open_beacon(secret_of(9), forge(5, 5, device), kNow));
  EXPECT_FALSE(open_beacon(secret_of(9), forge(5, 5, liar), kNow));
  EXPECT_FALSE(open_beacon(secret_of(9), forge(6, 5, device), kNow));
  EXPECT_FALSE(open_beacon(secret_of(9), forge(0, 0, device), kNow));
  EXPECT_FALSE(open_beacon(secret_of(9), forge(65'536, 0, device), kNow));
}

TEST(BeaconTest, FrozenVector) {
  EXPECT_EQ(
      to_hex(seal()),
      "01bca62724b088adff1577dcc750748b5259bfd05ab2608391335c373880923652077d429e34653c0dcf3e0fe6a2"
      "af7647bc81d6fd2aee51a9cb57e04995001aa1a41ae83c7efc09c8f7e692dddf8d6328e308b9e2102724771bc444"
      "96fc78947cf370918972d8b3a674505098f12057676a00ae8a3d2c8f63df297e4ae8cccb3fd84af8bc7686e98a92"
      "6bae06510c04ad5e8e095c5d57bab4e352b69db56cbe5f18cf5030d10ee69d3f29d86e9e2f7129");
}

}  // namespace
}  // namespace kith
