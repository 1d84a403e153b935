#include "proto/crypto/handshake_payload.hpp"

#include <gtest/gtest.h>

#include "proto/wire/bencode.hpp"
#include "tests/unit/proto/crypto/test_support.hpp"

namespace kith {
namespace {

using test::secret_of;

noise::Hash hash_of(std::uint8_t byte) {
  noise::Hash out;
  out.fill(byte);
  return out;
}

DeviceId device_of(std::uint8_t byte) {
  DeviceId out;
  out.bytes.fill(byte);
  return out;
}

TEST(FirstMessageTest, RoundTrip) {
  const SignKeys signer = SignKeys::from_seed(secret_of(1));
  for (const auto& to : {std::optional<DeviceId>(), std::optional<DeviceId>(device_of(3))}) {
    const FirstMessage first{signer.pub, UnixMillis{1'700'000'000'000}, to};
    const auto decoded = FirstMessage::decode(first.encode(signer, hash_of(2)), hash_of(2));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, first);
  }
}

TEST(FirstMessageTest, SignsHashTimeAndReceiver) {
  const SignKeys signer = SignKeys::from_seed(secret_of(1));
  const FirstMessage first{signer.pub, UnixMillis{1'700'000'000'000}, device_of(3)};
  const Buffer good = first.encode(signer, hash_of(2));
  EXPECT_FALSE(FirstMessage::decode(good, hash_of(3)));
  std::string text(as_text(good));
  const auto replaced = [&](std::string_view from, std::string_view with) {
    std::string changed = text;
    const auto at = changed.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    changed.replace(at, from.size(), with);
    return changed;
  };
  for (const auto& bad :
       {replaced("i1700000000000e", "i1700000000001e"), replaced("2:to32:\x03", "2:to32:\x04"),
        replaced("i1700000000000e", "i-1e"), replaced("i1700000000000e", "1:x")}) {
    const auto decoded = FirstMessage::decode(as_bytes(bad), hash_of(2));
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().blame, Blame::kPeer);
  }
}

TEST(FirstMessageTest, ATimeBefore1970IsRefusedAlthoughSigned) {
  const SignKeys signer = SignKeys::from_seed(secret_of(1));
  for (const std::int64_t time : {0, -1}) {
    const FirstMessage first{signer.pub, UnixMillis{time}, std::nullopt};
    const Buffer payload = first.encode(signer, hash_of(2));
    EXPECT_EQ(FirstMessage::decode(payload, hash_of(2)).has_value(), time == 0);
  }
}

TEST(FirstMessageTest, ReceiverIsADeviceOrEmpty) {
  const SignKeys signer = SignKeys::from_seed(secret_of(1));
  for (const std::size_t size : {1u, 31u, 33u}) {
    Buffer out;
    {
      bencode::Writer writer(out);
      writer.dict().string("k", signer.pub.view()).string("s", Buffer(64)).integer("t", 1);
      writer.string("to", Buffer(size)).end();
    }
    const auto decoded = FirstMessage::decode(out, hash_of(2));
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().code, Errc::kMalformed);
  }
}

HandshakePayload payload_with(std::size_t heads) {
  SeededRng rng(1);
  HandshakePayload out{DeviceKeys::generate(rng).binding(), INT64_MAX, {}};
  for (std::size_t i = 0; i < heads; ++i) out.heads.push_back(rng.random<OpId>());
  return out;
}

TEST(HandshakePayloadTest, RoundTripUpToAllHeads) {
  for (const std::size_t heads : {std::size_t{0}, std::size_t{1}, limits::kHandshakeHeads}) {
    const HandshakePayload payload = payload_with(heads);
    const auto decoded = HandshakePayload::decode(payload.encode());
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, payload);
  }
}

TEST(HandshakePayloadTest, TheLargestFitsMessageTwo) {
  // e, encrypted s and the payload's tag stand beside it.
  EXPECT_LE(payload_with(limits::kHandshakeHeads).encode().size() + 32 + 48 + 16,
            limits::kHandshakeMessageMax);
}

TEST(HandshakePayloadTest, MoreHeadsAreNotSentAndNotTaken) {
  const HandshakePayload many = payload_with(limits::kHandshakeHeads + 1);
  const auto decoded = HandshakePayload::decode(many.encode());
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->heads.size(), limits::kHandshakeHeads);

  Buffer forged;
  {
    bencode::Writer writer(forged);
    writer.dict().string("b", many.binding.encode()).integer("f", 0);
    writer.string("h", Buffer(32 * (limits::kHandshakeHeads + 1))).end();
  }
  const auto refused = HandshakePayload::decode(forged);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kLimit);
}

TEST(HandshakePayloadTest, RefusesNegativeFeaturesOddHeadsAndBadBindings) {
  const auto make = [](Bytes binding, std::int64_t features, std::size_t heads) {
    Buffer out;
    bencode::Writer writer(out);
    writer.dict().string("b", binding).integer("f", features).string("h", Buffer(heads)).end();
    return out;
  };
  const Buffer binding = payload_with(0).binding.encode();
  EXPECT_TRUE(HandshakePayload::decode(make(binding, 0, 0)));
  EXPECT_FALSE(HandshakePayload::decode(make(binding, -1, 0)));
  EXPECT_FALSE(HandshakePayload::decode(make(binding, 0, 31)));
  EXPECT_FALSE(HandshakePayload::decode(make(Bytes(binding).first(100), 0, 0)));
  EXPECT_FALSE(HandshakePayload::decode({}));
}

TEST(HandshakePayloadTest, IgnoresKeysOfLaterVersions) {
  Buffer out;
  {
    bencode::Writer writer(out);
    writer.dict().string("b", payload_with(0).binding.encode()).integer("f", 0);
    writer.string("h", Bytes{}).string("z", "later").end();
  }
  EXPECT_TRUE(HandshakePayload::decode(out));
}

}  // namespace
}  // namespace kith
