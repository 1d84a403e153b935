// What a command promised must hold after a power cut: its good answer waits for the commit.
#include <gtest/gtest.h>

#include "node/engine/engine.hpp"
#include "proto/crypto/random.hpp"

namespace kith::node {
namespace {

using namespace std::chrono_literals;

class Promises : public testing::Test {
 protected:
  Promises() {
    EngineConfig config;
    config.keys = DeviceKeys::generate(rng_);
    config.device_name = "device";
    config.lan = false;
    engine_.emplace(std::move(config), rng_, slabs_);
    Outbox out;
    engine_->start(now_, {}, out);
  }

  Outbox begin(CommandBody body) {
    Outbox out;
    engine_->handle_command(now_, {RequestId{next_request_++}, std::move(body)}, out);
    return out;
  }
  // The catalog answers for the write of `asked` that must outlive a power cut.
  std::vector<Reply> save(const Outbox& asked, const std::optional<Error>& error) {
    Outbox out;
    for (const CatalogWrite& write : asked.catalog) {
      if (write.ack) engine_->handle_catalog(now_, {*write.ack, error}, out);
    }
    return std::move(out.replies);
  }
  std::size_t swarms() {
    const Outbox out = begin(ListSwarms{});
    return std::get<SwarmsAnswer>(std::get<Done>(out.replies.front().body)).swarms.size();
  }

  Now now_{TimePoint(1h), UnixMillis(1'700'000'000'000)};
  SeededRng rng_{1};
  SlabPool slabs_;
  std::optional<Engine> engine_;
  std::uint64_t next_request_ = 1;
};

const Error kFull = local_error(Errc::kNoSpace, "database or disk is full");

TEST_F(Promises, ASwarmThatCannotBeSavedIsNone) {
  const Outbox asked = begin(CreateSwarm{"swarm"});
  EXPECT_TRUE(asked.replies.empty());
  const auto replies = save(asked, kFull);
  ASSERT_EQ(replies.size(), 1U);
  ASSERT_TRUE(std::holds_alternative<Error>(replies.front().body));
  EXPECT_EQ(std::get<Error>(replies.front().body).code, Errc::kNoSpace);
  EXPECT_EQ(swarms(), 0U);
  // And so the same command can be given again.
  const auto again = save(begin(CreateSwarm{"swarm"}), {});
  ASSERT_EQ(again.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<Done>(again.front().body));
  EXPECT_EQ(swarms(), 1U);
}

TEST_F(Promises, TheSwarmOfAFirstShareIsSavedBeforeTheShareIsRead) {
  const Outbox asked = begin(ResolveShareTarget{});
  EXPECT_TRUE(asked.replies.empty());
  EXPECT_TRUE(std::holds_alternative<Error>(save(asked, kFull).front().body));
  EXPECT_EQ(swarms(), 0U);
  ASSERT_EQ(save(begin(ResolveShareTarget{}), {}).size(), 1U);
  EXPECT_EQ(begin(ResolveShareTarget{}).replies.size(), 1U) << "nothing is to be saved";
}

TEST_F(Promises, AnInviteIsShownWhenItIsSaved) {
  save(begin(CreateSwarm{"swarm"}), {});
  const Outbox asked = begin(MakeInvite{});
  EXPECT_TRUE(asked.replies.empty());
  EXPECT_TRUE(std::holds_alternative<Error>(save(asked, kFull).front().body));
  EXPECT_EQ(swarms(), 1U);
  const auto replies = save(begin(MakeInvite{}), {});
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<Done>(replies.front().body));
}

}  // namespace
}  // namespace kith::node
