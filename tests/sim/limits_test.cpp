// Limits as the user sets them, and what whole engines make of them by the virtual clock. Chunks
// are of 64 KiB on average, so that a limit of some 100 kB/s lets many of them pass. Managers
// alone: tests/unit/transfer/limits_test.cpp.
#include "tests/sim/case.hpp"

namespace kith::sim {
namespace {

const Chunking kSmall = Chunking::tiny(16);
constexpr std::uint64_t kKB = 1'000;
constexpr std::size_t kFile = 4 << 20;
constexpr NetworkFaults kNear{.delay_min = 1ms, .delay_max = 10ms};

double in_seconds(Duration duration) { return static_cast<double>(duration.count()) * 1e-9; }

class Limits : public testing::Test {
 protected:
  enum class Of { kAll, kSwarm, kDevice };

  /// Node `at` sends (`up`) or asks (else) this fast; 0: as fast as it can. Of a device: node
  /// `other`.
  void limit(std::size_t at, Of of, bool up, std::uint64_t rate, std::size_t other = 0) {
    node::ChangeLimit command;
    (up ? command.up : command.down) = rate;
    if (of == Of::kSwarm) command.swarm = "swarm";
    if (of == Of::kDevice) command.device = case_.world.node(other).engine().device().hex();
    const auto answer = case_.ask(at, command);
    ASSERT_TRUE(answer) << to_string(answer.error());
  }
  /// A file of node 0 that nobody fetches but who gets this link.
  std::string file(const std::string& path, std::uint64_t seed) {
    return case_.share(0, noise_tree(kFile, seed), path, kSmall);
  }
  /// All settle: connections stand, and nothing is hashed before it is sent.
  void settle() { case_.world.run_for(60s); }
  /// To a place of its own.
  node::Fetch fetch(const std::string& link) {
    return Case::fetch_to(link, "/fetched" + std::to_string(++fetches_));
  }
  double seconds_to_fetch(std::size_t node, const std::string& link) {
    const TimePoint began = case_.world.now().mono;
    const auto answer = case_.ask(node, fetch(link), 1h);
    EXPECT_TRUE(answer) << to_string(answer.error());
    return in_seconds(case_.world.now().mono - began);
  }
  std::uint64_t have(std::size_t node) { return case_.shares(node).at(0).bytes_have; }
  /// Bytes a second that a fetch stores.
  double rate(std::size_t node, Duration time) {
    const std::uint64_t before = have(node);
    case_.world.run_for(time);
    return static_cast<double>(have(node) - before) / in_seconds(time);
  }

