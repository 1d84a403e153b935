// What strangers, who hold no secret at all, can take from those who do: nothing that all share.
#include <gtest/gtest.h>

#include "node/engine/engine.hpp"
#include "proto/crypto/random.hpp"
#include "proto/limits.hpp"
#include "proto/swarm/invite.hpp"
#include "proto/swarm/secrets.hpp"

namespace kith::node {
namespace {

using namespace std::chrono_literals;

// An engine with a swarm and an invite, to which anybody may connect from anywhere.
class Strangers : public testing::Test {
 protected:
  Strangers() {
    EngineConfig config;
    config.keys = DeviceKeys::generate(rng_);
    config.device_name = "one";
    config.listening = config.own = {Endpoint::v4({10, 0, 0, 1}, 5484)};
    config.lan = false;
    engine_.emplace(std::move(config), rng_, slabs_);
    Outbox out;
    engine_->start(now_, {}, out);
    engine_->handle_command(now_, {RequestId{1}, CreateSwarm{"swarm"}}, out);
    engine_->handle_command(now_, {RequestId{2}, MakeInvite{}}, out);
    Outbox saved;
    for (const CatalogWrite& write : out.catalog) {
      if (write.ack) engine_->handle_catalog(now_, {*write.ack, {}}, saved);
    }
    const auto& made = std::get<InviteMade>(std::get<Done>(saved.replies.back().body));
    invite_.emplace(*Invite::parse(made.text));
  }

  // Whether a connection from there gets an answer to these bytes. Then it closes.
  bool is_answered(const Endpoint& from, Bytes bytes) {
    Outbox out;
    const auto conn = engine_->handle_accepted(now_, from, out);
    if (!conn) return false;
    std::vector<MutableBytes> room;
    engine_->read_plan(*conn, room);
    std::copy(bytes.begin(), bytes.end(), room.front().begin());
    engine_->handle_read(now_, *conn, bytes.size(), out);
    std::vector<Bytes> answer;
    engine_->write_plan(*conn, answer);
    engine_->handle_closed(now_, *conn, network_error(Errc::kClosed, "closed"), out);
    return !answer.empty();
  }

  Buffer first_message() {
    const Secret j = invite_j(invite_->seed);
    auto shake = PeerHandshake::initiator(
        {DeviceKeys::generate(rng_).noise, invite_psk(j), invite_keys(invite_->seed), {}});
    Buffer out;
    shake.start(now_.wall, rng_, out);
    return out;
  }

  // As long as a first message, and of no psk.
  static Buffer junk() {
    Buffer out(52, 0);
    out[1] = 50;
    return out;
  }

  SeededRng rng_{1};
  SlabPool slabs_;
  Now now_{TimePoint(1h), UnixMillis(1'700'000'000'000)};
  std::optional<Engine> engine_;
  std::optional<Invite> invite_;
};

const Endpoint kHonest = Endpoint::v4({192, 0, 2, 1}, 40'000);

Endpoint stranger(std::uint16_t port) { return Endpoint::v4({203, 0, 113, 7}, port); }

TEST_F(Strangers, TakeNoHandshakeFromAnotherSubnet) {
  for (int i = 0; i < 10'000; ++i) {
    if (i % 100 == 0) {
      now_.mono += 100ms;
      EXPECT_TRUE(is_answered(kHonest, first_message())) << i;
    }
    ASSERT_FALSE(is_answered(stranger(static_cast<std::uint16_t>(1'000 + i)), junk()));
  }
}

TEST_F(Strangers, AreTriedOnlySoOftenHoweverTheyReconnect) {
  for (int i = 0; i < 10'000; ++i) (void)is_answered(stranger(1'000), junk());
  // The psks are not even tried for their subnet, until time has passed.
  EXPECT_FALSE(is_answered(Endpoint::v4({203, 0, 113, 99}, 9), first_message()));
  EXPECT_TRUE(is_answered(Endpoint::v4({203, 0, 114, 7}, 9), first_message()));
  now_.mono += 1s;
  EXPECT_TRUE(is_answered(Endpoint::v4({203, 0, 113, 99}, 9), first_message()));
}

TEST_F(Strangers, TakeNothingByRepeatingWhatTheyOverheard) {
  const Buffer heard = first_message();
  ASSERT_TRUE(is_answered(kHonest, heard));
  for (std::uint8_t net = 0; net < 10; ++net) {
    for (int i = 0; i < 100; ++i) {
      ASSERT_FALSE(is_answered(Endpoint::v4({203, 0, net, 7}, 1'000), heard));
    }
  }
  EXPECT_TRUE(is_answered(kHonest, first_message()));
}

TEST_F(Strangers, WhoHoldsASecretIsAnsweredSoOftenInAll) {
  int answered = 0;
  for (std::uint8_t net = 0; net < 10; ++net) {
    for (int i = 0; i < 100; ++i) {
      answered += is_answered(Endpoint::v4({203, 0, net, 7}, 1'000), first_message()) ? 1 : 0;
    }
  }
  EXPECT_EQ(answered, static_cast<int>(limits::kHandshakesPerSecond));
}

}  // namespace
}  // namespace kith::node
