// Bytes as a program that makes a random history: the roster accepts what the naive reducer
// accepts, both give the same result, and so does every order of arrival.
#include <algorithm>

#include "proto/assert.hpp"
#include "proto/swarm/roster.hpp"
#include "tests/unit/proto/swarm/naive_reducer.hpp"
#include "tests/unit/proto/swarm/random_history.hpp"

namespace {

using namespace kith;
using namespace kith::test;

struct ByteSource {
  Bytes left;
  std::size_t pick(std::size_t n) {
    if (left.empty()) return 0;
    const std::size_t value = left[0];
    left = left.subspan(1);
    return value % n;
  }
};

void check_against(const Roster& roster, const NaiveReducer& naive) {
  const auto counts = naive.counting(naive.everything());
  const Reduction all(roster.graph(), roster.graph().all());
  for (OpIndex i = 0; i < roster.size(); ++i) {
    KITH_ASSERT(all.counts(i) == counts.contains(roster.op(i).id));
  }
  for (const DeviceId& device : naive.devices()) {
    KITH_ASSERT(roster.state().role(device) == naive.role(device, counts));
  }
  KITH_ASSERT(roster.state().current_epoch == naive.epoch(counts).first);
}

void check_order(const Roster& roster, std::vector<Buffer> ops) {
  for (int round = 0; round < 2; ++round) {
    // First backwards, then the two halves the other way round.
    round == 0 ? std::reverse(ops.begin(), ops.end())
               : void(std::rotate(ops.begin(), ops.begin() + static_cast<long>(ops.size() / 2),
                                  ops.end()));
    Roster other(roster.swarm());
    for (const Buffer& op : ops) (void)other.add(op, Roster::Trust::kVerified);
    while (other.settle(1'000) > 0) {
    }
    KITH_ASSERT(other.size() == roster.size() && other.state() == roster.state());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Maker maker(4);
  ByteSource source{Bytes(data, size)};
  RandomHistory<ByteSource> history(source, maker, source.pick(2) == 1);
  Roster roster(maker.swarm());
  NaiveReducer naive;
  std::vector<Buffer> ops = {maker.genesis().encoded};
  (void)roster.add(ops[0], Roster::Trust::kVerified);
  (void)naive.add(maker.genesis());
  for (int tries = 0; tries < 200 && roster.size() < 24 && !source.left.empty(); ++tries) {
    const Op op = history.next();
    const auto added = roster.add(op.encoded, Roster::Trust::kVerified);
    const bool is_in = added && *added != Roster::Added::kWaiting;
    KITH_ASSERT(is_in == naive.add(op));
    is_in ? history.accepted(op) : history.refused(op);
    if (added) ops.push_back(op.encoded);
  }
  check_against(roster, naive);
  check_order(roster, std::move(ops));
  return 0;
}
