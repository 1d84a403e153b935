#include "proto/swarm/op.hpp"

#include "proto/wire/bencode.hpp"
#include "tests/unit/proto/swarm/fixtures.hpp"

namespace kith::test {
namespace {

// Every kind once, every optional part once with and once without.
std::vector<Op> specimens() {
  const Maker m(2);
  const OpId g = m.genesis().id;
  const OpId other = pattern<OpId>(0xa0);
  SetRoleBody gives = m.set_role(1, Role::kReader);
  gives.given = SetRoleBody::Given{g, pattern<Wrap>(4)};
  return {m.genesis(),
          m.make(0, {g}, m.add(1, Role::kReader)),
          m.make(0, {g, other}, m.add_by(1, Role::kMember, 7)),
          m.make(0, {g}, m.remove(1, 3, {g, other})),
          m.make(1, {g}, m.leave(1)),
          m.make(0, {g}, m.set_role(1, Role::kAdmin)),
          m.make(0, {g}, gives),
          m.make(0, {g}, m.make_mirror(1)),
          m.make(0, {g}, EpochBody{epoch_info(2, {g})}),
          m.make(0, {g}, WrapBody{m.id(1), g, pattern<Wrap>(6)}),
          m.make(0, {g}, m.invite(7, Role::kMember, 3)),
          m.make(0, {g}, RevokeInviteBody{Maker::invite_key(7)}),
          m.make(0, {g}, RenameBody{m.id(1), g, pattern<NameBox>(8)}),
          m.make(0, {g}, RenameBody{std::nullopt, g, pattern<NameBox>(9)})};
}

// The encodings are what every version must be able to read: these ids never change.
constexpr const char* kGolden[] = {
    "genesis 3c6d87d4dc3367fe85db2b37695e55de69d1e372d4bb45c1c02930a517c71aa9",
    "add 4aa1ba2a0dc94a0ab79a6b4120c66272eae4ae0b8e4383b169c519bc1e434d64",
    "add 9c6bae7126a9040371c6ad99625374fbc1976f735c3053086ef7b1f996f2b29c",
    "remove 4f0085824bc6ceb8cc6cb528e2fc263b24f7c5c2fa7d459b7958feb2f54017f0",
    "remove 4bdc02bcce7e98385756b9aac43a7ad86d019af7a045dc08cb45bff95c2f9887",
    "set_role 47733bdfa69d3c0875f92baf3e2d6d87151062e95edfd4d0c0348bfafdd6b6a4",
    "set_role 54f510b2bbc1a1e1f1991edc7685692efd1caf2b98d0e057041c4985cb9bc218",
    "set_role f30aa50a009254f618551dbe445fddc96c249e45d479fdbba99acdcfd0f91ee0",
    "epoch 45dcf6ec10c5d0ca944d34043d1f9e9504b98846090583fc0af4c3195005e7c2",
    "wrap 3c6555f1d3dd16c7faf86865e70c206b27ad412b185b1b14e7aaef0d6c3e7ebf",
    "invite 48b96990d42ca2ac716693dba1f1a286befd18c31d556495455d6d04e3ddf93d",
    "revoke_invite 6a3f3068a814bb54c6d3cf508b051f7cdd4134f0a9dcea8a91c2aa1d0b466ecc",
    "rename ec457cc9f56eb9592ce4248ba1efd5275a745afb75a719798f6b46b8d48c6713",
    "rename 7fd7bbd03640045227921cf4bf47aeaa2f6ec710ece0e793b1034d13df8ba2ef"};

TEST(Op, GoldenIds) {
  const auto ops = specimens();
  ASSERT_EQ(ops.size(), std::size(kGolden));
  for (std::size_t i = 0; i < ops.size(); ++i) {
    EXPECT_EQ(std::string(ops[i].type()) + " " + ops[i].id.hex(), kGolden[i]);
  }
}

TEST(Op, GoldenEncoding) {
  const Maker m(1);
  const Op op = m.make(0, {pattern<OpId>(1)}, RevokeInviteBody{pattern<SignPublic>(0x40)});
  const std::string body = "d1:a32:" + std::string(as_text(m.id(0).view())) +
                           "1:i32:" + std::string(as_text(pattern<SignPublic>(0x40).view())) +
                           "1:p32:" + std::string(as_text(pattern<OpId>(1).view())) +
                           "1:t13:revoke_invitee";
  EXPECT_EQ(as_text(op.encoded),
            "l" + body + "64:" + std::string(as_text(op.signature.view())) + "e");
  EXPECT_TRUE(verify(m.keys(0).sign.pub, "kith/1 op", as_bytes(body), op.signature));
}

TEST(Op, DecodesToWhatWasEncoded) {
  for (const Op& op : specimens()) {
    const auto back = decode_op(op.encoded);
    ASSERT_TRUE(back.has_value()) << op.type() << ": " << to_string(back.error());
    EXPECT_TRUE(back->body == op.body) << op.type();
    EXPECT_EQ(back->id, op.id);
    EXPECT_EQ(back->author, op.author);
    EXPECT_EQ(back->parents, op.parents);
    EXPECT_EQ(back->encoded, op.encoded);
    EXPECT_TRUE(verify_op(*back).has_value());
  }
}

TEST(Op, RefusesEveryTruncation) {
  for (const Op& op : specimens()) {
    for (std::size_t size = 0; size < op.encoded.size(); ++size) {
      ASSERT_FALSE(decode_op(Bytes(op.encoded).first(size)).has_value()) << op.type() << size;
    }
  }
}

TEST(Op, EveryChangedByteIsRefusedOrBreaksTheSignature) {
  for (const Op& op : specimens()) {
    for (std::size_t i = 0; i < op.encoded.size(); ++i) {
      Buffer changed = op.encoded;
      changed[i] ^= 1;
      const auto decoded = decode_op(changed);
      if (!decoded) continue;
      const auto verified = verify_op(*decoded);
      ASSERT_FALSE(verified.has_value()) << op.type() << " byte " << i;
      EXPECT_EQ(verified.error().blame, Blame::kPeer);
    }
  }
}

TEST(Op, RefusesASignatureOfSomebodyElse) {
  const Maker m(2);
  Op op = m.make(0, {m.genesis().id}, m.leave(0));
  op.author = m.id(1);
  std::get<RemoveBody>(op.body).device = m.id(1);
  EXPECT_EQ(verify_op(op).error().code, Errc::kVerification);
}

TEST(Op, RefusesABindingThatItsDeviceDidNotSign) {
  const Maker m(2);
  AddBody body = m.add(1, Role::kMember);
  body.device.wrap = pattern<DhPublic>(1);
  const Op op = m.make(0, {m.genesis().id}, body);
  ASSERT_TRUE(decode_op(op.encoded).has_value());
  EXPECT_FALSE(verify_op(op).has_value());
}

TEST(Op, KindsThatAreNotKnownAreUnsupported) {
  const Maker m(1);
  Buffer body;
  bencode::Writer(body)
      .dict()
      .string("a", m.id(0).view())
      .string("p", m.genesis().id.view())
      .string("t", "future")
      .end();
  Buffer encoded;
  const Signature signature = m.keys(0).sign.sign("kith/1 op", body);
  bencode::Writer(encoded).list().raw(body).string(signature.view()).end();
  EXPECT_EQ(decode_op(encoded).error().code, Errc::kUnsupported);
}

// Replaces `from` by `to` in an encoded body and signs anew.
Result<Op> altered(const Maker& m, const Op& op, const std::string& from, const std::string& to) {
  std::string body(as_text(op.encoded));
  body = body.substr(1, body.rfind("64:") - 1);
  const auto at = body.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  body.replace(at, from.size(), to);
  Buffer encoded;
  const Signature signature = m.keys(0).sign.sign("kith/1 op", as_bytes(body));
  bencode::Writer(encoded).list().raw(as_bytes(body)).string(signature.view()).end();
  return decode_op(encoded);
}

TEST(Op, RefusesBadForms) {
  const Maker m(2);
  const OpId g = m.genesis().id;
  const auto bad = [&](const Op& op, const std::string& from, const std::string& to) {
    const auto decoded = altered(m, op, from, to);
    EXPECT_FALSE(decoded.has_value()) << from << " → " << to;
    if (!decoded) {
      EXPECT_EQ(decoded.error().blame, Blame::kPeer);
    }
  };
  const Op invite = m.make(0, {g}, m.invite(7, Role::kMember, 3));
  EXPECT_TRUE(altered(m, invite, "1:ui3e", "1:ui4e").has_value());
  bad(invite, "1:ui3e", "1:ui0e");
  bad(invite, "1:ui3e", "1:ui-1e");
  bad(invite, "1:ui3e", "1:ui3e1:zi0e");  // a key that no layout has
  bad(invite, "1:ri2e", "1:ri4e");
  bad(invite, "1:ri2e", "1:ri-1e");
  bad(invite, "1:ei1000000e", "1:ei-1e");
  bad(invite, "1:ei1000000e", "1:e1:5");
  bad(invite, "1:j32:", "1:k32:");
  EXPECT_TRUE(altered(m, invite, "1:ui3e", "1:ui100000e").has_value());
  bad(invite, "1:ui3e", "1:ui100001e");

  const Op change = m.make(0, {g}, m.make_mirror(1));
  bad(change, "1:ei2e", "1:ei0e");
  bad(change, "1:ei2e", "1:ei4294967296e");
  const std::string wrap(as_text(pattern<Wrap>(1).view()));
  bad(change, "1:t8:set_role", "1:t8:set_role1:w112:" + wrap);  // both a wrap and an epoch
  const std::string epoch_parent(as_text(g.view()));
  bad(m.make(0, {g}, EpochBody{epoch_info(2, {g})}), "1:p32:" + epoch_parent + "1:w", "1:p0:1:w");
  bad(m.make(0, {g}, m.leave(0)), "1:p32:" + epoch_parent, "1:p0:");
  bad(m.make(0, {g}, m.leave(0)), "1:p32:" + epoch_parent, "1:p64:" + epoch_parent + epoch_parent);
  bad(m.genesis(), "1:ei1e", "1:ei2e");
}

TEST(Op, ARemovalHasAnEpochUnlessTheDeviceRemovesItself) {
  const Maker m(2);
  const OpId g = m.genesis().id;
  EXPECT_FALSE(decode_op(m.make(0, {g}, m.leave(1)).encoded).has_value());
  EXPECT_FALSE(decode_op(m.make(1, {g}, m.remove(1)).encoded).has_value());
  EXPECT_TRUE(decode_op(m.make(0, {g}, m.remove(1)).encoded).has_value());
  EXPECT_TRUE(decode_op(m.make(1, {g}, m.leave(1)).encoded).has_value());
}

TEST(Op, OnlyAGenesisHasNoParentsAndItsAuthorIsTheFounder) {
  const Maker m(2);
  const auto genesis = std::get<GenesisBody>(m.genesis().body);
  EXPECT_FALSE(decode_op(m.make(0, {m.genesis().id}, genesis).encoded).has_value());
  EXPECT_FALSE(decode_op(m.make(1, {}, genesis).encoded).has_value());
  EXPECT_FALSE(decode_op(m.make(0, {}, m.leave(0)).encoded).has_value());
}

std::vector<OpId> many_parents(std::size_t count) {
  std::vector<OpId> out;
  for (std::size_t i = 0; i < count; ++i)
    out.push_back(pattern<OpId>(static_cast<std::uint8_t>(i)));
  return out;
}

TEST(Op, HasUpToSixteenParents) {
  const Maker m(1);
  const Op op = m.make(0, many_parents(limits::kOpParentsMax), m.leave(0));
  ASSERT_TRUE(decode_op(op.encoded).has_value());
  const std::string seventeen = "1:p544:" + std::string(544, 'x');
  std::string list;
  for (const OpId& parent : op.parents) list += std::string(as_text(parent.view()));
  const auto decoded = altered(m, op, "1:p512:" + list, seventeen);
  ASSERT_FALSE(decoded.has_value());
  EXPECT_EQ(decoded.error().code, Errc::kLimit);
}

TEST(Op, RefusesParentsOutOfOrder) {
  const Maker m(1);
  const Op op = m.make(0, {pattern<OpId>(1), pattern<OpId>(2)}, m.leave(0));
  const std::string one(as_text(pattern<OpId>(1).view())), two(as_text(pattern<OpId>(2).view()));
  EXPECT_FALSE(altered(m, op, one + two, two + one).has_value());
  EXPECT_FALSE(altered(m, op, one + two, one + one).has_value());
}

TEST(Op, TheLargestPossibleOneFits) {
  const Maker m(2);
  const auto parents = many_parents(limits::kOpParentsMax);
  const Op op = m.make(0, parents, m.remove(1, 9, parents));
  EXPECT_LE(op.encoded.size(), limits::kOpMax);
  EXPECT_TRUE(decode_op(op.encoded).has_value());
}

TEST(Op, RefusesWhatIsOverFourKiB) {
  const Buffer at(limits::kOpMax, 'x'), over(limits::kOpMax + 1, 'x');
  EXPECT_EQ(decode_op(at).error().code, Errc::kMalformed);
  EXPECT_EQ(decode_op(over).error().code, Errc::kLimit);
}

TEST(Role, HasNames) {
  for (const Role role : {Role::kMirror, Role::kReader, Role::kMember, Role::kAdmin}) {
    EXPECT_EQ(parse_role(to_string(role)), role);
  }
  EXPECT_EQ(parse_role("owner"), std::nullopt);
  EXPECT_FALSE(holds_content(Role::kMirror));
  EXPECT_TRUE(holds_content(Role::kReader));
}

}  // namespace
}  // namespace kith::test
