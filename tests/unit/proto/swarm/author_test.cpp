// What authors make, and the secrets that it carries.
#include "proto/swarm/author.hpp"

#include "tests/unit/proto/swarm/fixtures.hpp"

namespace kith::test {
namespace {

constexpr UnixMillis kTomorrow{1'800'000'000'000};

// A device with its own roster and secrets, as in life.
struct Device {
  explicit Device(std::size_t number, const SwarmId& swarm, const Secret& group)
      : keys(device_keys(number)), roster(swarm), secrets(group), rng(number) {}

  Author author() { return {keys, roster, secrets, rng}; }
  void take(const Op& op) {
    const auto added = roster.add(op.encoded);
    ASSERT_TRUE(added.has_value()) << to_string(added.error());
    ASSERT_EQ(*added, Roster::Added::kAdded);
  }
  bool learn() { return secrets.learn_from(roster, keys); }
  const EpochSecrets* current() { return secrets.find(roster.state().current_epoch); }

  DeviceKeys keys;
  Roster roster;
  SwarmKeys secrets;
  SeededRng rng;
};

class AuthorTest : public testing::Test {
 protected:
  AuthorTest() {
    init_crypto();
    SeededRng rng(7);
    auto made = create_swarm(device_keys(0), "home", "desk", rng).value();
    swarm = made.id;
    group = made.keys.group();
    genesis = made.genesis;
    founder = std::make_unique<Device>(0, swarm, group);
    founder->secrets = made.keys;
    founder->take(genesis);
  }

  // A device that knows all operations and has learned from them.
  std::unique_ptr<Device> join(std::size_t number, Role role, const std::string& name) {
    auto device = std::make_unique<Device>(number, swarm, group);
    tell(make_add(founder->author(), device->keys.binding(), role, name).value());
    for (OpIndex i = 0; i < founder->roster.size(); ++i) device->take(founder->roster.op(i));
    device->learn();
    return device;
  }
  void tell(const Op& op, std::vector<Device*> others = {}) {
    founder->take(op);
    for (Device* other : others) other->take(op);
  }