  Case case_{4, 1, kNear};
  int fetches_ = 0;
};

TEST_F(Limits, EachKindHoldsInEachDirection) {
  constexpr std::uint64_t kRate = 400 * kKB;
  const double ideal = static_cast<double>(kFile) / kRate;
  const std::string link = file("/shared", 1);
  settle();
  for (const bool up : {true, false}) {
    const std::size_t at = up ? 0 : 1, other = up ? 1 : 0;
    for (const Of of : {Of::kAll, Of::kSwarm, Of::kDevice}) {
      SCOPED_TRACE(std::to_string(static_cast<int>(of)) + (up ? " up" : " down"));
      for (const Of each : {Of::kAll, Of::kSwarm, Of::kDevice}) {
        limit(at, each, up, each == of ? kRate : 3 * kRate, other);
      }
      const double seconds = seconds_to_fetch(1, link);
      EXPECT_GE(seconds, 0.95 * ideal);
      EXPECT_LE(seconds, 1.05 * ideal + 0.5);
      ASSERT_TRUE(case_.ask(1, node::Unshare{link}));
    }
    for (const Of of : {Of::kAll, Of::kSwarm, Of::kDevice}) limit(at, of, up, 0, other);
  }
  EXPECT_LE(seconds_to_fetch(1, link), 0.2 * ideal);
}

TEST_F(Limits, WhoIsOnTheLocalNetworkIsExemptIfTheUserSaysSo) {
  constexpr std::uint64_t kRate = 400 * kKB;
  const double ideal = static_cast<double>(kFile) / kRate;
  case_.world.add_node(true);
  case_.join(4);
  const std::string link = file("/shared", 1);
  const auto exempt = [&](bool yes) {
    node::ChangeLimit command;
    command.lan_exempt = yes;
    ASSERT_TRUE(case_.ask(0, command));
  };
  // To the one on the local network; and to the other, always as slowly as was said.
  const auto seconds = [&] {
    EXPECT_GE(seconds_to_fetch(1, link), 0.95 * ideal);
    EXPECT_TRUE(case_.ask(1, node::Unshare{link}));
    const double out = seconds_to_fetch(4, link);
    EXPECT_TRUE(case_.ask(4, node::Unshare{link}));
    return out;
  };
  settle();
  for (const Of of : {Of::kAll, Of::kSwarm}) {
    SCOPED_TRACE(static_cast<int>(of));
    limit(0, of, true, kRate);
    EXPECT_GE(seconds(), 0.95 * ideal) << "by default nobody is";
    exempt(true);
    EXPECT_LE(seconds(), 0.2 * ideal);
    exempt(false);
    limit(0, of, true, 0);
  }
  // Who is named is meant.
  exempt(true);
  limit(0, Of::kAll, true, kRate);
  limit(0, Of::kDevice, true, kRate, 4);
  EXPECT_GE(seconds(), 0.95 * ideal);
}

TEST_F(Limits, ThreeUnderOneLimitGetEqualPartsAndTheLastOneAll) {
  std::vector<std::string> links;
  for (std::uint64_t i = 1; i <= 3; ++i) links.push_back(file("/shared" + std::to_string(i), i));
  settle();
  limit(0, Of::kSwarm, true, 600 * kKB);
  std::vector<std::shared_ptr<Answer>> answers;
  for (std::size_t i = 1; i <= 3; ++i) {
    answers.push_back(case_.begin(i, fetch(links[i - 1])));
  }
  case_.world.run_for(3s);
  std::vector<std::uint64_t> before;
  for (std::size_t i = 1; i <= 3; ++i) before.push_back(have(i));
  case_.world.run_for(12s);
  for (std::size_t i = 1; i <= 3; ++i) {
    EXPECT_NEAR(static_cast<double>(have(i) - before[i - 1]) / 12, 200e3, 20e3) << i;
  }
  // Two of them give up.
  for (std::size_t i = 1; i <= 2; ++i) ASSERT_TRUE(case_.ask(i, node::CancelFetch{links[i - 1]}));
  case_.world.run_for(500ms);
  ASSERT_FALSE(answers[2]->has_value());
  EXPECT_NEAR(rate(3, 1s), 600e3, 130e3);
}

TEST_F(Limits, AChangeTakesEffectWhileAFetchRuns) {
  for (const bool up : {true, false}) {
    SCOPED_TRACE(up ? "up" : "down");
    const std::size_t at = up ? 0 : 1;
    const std::string link = file(up ? "/shared1" : "/shared2", up ? 1 : 2);
    settle();
    limit(at, Of::kAll, up, 50 * kKB);
    const auto answer = case_.begin(1, fetch(link));
    case_.world.run_for(5s);
    EXPECT_NEAR(rate(1, 20s), 50e3, 10e3);
    limit(at, Of::kAll, up, 300 * kKB);
    case_.world.run_for(1s);
    EXPECT_NEAR(rate(1, 5s), 300e3, 30e3);
    limit(at, Of::kAll, up, 20 * kKB);
    case_.world.run_for(5s);
    EXPECT_NEAR(rate(1, 30s), 20e3, 6e3);
    ASSERT_FALSE(answer->has_value());
    limit(at, Of::kAll, up, 0);
    EXPECT_TRUE(case_.world.run_until([&] { return answer->has_value(); }, 2s));
    ASSERT_TRUE(case_.ask(1, node::Unshare{link}));
  }
}

// For an hour hardly anything comes. Connections stay, others join and hear of shares, and the
// fetch goes on when the limit goes.
TEST_F(Limits, AByteASecondStopsContentAndNothingElse) {
  const std::string link = file("/shared", 1);
  settle();
  for (std::size_t i = 0; i < 4; ++i) limit(i, Of::kAll, true, 1);
  const auto answer = case_.begin(1, fetch(link));
  case_.world.run_for(1h);
  ASSERT_FALSE(answer->has_value());
  EXPECT_LE(have(1), 8 * 61'440U);
  case_.world.add_node();
  case_.join(4);
  case_.world.run_for(10s);
  const auto answer_of_0 = std::get<node::MembersAnswer>(*case_.ask(0, node::ListMembers{}));
  for (const node::MemberView& member : answer_of_0.members) {
    EXPECT_TRUE(member.connected || member.self);
  }
  limit(0, Of::kAll, true, 0);
  EXPECT_TRUE(case_.world.run_until([&] { return answer->has_value(); }, 5s));
  EXPECT_TRUE(case_.tree_at(1, "/fetched1/it") == case_.tree_at(0, "/shared"));
}

TEST_F(Limits, AThousandBytesASecondBringAFileInItsTime) {
  const std::string link = case_.share(0, noise_tree(200'000), "/shared", kSmall);
  settle();
  limit(0, Of::kDevice, true, 1'000, 1);
  const double seconds = seconds_to_fetch(1, link);
  // What comes last is not waited for.
  EXPECT_GE(seconds, 130);
  EXPECT_LE(seconds, 215);
}

}  // namespace
}  // namespace kith::sim
