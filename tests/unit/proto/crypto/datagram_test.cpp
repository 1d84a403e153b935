#include "proto/crypto/datagram.hpp"

#include <gtest/gtest.h>

#include "tests/unit/proto/crypto/test_support.hpp"

namespace kith {
namespace {

using test::secret_of;

constexpr UnixMillis kNow{1'700'000'000'000};
constexpr UnixMillis later(std::int64_t ms) { return UnixMillis{count(kNow) + ms}; }

DatagramId id_of(std::uint8_t byte) {
  DatagramId out;
  out.bytes.fill(byte);
  return out;
}

Buffer seal(Bytes krpc, DatagramId from = id_of(1), DatagramId to = id_of(2),
            std::uint64_t seed = 1) {
  SeededRng rng(seed);
  Buffer out;
  seal_datagram(secret_of(9), {from, to}, kNow, krpc, rng, out);
  return out;
}

TEST(Datagram, RoundTripOfEverySize) {
  Buffer scratch;
  for (const std::size_t size : {std::size_t{1}, std::size_t{100}, limits::kKrpcMax}) {
    const Buffer krpc = test::counting(size);
    const Buffer datagram = seal(krpc);
    EXPECT_EQ(datagram.size(), size + kDatagramOverhead);
    const Buffer before = datagram;
    const auto opened = open_datagram(secret_of(9), id_of(2), datagram, kNow, scratch);
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->from, id_of(1));
    EXPECT_EQ(opened->to, id_of(2));
    EXPECT_TRUE(equal(opened->krpc, krpc));
    EXPECT_EQ(opened->nonce.data(), datagram.data());
    EXPECT_EQ(opened->nonce.size(), kDatagramNonce);
    EXPECT_EQ(datagram, before);
  }
}

TEST(Datagram, AppendsBehindOthers) {
  SeededRng rng(1);
  Buffer arena = {1, 2, 3};
  seal_datagram(secret_of(9), {id_of(1), id_of(2)}, kNow, as_bytes("d1:q"), rng, arena);
  Buffer scratch;
  EXPECT_TRUE(open_datagram(secret_of(9), id_of(2), Bytes(arena).subspan(3), kNow, scratch));
}

TEST(Datagram, NeverBeginsLikePlainKrpc) {
  SeededRng rng(1);
  for (int i = 0; i < 2'000; ++i) {
    Buffer out;
    seal_datagram(secret_of(9), {id_of(1), id_of(2)}, kNow, as_bytes("x"), rng, out);
    ASSERT_NE(out[0], 'd');
    ASSERT_TRUE(may_be_sealed(out));
  }
}

// With a generator that offers 'd' first.
TEST(Datagram, DrawsTheNonceAnew) {
  struct TwiceRng final : Rng {
    int calls = 0;
    void fill(MutableBytes out) override {
      std::fill(out.begin(), out.end(), calls++ == 0 ? std::uint8_t{'d'} : std::uint8_t{'e'});
    }
  } rng;
  Buffer out;
  seal_datagram(secret_of(9), {id_of(1), id_of(2)}, kNow, as_bytes("x"), rng, out);
  EXPECT_EQ(rng.calls, 2);
  EXPECT_EQ(Buffer(out.begin(), out.begin() + 24), Buffer(24, 'e'));
}

TEST(Datagram, DropsOwnFromAndAnothersTo) {
  Buffer scratch;
  const auto open = [&](DatagramId self, Bytes datagram) {
    return open_datagram(secret_of(9), self, datagram, kNow, scratch);
  };
  const Buffer datagram = seal(as_bytes("x"));
  EXPECT_EQ(open(id_of(1), datagram).error().code, Errc::kRefused);
  EXPECT_EQ(open(id_of(3), datagram).error().code, Errc::kRefused);
  const Buffer to_unknown = seal(as_bytes("x"), id_of(1), DatagramId{});
  const auto opened = open(id_of(3), to_unknown);
  ASSERT_TRUE(opened);
  EXPECT_TRUE(opened->to.is_zero());
  EXPECT_FALSE(open(id_of(1), to_unknown));
}

TEST(Datagram, DropsWhatIsStale) {
  Buffer scratch;
  const Buffer datagram = seal(as_bytes("x"));
  constexpr std::int64_t kWindow = 30 * 60 * 1'000;
  EXPECT_TRUE(open_datagram(secret_of(9), id_of(2), datagram, later(kWindow), scratch));
  EXPECT_TRUE(open_datagram(secret_of(9), id_of(2), datagram, later(-kWindow), scratch));
  for (const std::int64_t off : {kWindow + 1, -kWindow - 1}) {
    const auto stale = open_datagram(secret_of(9), id_of(2), datagram, later(off), scratch);
    ASSERT_FALSE(stale);
    EXPECT_EQ(stale.error().code, Errc::kTimeout);
  }
}

TEST(Datagram, DropsFlippedTruncatedLongerAndForeign) {
  Buffer scratch;
  const Buffer good = seal(as_bytes("krpc"));
  for (std::size_t i = 0; i < good.size(); ++i) {
    Buffer bad = good;
    bad[i] ^= 0x08;
    EXPECT_FALSE(open_datagram(secret_of(9), id_of(2), bad, kNow, scratch)) << i;
    EXPECT_FALSE(open_datagram(secret_of(9), id_of(2), Bytes(good).first(i), kNow, scratch)) << i;
  }
  Buffer longer = good;
  longer.push_back(0);
  EXPECT_FALSE(open_datagram(secret_of(9), id_of(2), longer, kNow, scratch));
  const auto foreign = open_datagram(secret_of(8), id_of(2), good, kNow, scratch);
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().blame, Blame::kNetwork);
}

TEST(Datagram, SizeLimitsAreExact) {
  EXPECT_FALSE(may_be_sealed({}));
  EXPECT_FALSE(may_be_sealed(Buffer(kDatagramOverhead)));
  EXPECT_TRUE(may_be_sealed(Buffer(kDatagramOverhead + 1)));
  EXPECT_TRUE(may_be_sealed(Buffer(kDatagramOverhead + limits::kKrpcMax)));
  EXPECT_FALSE(may_be_sealed(Buffer(kDatagramOverhead + limits::kKrpcMax + 1)));
  EXPECT_FALSE(may_be_sealed(Buffer(200, 'd')));
}

TEST(Datagram, IdIsTheFrontOfTheNodeId) {
  NodeId node;
  for (std::size_t i = 0; i < node.bytes.size(); ++i) node.bytes[i] = static_cast<uint8_t>(i);
  EXPECT_EQ(datagram_id(node).hex(), "0001020304050607");
}

TEST(Datagram, FrozenVector) {
  const Buffer datagram = seal(as_bytes("d1:y1:qe"));
  EXPECT_EQ(to_hex(datagram),
            "01bca62724b088adff1577dcc750748b5259bfd05ab26083f40367520ab3a9bdd8e6a23495c7f2c35f1412"
            "b8931ab5bc448404b2580284c73a03e8c947ca0fe8864cd1891073411d");
}

}  // namespace
}  // namespace kith