  SwarmId swarm;
  Secret group;
  Op genesis;
  std::unique_ptr<Device> founder;
};

TEST_F(AuthorTest, CreatesASwarmThatItsFounderCanReadFromTheRosterAlone) {
  Device again(0, swarm, group);
  again.take(genesis);
  EXPECT_TRUE(again.learn());
  EXPECT_FALSE(again.learn());
  const RosterState& state = again.roster.state();
  EXPECT_EQ(again.secrets.name(state.swarm_name, std::nullopt).value(), "home");
  EXPECT_EQ(again.secrets.name(state.find(again.keys.id())->name, again.keys.id()).value(), "desk");
  EXPECT_EQ(*again.current(), *founder->current());
}

TEST_F(AuthorTest, BadNamesAreRefused) {
  SeededRng rng(1);
  const DeviceKeys keys = device_keys(0);
  for (const std::string& bad : {std::string(), std::string(65, 'x'), std::string("a\nb"),
                                 std::string("\xff"), std::string("a\0b", 3)}) {
    EXPECT_EQ(create_swarm(keys, bad, "desk", rng).error().code, Errc::kUsage);
    EXPECT_EQ(create_swarm(keys, "home", bad, rng).error().code, Errc::kUsage);
    EXPECT_EQ(make_rename(founder->author(), std::nullopt, bad).error().code, Errc::kUsage);
  }
  EXPECT_TRUE(create_swarm(keys, std::string(64, 'x'), "ünïcode", rng).has_value());
}

TEST_F(AuthorTest, AnAddGivesTheDeviceTheCurrentEpoch) {
  const auto member = join(1, Role::kMember, "laptop");
  EXPECT_EQ(*member->current(), *founder->current());
  const auto& name = member->roster.state().find(member->keys.id())->name;
  EXPECT_EQ(member->secrets.name(name, member->keys.id()).value(), "laptop");
  EXPECT_FALSE(member->secrets.name(name, founder->keys.id()).has_value());
}

TEST_F(AuthorTest, AMirrorGetsNoContentSecret) {
  const auto mirror = join(1, Role::kMirror, "box");
  ASSERT_NE(mirror->current(), nullptr);
  EXPECT_EQ(mirror->current()->network, founder->current()->network);
  EXPECT_FALSE(mirror->current()->content.has_value());
  EXPECT_EQ(mirror->secrets.name(mirror->roster.state().swarm_name, std::nullopt).error().code,
            Errc::kNotFound);
}

TEST_F(AuthorTest, NamesRevealNothingByTheirLength) {
  const auto a = make_rename(founder->author(), std::nullopt, "a").value();
  const auto b = make_rename(founder->author(), std::nullopt, std::string(64, 'b')).value();
  EXPECT_EQ(a.encoded.size(), b.encoded.size());
}

TEST_F(AuthorTest, OnlyAdminsGetAnything) {
  const auto member = join(1, Role::kMember, "laptop");
  const auto author = member->author();
  const auto refused = [](const auto& result) {
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, Errc::kRefused);
    EXPECT_EQ(result.error().blame, Blame::kLocal);
  };
  refused(make_invite(author, Role::kMember, 1, kTomorrow));
  refused(make_add(author, device_keys(2).binding(), Role::kMember, "x"));
  refused(make_remove(author, founder->keys.id()));
  refused(make_set_role(author, founder->keys.id(), Role::kMember));
  refused(make_epoch(author));
  refused(make_rename(author, std::nullopt, "x"));
  EXPECT_TRUE(make_remove(author, member->keys.id()).has_value());
}

TEST_F(AuthorTest, InvitesHoldWhatTheirSeedGives) {
  const auto made = make_invite(founder->author(), Role::kReader, 3, kTomorrow).value();
  const auto& body = std::get<InviteBody>(made.op.body);
  EXPECT_EQ(made.invite.swarm, swarm);
  EXPECT_EQ(made.invite.issuer, founder->keys.id());
  EXPECT_EQ(body.key, invite_keys(made.invite.seed).pub);
  EXPECT_TRUE(body.j == invite_j(made.invite.seed));
  EXPECT_EQ(body.role, Role::kReader);
  EXPECT_EQ(body.uses, 3u);
  EXPECT_EQ(body.expiry, kTomorrow);
  founder->take(made.op);
  founder->take(make_revoke_invite(founder->author(), body.key).value());
  EXPECT_EQ(founder->roster.state().invites.at(body.key).status, InviteStatus::kRevoked);
  EXPECT_EQ(make_invite(founder->author(), Role::kReader, 0, kTomorrow).error().code, Errc::kUsage);
}

TEST_F(AuthorTest, ARemovalGivesTheRestANewEpochAndTheRemovedNothing) {
  const auto stays = join(1, Role::kMember, "laptop");
  const auto mirror = join(2, Role::kMirror, "box");
  const auto goes = join(3, Role::kMember, "lost");
  stays->take(founder->roster.op(2));
  stays->take(founder->roster.op(3));
  mirror->take(founder->roster.op(3));
  const auto removal = make_remove(founder->author(), goes->keys.id()).value();
  tell(removal.op, {stays.get(), mirror.get(), goes.get()});
  const OpId epoch = removal.op.id;
  EXPECT_EQ(stays->roster.state().current_epoch, epoch);

  ASSERT_TRUE(stays->secrets.learn_wraps(stays->roster, stays->keys, epoch, removal.wraps));
  EXPECT_EQ(*stays->current(), *removal.secrets);
  ASSERT_TRUE(mirror->secrets.learn_wraps(mirror->roster, mirror->keys, epoch, removal.wraps));
  EXPECT_FALSE(mirror->current()->content.has_value());
  EXPECT_EQ(goes->secrets.learn_wraps(goes->roster, goes->keys, epoch, removal.wraps).error().code,
            Errc::kNotFound);

  Buffer altered = removal.wraps;
  altered.back() ^= 1;
  EXPECT_EQ(stays->secrets.learn_wraps(stays->roster, stays->keys, epoch, altered).error().code,
            Errc::kVerification);
}

TEST_F(AuthorTest, WhoJoinsLaterLearnsTheContentSecretsOfAllEpochsBefore) {
  const OpId first = genesis.id;
  const Secret first_content = *founder->current()->content;
  for (int i = 0; i < 3; ++i) {
    const auto made = make_epoch(founder->author()).value();
    founder->secrets.learn(made.op.id, *made.secrets);
    founder->take(made.op);
  }
  EXPECT_EQ(founder->roster.state().epochs.front().info.number, 4u);
  const auto late = join(1, Role::kMember, "late");
  EXPECT_EQ(late->secrets.epochs().size(), 4u);
  EXPECT_TRUE(*late->secrets.find(first)->content == first_content);
  EXPECT_FALSE(late->secrets.find(first)->network.has_value());
  EXPECT_EQ(late->secrets.name(late->roster.state().swarm_name, std::nullopt).value(), "home");
}

TEST_F(AuthorTest, AnEpochFollowsAllOpenOnes) {
  const auto a = make_epoch(founder->author()).value();
  const auto b = make_epoch(founder->author()).value();
  founder->secrets.learn(a.op.id, *a.secrets);
  founder->secrets.learn(b.op.id, *b.secrets);
  founder->take(a.op);
  founder->take(b.op);
  const auto merged = make_epoch(founder->author()).value();
  std::vector<OpId> both = {a.op.id, b.op.id};
  std::sort(both.begin(), both.end());
  EXPECT_EQ(merged.op.epoch()->parents, both);
  EXPECT_EQ(merged.op.epoch()->number, 3u);
}

TEST_F(AuthorTest, RoleChangesTakeAndGiveTheContentSecret) {
  const auto device = join(1, Role::kMember, "laptop");
  const auto taken = make_set_role(founder->author(), device->keys.id(), Role::kMirror).value();
  founder->secrets.learn(taken.op.id, *taken.secrets);
  tell(taken.op, {device.get()});
  ASSERT_TRUE(device->secrets.learn_wraps(device->roster, device->keys, taken.op.id, taken.wraps));
  EXPECT_FALSE(device->current()->content.has_value());

  const auto given = make_set_role(founder->author(), device->keys.id(), Role::kReader).value();
  EXPECT_FALSE(given.secrets.has_value());
  tell(given.op, {device.get()});
  EXPECT_TRUE(device->learn());
  EXPECT_EQ(*device->current(), *founder->current());

  const auto plain = make_set_role(founder->author(), device->keys.id(), Role::kMember).value();
  EXPECT_TRUE(plain.wraps.empty());
  tell(plain.op, {device.get()});
  EXPECT_EQ(device->roster.state().role(device->keys.id()), Role::kMember);
}

TEST_F(AuthorTest, AWrapServesADeviceThatHasNone) {
  const auto device = join(1, Role::kMember, "laptop");
  const auto epoch = make_epoch(founder->author()).value();
  founder->secrets.learn(epoch.op.id, *epoch.secrets);
  tell(epoch.op, {device.get()});
  EXPECT_EQ(device->current(), nullptr);
  tell(make_wrap(founder->author(), device->keys.id()).value(), {device.get()});
  EXPECT_TRUE(device->learn());
  EXPECT_EQ(*device->current(), *epoch.secrets);
}

TEST_F(AuthorTest, WithoutTheSecretsOfTheEpochNothingIsMade) {
  Device blank(0, swarm, group);
  blank.take(genesis);
  EXPECT_EQ(make_epoch(blank.author()).error().code, Errc::kNotFound);
  EXPECT_EQ(make_add(blank.author(), device_keys(1).binding(), Role::kMember, "x").error().code,
            Errc::kNotFound);
}

TEST_F(AuthorTest, LeavingMakesNoEpoch) {
  const auto device = join(1, Role::kMember, "laptop");
  const auto leaving = make_remove(device->author(), device->keys.id()).value();
  EXPECT_EQ(leaving.op.epoch(), nullptr);
  EXPECT_TRUE(leaving.wraps.empty());
  tell(leaving.op);
  EXPECT_TRUE(founder->roster.state().needs_epoch);
}

TEST(Secrets, EveryDerivedKeyIsAnother) {
  const Secret s = seed_secret(1);
  const std::vector<Secret> keys = {epoch_psk(s),    datagram_key(s),   beacon_key(s),
                                    provider_key(s), rendezvous_key(s), convergence_key(s),
                                    names_key(s),    catch_up_psk(s),   catch_up_beacon(s),
                                    invite_j(s),     invite_psk(s),     invite_beacon(s)};
  for (std::size_t i = 0; i < keys.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) EXPECT_FALSE(keys[i] == keys[k]) << i << " " << k;
  }
}

