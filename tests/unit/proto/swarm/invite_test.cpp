#include "proto/swarm/invite.hpp"

#include "proto/limits.hpp"
#include "proto/text.hpp"
#include "tests/unit/proto/swarm/fixtures.hpp"

namespace kith::test {
namespace {

Invite specimen(std::size_t hints = 2) {
  Invite out;
  out.swarm = pattern<SwarmId>(1);
  out.seed = seed_secret(2);
  out.issuer = pattern<DeviceId>(3);
  out.expiry = UnixMillis{1'700'000'000'123};
  const Endpoint all[] = {*Endpoint::parse("192.0.2.7:5484"),
                          *Endpoint::parse("[2001:db8::1]:5485"),
                          *Endpoint::parse("198.51.100.9:1")};
  for (std::size_t i = 0; i < hints; ++i) out.hints.push_back(all[i]);
  return out;
}

// The text of these bytes with a right checksum.
std::string text_of(Buffer bytes) {
  append(bytes, Bytes(blake2b_256(bytes)).first(4));
  return "kith:invite/" + to_base32(bytes);
}

Buffer bytes_of(const Invite& invite) {
  Buffer out = *from_base32(invite.to_string().substr(12));
  out.resize(out.size() - 4);
  return out;
}

std::string why_not(const std::string& text) {
  const auto parsed = Invite::parse(text);
  EXPECT_FALSE(parsed.has_value());
  return parsed ? "" : parsed.error().what;
}

TEST(Invite, Golden) {
  EXPECT_EQ(specimen(1).to_string(),
            "kith:invite/"
            "aeaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypsaaqcaibaeaqcaibaeaqcaibaeaqca"
            "ibaeaqcaibaeaqcaibaeaqcamcakbqhbaequcymbuha6earcijrifiwc4mbsgq3dqor4hzaeeraaaabrph6k2d"
            "3aedmaa"
            "aca4kwyriddbyq");
}

TEST(Invite, IsReadAsItWasWritten) {
  for (std::size_t hints = 0; hints <= limits::kInviteHints; ++hints) {
    const Invite invite = specimen(hints);
    EXPECT_EQ(Invite::parse(invite.to_string()).value(), invite);
  }
}

TEST(Invite, WhiteSpaceAroundItIsIgnored) {
  EXPECT_EQ(Invite::parse(" \t\n" + specimen().to_string() + "\r\n ").value(), specimen());
}

TEST(Invite, ErrorsNameTheWrongPart) {
  const std::string good = specimen().to_string();
  EXPECT_THAT(why_not(""), testing::HasSubstr("begin"));
  EXPECT_THAT(why_not("kith:share/abc"), testing::HasSubstr("begin"));
  EXPECT_THAT(why_not("KITH:INVITE/abc"), testing::HasSubstr("begin"));
  EXPECT_THAT(why_not(good + "!"), testing::HasSubstr("characters"));
  EXPECT_THAT(why_not(good.substr(0, 30) + " " + good.substr(30)),
              testing::HasSubstr("characters"));
  EXPECT_THAT(why_not("kith:invite/"), testing::HasSubstr("short"));
  EXPECT_THAT(why_not("kith:invite/" + std::string(400, 'a')), testing::HasSubstr("long"));
  EXPECT_THAT(why_not(good.substr(0, good.size() - 8)), testing::HasSubstr("altered or cut"));
}

TEST(Invite, EveryChangedOrMissingCharacterIsFound) {
  const std::string good = specimen().to_string();
  for (std::size_t i = 12; i < good.size(); ++i) {
    std::string changed = good;
    changed[i] = changed[i] == 'a' ? 'b' : 'a';
    EXPECT_FALSE(Invite::parse(changed).has_value()) << i;
    EXPECT_FALSE(Invite::parse(good.substr(0, i)).has_value()) << i;
  }
}

TEST(Invite, ANewerVersionIsUnsupported) {
  Buffer bytes = bytes_of(specimen());
  bytes[0] = 2;
  EXPECT_EQ(Invite::parse(text_of(bytes)).error().code, Errc::kUnsupported);
}

TEST(Invite, RefusesBadHints) {
  const std::size_t count_at = 1 + 32 + 32 + 32 + 8;
  Buffer bytes = bytes_of(specimen(2));
  EXPECT_TRUE(Invite::parse(text_of(bytes)).has_value());
  const auto with = [&](std::size_t at, std::uint8_t value) {
    Buffer out = bytes;
    out[at] = value;
    return why_not(text_of(out));
  };
  EXPECT_THAT(with(count_at, 1), testing::HasSubstr("after its address hints"));
  EXPECT_THAT(with(count_at, 3), testing::HasSubstr("run past"));
  EXPECT_THAT(with(count_at, 4), testing::HasSubstr("too many"));
  EXPECT_THAT(with(count_at + 1, 5), testing::HasSubstr("no address"));
  EXPECT_THAT(with(count_at + 1, 200), testing::HasSubstr("run past"));
  bytes.push_back(0);
  EXPECT_THAT(why_not(text_of(bytes)), testing::HasSubstr("after"));
}

TEST(Invite, RefusesAnIPv4HintInTheFormOfIPv6) {
  Buffer bytes = bytes_of(specimen(0));
  bytes.back() = 1;
  bytes.push_back(18);
  bytes.resize(bytes.size() + 10, 0);
  append(bytes, *from_hex("ffffc0000207156c"));
  EXPECT_THAT(why_not(text_of(bytes)), testing::HasSubstr("no address"));
}

TEST(Invite, RefusesWhatIsTooShortOrHasAnImpossibleExpiry) {
  Buffer bytes = bytes_of(specimen(0));
  Buffer expiry = bytes;
  expiry[1 + 32 * 3] = 0x80;
  EXPECT_THAT(why_not(text_of(expiry)), testing::HasSubstr("expiry"));
  bytes.pop_back();
  EXPECT_THAT(why_not(text_of(bytes)), testing::HasSubstr("short"));
}

TEST(Invite, TheJoinersSignatureCoversEverything) {
  const SignKeys keys = invite_keys(seed_secret(1));
  const SwarmId swarm = pattern<SwarmId>(1);
  const Buffer binding = device_keys(1).binding().encode();
  const Signature good = sign_join(keys, swarm, binding, "laptop");
  EXPECT_TRUE(verify_join(keys.pub, swarm, binding, "laptop", good));
  EXPECT_FALSE(verify_join(keys.pub, pattern<SwarmId>(2), binding, "laptop", good));
  EXPECT_FALSE(verify_join(keys.pub, swarm, device_keys(2).binding().encode(), "laptop", good));
  EXPECT_FALSE(verify_join(keys.pub, swarm, binding, "laptop2", good));
  EXPECT_FALSE(verify_join(invite_keys(seed_secret(2)).pub, swarm, binding, "laptop", good));
}

}  // namespace
}  // namespace kith::test
