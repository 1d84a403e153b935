#include "proto/crypto/keys.hpp"

#include <gtest/gtest.h>
#include <sodium.h>

#include "proto/wire/bencode.hpp"
#include "tests/unit/proto/crypto/test_support.hpp"

namespace kith {
namespace {

using test::hex;
using test::secret_of;

TEST(Sign, VerifiesOnlyWhatWasSigned) {
  const SignKeys keys = SignKeys::from_seed(secret_of(1));
  const Signature signature = keys.sign("kith/1 test", as_bytes("message"));
  EXPECT_TRUE(verify(keys.pub, "kith/1 test", as_bytes("message"), signature));
  EXPECT_FALSE(verify(keys.pub, "kith/1 tess", as_bytes("message"), signature));
  EXPECT_FALSE(verify(keys.pub, "kith/1 test", as_bytes("massage"), signature));
  const SignKeys other = SignKeys::from_seed(secret_of(2));
  EXPECT_FALSE(verify(other.pub, "kith/1 test", as_bytes("message"), signature));
}

TEST(Sign, IsEd25519) {
  // RFC 8032, section 7.1, test 1 (empty message; an empty label leaves it empty).
  const Secret seed(hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"));
  const SignKeys keys = SignKeys::from_seed(seed);
  EXPECT_EQ(keys.pub.hex(), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  EXPECT_EQ(
      keys.sign("", {}).hex(),
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
      "cf9b46bd25bf5f0595bbe24655141438e7a100b");
}

TEST(Dh, BothSidesAgree) {
  const DhKeys a = DhKeys::from_secret(secret_of(1));
  const DhKeys b = DhKeys::from_secret(secret_of(2));
  EXPECT_TRUE(*dh(a, b.pub) == *dh(b, a.pub));
}

TEST(Dh, RefusesEveryKeyOfLowOrder) {
  const DhKeys own = DhKeys::from_secret(secret_of(1));
  // Orders 1, 2, 4 and 8, reduced and not; the last with the ignored top bit set.
  for (const auto* text : {"0000000000000000000000000000000000000000000000000000000000000000",
                           "0100000000000000000000000000000000000000000000000000000000000000",
                           "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                           "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                           "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                           "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                           "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                           "0100000000000000000000000000000000000000000000000000000000000080"}) {
    const DhPublic key = *DhPublic::from(hex(text));
    EXPECT_TRUE(is_low_order(key)) << text;
    const auto shared = dh(own, key);
    ASSERT_FALSE(shared) << text;
    EXPECT_EQ(shared.error().blame, Blame::kPeer);
  }
  EXPECT_FALSE(is_low_order(own.pub));
}

TEST(Binding, RoundTrip) {
  SeededRng rng(1);
  const DeviceKeys keys = DeviceKeys::generate(rng);
  const DeviceBinding binding = keys.binding();
  EXPECT_EQ(binding.device, keys.id());
  const auto decoded = DeviceBinding::decode(binding.encode());
  ASSERT_TRUE(decoded);
  EXPECT_EQ(*decoded, binding);
}

TEST(Binding, EveryFlippedBitIsRefused) {
  SeededRng rng(1);
  const Buffer good = DeviceKeys::generate(rng).binding().encode();
  for (std::size_t i = 0; i < good.size(); ++i) {
    Buffer bad = good;
    bad[i] ^= static_cast<std::uint8_t>(1u << (i % 8));
    const auto decoded = DeviceBinding::decode(bad);
    ASSERT_FALSE(decoded) << i;
    EXPECT_EQ(decoded.error().blame, Blame::kPeer);
  }
}

TEST(Binding, TruncatedOrLongerIsRefused) {
  SeededRng rng(1);
  const Buffer good = DeviceKeys::generate(rng).binding().encode();
  for (std::size_t n = 0; n < good.size(); ++n) {
    EXPECT_FALSE(DeviceBinding::decode(Bytes(good).first(n)));
  }
  Buffer longer = good;
  longer.push_back('e');
  EXPECT_FALSE(DeviceBinding::decode(longer));
}

TEST(Binding, KeyOfLowOrderIsRefusedAlthoughSigned) {
  SeededRng rng(1);
  DeviceKeys keys = DeviceKeys::generate(rng);
  keys.wrap.pub = DhPublic{};
  EXPECT_FALSE(DeviceBinding::decode(keys.binding().encode()));
}

TEST(DeviceKeysTest, KeyFileRoundTrip) {
  SeededRng rng(3);
  const DeviceKeys keys = DeviceKeys::generate(rng);
  Buffer encoded = keys.encode();
  EXPECT_EQ(encoded.size(), kKeyFileBytes);
  EXPECT_EQ(encoded.capacity(), kKeyFileBytes) << "it moved while it was written";
  const auto decoded = DeviceKeys::decode(encoded);
  wipe(encoded);
  EXPECT_EQ(encoded, Buffer(kKeyFileBytes, 0));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->binding(), keys.binding());
  EXPECT_TRUE(decoded->sign.seed == keys.sign.seed);
  EXPECT_TRUE(decoded->noise.secret == keys.noise.secret);
  EXPECT_TRUE(decoded->wrap.secret == keys.wrap.secret);
}

TEST(DeviceKeysTest, OtherVersionAndRubbishAreOursToBlame) {
  Buffer file;
  {
    bencode::Writer writer(file);
    writer.dict().string("d", Buffer(32)).string("s", Buffer(32));
    writer.integer("v", 2).string("w", Buffer(32)).end();
  }
  const auto newer = DeviceKeys::decode(file);
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, Errc::kUnsupported);
  const auto rubbish = DeviceKeys::decode(as_bytes("rubbish"));
  ASSERT_FALSE(rubbish);
  EXPECT_EQ(rubbish.error().code, Errc::kMalformed);
  EXPECT_EQ(rubbish.error().blame, Blame::kLocal);
}

TEST(SealedBox, OpensHereAndInLibsodium) {
  SeededRng rng(1);
  const DhKeys to = DhKeys::from_secret(secret_of(5));
  const Buffer secret = test::counting(64);
  const Buffer sealed = seal_box(to.pub, secret, rng);
  ASSERT_EQ(sealed.size(), secret.size() + kSealedBoxOverhead);
  EXPECT_EQ(*open_box(to, sealed), secret);
  Buffer opened(secret.size());
  ASSERT_EQ(crypto_box_seal_open(opened.data(), sealed.data(), sealed.size(), to.pub.bytes.data(),
                                 to.secret.view().data()),
            0);
  EXPECT_EQ(opened, secret);
}

TEST(SealedBox, OpensWhatLibsodiumSealed) {
  const DhKeys to = DhKeys::from_secret(secret_of(5));
  Buffer sealed(3 + crypto_box_SEALBYTES);
  const Bytes text = as_bytes("abc");
  ASSERT_EQ(crypto_box_seal(sealed.data(), text.data(), text.size(), to.pub.bytes.data()), 0);
  EXPECT_EQ(as_text(*open_box(to, sealed)), "abc");
}

TEST(SealedBox, DependsOnlyOnTheRng) {
  SeededRng a(1), b(1), c(2);
  const DhKeys to = DhKeys::from_secret(secret_of(5));
  const Buffer sealed = seal_box(to.pub, as_bytes("x"), a);
  EXPECT_EQ(sealed, seal_box(to.pub, as_bytes("x"), b));
  EXPECT_NE(sealed, seal_box(to.pub, as_bytes("x"), c));
}

TEST(SealedBox, RefusesFlippedShortAndForeign) {
  SeededRng rng(1);
  const DhKeys to = DhKeys::from_secret(secret_of(5));
  const Buffer sealed = seal_box(to.pub, as_bytes("x"), rng);
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    Buffer bad = sealed;
    bad[i] ^= 1;
    EXPECT_FALSE(open_box(to, bad)) << i;
  }
  EXPECT_FALSE(open_box(to, Bytes(sealed).first(kSealedBoxOverhead - 1)));
  EXPECT_FALSE(open_box(DhKeys::from_secret(secret_of(6)), sealed));
}

TEST(SealedBox, ToAKeyOfLowOrderHasItsLengthAndNoSecret) {
  SeededRng rng(1);
  EXPECT_EQ(seal_box(DhPublic{}, as_bytes("abc"), rng).size(), 3 + kSealedBoxOverhead);
}

TEST(SealedSecret, RoundTripAndRefusals) {
  SeededRng rng(1);
  const Secret key = secret_of(1);
  const Buffer sealed = seal_secret(key, as_bytes("laptop"), as_bytes("ad"), rng);
  ASSERT_EQ(sealed.size(), 6 + kSecretBoxOverhead);
  EXPECT_EQ(as_text(*open_secret(key, sealed, as_bytes("ad"))), "laptop");
  EXPECT_FALSE(open_secret(key, sealed, as_bytes("ae")));
  EXPECT_FALSE(open_secret(secret_of(2), sealed, as_bytes("ad")));
  EXPECT_FALSE(open_secret(key, Bytes(sealed).first(kSecretBoxOverhead - 1), as_bytes("ad")));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    Buffer bad = sealed;
    bad[i] ^= 0x80;
    EXPECT_FALSE(open_secret(key, bad, as_bytes("ad"))) << i;
  }
  const Buffer nothing = seal_secret(key, {}, {}, rng);
  EXPECT_TRUE(open_secret(key, nothing, {})->empty());
}

}  // namespace
}  // namespace kith