TEST(Secrets, AWrapOfOtherSecretsIsRefused) {
  SeededRng rng(1);
  const DeviceKeys keys = device_keys(1);
  const auto secrets = EpochSecrets::generate(rng);
  EpochInfo info;
  info.network_hash = hash_secret(*secrets.network);
  info.content_hash = hash_secret(*secrets.content);
  const Wrap wrap = seal_wrap(keys.binding(), Role::kMember, secrets, rng);
  EXPECT_EQ(open_wrap(keys, wrap.view(), info).value(), secrets);
  EXPECT_FALSE(open_wrap(device_keys(2), wrap.view(), info).has_value());
  info.content_hash = SecretHash();
  EXPECT_EQ(open_wrap(keys, wrap.view(), info).error().code, Errc::kVerification);
}

TEST(Secrets, WrapsAreInOrderAndWhole) {
  const NamedWrap a{pattern<DeviceId>(1), pattern<Wrap>(1)},
      b{pattern<DeviceId>(2), pattern<Wrap>(2)};
  const std::vector<NamedWrap> good = {a, b}, bad = {b, a}, twice = {a, a};
  const Buffer bytes = encode_wraps(good);
  EXPECT_EQ(bytes.size(), 2 * 144u);
  EXPECT_EQ(decode_wraps(bytes).value().size(), 2u);
  EXPECT_TRUE(decode_wraps({}).value().empty());
  EXPECT_FALSE(decode_wraps(encode_wraps(bad)).has_value());
  EXPECT_FALSE(decode_wraps(encode_wraps(twice)).has_value());
  EXPECT_FALSE(decode_wraps(Bytes(bytes).first(143)).has_value());
  EXPECT_FALSE(decode_wraps(Bytes(bytes).first(145)).has_value());
}

TEST(Secrets, JoinSecretsReachTheJoinerAlone) {
  SeededRng rng(1);
  const DeviceKeys keys = device_keys(1);
  const auto secrets = EpochSecrets::generate(rng);
  const Buffer sealed =
      seal_join_secrets(keys.binding(), Role::kMember, seed_secret(9), secrets, rng);
  const auto opened = open_join_secrets(keys, sealed).value();
  EXPECT_TRUE(opened.group == seed_secret(9));
  EXPECT_EQ(opened.epoch, secrets);
  EXPECT_FALSE(open_join_secrets(device_keys(2), sealed).has_value());
  const Buffer mirror =
      seal_join_secrets(keys.binding(), Role::kMirror, seed_secret(9), secrets, rng);
  EXPECT_FALSE(open_join_secrets(keys, mirror).value().epoch.content.has_value());
  EXPECT_FALSE(open_join_secrets(keys, seal_box(keys.wrap.pub, Buffer(95), rng)).has_value());
}

}  // namespace
}  // namespace kith::test
