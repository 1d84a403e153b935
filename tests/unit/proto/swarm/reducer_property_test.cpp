// The reducer against a naive one, over random histories and random orders of arrival.
#include <cstdlib>

#include "tests/unit/proto/swarm/fixtures.hpp"
#include "tests/unit/proto/swarm/naive_reducer.hpp"
#include "tests/unit/proto/swarm/random_history.hpp"

namespace kith::test {
namespace {

struct RngSource {
  SeededRng rng;
  std::size_t pick(std::size_t n) { return rng.uniform(n); }
};

struct Tally {
  std::size_t valid = 0, void_ops = 0, removed = 0, unclean = 0, dead_invites = 0;
};

void expect_same(const Roster& roster, const NaiveReducer& naive, Tally& tally) {
  const RosterState& state = roster.state();
  const auto counts = naive.counting(naive.everything());
  const Reduction all(roster.graph(), roster.graph().all());
  for (OpIndex i = 0; i < roster.size(); ++i) {
    ASSERT_EQ(all.counts(i), counts.contains(roster.op(i).id)) << roster.op(i).type();
    if (!all.counts(i)) ++tally.void_ops;
  }
  for (const DeviceId& device : naive.devices()) {
    const auto role = naive.role(device, counts);
    ASSERT_EQ(state.role(device), role);
    ASSERT_EQ(state.is_removed(device), !role.has_value());
    if (!role) ++tally.removed;
  }
  const auto [epoch, clean] = naive.epoch(counts);
  ASSERT_EQ(state.current_epoch, epoch);
  ASSERT_EQ(state.needs_epoch, !clean);
  if (!clean) ++tally.unclean;
  for (std::uint8_t n = 1; n <= 4; ++n) {
    const auto status = naive.invite(Maker::invite_key(n), counts);
    const auto it = state.invites.find(Maker::invite_key(n));
    ASSERT_EQ(it != state.invites.end(), status.has_value());
    if (!status) continue;
    ASSERT_EQ(it->second.status, *status);
    if (*status != InviteStatus::kLive) ++tally.dead_invites;
  }
}

void expect_no_void_author_counts(const Roster& roster) {
  const Reduction all(roster.graph(), roster.graph().all());
  for (OpIndex i = 1; i < roster.size(); ++i) {
    const OpNode& node = roster.graph().node(i);
    if (!all.counts(i) || node.op.is_self_removal()) continue;
    for (const OpIndex attack : roster.graph().attacks()) {
      const OpNode& other = roster.graph().node(attack);
      if (!all.counts(attack) || other.op.target() != node.op.author || attack == i) continue;
      const auto in = [](const std::vector<OpIndex>& list, OpIndex x) {
        return std::find(list.begin(), list.end(), x) != list.end();
      };
      ASSERT_TRUE(in(other.target_authored, i) || in(node.author_past, attack));
    }
  }
}

void expect_same_in_any_order(const Roster& roster, std::vector<Buffer> ops, RngSource& source) {
  for (int round = 0; round < 3; ++round) {
    source.rng.shuffle(std::span(ops));
    Roster other(roster.swarm());
    for (const Buffer& op : ops) (void)other.add(op, Roster::Trust::kVerified);
    while (other.settle(1'000) > 0) {
    }
    ASSERT_EQ(other.size(), roster.size());
    ASSERT_EQ(other.heads(), roster.heads());
    ASSERT_TRUE(other.state() == roster.state());
  }
}

void run_history(std::uint64_t seed, std::size_t length, const Maker& maker, Tally& tally) {
  RngSource source{SeededRng(seed)};
  RandomHistory<RngSource> history(source, maker, seed % 3 == 0);
  Roster roster(maker.swarm());
  NaiveReducer naive;
  std::vector<Buffer> ops = {maker.genesis().encoded};
  ASSERT_TRUE(roster.add(ops[0], Roster::Trust::kVerified).has_value());
  ASSERT_TRUE(naive.add(maker.genesis()));
  for (std::size_t tries = 0; tries < 40 * length && roster.size() < length; ++tries) {
    const Op op = history.next();
    const auto added = roster.add(op.encoded, Roster::Trust::kVerified);
    const bool is_in = added && *added != Roster::Added::kWaiting;
    ASSERT_EQ(is_in, naive.add(op)) << op.type() << (added ? "" : to_string(added.error()));
    is_in ? history.accepted(op) : history.refused(op);
    if (is_in || (added && roster.waiting() < 100)) ops.push_back(op.encoded);
    if (is_in) ++tally.valid;
  }
  ASSERT_NO_FATAL_FAILURE(expect_same(roster, naive, tally));
  ASSERT_NO_FATAL_FAILURE(expect_no_void_author_counts(roster));
  ASSERT_NO_FATAL_FAILURE(expect_same_in_any_order(roster, std::move(ops), source));
}

// More histories by hand: KITH_HISTORIES=10000 kith_swarm_tests --gtest_filter=ReducerProperty.*
std::uint64_t histories() {
  const char* text = std::getenv("KITH_HISTORIES");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 120;
}

TEST(ReducerProperty, EqualsTheNaiveOneInEveryOrderOfArrival) {
  const Maker maker(5);
  Tally tally;
  for (std::uint64_t seed = 0; seed < histories(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ASSERT_NO_FATAL_FAILURE(run_history(seed, 12 + seed % 24, maker, tally));
  }
  // The histories are of the kind that this test is about.
  EXPECT_GT(tally.valid, histories() * 8);
  EXPECT_GT(tally.void_ops, histories() / 2);
  EXPECT_GT(tally.removed, histories() / 2);
  EXPECT_GT(tally.unclean, histories() / 20);
  EXPECT_GT(tally.dead_invites, histories() / 10);
}

}  // namespace
}  // namespace kith::test
